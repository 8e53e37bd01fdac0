//! What can go wrong between here and a command's exit status, host by host.

use std::path::PathBuf;
use std::time::Duration;

use thiserror::Error;

/// A failure, always with the host it concerns (as the user named it).
#[derive(Debug, Clone, Error)]
#[non_exhaustive]
pub enum SshError {
    /// The name has no address.
    #[error("could not resolve `{name}`: {reason}")]
    NameResolution {
        /// Host.
        host: String,
        /// The name that was looked up.
        name: String,
        /// The resolver's words.
        reason: String,
    },
    /// Nobody listens there.
    #[error("connection to `{address}` refused")]
    Refused {
        /// Host.
        host: String,
        /// Address and port tried last.
        address: String,
    },
    /// No answer in time.
    #[error("{stage} timed out after {} s", after.as_secs_f32())]
    Timeout {
        /// Host.
        host: String,
        /// What was waited for.
        stage: String,
        /// How long.
        after: Duration,
    },
    /// The network has no way there.
    #[error("`{address}` is unreachable: {reason}")]
    Unreachable {
        /// Host.
        host: String,
        /// Address and port tried last.
        address: String,
        /// The system's words.
        reason: String,
    },
    /// The host presents another key than the one on record.
    #[error("host key of `{}` changed: {} {} is offered, {}:{} has {}", key.name, key.algorithm, key.found, key.file.display(), key.line, key.known)]
    HostKeyChanged {
        /// Host.
        host: String,
        /// The key and the record.
        key: Box<ChangedKey>,
    },
    /// The key is marked `@revoked`.
    #[error("host key {found} of `{name}` is revoked in {}:{line}", file.display())]
    HostKeyRevoked {
        /// Host.
        host: String,
        /// The name looked up in `known_hosts`.
        name: String,
        /// Fingerprint of the offered key.
        found: String,
        /// File of the record.
        file: PathBuf,
        /// Line of the record, from 1.
        line: usize,
    },
    /// The key is not on record and the policy is strict.
    #[error("host key of `{name}` is unknown: {algorithm} {found}")]
    HostKeyUnknown {
        /// Host.
        host: String,
        /// The name looked up in `known_hosts`.
        name: String,
        /// Type of the offered key.
        algorithm: String,
        /// Fingerprint of the offered key.
        found: String,
    },
    /// A `known_hosts` file can't be read.
    #[error("could not read `{}`: {reason}", file.display())]
    KnownHosts {
        /// Host.
        host: String,
        /// The file.
        file: PathBuf,
        /// The system's words.
        reason: String,
    },
    /// The two sides did not come to an agreement before authentication.
    #[error("ssh handshake failed: {reason}")]
    Handshake {
        /// Host.
        host: String,
        /// What went wrong.
        reason: String,
    },
    /// Every way to authenticate was refused.
    #[error("authentication failed for `{user}`; tried: {}", if tried.is_empty() { "nothing".to_owned() } else { tried.join(", ") })]
    Auth {
        /// Host.
        host: String,
        /// Login name.
        user: String,
        /// What was tried or left out, in order, with the reason.
        tried: Vec<String>,
    },
    /// The server refused to open a channel or to start a command.
    #[error("{what} refused: {reason}")]
    ChannelRefused {
        /// Host.
        host: String,
        /// What was asked for.
        what: String,
        /// The server's reason.
        reason: String,
    },
    /// The connection ended before the command did.
    #[error("connection lost: {reason}")]
    ConnectionLost {
        /// Host.
        host: String,
        /// What ended it.
        reason: String,
    },
    /// The command no longer reads its standard input.
    #[error("the command closed its input")]
    InputClosed {
        /// Host.
        host: String,
    },
    /// A private key given as text is unusable.
    #[error("key `{key}`: {reason}")]
    KeyFile {
        /// Host.
        host: String,
        /// Path or label.
        key: String,
        /// What is wrong with it.
        reason: String,
    },
    /// An `ssh_config` file is wrong.
    #[error("{}:{line}: {reason}", file.display())]
    ConfigFile {
        /// Host.
        host: String,
        /// The file.
        file: PathBuf,
        /// Line, from 1; 0 when the file as a whole is meant.
        line: usize,
        /// What is wrong.
        reason: String,
    },
    /// The proxy command did not give a usable transport.
    #[error("proxy command failed: {reason}")]
    ProxyCommand {
        /// Host.
        host: String,
        /// Exit status and last output.
        reason: String,
    },
    /// The jump host on the way could not be used.
    #[error("jump host `{jump}`: {source}")]
    Jump {
        /// Host behind the jump host.
        host: String,
        /// The jump host.
        jump: String,
        /// What went wrong there.
        source: Box<Self>,
    },
    /// A jump specification can't be read.
    #[error("`{spec}` is no jump host: {reason}")]
    JumpSpec {
        /// Host.
        host: String,
        /// As written.
        spec: String,
        /// What is wrong.
        reason: String,
    },
}

/// A host key that is not the one on record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangedKey {
    /// The name looked up in `known_hosts`.
    pub name: String,
    /// Type of the offered key.
    pub algorithm: String,
    /// Fingerprint of the offered key.
    pub found: String,
    /// Fingerprint on record.
    pub known: String,
    /// File of the record.
    pub file: PathBuf,
    /// Line of the record, from 1.
    pub line: usize,
}

