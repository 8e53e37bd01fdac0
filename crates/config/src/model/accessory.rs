//! `accessories.<name>`: databases and other containers that stay.

use super::{Env, Pairs, Proxy, Registry};

/// An accessory.
#[derive(Clone, Debug)]
pub struct Accessory {
    /// Its key in the deploy file.
    pub name: String,
    /// `service`, default `<service>-<name>`: the container's name.
    pub service_name: String,
    /// `image`, with the accessory's own registry server in front.
    pub image: String,
    /// Its own registry, if any.
    pub registry: Option<Registry>,
    /// Its hosts, in order (duplicates kept as Kamal keeps them).
    pub hosts: Vec<String>,
    /// `cmd`
    pub cmd: Option<String>,
    /// `--publish`: `port`, doubled (`3306:3306`) if it has no colon.
    pub publish: Option<String>,
    /// Its own labels, after `service`.
    pub labels: Pairs,
    /// `options` without `restart`.
    pub options: Pairs,
    /// `options.restart`, default `unless-stopped`.
    pub restart: String,
    /// Its environment.
    pub env: Env,
    /// `files`
    pub files: Vec<UploadedFile>,
    /// `directories`
    pub directories: Vec<Mount>,
    /// `volumes`, verbatim.
    pub volumes: Vec<String>,
    /// `network`, default `kamal`.
    pub network: String,
    /// Its proxy settings, if it stands behind the proxy.
    pub proxy: Option<Proxy>,
}

/// An item of `files`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UploadedFile {
    /// The local path, as written.
    pub local: String,
    /// The path in the container.
    pub remote: String,
    /// Mount options (`ro`).
    pub options: Option<String>,
    /// `mode`, default `755`.
    pub mode: String,
    /// `owner`
    pub owner: Option<String>,
}

/// An item of `directories`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    /// The host path as written: absolute, or below the accessory's directory (`<service_name>/`).
    pub host_path: String,
    /// The path in the container.
    pub remote: String,
    /// Mount options (`ro`).
    pub options: Option<String>,
    /// `mode`
    pub mode: Option<String>,
    /// `owner`
    pub owner: Option<String>,
}

impl Accessory {
    /// The hosts' names.
    pub fn host_names(&self) -> impl Iterator<Item = &str> {
        self.hosts.iter().map(String::as_str)
    }
}
