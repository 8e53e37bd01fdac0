//! TLS as a client: a certificate made for this run, and one suite for all, so that every proxy does the same work.

use std::path::Path;
use std::sync::Arc;

use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, SignatureScheme, version};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::failed::Failed;

/// Clients that trust the certificate which was written for the proxies.
#[derive(Clone)]
pub(crate) struct Clients {
    http1: Arc<ClientConfig>,
    http2: Arc<ClientConfig>,
    name: ServerName<'static>,
}

impl Clients {
    /// Makes a certificate for `host` (ECDSA, P-256) and writes `cert.pem`, `key.pem`, and both as `both.pem` into `folder`.
    ///
    /// # Errors
    /// A file cannot be written.
    pub(crate) fn make(host: &str, folder: &Path) -> Result<Self, Failed> {
        let made = rcgen::generate_simple_self_signed([host.to_owned()]);
        let made = made.map_err(|error| Failed::Wrong(format!("certificate: {error}")))?;
        let (cert, key) = (made.cert.pem(), made.signing_key.serialize_pem());
        let both = format!("{cert}{key}");
        for (file, text) in [("cert.pem", cert), ("key.pem", key), ("both.pem", both)] {
            let path = folder.join(file);
            std::fs::write(&path, text).map_err(Failed::file(&path))?;
        }
        let known = Arc::new(Known(made.cert.der().clone()));
        let name = ServerName::try_from(host.to_owned());
        let name = name.map_err(|error| Failed::Wrong(format!("`{host}`: {error}")))?;
        let config = |alpn: &[u8]| -> Result<Arc<ClientConfig>, Failed> {
            // No post-quantum key exchange: not every peer has it.
            let provider = CryptoProvider {
                cipher_suites: vec![aws_lc_rs::cipher_suite::TLS13_AES_128_GCM_SHA256],
                kx_groups: vec![aws_lc_rs::kx_group::X25519],
                ..aws_lc_rs::default_provider()
            };
            let mut config = ClientConfig::builder_with_provider(Arc::new(provider))
                .with_protocol_versions(&[&version::TLS13])
                .map_err(wrong)?
                .dangerous()
                .with_custom_certificate_verifier(Arc::<Known>::clone(&known))
                .with_no_client_auth();
            config.alpn_protocols = vec![alpn.to_vec()];
            config.resumption = Resumption::disabled();
            Ok(Arc::new(config))
        };
        Ok(Self {
            http1: config(b"http/1.1")?,
            http2: config(b"h2")?,
            name,
        })
    }

    /// A full handshake.
    ///
    /// # Errors
    /// It fails.
    pub(crate) async fn connect(
        &self,
        stream: TcpStream,
        http2: bool,
    ) -> Result<TlsStream<TcpStream>, Failed> {
        let config = if http2 { &self.http2 } else { &self.http1 };
        let connector = TlsConnector::from(Arc::clone(config));
        Ok(connector.connect(self.name.clone(), stream).await?)
    }
}

/// The one certificate there is. That its signatures are right is not checked: that takes a client longer than it takes a proxy to sign, and
/// the load would be the limit and not the proxy.
#[derive(Debug)]
struct Known(CertificateDer<'static>);

impl ServerCertVerifier for Known {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if certificate.as_ref() == self.0.as_ref() {
            Ok(ServerCertVerified::assertion())
        } else {
            Err(CertificateError::UnknownIssuer.into())
        }
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ECDSA_NISTP256_SHA256]
    }
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "the shape that map_err wants"
)]
fn wrong(error: rustls::Error) -> Failed {
    Failed::Wrong(format!("TLS: {error}"))
}
