//! dhow-testkit.
