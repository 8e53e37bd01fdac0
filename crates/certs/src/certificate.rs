//! A certificate with its key, checked: it is for the host, it is the key's, and it is valid now. One that exists can be served.
//!
//! In: the PEM text of a cache entry, or a key and the chain an authority gave. Out: what rustls serves, the times to plan
//! renewal by, and the text to keep.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use rustls::client::verify_server_name;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, DnsName, PrivateKeyDer, ServerName};
use rustls::server::ParsedCertificate;
use rustls::sign::CertifiedKey;
use x509_parser::oid_registry::{OID_KEY_TYPE_EC_PUBLIC_KEY, OID_PKCS1_RSAENCRYPTION};
use x509_parser::prelude::{FromDer as _, X509Certificate};
use zeroize::Zeroizing;

use crate::host_name::HostName;
use crate::moment::Moment;
use crate::pem;
use crate::private_key::{PrivateKey, SEC1_LABEL};

/// By how much a machine's clock may be slow.
const CLOCK_ERROR: Duration = Duration::from_secs(3600);

/// What kind of key a certificate is for; the cache has a place for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyKind {
    /// ECDSA: every client of the last decade.
    Ecdsa,
    /// RSA: for clients that know nothing else.
    Rsa,
}

/// From when until when a certificate holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    /// First moment.
    pub not_before: Moment,
    /// Last moment.
    pub not_after: Moment,
}

impl Validity {
    /// Length of the time it holds.
    #[must_use]
    pub const fn lifetime(&self) -> Duration {
        self.not_after.since(self.not_before)
    }

    /// A clock that is slow must not throw away what was issued a moment ago.
    pub(crate) fn contains(&self, now: Moment) -> bool {
        self.not_before <= now.plus(CLOCK_ERROR) && now <= self.not_after
    }
}

/// A certificate that can be served for its host.
#[derive(Clone)]
pub struct Certificate {
    certified: Arc<CertifiedKey>,
    text: Arc<Zeroizing<String>>,
    validity: Validity,
    kind: KeyKind,
}

/// Why a text is no certificate to serve.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// Not PEM, cut off, something behind it, or blocks in another order.
    #[error("the file is damaged")]
    Damaged,
    /// The leaf is not X.509.
    #[error("the certificate cannot be read")]
    Unreadable,
    /// Another key than RSA or ECDSA.
    #[error("the certificate's kind of key is not known")]
    KeyKind,
    /// The leaf names other hosts.
    #[error("the certificate is not for `{0}`")]
    OtherHost(HostName),
    /// Expired, or not yet valid.
    #[error("the certificate is not valid at this time")]
    NotValidNow,
    /// Key and leaf do not go together, or the key cannot be used.
    #[error("the key does not fit the certificate: {0}")]
    Key(#[from] rustls::Error),
}

impl Certificate {
    /// Reads a cache entry: the key, then the chain, leaf first.
    ///
    /// # Errors
    /// Anything that keeps it from being served for `host` at `now`.
    pub fn from_pem(
        text: &str,
        host: &HostName,
        now: Moment,
        provider: &CryptoProvider,
    ) -> Result<Self, CertificateError> {
        let blocks = pem::blocks(text).ok_or(CertificateError::Damaged)?;
        let (key, chain) = blocks.split_first().ok_or(CertificateError::Damaged)?;
        if !key.label.contains("PRIVATE")
            || chain.is_empty()
            || chain.iter().any(|block| block.label != "CERTIFICATE")
        {
            return Err(CertificateError::Damaged);
        }
        let key = PrivateKeyDer::try_from(key.der.as_slice())
            .map_err(|_| CertificateError::Damaged)?
            .clone_key();
        let chain: Vec<CertificateDer<'static>> = chain
            .iter()
            .map(|block| CertificateDer::from(block.der.to_vec()))
            .collect();
        let (validity, kind) = chain
            .first()
            .ok_or(CertificateError::Damaged)
            .and_then(|leaf| inspect(leaf, host))?;
        if !validity.contains(now) {
            return Err(CertificateError::NotValidNow);
        }
        Ok(Self {
            certified: Arc::new(CertifiedKey::from_der(chain, key, provider)?),
            text: Arc::new(Zeroizing::new(text.to_owned())),
            validity,
            kind,
        })
    }

    /// Joins a key with the chain an authority gave for it.
    ///
    /// # Errors
    /// As [`from_pem`](Self::from_pem).
    pub fn issued(
        key: &PrivateKey,
        chain_pem: &str,
        host: &HostName,
        now: Moment,
        provider: &CryptoProvider,
    ) -> Result<Self, CertificateError> {
        let mut text = Zeroizing::new(String::new());
        pem::append(&mut text, SEC1_LABEL, key.sec1());
        // Written anew: authorities put empty lines between the blocks, and readers of the cache may not expect them.
        for block in pem::blocks(chain_pem).ok_or(CertificateError::Damaged)? {
            pem::append(&mut text, &block.label, &block.der);
        }
        Self::from_pem(&text, host, now, provider)
    }

    /// What rustls serves.
    #[must_use]
    pub const fn certified(&self) -> &Arc<CertifiedKey> {
        &self.certified
    }

    /// From when until when it holds.
    #[must_use]
    pub const fn validity(&self) -> Validity {
        self.validity
    }

    /// The kind of its key.
    #[must_use]
    pub const fn kind(&self) -> KeyKind {
        self.kind
    }

    /// The cache entry.
    #[must_use]
    pub fn to_pem(&self) -> &str {
        &self.text
    }

