//! TLS for the HTTPS listener: one configuration for all names; the certificate is looked up in the routing
//! table when a client names a host.

use std::fmt;
use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{ServerConfig, version};
use tokio_rustls::TlsAcceptor;

use crate::cert_source::CertSource;
use crate::plane::Plane;

/// The cryptography everything uses.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

/// An acceptor that serves the certificates of the table in force.
///
/// # Errors
/// When the provider lacks what is needed.
pub(crate) fn acceptor(
    plane: Arc<Plane>,
    provider: Arc<CryptoProvider>,
) -> Result<TlsAcceptor, rustls::Error> {
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&version::TLS13, &version::TLS12])?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(TableResolver { plane }));
    config.alpn_protocols = vec![crate::http2::ALPN.to_vec(), b"http/1.1".to_vec()];
    config.ticketer = rustls::crypto::aws_lc_rs::Ticketer::new()?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

struct TableResolver {
    plane: Arc<Plane>,
}

impl ResolvesServerCert for TableResolver {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let table = self.plane.table();
        let service = match hello.server_name() {
            Some(name) => table.find_root(name),
            None => {
                let host = table.default_tls_host()?;
                self.plane.log.warn(
                    "No server name; using default TLS hostname",
                    &[("host", host)],
                );
                table.find_root(host)
            }
        }?;
        match &service.certificate {
            CertSource::Custom(certificate) => Some(Arc::clone(certificate)),
            CertSource::Automatic | CertSource::None => None,
        }
    }
}

impl fmt::Debug for TableResolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TableResolver")
    }
}
