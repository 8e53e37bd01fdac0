//! Everything the caller says about connecting: the `ssh` and `sshkit` sections of `deploy.yml`, the machine, and who may be asked.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::secret::Secret;

/// How to connect, for all hosts of a run.
///
/// `user` and `port` are always explicit, as Kamal passes them: they win over `User` and `Port` of the configuration files, while
/// `HostName`, `IdentityFile`, `ProxyJump` and the rest of those files are honoured.
#[derive(Clone)]
pub struct Settings {
    /// Login name on the hosts (`ssh.user`, default `root`).
    pub user: String,
    /// Port of the hosts (`ssh.port`, default 22).
    pub port: u16,
    /// Jump hosts as `[user@]host[:port]`, several joined by commas (`ssh.proxy`); the user defaults to `root`. Wins over `proxy_command`.
    pub jump: Option<String>,
    /// A local command whose standard input and output are the transport (`ssh.proxy_command`), with `%h`, `%p`, `%r` and the like.
    pub proxy_command: Option<String>,
    /// Private key files (`ssh.keys`); `~/` is the home directory.
    pub keys: Vec<PathBuf>,
    /// Offer only the keys named here or in the files, not all that the agent holds (`ssh.keys_only`).
    pub keys_only: bool,
    /// Private keys as text (`ssh.key_data`).
    pub key_data: Vec<Secret>,
    /// `ssh_config` files, first value wins. Empty for none. See [`Settings::default_config_files`].
    pub config_files: Vec<PathBuf>,
    /// Offer the agent to commands on the hosts (`ssh.forward_agent`). `None`: what `ForwardAgent` in the files says, else yes, as Kamal's library does.
    pub forward_agent: Option<bool>,
    /// Silence after which a keep-alive is sent (30 s).
    pub keepalive_interval: Duration,
    /// How many unanswered keep-alives end the connection (3).
    pub keepalive_max: usize,
    /// How many connections are set up at the same time (`sshkit.max_concurrent_starts`, 30).
    pub max_concurrent_starts: usize,
    /// Further attempts after a failed name lookup (`sshkit.dns_retries`, 3).
    pub dns_retries: u32,
    /// Limit for reaching a host, and again for the key exchange; `ConnectTimeout` in the files wins.
    pub connect_timeout: Duration,
    /// What to do about host keys. `None`: what `StrictHostKeyChecking` in the files says, else [`HostKeyPolicy::AcceptNew`].
    pub host_keys: Option<HostKeyPolicy>,
    /// The machine this runs on.
    pub place: Place,
    /// Asks the person at the terminal; `None` when there is nobody.
    pub ask: Option<Ask>,
    /// Is told what happens on the way (retries, new host keys).
    pub notify: Option<Notify>,
}

impl Settings {
    /// Kamal's defaults on the machine `place`, without any configuration file.
    #[must_use]
    pub fn new(place: Place) -> Self {
        Self {
            user: "root".to_owned(),
            port: 22,
            jump: None,
            proxy_command: None,
            keys: Vec::new(),
            keys_only: false,
            key_data: Vec::new(),
            config_files: Vec::new(),
            forward_agent: None,
            keepalive_interval: Duration::from_secs(30),
            keepalive_max: 3,
            max_concurrent_starts: 30,
            dns_retries: 3,
            connect_timeout: Duration::from_secs(30),
            host_keys: None,
            place,
            ask: None,
            notify: None,
        }
    }

    /// The files Kamal reads when `ssh.config` is true or absent: the user's, the system's, and `./.ssh/config` of the working directory.
    #[must_use]
    pub fn default_config_files(home: &Path, cwd: &Path) -> Vec<PathBuf> {
        let mut files = vec![
            home.join(".ssh/config"),
            PathBuf::from("/etc/ssh_config"),
            PathBuf::from("/etc/ssh/ssh_config"),
        ];
        let project = cwd.join(".ssh/config");
        if !files.contains(&project) {
            files.push(project);
        }
        files
    }

    pub(crate) fn tell(&self, notice: Notice) {
        if let Some(notify) = &self.notify {
            (notify.0)(notice);
        }
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("user", &self.user)
            .field("port", &self.port)
            .field("jump", &self.jump)
            .field("keys", &self.keys)
            .field("key_data", &self.key_data.len())
            .finish_non_exhaustive()
    }
}

