//! Tries one credential after the other until the server is content.
//!
//! Order as in OpenSSH: keys of the configuration that the agent holds, the agent's other keys, keys from text and files, then questions to
//! the person (keyboard-interactive, password), and last no credential at all, for servers that trust the network.

use std::sync::Arc;
use std::time::Duration;

use russh::client::{AuthResult, Handle};
use russh::keys::agent::AgentIdentity;
use russh::keys::{Algorithm, Certificate, HashAlg, PublicKey};
use russh::{MethodKind, MethodSet, Signer};

use super::agent::{self, Agent};
use super::credentials::Credentials;
use super::keys::{Key, KeyRing};
use super::prompt::Prompt;
use super::signer::RingSigner;
use crate::dial::Client;
use crate::error::SshError;
use crate::known_hosts::fingerprint;

/// How long the server may think about one credential.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

/// Authenticates `handle`, or tells everything that was tried.
pub(crate) async fn authenticate(
    handle: &mut Handle<Client>,
    credentials: &Credentials,
    ring: &KeyRing,
    prompt: &Prompt,
) -> Result<(), SshError> {
    let mut attempt = Attempt {
        handle,
        credentials,
        ring,
        prompt,
        methods: None,
        rsa_hashes: None,
        tried: Vec::new(),
    };
    match attempt.all().await {
        Outcome::Accepted => Ok(()),
        Outcome::Exhausted => Err(SshError::Auth {
            host: credentials.host.clone(),
            user: credentials.user.clone(),
            tried: attempt.tried,
        }),
        Outcome::Closed(reason) => {
            let tries = attempt.tried.len();
            attempt.tried.push(format!(
                "then the server hung up after {tries} attempts: {reason}"
            ));
            Err(SshError::Auth {
                host: credentials.host.clone(),
                user: credentials.user.clone(),
                tried: attempt.tried,
            })
        }
    }
}

pub(super) enum Outcome {
    Accepted,
    Exhausted,
    Closed(String),
}

/// What one step led to: `Some` ends the attempt.
pub(super) type Step = Option<Outcome>;

pub(super) struct Attempt<'a> {
    pub(super) handle: &'a mut Handle<Client>,
    pub(super) credentials: &'a Credentials,
    ring: &'a KeyRing,
    pub(super) prompt: &'a Prompt,
    /// What the server said may go on; unknown before its first refusal.
    methods: Option<MethodSet>,
    /// The hashes to try RSA keys with, best first; asked for when the first RSA key comes up.
    rsa_hashes: Option<Vec<Option<HashAlg>>>,
    pub(super) tried: Vec<String>,
}

