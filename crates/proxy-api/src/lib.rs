//! dhow-proxy-api.
