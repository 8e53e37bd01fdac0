//! The whole of a deploy file after overlay and checks, and the names that follow from it.

use super::{
    Accessory, Boot, Builder, Env, Logging, Output, Pairs, Proxy, Registry, Role, Ssh, Sshkit,
};

/// A deploy file that passed every check. Versions, secrets and host filters are not part of it.
#[derive(Clone, Debug)]
pub struct Config {
    /// `service`: the base of all names.
    pub service: String,
    /// `image`: the repository path without the registry's server; defaults to the service for a local registry.
    pub image: String,
    /// `-d`, if given.
    pub destination: Option<String>,
    /// Root `labels`.
    pub labels: Pairs,
    /// Root `volumes`, verbatim.
    pub volumes: Vec<String>,
    /// `registry`; an omitted section is [`Registry::omitted`] (direct delivery).
    pub registry: Registry,
    /// All roles, by name.
    pub roles: Vec<Role>,
    /// `primary_role`, default `web`.
    pub primary_role: String,
    /// Root `env` without tags.
    pub env: Env,
    /// `env.tags`, in the file's order.
    pub env_tags: Vec<(String, Env)>,
    /// Accessories in the file's order.
    pub accessories: Vec<Accessory>,
    /// `aliases`.
    pub aliases: Vec<(String, String)>,
    /// `boot`.
    pub boot: Boot,
    /// `builder`.
    pub builder: Builder,
    /// Root `logging`.
    pub logging: Logging,
    /// `output` sinks.
    pub output: Output,
    /// Root `proxy`.
    pub proxy: Proxy,
    /// `ssh`.
    pub ssh: Ssh,
    /// `sshkit`.
    pub sshkit: Sshkit,
    /// `asset_path` as written (`path[:options]`); roles hold their effective one.
    pub asset_path: Option<String>,
    /// `hooks_path`, default `.kamal/hooks`.
    pub hooks_path: String,
    /// `hooks_output`.
    pub hooks_output: HooksOutput,
    /// `secrets_path`, default `.kamal/secrets`.
    pub secrets_path: String,
    /// `error_pages_path`.
    pub error_pages_path: Option<String>,
    /// `require_destination`.
    pub require_destination: bool,
    /// `allow_empty_roles`.
    pub allow_empty_roles: bool,
    /// `retain_containers`, at least 1, default 5.
    pub retain_containers: i64,
    /// `minimum_version`.
    pub minimum_version: Option<String>,
    /// Seconds, default 7; 0 turns the second look off.
    pub readiness_delay: i64,
    /// Seconds, default 30.
    pub deploy_timeout: i64,
    /// Seconds, default 30.
    pub drain_timeout: i64,
    /// Seconds for `docker stop -t`, if set.
    pub stop_timeout: Option<i64>,
    /// `x-dhow`: what it says to Dhow alone.
    pub extension: super::Extension,
}

/// `hooks_output`: how much of a hook's output is shown at normal verbosity.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HooksOutput {
    /// The level for hooks without one of their own.
    pub all: Option<HookLevel>,
    /// Levels by hook name.
    pub by_hook: Vec<(String, HookLevel)>,
}

impl HooksOutput {
    /// The level for a hook: its own, else the one for all; none leaves it to `-v` and `-q`.
    pub fn level(&self, hook: &str) -> Option<HookLevel> {
        let own = self.by_hook.iter().find(|(name, _)| name == hook);
        own.map(|(_, level)| *level).or(self.all)
    }
}

/// A level of [`HooksOutput`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HookLevel {
    /// Only errors.
    Quiet,
    /// All output.
    Verbose,
}

impl Config {
    /// `service[-destination]`, the middle of every host path.
    pub fn service_and_destination(&self) -> String {
        match &self.destination {
            Some(destination) => format!("{}-{destination}", self.service),
            None => self.service.clone(),
        }
    }

    /// `[server/]image`.
    pub fn repository(&self) -> String {
        match &self.registry.server {
            Some(server) => format!("{server}/{}", self.image),
            None => self.image.clone(),
        }
    }

