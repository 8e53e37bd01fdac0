//! dhow-proxy.
