//! TLS for the HTTPS listener: one configuration for clients, one for authorities that check a challenge. Certificates are looked
//! up in the routing table when a client names a host.
//!
//! TLS 1.2 and 1.3 with the provider's suites (forward secret and authenticated ones only); tickets for resumption, no early data.

use std::fmt;
use std::sync::Arc;

use dhow_certs::{ACME_TLS_ALPN, Resolver};
use rustls::crypto::CryptoProvider;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{ServerConfig, version};

use crate::cores::plane::Plane;
use crate::tls::cert_source::CertSource;

/// The cryptography everything uses.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

/// Both configurations. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Tls {
    clients: Arc<ServerConfig>,
    probers: Arc<ServerConfig>,
}

impl Tls {
    /// Serves the certificates of the table in force.
    ///
    /// # Errors
    /// When the provider lacks what is needed.
    pub(crate) fn new(
        plane: &Arc<Plane>,
        provider: &Arc<CryptoProvider>,
    ) -> Result<Self, rustls::Error> {
        let config = |resolver: Arc<dyn ResolvesServerCert>| {
            let config = ServerConfig::builder_with_provider(Arc::clone(provider))
                .with_protocol_versions(&[&version::TLS13, &version::TLS12])?
                .with_no_client_auth()
                .with_cert_resolver(resolver);
            Ok::<_, rustls::Error>(config)
        };
        let mut clients = config(Arc::new(TableResolver(Arc::clone(plane))))?;
        clients.alpn_protocols = vec![
            crate::downstream::http2::ALPN.to_vec(),
            b"http/1.1".to_vec(),
        ];
        clients.ticketer = rustls::crypto::aws_lc_rs::Ticketer::new()?;
        let mut probers = config(Arc::new(ChallengeResolver(Arc::clone(plane))))?;
        probers.alpn_protocols = vec![ACME_TLS_ALPN.to_vec()];
        probers.send_tls13_tickets = 0;
        Ok(Self {
            clients: Arc::new(clients),
            probers: Arc::new(probers),
        })
    }

    /// The configuration for whoever says `hello`, unless there is no certificate for them.
    pub(crate) fn config(&self, hello: ClientHello<'_>) -> Option<Arc<ServerConfig>> {
        let config = if Resolver::is_challenge(&hello) {
            &self.probers
        } else {
            &self.clients
        };
        config.cert_resolver.resolve(hello)?;
        Some(Arc::clone(config))
    }

    /// The configuration for QUIC, which has TLS 1.3 only, and authorities that check a challenge do not use it.
    ///
    /// # Errors
    /// When the provider lacks what is needed.
    pub(crate) fn for_quic(
        plane: &Arc<Plane>,
        provider: &Arc<CryptoProvider>,
    ) -> Result<ServerConfig, rustls::Error> {
        let mut config = ServerConfig::builder_with_provider(Arc::clone(provider))
            .with_protocol_versions(&[&version::TLS13])?
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(TableResolver(Arc::clone(plane))));
        config.ticketer = rustls::crypto::aws_lc_rs::Ticketer::new()?;
        Ok(config)
    }
}

/// For clients.
struct TableResolver(Arc<Plane>);

impl ResolvesServerCert for TableResolver {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let Self(plane) = self;
        let table = plane.table();
        let name = hello.server_name().or_else(|| table.default_tls_host())?;
        match &table.find_root(name)?.certificate {
            CertSource::None => None,
            CertSource::Custom(certificate) => Some(certificate.current()),
            CertSource::Automatic => {
                let manager = plane.certificates.as_ref()?.manager();
                manager.resolver().find(name, hello.signature_schemes())
            }
        }
    }
}

/// For authorities; needs no routing.
struct ChallengeResolver(Arc<Plane>);

impl ResolvesServerCert for ChallengeResolver {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.0.certificates.as_ref()?.manager().challenge(&hello)
    }
}

impl fmt::Debug for TableResolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TableResolver")
    }
}

impl fmt::Debug for ChallengeResolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ChallengeResolver")
    }
}
