//! Decides about the key a host presents, and writes new ones down.

use std::path::PathBuf;
use std::time::SystemTime;

use russh::Preferred;
use russh::keys::ssh_key::certificate::CertType;
use russh::keys::{Algorithm, Certificate, EcdsaCurve, HashAlg, PublicKeyOrCertificate};

use crate::config::matches_pattern;
use crate::error::{ChangedKey, SshError};
use crate::known_hosts::{Added, KeyUse, KnownHosts, Verdict, append, fingerprint};
use crate::settings::{HostKeyPolicy, Notice, Notify};

/// What is on record for one host, and what to do with what is not.
pub(crate) struct HostKeys {
    /// Host as named by the user.
    pub(crate) host: String,
    /// Name in the files: the address dialled, or the alias.
    pub(crate) name: String,
    pub(crate) port: u16,
    pub(crate) policy: HostKeyPolicy,
    /// The first of them receives new keys.
    pub(crate) user_files: Vec<PathBuf>,
    pub(crate) global_files: Vec<PathBuf>,
    pub(crate) hash_names: bool,
    pub(crate) notify: Option<Notify>,
}

impl HostKeys {
    /// Algorithms to ask the server for: first the types on record, so that a host with several keys shows the one we know. Blocks.
    pub(crate) fn preferred(&self) -> Result<Preferred, SshError> {
        let mut preferred = Preferred::DEFAULT;
        if self.policy == HostKeyPolicy::Off {
            return Ok(preferred);
        }
        let known = self.read()?;
        let on_record = known.algorithms(&self.name, self.port);
        let mut order: Vec<Algorithm> = preferred.key.to_vec();
        // A stable sort keeps the library's order within both halves.
        order.sort_by_key(|algorithm| !on_record.iter().any(|name| is_of_type(algorithm, name)));
        if known.has_authority(&self.name, self.port) {
            preferred.host_key_certificates = CERTIFIED.to_vec().into();
        }
        preferred.key = order.into();
        Ok(preferred)
    }

    /// Judges the key and acts by the policy; `Ok` means go on. Blocks.
    pub(crate) fn check(&self, offered: &PublicKeyOrCertificate) -> Result<(), SshError> {
        if self.policy == HostKeyPolicy::Off {
            return Ok(());
        }
        let public = offered.public_key();
        let blob = public.to_bytes().map_err(|error| self.unreadable(&error))?;
        let known = self.read()?;
        let authority = offered
            .certificate()
            .filter(|certificate| self.is_good(certificate))
            .and_then(|certificate| {
                russh::keys::PublicKey::from(certificate.signature_key().clone())
                    .to_bytes()
                    .ok()
            });
        let key = match &authority {
            Some(authority) => KeyUse::Certified {
                key: &blob,
                authority,
            },
            None => KeyUse::Plain(&blob),
        };
        let algorithm = key_type(&public.algorithm());
        match known.judge(&self.name, self.port, key) {
            Verdict::Unknown if self.policy == HostKeyPolicy::AcceptNew => {
                self.add(&algorithm, &blob)
            }
            verdict => self.act(verdict, &algorithm, &blob),
        }
    }

    fn add(&self, algorithm: &str, blob: &[u8]) -> Result<(), SshError> {
        let Some(file) = self.user_files.first() else {
            return Ok(());
        };
        match append(
            file,
            &self.name,
            self.port,
            algorithm,
            blob,
            self.hash_names,
        ) {
            Ok(Added::Written) => {
                self.tell(Notice::HostKeyAdded {
                    host: self.host.clone(),
                    fingerprint: format!("{algorithm} {}", fingerprint(blob)),
                    file: file.clone(),
                });
                Ok(())
            }
            Ok(Added::Meanwhile(verdict)) => self.act(verdict, algorithm, blob),
            // OpenSSH goes on too: a home directory that can't be written must not stop a deploy.
            Err(error) => {
                self.tell(Notice::HostKeyNotSaved {
                    host: self.host.clone(),
                    error: format!("{}: {error}", file.display()),
                });
                Ok(())
            }
        }
    }

    fn act(&self, verdict: Verdict, algorithm: &str, blob: &[u8]) -> Result<(), SshError> {
        let (host, name, found) = (self.host.clone(), self.shown(), fingerprint(blob));
        match verdict {
            Verdict::Known => Ok(()),
            Verdict::Unknown => Err(SshError::HostKeyUnknown {
                host,
                name,
                algorithm: algorithm.to_owned(),
                found,
            }),
            Verdict::Changed { file, line, known } => Err(SshError::HostKeyChanged {
                host,
                key: Box::new(ChangedKey {
                    name,
                    algorithm: algorithm.to_owned(),
                    found,
                    known,
                    file,
                    line,
                }),
            }),
            Verdict::Revoked { file, line } => Err(SshError::HostKeyRevoked {
                host,
                name,
                found,
                file,
                line,
            }),
        }
    }

    /// Whether a certificate is a host's, is valid now, and names this host. Its signature was checked in the key exchange only as far as
    /// the host key goes, so the authority's is checked here.
    fn is_good(&self, certificate: &Certificate) -> bool {
        let authority = certificate.signature_key().fingerprint(HashAlg::Sha256);
        let now = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .map_or(0, |since| since.as_secs());
        let principals = certificate.valid_principals();
        let name = self.name.to_lowercase();
        certificate.cert_type() == CertType::Host
            && certificate.validate_at(now, [&authority]).is_ok()
            && certificate.critical_options().is_empty()
            && (principals.is_empty()
                || principals
                    .iter()
                    .any(|p| matches_pattern(&name, &p.to_lowercase())))
    }

    fn read(&self) -> Result<KnownHosts, SshError> {
        let files: Vec<PathBuf> = self
            .user_files
            .iter()
            .chain(&self.global_files)
            .cloned()
            .collect();
        KnownHosts::read(&files).map_err(|(file, error)| SshError::KnownHosts {
            host: self.host.clone(),
            file,
            reason: error.to_string(),
        })
    }

    fn shown(&self) -> String {
        crate::known_hosts::record_name(&self.name, self.port)
    }

    fn unreadable(&self, error: &dyn std::fmt::Display) -> SshError {
        SshError::Handshake {
            host: self.host.clone(),
            reason: format!("the host key can't be read: {error}"),
        }
    }

    fn tell(&self, notice: Notice) {
        if let Some(notify) = &self.notify {
            (notify.0)(notice);
        }
    }
}

const CERTIFIED: [Algorithm; 6] = [
    Algorithm::Ed25519,
    Algorithm::Ecdsa {
        curve: EcdsaCurve::NistP256,
    },
    Algorithm::Ecdsa {
        curve: EcdsaCurve::NistP384,
    },
    Algorithm::Ecdsa {
        curve: EcdsaCurve::NistP521,
    },
    Algorithm::Rsa {
        hash: Some(HashAlg::Sha512),
    },
    Algorithm::Rsa {
        hash: Some(HashAlg::Sha256),
    },
];

/// The name of a key type in `known_hosts`, where RSA keys are `ssh-rsa` whatever hash they sign with.
fn key_type(algorithm: &Algorithm) -> String {
    match algorithm {
        Algorithm::Rsa { .. } => "ssh-rsa".to_owned(),
        other => other.as_str().to_owned(),
    }
}

fn is_of_type(algorithm: &Algorithm, name: &str) -> bool {
    key_type(algorithm) == name
}