impl Attempt<'_> {
    async fn all(&mut self) -> Outcome {
        if self.credentials.publickey
            && let Some(end) = self.keys().await
        {
            return end;
        }
        if self.tried.is_empty()
            && self.methods.is_none()
            && let Some(end) = self.nothing().await
        {
            return end;
        }
        if self.prompt.is_manned() {
            if self.credentials.challenge
                && self.allows(MethodKind::KeyboardInteractive)
                && let Some(end) = self.challenge().await
            {
                return end;
            }
            if self.credentials.password
                && self.allows(MethodKind::Password)
                && let Some(end) = self.password().await
            {
                return end;
            }
        }
        Outcome::Exhausted
    }

    pub(super) fn allows(&self, method: MethodKind) -> bool {
        self.methods
            .as_ref()
            .is_none_or(|methods| methods.contains(&method))
    }

    async fn keys(&mut self) -> Step {
        let keys = self.own_keys().await;
        let mut certificates = Vec::new();
        for path in &self.credentials.certificates {
            let text = tokio::fs::read_to_string(path).await.unwrap_or_default();
            match Certificate::from_openssh(text.trim()) {
                Ok(certificate) => certificates.push(certificate),
                Err(error) => self
                    .tried
                    .push(format!("certificate {} skipped: {error}", path.display())),
            }
        }

        let mut agent = self.open_agent().await;
        let mut from_agent: Vec<AgentIdentity> = Vec::new();
        if let Some(agent) = &agent {
            let (named, others): (Vec<_>, Vec<_>) = agent
                .identities
                .iter()
                .cloned()
                .partition(|identity| keys.iter().any(|key| is_same(key, identity)));
            let place =
                |identity: &AgentIdentity| keys.iter().position(|key| is_same(key, identity));
            from_agent = named;
            from_agent.sort_by_key(place);
            if !self.credentials.only_these {
                from_agent.extend(others);
            }
        }

        if let Some(agent) = &mut agent {
            for identity in &from_agent {
                let step = self.agent_key(agent, identity, &certificates).await;
                if step.is_some() || !self.allows(MethodKind::PublicKey) {
                    return step;
                }
            }
        }
        for key in &keys {
            let in_agent = from_agent.iter().any(|identity| is_same(key, identity));
            if in_agent {
                continue;
            }
            let step = self.own_key(key, &certificates).await;
            if step.is_some() || !self.allows(MethodKind::PublicKey) {
                return step;
            }
        }
        None
    }

    async fn own_keys(&self) -> Vec<Arc<Key>> {
        let mut keys = if self.credentials.use_data {
            self.ring.data().await
        } else {
            Vec::new()
        };
        for path in &self.credentials.files {
            keys.extend(self.ring.file(path).await);
        }
        keys
    }

    async fn open_agent(&mut self) -> Option<Agent> {
        let socket = self.credentials.agent.as_deref()?;
        match agent::open(socket, self.handle.agent_session_binding()).await {
            Ok(agent) => Some(agent),
            Err(reason) => {
                self.tried
                    .push(format!("agent {} skipped: {reason}", socket.display()));
                None
            }
        }
    }

    async fn agent_key(
        &mut self,
        agent: &mut Agent,
        identity: &AgentIdentity,
        certificates: &[Certificate],
    ) -> Step {
        let public = identity.public_key().into_owned();
        let what = format!("agent key {}", describe(&public, identity.comment()));
        let listed = match identity {
            AgentIdentity::Certificate { certificate, .. } => Some(certificate),
            AgentIdentity::PublicKey { .. } => certificates
                .iter()
                .find(|c| c.public_key() == public.key_data()),
        };
        if let Some(certificate) = listed {
            let step = self
                .sign_in(
                    &format!("{what} (certificate)"),
                    &public,
                    Some(certificate),
                    &mut agent.client,
                )
                .await;
            if step.is_some() || matches!(identity, AgentIdentity::Certificate { .. }) {
                return step;
            }
        }
        self.sign_in(&what, &public, None, &mut agent.client).await
    }

    async fn own_key(&mut self, key: &Key, certificates: &[Certificate]) -> Step {
        if let Some(reason) = key.broken() {
            self.tried
                .push(format!("key {} skipped: {reason}", key.name));
            return None;
        }
        let public = match &key.public {
            Some(public) if key.has_private() => public.clone(),
            Some(_) => {
                self.tried.push(format!(
                    "key {} skipped: only its public half is here, and the agent lacks it",
                    key.name
                ));
                return None;
            }
            // Nothing tells the public half but decrypting.
            None => match self.ring.unlock(key).await {
                Ok(private) => private.public_key().clone(),
                Err(reason) => {
                    self.tried
                        .push(format!("key {} skipped: {reason}", key.name));
                    return None;
                }
            },
        };
        let what = format!("key {}", describe(&public, &key.name));
        let mut signer = RingSigner {
            ring: self.ring,
            key,
        };
        let beside = key.certificate.iter();
        let named = certificates
            .iter()
            .filter(|c| c.public_key() == public.key_data());
        for certificate in beside.chain(named) {
            let step = self
                .sign_in(
                    &format!("{what} (certificate)"),
                    &public,
                    Some(certificate),
                    &mut signer,
                )
                .await;
            if step.is_some() || !self.allows(MethodKind::PublicKey) {
                return step;
            }
        }
        self.sign_in(&what, &public, None, &mut signer).await
    }

    /// Offers one key, plain or certified, and signs if the server would have it.
    async fn sign_in<S>(
        &mut self,
        what: &str,
        public: &PublicKey,
        certificate: Option<&Certificate>,
        signer: &mut S,
    ) -> Step
    where
        S: Signer,
        S::Error: Reason,
    {
        let hashes = match public.algorithm() {
            Algorithm::Rsa { .. } => match self.rsa_hashes().await {
                Ok(hashes) => hashes,
                Err(reason) => return Some(Outcome::Closed(reason)),
            },
            _ => vec![None],
        };
        for hash in hashes {
            let user = self.credentials.user.clone();
            // No time limit while a key may be waiting for its passphrase: the signer may ask.
            let result = match certificate {
                Some(certificate) => {
                    self.handle
                        .authenticate_certificate_with(user, certificate.clone(), hash, signer)
                        .await
                }
                None => {
                    self.handle
                        .authenticate_publickey_with(user, public.clone(), hash, signer)
                        .await
                }
            };
            match result {
                Ok(AuthResult::Success) => return Some(Outcome::Accepted),
                Ok(AuthResult::Failure {
                    remaining_methods,
                    partial_success,
                }) => {
                    if let Some(end) = self.refused(what, remaining_methods, partial_success) {
                        return Some(end);
                    }
                    if partial_success || !self.allows(MethodKind::PublicKey) {
                        return None;
                    }
                }
                Err(error) => {
                    self.tried
                        .push(format!("{what} not usable: {}", error.reason()));
                    if self.handle.is_closed() {
                        return Some(Outcome::Closed("the connection is gone".to_owned()));
                    }
                    return None;
                }
            }
        }
        None
    }

    pub(super) fn refused(&mut self, what: &str, remaining: MethodSet, partial: bool) -> Step {
        let word = if partial {
            "accepted, but more is needed"
        } else {
            "refused"
        };
        // The library reports a connection that broke as a refusal with nothing left to try.
        let gone = remaining.is_empty() && self.handle.is_closed();
        self.tried
            .push(format!("{what} {}", if gone { "unanswered" } else { word }));
        if gone {
            return Some(Outcome::Closed(
                "too many attempts, or the connection broke".to_owned(),
            ));
        }
        self.methods = Some(remaining);
        None
    }

    async fn rsa_hashes(&mut self) -> Result<Vec<Option<HashAlg>>, String> {
        if let Some(hashes) = &self.rsa_hashes {
            return Ok(hashes.clone());
        }
        let best = self
            .handle
            .best_supported_rsa_hash()
            .await
            .map_err(|error| error.to_string())?;
        let hashes = match best {
            Some(best) => vec![best],
            // A server that does not say: a modern signature first, then the one that every old server knows.
            None => vec![Some(HashAlg::Sha512), None],
        };
        self.rsa_hashes = Some(hashes.clone());
        Ok(hashes)
    }

    async fn nothing(&mut self) -> Step {
        let request = self.handle.authenticate_none(self.credentials.user.clone());
        match tokio::time::timeout(PATIENCE, request).await {
            Ok(Ok(AuthResult::Success)) => Some(Outcome::Accepted),
            Ok(Ok(AuthResult::Failure {
                remaining_methods, ..
            })) => {
                if remaining_methods.is_empty() && self.handle.is_closed() {
                    return Some(Outcome::Closed("no method is left".to_owned()));
                }
                self.methods = Some(remaining_methods);
                None
            }
            Ok(Err(error)) => Some(Outcome::Closed(error.to_string())),
            Err(_) => Some(Outcome::Closed("no answer".to_owned())),
        }
    }
}

/// The words for a signer's failure.
trait Reason {
    fn reason(&self) -> String;
}

impl Reason for super::signer::SignError {
    fn reason(&self) -> String {
        self.0.clone()
    }
}

impl Reason for russh::AgentAuthError {
    fn reason(&self) -> String {
        match self {
            Self::Key(russh::keys::Error::AgentFailure) => "the agent declined to sign".to_owned(),
            other => other.to_string(),
        }
    }
}

fn is_same(key: &Key, identity: &AgentIdentity) -> bool {
    key.public
        .as_ref()
        .is_some_and(|public| public.key_data() == identity.public_key().key_data())
}

fn describe(public: &PublicKey, name: &str) -> String {
    let print = public
        .to_bytes()
        .map(|blob| fingerprint(&blob))
        .unwrap_or_default();
    format!("{name} {} {print}", public.algorithm())
}
