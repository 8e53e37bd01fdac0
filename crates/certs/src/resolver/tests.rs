//! Real handshakes in memory, against the resolver in a server's configuration.

use std::sync::Mutex;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    AlertDescription, ClientConfig, ClientConnection, DigitallySignedStruct, Error, ServerConfig,
    ServerConnection,
};

use super::*;
use crate::challenge_certificate::ChallengeCertificate;
use crate::store::CertStore;
use crate::test_authority::{TestAuthority, host, provider};

/// Accepts whatever it is shown, and keeps it.
#[derive(Debug, Default)]
struct Witness {
    schemes: Vec<SignatureScheme>,
    shown: Mutex<Option<CertificateDer<'static>>>,
}

impl ServerCertVerifier for Witness {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        *self.shown.lock().unwrap() = Some(leaf.clone().into_owned());
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.schemes.clone()
    }
}

/// A client: the name it sends (an address sends none), the protocols it offers, whether it knows ECDSA.
struct Client<'a> {
    name: &'a str,
    alpn: &'a [&'a [u8]],
    ecdsa: bool,
}

impl Client<'_> {
    /// The certificate shown, or what went wrong.
    fn visit(&self, resolver: &Arc<Resolver>) -> Result<CertificateDer<'static>, Error> {
        let provider = Arc::new(provider());
        let mut server = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(resolver) as Arc<dyn ResolvesServerCert>);
        server.alpn_protocols = [b"h2", b"http/1.1".as_slice(), ACME_TLS_ALPN]
            .map(<[u8]>::to_vec)
            .to_vec();
        let schemes = if self.ecdsa {
            provider
                .signature_verification_algorithms
                .supported_schemes()
        } else {
            vec![
                SignatureScheme::RSA_PSS_SHA256,
                SignatureScheme::RSA_PKCS1_SHA256,
            ]
        };
        let witness = Arc::new(Witness {
            schemes,
            shown: Mutex::default(),
        });
        let mut client = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .dangerous()
            .with_custom_certificate_verifier(Arc::clone(&witness) as Arc<dyn ServerCertVerifier>)
            .with_no_client_auth();
        client.alpn_protocols = self.alpn.iter().map(|name| name.to_vec()).collect();
        let name = ServerName::try_from(self.name.to_owned()).unwrap();
        let mut client = ClientConnection::new(Arc::new(client), name)?;
        let mut server = ServerConnection::new(Arc::new(server))?;
        let mut failure = None;
        for _ in 0..10 {
            let mut wire = Vec::new();
            while client.wants_write() {
                client.write_tls(&mut wire).unwrap();
            }
            let mut rest = wire.as_slice();
            while !rest.is_empty() {
                server.read_tls(&mut rest).unwrap();
            }
            if let Err(error) = server.process_new_packets() {
                failure = Some(error);
            }
            let mut wire = Vec::new();
            while server.wants_write() {
                server.write_tls(&mut wire).unwrap();
            }
            let mut rest = wire.as_slice();
            while !rest.is_empty() {
                client.read_tls(&mut rest).unwrap();
            }
            client.process_new_packets()?;
            if let Some(failure) = failure {
                return Err(failure);
            }
            if !client.is_handshaking() && !server.is_handshaking() {
                break;
            }
        }
        let shown = witness.shown.lock().unwrap().take();
        shown.ok_or(Error::HandshakeNotComplete)
    }
}

fn browser(name: &str) -> Client<'_> {
    Client {
        name,
        alpn: &[b"h2", b"http/1.1"],
        ecdsa: true,
    }
}

fn resolver_with(names: &[&str]) -> (Arc<Resolver>, Vec<Certificate>) {
    let authority = TestAuthority::new();
    let resolver = Arc::new(Resolver::new(Challenges::default()));
    let certificates: Vec<Certificate> = names
        .iter()
        .map(|name| authority.certificate(name))
        .collect();
    for (name, certificate) in names.iter().zip(&certificates) {
        resolver.serve(&host(name), certificate);
    }
    (resolver, certificates)
}

