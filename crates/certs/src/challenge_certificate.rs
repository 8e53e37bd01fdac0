//! The certificate that answers a tls-alpn-01 challenge (RFC 8737): signed by itself, for the host alone, with the digest of the
//! key authorisation in a critical extension. No client but an authority's prober ever sees it.

use std::fmt;
use std::sync::Arc;

use rcgen::{CertificateParams, CustomExtension, DistinguishedName, DnType};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use zeroize::Zeroizing;

use crate::host_name::HostName;
use crate::pem;
use crate::private_key::PrivateKey;

/// The protocol name by which the prober asks.
pub const ACME_TLS_ALPN: &[u8] = b"acme-tls/1";

/// A tls-alpn-01 certificate with its key.
#[derive(Clone)]
pub(crate) struct ChallengeCertificate {
    certified: Arc<CertifiedKey>,
    text: Zeroizing<String>,
}

/// The certificate could not be made.
#[derive(Debug, thiserror::Error)]
#[error("cannot make the certificate that answers the challenge: {0}")]
pub(crate) struct ChallengeCertificateError(String);

impl ChallengeCertificate {
    /// For `host`, with the SHA-256 `digest` of the key authorisation.
    pub(crate) fn new(
        host: &HostName,
        digest: &[u8],
        provider: &CryptoProvider,
    ) -> Result<Self, ChallengeCertificateError> {
        let failed = |reason: &dyn fmt::Display| ChallengeCertificateError(reason.to_string());
        if digest.len() != 32 {
            return Err(failed(&"not a SHA-256 digest"));
        }
        let key = PrivateKey::generate().map_err(|error| failed(&error))?;
        let mut params =
            CertificateParams::new([host.to_string()]).map_err(|error| failed(&error))?;
        params.distinguished_name = DistinguishedName::new();
        params
            .distinguished_name
            .push(DnType::CommonName, "ACME challenge");
        params.custom_extensions = vec![CustomExtension::new_acme_identifier(digest)];
        let certificate = key
            .signer()
            .and_then(|signer| params.self_signed(&signer))
            .map_err(|error| failed(&error))?;
        let mut text = key.to_pem();
        pem::append(&mut text, "CERTIFICATE", certificate.der());
        Self::from_pem(text, provider).ok_or_else(|| failed(&"unusable"))
    }

    /// Reads what another proxy on the same cache has put there.
    pub(crate) fn from_pem(text: Zeroizing<String>, provider: &CryptoProvider) -> Option<Self> {
        let blocks = pem::blocks(&text)?;
        let (key, chain) = blocks.split_first()?;
        let key = PrivateKeyDer::try_from(key.der.as_slice())
            .ok()?
            .clone_key();
        let chain: Vec<CertificateDer<'static>> = chain
            .iter()
            .map(|block| CertificateDer::from(block.der.to_vec()))
            .collect();
        if chain.is_empty() {
            return None;
        }
        let signer = provider.key_provider.load_private_key(key).ok()?;
        // Not by `from_der`, which compares the two and gives up at the critical extension that this is about.
        let certified = Arc::new(CertifiedKey::new(chain, signer));
        Some(Self { certified, text })
    }

    pub(crate) const fn certified(&self) -> &Arc<CertifiedKey> {
        &self.certified
    }

    pub(crate) fn to_pem(&self) -> &str {
        &self.text
    }
}

impl fmt::Debug for ChallengeCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ChallengeCertificate")
    }
}

#[cfg(test)]
mod tests {
    use x509_parser::prelude::{FromDer as _, X509Certificate};

    use super::*;
    use crate::test_authority::{host, provider};

    #[test]
    fn carries_the_digest_and_one_name() {
        let made =
            ChallengeCertificate::new(&host("app.example.com"), &[7; 32], &provider()).unwrap();
        let (_, leaf) = X509Certificate::from_der(&made.certified().cert[0]).unwrap();
        // RFC 8737 §3: id-pe-acmeIdentifier, critical, an OCTET STRING with the digest.
        let extension = leaf
            .extensions()
            .iter()
            .find(|extension| extension.oid.to_id_string() == "1.3.6.1.5.5.7.1.31")
            .unwrap();
        assert!(extension.critical);
        assert_eq!(extension.value, [&[4, 32][..], &[7; 32]].concat());
        let names = leaf.subject_alternative_name().unwrap().unwrap();
        assert_eq!(names.value.general_names.len(), 1);
        assert!(ChallengeCertificate::from_pem(made.text, &provider()).is_some());
    }

    #[test]
    fn a_digest_of_another_length_is_refused() {
        let made = ChallengeCertificate::new(&host("app.example.com"), &[7; 20], &provider());
        assert!(made.is_err());
    }
}
