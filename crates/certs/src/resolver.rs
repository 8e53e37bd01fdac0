//! The certificates being served now, by host: read at every handshake without a lock, replaced as a whole.
//!
//! In: certificates as they are loaded and issued. Out: the one for a client's hello: exactly the host it names, the default's
//! host for a client that names none, the challenge's for a prober.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use rustls::SignatureScheme;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use crate::certificate::{Certificate, KeyKind};
use crate::challenge_certificate::ACME_TLS_ALPN;
use crate::challenges::Challenges;
use crate::host_name::HostName;

/// The certificates of all hosts.
pub struct Resolver {
    served: ArcSwap<Served>,
    /// Changes are copies of what is there: one at a time.
    change: Mutex<()>,
    challenges: Challenges,
}

#[derive(Clone, Default)]
struct Served {
    hosts: HashMap<HostName, Slots>,
    default: Option<HostName>,
}

/// A host's certificates by kind of key.
#[derive(Clone, Default)]
struct Slots {
    ecdsa: Option<Arc<CertifiedKey>>,
    rsa: Option<Arc<CertifiedKey>>,
}

impl Resolver {
    /// Serves nothing yet but answers to `challenges`.
    #[must_use]
    pub fn new(challenges: Challenges) -> Self {
        Self {
            served: ArcSwap::default(),
            change: Mutex::new(()),
            challenges,
        }
    }

    /// Whether a client only wants to see the answer to a challenge (RFC 8737: `acme-tls/1` and nothing else offered). Such a
    /// connection carries nothing after the handshake and is to be closed.
    #[must_use]
    pub fn is_challenge(hello: &ClientHello<'_>) -> bool {
        hello.alpn().is_some_and(|mut offered| {
            offered.next() == Some(ACME_TLS_ALPN) && offered.next().is_none()
        })
    }

    /// The answer to a challenge for the host that `hello` names.
    #[must_use]
    pub fn challenge(&self, hello: &ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let host = HostName::parse(hello.server_name()?).ok()?;
        self.challenges.certificate(&host)
    }

    /// The certificate for `host`, in any spelling, that a client with these signature schemes can check.
    #[must_use]
    pub fn find(&self, host: &str, schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        let host = HostName::parse(host).ok()?;
        self.served.load().hosts.get(&host)?.choose(schemes)
    }

    /// Whether there is a certificate for `host`.
    #[must_use]
    pub fn contains(&self, host: &HostName) -> bool {
        self.served.load().hosts.contains_key(host)
    }

    /// Sets the host whose certificate clients get that name none.
    pub fn set_default(&self, host: Option<HostName>) {
        self.change(|served| served.default = host);
    }

    /// Serves a certificate for `host`, in the place of the one with its kind of key.
    pub(crate) fn serve(&self, host: &HostName, certificate: &Certificate) {
        self.change(|served| {
            let slots = served.hosts.entry(host.clone()).or_default();
            slots.put(certificate);
        });
    }

    /// Serves these certificates for `host` and no others; for none, nothing.
    pub(crate) fn replace(&self, host: &HostName, certificates: &[Certificate]) {
        if certificates.is_empty() {
            return self.withdraw([host]);
        }
        let mut slots = Slots::default();
        certificates
            .iter()
            .for_each(|certificate| slots.put(certificate));
        self.change(|served| {
            served.hosts.insert(host.clone(), slots);
        });
    }

    /// Serves nothing for these hosts any more.
    pub(crate) fn withdraw<'a>(&self, hosts: impl IntoIterator<Item = &'a HostName>) {
        self.change(|served| {
            for host in hosts {
                served.hosts.remove(host);
            }
        });
    }

    fn change(&self, with: impl FnOnce(&mut Served)) {
        let _one = self.change.lock().unwrap_or_else(PoisonError::into_inner);
        let mut served = Served::clone(&self.served.load());
        with(&mut served);
        self.served.store(Arc::new(served));
    }
}

impl ResolvesServerCert for Resolver {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        if Self::is_challenge(&hello) {
            return self.challenge(&hello);
        }
        match hello.server_name() {
            Some(name) => self.find(name, hello.signature_schemes()),
            None => {
                let served = self.served.load();
                let slots = served.hosts.get(served.default.as_ref()?)?;
                slots.choose(hello.signature_schemes())
            }
        }
    }
}

impl Slots {
    fn put(&mut self, certificate: &Certificate) {
        let certified = Some(Arc::clone(certificate.certified()));
        match certificate.kind() {
            KeyKind::Ecdsa => self.ecdsa = certified,
            KeyKind::Rsa => self.rsa = certified,
        }
    }

    /// ECDSA where the client can check it. A client that can check neither gets one all the same: the handshake then fails
    /// with an alert that says why.
    fn choose(&self, schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        let fits = |certified: &&Arc<CertifiedKey>| certified.key.choose_scheme(schemes).is_some();
        let both = || self.ecdsa.iter().chain(&self.rsa);
        both().find(fits).or_else(|| both().next()).cloned()
    }
}

impl fmt::Debug for Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Resolver")
    }
}

#[cfg(test)]
mod tests;