#[test]
fn the_host_that_was_named_in_any_case() {
    let (resolver, certificates) = resolver_with(&["a.example.com", "b.example.com"]);
    let shown = browser("B.Example.com").visit(&resolver).unwrap();
    assert_eq!(&shown, certificates[1].leaf().unwrap());
}

#[test]
fn item_62_unknown_names_get_an_alert_and_no_name_the_default() {
    let (resolver, certificates) = resolver_with(&["a.example.com", "b.example.com"]);
    assert!(browser("c.example.com").visit(&resolver).is_err());
    assert!(browser("192.0.2.1").visit(&resolver).is_err());
    resolver.set_default(Some(host("b.example.com")));
    let shown = browser("192.0.2.1").visit(&resolver).unwrap();
    assert_eq!(&shown, certificates[1].leaf().unwrap());
    // The default is for clients that name nothing, not for those that name something else.
    assert!(browser("c.example.com").visit(&resolver).is_err());
    resolver.withdraw([&host("b.example.com")]);
    assert!(browser("192.0.2.1").visit(&resolver).is_err());
    assert!(browser("b.example.com").visit(&resolver).is_err());
}

#[test]
fn item_63_probers_see_the_challenge_and_nobody_else_does() {
    let (resolver, certificates) = resolver_with(&["a.example.com"]);
    let root = tempfile::tempdir().unwrap();
    let store = CertStore::new(root.path(), "");
    let prober = Client {
        alpn: &[ACME_TLS_ALPN],
        ..browser("a.example.com")
    };
    assert!(prober.visit(&resolver).is_err(), "no order is under way");
    let answer = ChallengeCertificate::new(&host("a.example.com"), &[3; 32], &provider()).unwrap();
    let up = resolver
        .challenges
        .publish_tls(&host("a.example.com"), &answer, &store);
    assert_eq!(prober.visit(&resolver).unwrap(), answer.certified().cert[0]);
    let ordinary = certificates[0].leaf().unwrap();
    assert_eq!(
        &browser("a.example.com").visit(&resolver).unwrap(),
        ordinary
    );
    let both = Client {
        alpn: &[ACME_TLS_ALPN, b"h2"],
        ..browser("a.example.com")
    };
    assert_eq!(&both.visit(&resolver).unwrap(), ordinary);
    drop(up);
    assert!(prober.visit(&resolver).is_err());
}

#[test]
fn item_63_other_protocols_only_are_refused() {
    let (resolver, _) = resolver_with(&["a.example.com"]);
    let stranger = Client {
        alpn: &[b"smtp"],
        ..browser("a.example.com")
    };
    let error = stranger.visit(&resolver).unwrap_err();
    let alert = Error::AlertReceived(AlertDescription::NoApplicationProtocol);
    assert!(
        error == alert || error == Error::NoApplicationProtocol,
        "{error}"
    );
}

#[test]
fn clients_without_ecdsa_get_the_rsa_certificate_of_the_cache() {
    let (resolver, certificates) = resolver_with(&["a.example.com"]);
    let old = Client {
        ecdsa: false,
        ..browser("a.example.com")
    };
    assert!(old.visit(&resolver).is_err());
    let rsa = TestAuthority::new().rsa_certificate("a.example.com");
    resolver.serve(&host("a.example.com"), &rsa);
    assert_eq!(&old.visit(&resolver).unwrap(), rsa.leaf().unwrap());
    let shown = browser("a.example.com").visit(&resolver).unwrap();
    assert_eq!(&shown, certificates[0].leaf().unwrap());
    resolver.replace(&host("a.example.com"), &certificates);
    assert!(old.visit(&resolver).is_err());
    resolver.replace(&host("a.example.com"), &[]);
    assert!(browser("a.example.com").visit(&resolver).is_err());
}