/// What to do about the key a host presents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HostKeyPolicy {
    /// Unknown keys are accepted and written to `known_hosts`; a changed key is an error.
    AcceptNew,
    /// Unknown keys are refused too.
    Strict,
    /// Every key is accepted, nothing is written.
    Off,
}

/// Finds the value of an environment variable.
pub type Lookup = dyn Fn(&str) -> Option<String> + Send + Sync;

/// Finds the answer to a question.
pub type Answerer = dyn Fn(&Question) -> Option<Secret> + Send + Sync;

/// The machine the deployer runs on, gathered by the caller.
#[derive(Clone)]
pub struct Place {
    /// Home directory, for `~` and `%d`.
    pub home: PathBuf,
    /// Working directory, for relative key paths.
    pub cwd: PathBuf,
    /// Name of the local user, for `%u`, `Match localuser` and jump hosts without a user.
    pub local_user: String,
    /// Name of the local machine, for `%l`, `%L` and `%C`.
    pub local_host: String,
    /// Numeric id of the local user, for `%i`.
    pub uid: u32,
    /// Socket of the running agent (`SSH_AUTH_SOCK`).
    pub agent_socket: Option<PathBuf>,
    /// Looks up an environment variable, for `${NAME}` in configuration files.
    pub env: Arc<Lookup>,
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Place")
            .field("home", &self.home)
            .field("local_user", &self.local_user)
            .field("agent_socket", &self.agent_socket)
            .finish_non_exhaustive()
    }
}

/// What somebody at the terminal is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Question {
    /// The passphrase of a private key.
    Passphrase {
        /// The key, as a path or a label.
        key: String,
        /// Counts from 1; above 1 the answer before was wrong.
        attempt: u32,
    },
    /// The password of an account.
    Password {
        /// `user@host`.
        account: String,
        /// Counts from 1.
        attempt: u32,
    },
    /// A question of the server (keyboard-interactive, RFC 4256).
    Challenge {
        /// `user@host`.
        account: String,
        /// Heading the server sent, often empty.
        instructions: String,
        /// The question itself.
        prompt: String,
        /// Whether the answer may be shown while it is typed.
        echo: bool,
    },
}

/// Asks a [`Question`]; `None` means no answer. Called on a blocking thread, one call at a time.
#[derive(Clone)]
pub struct Ask(pub Arc<Answerer>);

impl Ask {
    /// Wraps a function.
    pub fn new(ask: impl Fn(&Question) -> Option<Secret> + Send + Sync + 'static) -> Self {
        Self(Arc::new(ask))
    }
}

/// Something that happened while connecting and is worth a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// A name lookup failed and is tried again (Kamal: `Retrying DNS for {host} (attempt n/N) in 0.12s: …`).
    DnsRetry {
        /// The host as named by the user.
        host: String,
        /// Number of this retry, from 1.
        attempt: u32,
        /// How many there will be at most.
        of: u32,
        /// Wait before it.
        delay: Duration,
        /// What the lookup said.
        error: String,
    },
    /// The server dropped or refused the connection before it was set up (`MaxStartups`), and it is tried again.
    ConnectRetry {
        /// The host as named by the user.
        host: String,
        /// Number of this retry, from 1.
        attempt: u32,
        /// Wait before it.
        delay: Duration,
        /// What went wrong.
        error: String,
    },
    /// A new host key was written down.
    HostKeyAdded {
        /// The host as named by the user.
        host: String,
        /// Key type and `SHA256:` fingerprint.
        fingerprint: String,
        /// The `known_hosts` file.
        file: PathBuf,
    },
    /// A new host key was accepted but could not be written down.
    HostKeyNotSaved {
        /// The host as named by the user.
        host: String,
        /// Why.
        error: String,
    },
}

/// Receives [`Notice`]s.
#[derive(Clone)]
pub struct Notify(pub Arc<dyn Fn(Notice) + Send + Sync>);

impl Notify {
    /// Wraps a function.
    pub fn new(notify: impl Fn(Notice) + Send + Sync + 'static) -> Self {
        Self(Arc::new(notify))
    }
}
