//! dhow-secrets.
