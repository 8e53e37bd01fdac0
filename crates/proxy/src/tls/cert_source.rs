//! Where a service's certificate comes from: nowhere, from files that are read again when they change, or from a certificate
//! authority.

use std::path::Path;
use std::sync::Arc;

use dhow_certs::{CustomCertificate, CustomCertificateError, WATCH_INTERVAL};
use dhow_proxy_api::ServiceOptions;
use rustls::crypto::CryptoProvider;

use crate::observe::log::LogSender;

/// The source of a service's certificate.
#[derive(Clone, Debug)]
pub(crate) enum CertSource {
    /// The service has no TLS of its own.
    None,
    /// Files given at deploy.
    Custom(Arc<CustomCertificate>),
    /// Ordered from a certificate authority, see [`crate::tls::certificates`].
    Automatic,
}

impl CertSource {
    /// Loads what `options` ask for.
    ///
    /// # Errors
    /// A custom certificate that cannot be served.
    pub(crate) fn load(
        options: &ServiceOptions,
        provider: &Arc<CryptoProvider>,
    ) -> Result<Self, CustomCertificateError> {
        if !options.tls_enabled || !options.serves_root() {
            return Ok(Self::None);
        }
        if !options.has_custom_certificate() {
            return Ok(Self::Automatic);
        }
        let certificate = CustomCertificate::load(
            Path::new(&options.tls_certificate_path),
            Path::new(&options.tls_private_key_path),
            Arc::clone(provider),
        )?;
        Ok(Self::Custom(Arc::new(certificate)))
    }

    /// Serves new files when there are any, for as long as the service has this certificate.
    pub(crate) fn keep_fresh(&self, service: &Arc<str>, log: &LogSender) {
        let Self::Custom(certificate) = self else {
            return;
        };
        let (service, log) = (Arc::clone(service), log.clone());
        tokio::spawn(
            certificate.watch(WATCH_INTERVAL, move |outcome| match outcome {
                Ok(()) => log.info("Reloaded TLS certificate", &[("service", &service)]),
                Err(error) => {
                    let error = error.to_string();
                    log.error(
                        "Error reloading TLS certificate",
                        &[("service", &service), ("error", &error)],
                    );
                }
            }),
        );
    }
}
