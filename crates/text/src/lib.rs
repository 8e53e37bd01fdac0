//! dhow-text.
