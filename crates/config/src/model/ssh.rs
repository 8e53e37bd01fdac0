//! `ssh` and `sshkit`: how hosts are reached.

use std::fmt;

/// The `ssh` section.
#[derive(Clone, PartialEq, Eq)]
pub struct Ssh {
    /// `user`, default `root`.
    pub user: String,
    /// `port`, default 22.
    pub port: u16,
    /// `proxy`: `[user@]host` to jump through.
    pub proxy: Option<String>,
    /// `proxy_command`
    pub proxy_command: Option<String>,
    /// `log_level`, default `fatal`.
    pub log_level: String,
    /// `keys_only`
    pub keys_only: Option<bool>,
    /// `keys`: paths.
    pub keys: Option<Vec<String>>,
    /// `key_data`: names of secrets, or keys written out (deprecated).
    pub key_data: Option<Vec<String>>,
    /// `config`
    pub config: SshConfigFiles,
    /// `forward_agent`
    pub forward_agent: Option<bool>,
}

/// `ssh.config`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum SshConfigFiles {
    /// OpenSSH's usual files (absent).
    #[default]
    Default,
    /// `true`: the usual files, said explicitly.
    On,
    /// `false`: none.
    Off,
    /// One file.
    File(String),
    /// These files.
    Files(Vec<String>),
}

/// The `sshkit` section.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sshkit {
    /// Default 30.
    pub max_concurrent_starts: i64,
    /// Seconds, default 900.
    pub pool_idle_timeout: i64,
    /// Default 3.
    pub dns_retries: i64,
}

/// Key data may be keys written out: only how many there are is shown.
impl fmt::Debug for Ssh {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ssh")
            .field("user", &self.user)
            .field("port", &self.port)
            .field("proxy", &self.proxy)
            .field("proxy_command", &self.proxy_command)
            .field("log_level", &self.log_level)
            .field("keys_only", &self.keys_only)
            .field("keys", &self.keys)
            .field("key_data", &self.key_data.as_ref().map(Vec::len))
            .field("config", &self.config)
            .field("forward_agent", &self.forward_agent)
            .finish()
    }
}

impl Default for Ssh {
    fn default() -> Self {
        Self {
            user: "root".to_owned(),
            port: 22,
            proxy: None,
            proxy_command: None,
            log_level: "fatal".to_owned(),
            keys_only: None,
            keys: None,
            key_data: None,
            config: SshConfigFiles::Default,
            forward_agent: None,
        }
    }
}

impl Default for Sshkit {
    fn default() -> Self {
        Self {
            max_concurrent_starts: 30,
            pool_idle_timeout: 900,
            dns_retries: 3,
        }
    }
}
