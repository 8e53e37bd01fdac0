//! dhow-config.