    /// The certificate itself, without those that vouch for it.
    #[must_use]
    pub fn leaf(&self) -> Option<&CertificateDer<'static>> {
        self.certified.cert.first()
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificate")
            .field("validity", &self.validity)
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}

/// Reads times and kind of key, and checks the names.
fn inspect(
    leaf: &CertificateDer<'static>,
    host: &HostName,
) -> Result<(Validity, KeyKind), CertificateError> {
    let name = DnsName::try_from(host.as_str())
        .map_err(|_| CertificateError::OtherHost(host.clone()))?
        .to_owned();
    let parsed = ParsedCertificate::try_from(leaf).map_err(|_| CertificateError::Unreadable)?;
    verify_server_name(&parsed, &ServerName::DnsName(name))
        .map_err(|_| CertificateError::OtherHost(host.clone()))?;
    let (_, certificate) =
        X509Certificate::from_der(leaf).map_err(|_| CertificateError::Unreadable)?;
    let validity = Validity {
        not_before: Moment::from_unix(certificate.validity().not_before.timestamp()),
        not_after: Moment::from_unix(certificate.validity().not_after.timestamp()),
    };
    let algorithm = &certificate.public_key().algorithm.algorithm;
    let kind = if *algorithm == OID_KEY_TYPE_EC_PUBLIC_KEY {
        KeyKind::Ecdsa
    } else if *algorithm == OID_PKCS1_RSAENCRYPTION {
        KeyKind::Rsa
    } else {
        return Err(CertificateError::KeyKind);
    };
    Ok((validity, kind))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_authority::{NOW, TestAuthority, host, provider};

    fn read(text: &str, name: &str, now: Moment) -> Result<Certificate, String> {
        Certificate::from_pem(text, &host(name), now, &provider())
            .map_err(|error| error.to_string())
    }

    #[test]
    fn an_entry_is_read_and_kept_as_it_was() {
        let text = TestAuthority::new().entry("app.example.com");
        let certificate = read(&text, "app.example.com", NOW).unwrap();
        assert_eq!(certificate.to_pem(), text);
        assert_eq!(certificate.kind(), KeyKind::Ecdsa);
        assert_eq!(certificate.certified().cert.len(), 2);
        assert_eq!(
            certificate.validity().lifetime(),
            Duration::from_secs(90 * 86_400)
        );
    }

    #[test]
    fn what_cannot_be_served_is_refused() {
        let authority = TestAuthority::new();
        let text = authority.entry("app.example.com");
        let day = Duration::from_secs(86_400);
        let refusal = |text: &str, name, now| read(text, name, now).unwrap_err();
        assert_eq!(
            refusal(&text, "www.example.com", NOW),
            "the certificate is not for `www.example.com`"
        );
        for time in [NOW.minus(day * 2), NOW.plus(day * 90)] {
            assert_eq!(
                refusal(&text, "app.example.com", time),
                "the certificate is not valid at this time"
            );
        }
        let slow = NOW.minus(day).minus(CLOCK_ERROR);
        assert!(read(&text, "app.example.com", slow).is_ok());
        let (key, chain) = text.split_at(text.find("-----BEGIN CERT").unwrap());
        for damaged in [
            format!("{text}x"),
            format!("{chain}{key}"),
            key.to_owned(),
            chain.to_owned(),
            String::new(),
        ] {
            assert_eq!(
                refusal(&damaged, "app.example.com", NOW),
                "the file is damaged"
            );
        }
        let other = PrivateKey::generate().unwrap().to_pem();
        assert!(
            refusal(&format!("{}{chain}", *other), "app.example.com", NOW)
                .starts_with("the key does not fit the certificate")
        );
    }

    #[test]
    fn no_damage_makes_it_panic() {
        let text = TestAuthority::new().entry("app.example.com");
        let end = "-----END CERTIFICATE-----";
        let leaf_end = text.find(end).unwrap() + end.len();
        for length in 0..text.len() {
            let cut = read(&text[..length], "app.example.com", NOW);
            assert!(cut.is_err() || length >= leaf_end, "cut at {length}");
        }
        // Every byte of key and chain, another one.
        let blocks = pem::blocks(&text).unwrap();
        for (number, block) in blocks.iter().enumerate() {
            for position in 0..block.der.len() {
                let mut other = String::new();
                for (index, block) in blocks.iter().enumerate() {
                    let mut der = block.der.to_vec();
                    if index == number {
                        der[position] ^= 0x55;
                    }
                    pem::append(&mut other, &block.label, &der);
                }
                // Signatures are not checked here, so some of these are fit to be served.
                let _ = read(&other, "app.example.com", NOW);
            }
        }
    }

    #[test]
    fn any_form_of_key_is_read() {
        let text = TestAuthority::new().entry("app.example.com");
        let chain = &text[text.find("-----BEGIN CERT").unwrap()..];
        let mut pkcs8 = String::new();
        pem::append(
            &mut pkcs8,
            "PRIVATE KEY",
            PrivateKey::from_pem(&text)
                .unwrap()
                .pkcs8()
                .secret_pkcs8_der(),
        );
        pkcs8.push_str(chain);
        assert!(read(&pkcs8, "app.example.com", NOW).is_ok());
    }

    #[test]
    fn nothing_of_the_key_is_printed() {
        let text = TestAuthority::new().entry("app.example.com");
        let printed = format!("{:?}", read(&text, "app.example.com", NOW).unwrap());
        assert!(printed.starts_with("Certificate { validity"), "{printed}");
        assert!(!printed.contains("KEY"), "{printed}");
    }
}
