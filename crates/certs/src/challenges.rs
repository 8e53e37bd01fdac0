//! The challenges being answered now: what the proxy says on `/.well-known/acme-challenge/…` and to a tls-alpn-01 prober.
//!
//! In: answers put up by orders under way. Out: look-ups, which need no routing: a host can prove itself before anything is
//! deployed for it. An answer is taken down when its guard is dropped, so an order that is cut off leaves none.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustls::sign::CertifiedKey;

use crate::challenge_certificate::ChallengeCertificate;
use crate::host_name::HostName;
use crate::store::CertStore;

/// Answers to challenges, shared by orders and listeners.
#[derive(Clone, Default)]
pub struct Challenges {
    up: Arc<Mutex<Up>>,
}

#[derive(Default)]
struct Up {
    answers: HashMap<String, String>,
    certificates: HashMap<HostName, Arc<CertifiedKey>>,
}

/// An answer that is up for as long as this lives.
#[must_use]
pub(crate) struct Published {
    challenges: Challenges,
    store: CertStore,
    what: What,
}

enum What {
    Token(String),
    Host(HostName),
}

impl Challenges {
    /// The key authorisation to give for an http-01 `token`.
    #[must_use]
    pub fn http_answer(&self, token: &str) -> Option<String> {
        self.lock().answers.get(token).cloned()
    }

    /// The certificate to show to a prober that asks for `host`.
    #[must_use]
    pub fn certificate(&self, host: &HostName) -> Option<Arc<CertifiedKey>> {
        self.lock().certificates.get(host).cloned()
    }

    /// Puts up an http-01 answer, here and in `store` for others on the same cache. That it could not be kept there matters
    /// only to those others.
    pub(crate) fn publish_http(&self, token: &str, answer: &str, store: &CertStore) -> Published {
        let _ = store.save_http_answer(token, answer);
        self.lock()
            .answers
            .insert(token.to_owned(), answer.to_owned());
        self.published(store, What::Token(token.to_owned()))
    }

    /// Puts up a tls-alpn-01 certificate, here and in `store`.
    pub(crate) fn publish_tls(
        &self,
        host: &HostName,
        certificate: &ChallengeCertificate,
        store: &CertStore,
    ) -> Published {
        let _ = store.save_challenge(host, certificate.to_pem());
        self.lock()
            .certificates
            .insert(host.clone(), Arc::clone(certificate.certified()));
        self.published(store, What::Host(host.clone()))
    }

    fn published(&self, store: &CertStore, what: What) -> Published {
        Published {
            challenges: self.clone(),
            store: store.clone(),
            what,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Up> {
        self.up.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Published {
    fn drop(&mut self) {
        match &self.what {
            What::Token(token) => {
                self.challenges.lock().answers.remove(token);
                self.store.remove_http_answer(token);
            }
            What::Host(host) => {
                self.challenges.lock().certificates.remove(host);
                self.store.remove_challenge(host);
            }
        }
    }
}

impl fmt::Debug for Challenges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Challenges")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_authority::{host, provider};

    #[test]
    fn answers_are_up_while_their_guard_lives() {
        let root = tempfile::tempdir().unwrap();
        let store = CertStore::new(root.path(), "");
        let challenges = Challenges::default();
        let name = host("app.example.com");
        let http = challenges.publish_http("token", "token.thumb", &store);
        let certificate = ChallengeCertificate::new(&name, &[1; 32], &provider()).unwrap();
        let tls = challenges.publish_tls(&name, &certificate, &store);

        assert_eq!(challenges.http_answer("token").unwrap(), "token.thumb");
        assert_eq!(store.http_answer("token").unwrap(), "token.thumb");
        assert!(challenges.http_answer("other").is_none());
        let shown = challenges.certificate(&name).unwrap();
        assert!(Arc::ptr_eq(&shown, certificate.certified()));
        assert_eq!(*store.challenge(&name).unwrap(), certificate.to_pem());

        drop((http, tls));
        assert!(challenges.http_answer("token").is_none());
        assert!(challenges.certificate(&name).is_none());
        assert!(store.http_answer("token").is_none() && store.challenge(&name).is_none());
    }
}
