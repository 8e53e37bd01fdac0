//! dhow-certs.