    /// `repository:version`.
    pub fn absolute_image(&self, version: &str) -> String {
        format!("{}:{version}", self.repository())
    }

    /// `latest[-destination]`.
    pub fn latest_tag(&self) -> String {
        match &self.destination {
            Some(destination) => format!("latest-{destination}"),
            None => "latest".to_owned(),
        }
    }

    /// `repository:latest[-destination]`.
    pub fn latest_image(&self) -> String {
        self.absolute_image(&self.latest_tag())
    }

    /// `service-version`, without a destination.
    pub fn service_with_version(&self, version: &str) -> String {
        format!("{}-{version}", self.service)
    }

    /// `service-role[-destination]`: the start of the role's container names, and its name in the proxy.
    pub fn container_prefix(&self, role: &Role) -> String {
        match &self.destination {
            Some(destination) => format!("{}-{}-{destination}", self.service, role.name),
            None => format!("{}-{}", self.service, role.name),
        }
    }

    /// `service-role[-destination]-version`.
    pub fn container_name(&self, role: &Role, version: &str) -> String {
        format!("{}-{version}", self.container_prefix(role))
    }

    /// A role by its name.
    pub fn role(&self, name: &str) -> Option<&Role> {
        self.roles.iter().find(|role| role.name == name)
    }

    /// An accessory by its name.
    pub fn accessory(&self, name: &str) -> Option<&Accessory> {
        self.accessories.iter().find(|a| a.name == name)
    }

    /// All hosts: of roles in name order, then of accessories; the first mention counts.
    pub fn all_hosts(&self) -> Vec<&str> {
        unique(
            self.roles
                .iter()
                .flat_map(Role::host_names)
                .chain(self.accessories.iter().flat_map(Accessory::host_names)),
        )
    }

    /// Hosts of roles.
    pub fn app_hosts(&self) -> Vec<&str> {
        unique(self.roles.iter().flat_map(Role::host_names))
    }

    /// Hosts of roles and accessories behind the proxy.
    pub fn proxy_hosts(&self) -> Vec<&str> {
        let roles = self.roles.iter().filter(|role| role.runs_proxy());
        let accessories = self.accessories.iter().filter(|a| a.proxy.is_some());
        unique(
            roles
                .flat_map(Role::host_names)
                .chain(accessories.flat_map(Accessory::host_names)),
        )
    }

    /// The first host of the primary role (of the first accessory in a file without roles).
    pub fn primary_host(&self) -> Option<&str> {
        self.role(&self.primary_role)
            .and_then(|role| role.host_names().next())
            .or_else(|| self.all_hosts().first().copied())
    }

    /// The clear and secret environment of a role's container on one host: root, role, then the host's tags in their order.
    pub fn env_of(&self, role: &Role, host: &str) -> Env {
        let mut env = self.env.merged(&role.env);
        let tags = role.hosts.iter().find(|h| h.name == host);
        for tag in tags.iter().flat_map(|h| &h.tags) {
            if let Some((_, more)) = self.env_tags.iter().find(|(name, _)| name == tag) {
                env = env.merged(more);
            }
        }
        env
    }

    /// The configuration that the proxy container of a host is started with, if any says so.
    pub fn proxy_run(&self, host: &str) -> Option<&super::ProxyRun> {
        let roles = self
            .roles
            .iter()
            .filter(|role| role.host_names().any(|h| h == host))
            .filter_map(|role| role.proxy.as_ref());
        let accessories = self
            .accessories
            .iter()
            .filter(|a| a.host_names().any(|h| h == host))
            .filter_map(|a| a.proxy.as_ref());
        roles
            .chain(accessories)
            .find_map(|proxy| proxy.run.as_ref())
    }
}

fn unique<'h>(hosts: impl Iterator<Item = &'h str>) -> Vec<&'h str> {
    let mut seen = Vec::new();
    for host in hosts {
        if !seen.contains(&host) {
            seen.push(host);
        }
    }
    seen
}
