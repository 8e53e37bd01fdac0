//! dhow-run.