impl SshError {
    /// The host the failure concerns, as the user named it.
    #[must_use]
    pub fn host(&self) -> &str {
        match self {
            Self::NameResolution { host, .. }
            | Self::Refused { host, .. }
            | Self::Timeout { host, .. }
            | Self::Unreachable { host, .. }
            | Self::HostKeyChanged { host, .. }
            | Self::HostKeyRevoked { host, .. }
            | Self::HostKeyUnknown { host, .. }
            | Self::KnownHosts { host, .. }
            | Self::Handshake { host, .. }
            | Self::Auth { host, .. }
            | Self::ChannelRefused { host, .. }
            | Self::ConnectionLost { host, .. }
            | Self::InputClosed { host }
            | Self::KeyFile { host, .. }
            | Self::ConfigFile { host, .. }
            | Self::ProxyCommand { host, .. }
            | Self::Jump { host, .. }
            | Self::JumpSpec { host, .. } => host,
        }
    }

    /// What the user can do about it, when there is something.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NameResolution { name, .. } => Some(format!(
                "check the spelling of `{name}`, or give it a `HostName` in ssh_config"
            )),
            Self::Refused { address, .. } => Some(format!(
                "is sshd running on `{address}`, and is that the right `ssh.port`?"
            )),
            Self::Timeout { stage, .. } if stage.starts_with("connecting") => {
                Some("check the address and the firewalls in between".to_owned())
            }
            Self::HostKeyChanged { key, .. } => Some(format!(
                "if the host was reinstalled, remove the old key: ssh-keygen -f {} -R '{}'; if not, somebody may be in between",
                key.file.display(),
                key.name
            )),
            Self::HostKeyUnknown { name, found, .. } => Some(format!(
                "compare {found} with the host's own, then connect once with ssh to `{name}` or relax StrictHostKeyChecking"
            )),
            Self::Auth { user, tried, .. } => {
                if tried.is_empty() {
                    Some("no key was found: set `ssh.keys`, or load one with ssh-add".to_owned())
                } else if tried.iter().any(|t| t.contains("encrypted")) {
                    Some("load the encrypted key into an agent with ssh-add".to_owned())
                } else {
                    Some(format!(
                        "is the public key in `~{user}/.ssh/authorized_keys`, and is `ssh.user` right?"
                    ))
                }
            }
            Self::ChannelRefused { reason, .. } if reason.contains("prohibited") => Some(
                "sshd_config on the host may forbid it (AllowTcpForwarding, MaxSessions)"
                    .to_owned(),
            ),
            Self::Jump { source, .. } => source.hint(),
            _ => None,
        }
    }

    /// The exception class that Kamal names in its `ERROR (…)` line for the same failure.
    #[must_use]
    pub fn kamal_class(&self) -> &'static str {
        match self {
            Self::NameResolution { .. } => "SocketError",
            Self::Refused { .. } => "Errno::ECONNREFUSED",
            Self::Timeout { stage, .. } if stage.starts_with("connecting") => "Errno::ETIMEDOUT",
            Self::Timeout { .. } => "Net::SSH::ConnectionTimeout",
            Self::Unreachable { .. } => "Errno::EHOSTUNREACH",
            Self::HostKeyChanged { .. } | Self::HostKeyRevoked { .. } => {
                "Net::SSH::HostKeyMismatch"
            }
            Self::HostKeyUnknown { .. } => "Net::SSH::HostKeyUnknown",
            Self::KnownHosts { .. } => "Errno::EACCES",
            Self::Handshake { .. } => "Net::SSH::Exception",
            Self::Auth { .. } | Self::KeyFile { .. } => "Net::SSH::AuthenticationFailed",
            Self::ChannelRefused { .. } => "Net::SSH::ChannelOpenFailed",
            Self::ConnectionLost { reason, .. } if reason.contains("keep-alive") => {
                "Net::SSH::Timeout"
            }
            Self::ConnectionLost { .. } => "Net::SSH::Disconnect",
            Self::InputClosed { .. } => "IOError",
            Self::ConfigFile { .. } | Self::JumpSpec { .. } => "ArgumentError",
            Self::ProxyCommand { .. } | Self::Jump { .. } => "Net::SSH::Proxy::ConnectError",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_key_names_host_place_and_both_fingerprints() {
        let error = SshError::HostKeyChanged {
            host: "web".into(),
            key: Box::new(ChangedKey {
                name: "[10.0.0.1]:2222".into(),
                algorithm: "ssh-ed25519".into(),
                found: "SHA256:new".into(),
                known: "SHA256:old".into(),
                file: "/home/me/.ssh/known_hosts".into(),
                line: 7,
            }),
        };
        assert_eq!(
            error.to_string(),
            "host key of `[10.0.0.1]:2222` changed: ssh-ed25519 SHA256:new is offered, /home/me/.ssh/known_hosts:7 has SHA256:old"
        );
        assert_eq!(error.kamal_class(), "Net::SSH::HostKeyMismatch");
        assert_eq!(error.host(), "web");
        assert!(error.hint().is_some_and(|h| h.contains("ssh-keygen -f")));
    }

    #[test]
    fn an_auth_error_lists_what_was_tried() {
        let error = SshError::Auth {
            host: "web".into(),
            user: "root".into(),
            tried: vec!["a".into(), "b".into()],
        };
        assert_eq!(
            error.to_string(),
            "authentication failed for `root`; tried: a, b"
        );
    }
}
