//! Where a service's certificate comes from. Automatic certificates will plug in here; until then a service
//! that needs one is refused at deploy, and one restored from state fails its handshakes.

use std::path::Path;
use std::sync::Arc;

use dhow_proxy_api::ServiceOptions;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;

/// The source of a service's certificate.
#[derive(Clone, Debug)]
pub(crate) enum CertSource {
    /// The service has no TLS of its own.
    None,
    /// Files given at deploy, loaded once.
    Custom(Arc<CertifiedKey>),
    /// To be ordered from a certificate authority.
    Automatic,
}

/// A certificate that cannot be served.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CertError {
    /// A file is missing or holds no PEM of the kind expected.
    #[error("`{path}`: {reason}")]
    Pem {
        /// The file.
        path: String,
        /// Why.
        reason: String,
    },
    /// Chain and key do not go together.
    #[error(transparent)]
    Pair(#[from] rustls::Error),
    /// No certificates were in the file.
    #[error("`{0}` holds no certificate")]
    Empty(String),
}

impl CertSource {
    /// Loads what `options` ask for.
    ///
    /// # Errors
    /// A custom certificate that cannot be served.
    pub(crate) fn load(
        options: &ServiceOptions,
        provider: &CryptoProvider,
    ) -> Result<Self, CertError> {
        if !options.tls_enabled || !options.serves_root() {
            return Ok(Self::None);
        }
        if !options.has_custom_certificate() {
            return Ok(Self::Automatic);
        }
        let chain_path = Path::new(&options.tls_certificate_path);
        let key_path = Path::new(&options.tls_private_key_path);
        let pem = |path: &Path, error: rustls::pki_types::pem::Error| CertError::Pem {
            path: path.display().to_string(),
            reason: error.to_string(),
        };
        let chain = CertificateDer::pem_file_iter(chain_path)
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .map_err(|error| pem(chain_path, error))?;
        if chain.is_empty() {
            return Err(CertError::Empty(options.tls_certificate_path.clone()));
        }
        let key = PrivateKeyDer::from_pem_file(key_path).map_err(|error| pem(key_path, error))?;
        Ok(Self::Custom(Arc::new(CertifiedKey::from_der(
            chain, key, provider,
        )?)))
    }
}
