//! Certificates and TLS: where a service's certificate comes from, and what the listeners show.
//!
//! Automatic certificates are the business of one manager (`certificates`), which `deploy`, `restore` and `operations` tell what
//! services need; handshakes and `acme_challenge` ask it.

pub(crate) mod acme_challenge;
pub(crate) mod authority;
pub(crate) mod cert_source;
pub(crate) mod certificates;
pub(crate) mod on_demand;
pub(crate) mod tls_config;
