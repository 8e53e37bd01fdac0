//! `servers.<role>`: what runs, where.

use super::{Env, Logging, Pairs, Proxy};

/// A role with everything that root sections give it already merged in.
#[derive(Clone, Debug)]
pub struct Role {
    /// Its name.
    pub name: String,
    /// Its hosts in the file's order, each once.
    pub hosts: Vec<Host>,
    /// Whether it is the primary role.
    pub primary: bool,
    /// `cmd`, verbatim.
    pub cmd: Option<String>,
    /// `docker stop -t`: the role's or the root's `stop_timeout`.
    pub stop_timeout: Option<i64>,
    /// `options` without `restart`.
    pub options: Pairs,
    /// `options.restart`, default `unless-stopped`.
    pub restart: String,
    /// Root logging with the role's on top.
    pub logging: Logging,
    /// Root proxy settings with the role's on top; none if the role does not run behind the proxy.
    pub proxy: Option<Proxy>,
    /// Root labels with the role's on top.
    pub labels: Pairs,
    /// The role's own `env` (see [`super::Config::env_of`]).
    pub env: Env,
    /// Path and mount options of assets; none unless the role runs behind the proxy.
    pub assets: Option<(String, Option<String>)>,
}

/// A host entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    /// Name or address, exactly as in the file.
    pub name: String,
    /// Its env tags in their order.
    pub tags: Vec<String>,
}

impl Role {
    /// Whether its containers stand behind the proxy.
    pub fn runs_proxy(&self) -> bool {
        self.proxy.is_some()
    }

    /// The hosts' names.
    pub fn host_names(&self) -> impl Iterator<Item = &str> {
        self.hosts.iter().map(|host| host.name.as_str())
    }
}
