//! A certificate authority of the tests' own: certificates for any name and time, without a network.

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose,
};
use rustls::crypto::CryptoProvider;
use std::time::Duration;

use crate::certificate::Certificate;
use crate::host_name::HostName;
use crate::moment::Moment;
use crate::pem;
use crate::private_key::PrivateKey;

/// When the tests take place.
pub(crate) const NOW: Moment = Moment::from_millis(1_800_000_000_000);

pub(crate) const DAY: Duration = Duration::from_secs(86_400);

pub(crate) fn provider() -> CryptoProvider {
    rustls::crypto::aws_lc_rs::default_provider()
}

pub(crate) fn host(name: &str) -> HostName {
    HostName::parse(name).unwrap()
}

pub(crate) struct TestAuthority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl TestAuthority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        params
            .distinguished_name
            .push(DnType::CommonName, "Test authority");
        Self {
            issuer: CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap(),
        }
    }

    /// A cache entry for `name`: 90 days from a day before [`NOW`].
    pub(crate) fn entry(&self, name: &str) -> String {
        self.entry_from(name, NOW.minus(DAY))
    }

    /// A cache entry for `name`, for 90 days from `from`.
    pub(crate) fn entry_from(&self, name: &str, from: Moment) -> String {
        let key = PrivateKey::generate().unwrap();
        let mut params = CertificateParams::new([name.to_owned()]).unwrap();
        params.not_before = (std::time::UNIX_EPOCH + Duration::from_millis(from.millis())).into();
        params.not_after = params.not_before + DAY * 90;
        params.use_authority_key_identifier_extension = true;
        let leaf = params
            .signed_by(&key.signer().unwrap(), &self.issuer)
            .unwrap();
        let mut text = key.to_pem().to_string();
        pem::append(&mut text, "CERTIFICATE", leaf.der());
        pem::append(&mut text, "CERTIFICATE", self.issuer.der());
        text
    }

    /// A certificate for `name`, for 90 days from `from`, read at that time.
    pub(crate) fn certificate_from(&self, name: &str, from: Moment) -> Certificate {
        Certificate::from_pem(&self.entry_from(name, from), &host(name), from, &provider()).unwrap()
    }

    /// A certificate for `name`: 90 days from a day before [`NOW`].
    pub(crate) fn certificate(&self, name: &str) -> Certificate {
        self.certificate_from(name, NOW.minus(DAY))
    }

    /// A certificate for `name` with an RSA key, kept in PKCS #1 as the cache's layout has it.
    pub(crate) fn rsa_certificate(&self, name: &str) -> Certificate {
        let key = KeyPair::generate_for(&rcgen::PKCS_RSA_SHA256).unwrap();
        let mut params = CertificateParams::new([name.to_owned()]).unwrap();
        params.not_before = (std::time::UNIX_EPOCH + Duration::from_millis(NOW.millis())).into();
        params.not_after = params.not_before + DAY * 90;
        let leaf = params.signed_by(&key, &self.issuer).unwrap();
        let mut text = String::new();
        pem::append(&mut text, "RSA PRIVATE KEY", pkcs1(&key.serialize_der()));
        pem::append(&mut text, "CERTIFICATE", leaf.der());
        pem::append(&mut text, "CERTIFICATE", self.issuer.der());
        Certificate::from_pem(&text, &host(name), NOW, &provider()).unwrap()
    }
}

/// The PKCS #1 key within PKCS #8: behind a version, the algorithm, and the header of an octet string (RFC 5208 §5).
fn pkcs1(pkcs8: &[u8]) -> &[u8] {
    let start = pkcs8
        .windows(2)
        .position(|pair| pair == [0x04, 0x82])
        .unwrap();
    &pkcs8[start + 4..]
}
