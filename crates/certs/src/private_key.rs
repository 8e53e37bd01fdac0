//! The key of an account or of a certificate: ECDSA on P-256, which is what the certificate cache holds, and every client and
//! authority takes.
//!
//! In: a new key from the system's randomness, or one in any of the usual forms. Out: SEC1 for the cache, PKCS #8 for libraries.

use std::fmt;

use aws_lc_rs::encoding::{AsDer as _, EcPrivateKeyRfc5915Der};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use zeroize::Zeroizing;

use crate::pem;

/// The label of a SEC1 key.
pub(crate) const SEC1_LABEL: &str = "EC PRIVATE KEY";

/// A key pair on P-256. Not printed.
pub struct PrivateKey {
    sec1: Zeroizing<Vec<u8>>,
    pkcs8: Zeroizing<Vec<u8>>,
}

/// The key could not be made or read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a private key on the curve P-256")]
pub struct PrivateKeyError;

impl PrivateKey {
    /// A new key.
    ///
    /// # Errors
    /// When the system gives no randomness.
    pub fn generate() -> Result<Self, PrivateKeyError> {
        EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)
            .map_err(|_| PrivateKeyError)
            .and_then(|pair| Self::from_pair(&pair))
    }

    /// Reads SEC1 or PKCS #8.
    ///
    /// # Errors
    /// Anything else, and other curves.
    pub fn from_der(der: &[u8]) -> Result<Self, PrivateKeyError> {
        EcdsaKeyPair::from_private_key_der(&ECDSA_P256_SHA256_FIXED_SIGNING, der)
            .map_err(|_| PrivateKeyError)
            .and_then(|pair| Self::from_pair(&pair))
    }

    /// Reads the first private key of a PEM text.
    ///
    /// # Errors
    /// As [`from_der`](Self::from_der).
    pub fn from_pem(text: &str) -> Result<Self, PrivateKeyError> {
        let blocks = pem::blocks(text).ok_or(PrivateKeyError)?;
        let block = blocks
            .iter()
            .find(|block| block.label.contains("PRIVATE"))
            .ok_or(PrivateKeyError)?;
        Self::from_der(&block.der)
    }

    /// As `EC PRIVATE KEY` (RFC 5915, with the curve and the public key).
    #[must_use]
    pub fn to_pem(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(String::new());
        pem::append(&mut text, SEC1_LABEL, &self.sec1);
        text
    }

    pub(crate) fn sec1(&self) -> &[u8] {
        &self.sec1
    }

    /// As PKCS #8.
    #[must_use]
    pub fn pkcs8(&self) -> PrivatePkcs8KeyDer<'_> {
        PrivatePkcs8KeyDer::from(self.pkcs8.as_slice())
    }

    /// For signing requests and certificates of one's own.
    ///
    /// # Errors
    /// None for a key that was made or read here.
    pub(crate) fn signer(&self) -> Result<rcgen::KeyPair, rcgen::Error> {
        rcgen::KeyPair::from_der_and_sign_algo(
            &PrivateKeyDer::Pkcs8(self.pkcs8()),
            &rcgen::PKCS_ECDSA_P256_SHA256,
        )
    }

    fn from_pair(pair: &EcdsaKeyPair) -> Result<Self, PrivateKeyError> {
        let sec1: EcPrivateKeyRfc5915Der<'static> =
            pair.private_key().as_der().map_err(|_| PrivateKeyError)?;
        let pkcs8 = pair.to_pkcs8v1().map_err(|_| PrivateKeyError)?;
        Ok(Self {
            sec1: Zeroizing::new(sec1.as_ref().to_vec()),
            pkcs8: Zeroizing::new(pkcs8.as_ref().to_vec()),
        })
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PrivateKey")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_key_in_either_form() {
        let key = PrivateKey::generate().unwrap();
        let pem = key.to_pem();
        assert!(pem.starts_with("-----BEGIN EC PRIVATE KEY-----\n"));
        assert_eq!(*PrivateKey::from_pem(&pem).unwrap().pkcs8, *key.pkcs8);
        assert_eq!(*PrivateKey::from_der(&key.pkcs8).unwrap().sec1, *key.sec1);
    }

    #[test]
    fn sec1_carries_curve_and_public_key() {
        let key = PrivateKey::generate().unwrap();
        // RFC 5915: [0] with the object identifier of prime256v1, and [1] with an uncompressed point. Readers that
        // find the key outside PKCS #8 know the curve from nowhere else.
        let curve = [
            0xa0, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07,
        ];
        let public = [0xa1, 0x44, 0x03, 0x42, 0x00, 0x04];
        let holds = |part: &[u8]| key.sec1.windows(part.len()).any(|window| window == part);
        assert!(holds(&curve) && holds(&public));
        assert_eq!(key.sec1.len(), 121);
    }

    #[test]
    fn nothing_of_the_key_is_printed() {
        assert_eq!(
            format!("{:?}", PrivateKey::generate().unwrap()),
            "PrivateKey"
        );
    }

    #[test]
    fn what_is_no_key_is_refused() {
        for text in [
            "",
            "-----BEGIN EC PRIVATE KEY-----\nAAAA\n-----END EC PRIVATE KEY-----\n",
        ] {
            assert_eq!(PrivateKey::from_pem(text).unwrap_err(), PrivateKeyError);
        }
    }
}
