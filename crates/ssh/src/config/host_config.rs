//! The options of `ssh_config(5)` that matter here, for one host.

use std::path::PathBuf;
use std::time::Duration;

/// What the files say for one host. `None` and empty mean that they say nothing. Paths are expanded.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HostConfig {
    /// `HostName`: what to dial; the host as named when absent.
    pub host_name: Option<String>,
    /// `User`.
    pub user: Option<String>,
    /// `Port`.
    pub port: Option<u16>,
    /// `IdentityFile`, in order.
    pub identity_files: Vec<PathBuf>,
    /// `IdentityFile none` was given: no default key files.
    pub no_identity_files: bool,
    /// `IdentitiesOnly`.
    pub identities_only: Option<bool>,
    /// `IdentityAgent`.
    pub identity_agent: Option<IdentityAgent>,
    /// `CertificateFile`, in order.
    pub certificate_files: Vec<PathBuf>,
    /// `ProxyJump` as written; `none` is kept, since it stops a later one.
    pub proxy_jump: Option<String>,
    /// `ProxyCommand` as written, tokens not expanded; `none` is kept.
    pub proxy_command: Option<String>,
    /// `StrictHostKeyChecking` in lower case.
    pub strict_host_key_checking: Option<String>,
    /// `UserKnownHostsFile`; an empty list when it says `none`.
    pub user_known_hosts: Option<Vec<PathBuf>>,
    /// `GlobalKnownHostsFile`; an empty list when it says `none`.
    pub global_known_hosts: Option<Vec<PathBuf>>,
    /// `HashKnownHosts`.
    pub hash_known_hosts: Option<bool>,
    /// `HostKeyAlias`.
    pub host_key_alias: Option<String>,
    /// `ForwardAgent` (a socket path counts as yes).
    pub forward_agent: Option<bool>,
    /// `ConnectTimeout`.
    pub connect_timeout: Option<Duration>,
    /// `ServerAliveInterval`; zero is off.
    pub server_alive_interval: Option<Duration>,
    /// `ServerAliveCountMax`.
    pub server_alive_count_max: Option<usize>,
    /// `BatchMode`: nobody may be asked.
    pub batch_mode: Option<bool>,
    /// `PubkeyAuthentication`.
    pub pubkey_authentication: Option<bool>,
    /// `PasswordAuthentication`.
    pub password_authentication: Option<bool>,
    /// `KbdInteractiveAuthentication`.
    pub kbd_interactive_authentication: Option<bool>,
    /// `AddressFamily`: `Some(true)` for IPv6 only, `Some(false)` for IPv4 only.
    pub only_ipv6: Option<bool>,
}

/// Where to find the agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IdentityAgent {
    /// No agent at all.
    None,
    /// The one of the environment.
    Environment,
    /// This socket.
    Socket(PathBuf),
}
