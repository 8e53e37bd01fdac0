//! Which hosts and roles a command is about: the deploy file narrowed by `--hosts`, `--roles` and `--primary`.
//!
//! In: a config and a [`Filter`]. Out: [`Targets`]. The order of hosts and roles is Kamal's: the primary role first, its hosts
//! first, otherwise as in the file (roles by name).

use dhow_config::{Accessory, Config, Role};
use dhow_text::fnmatch::fnmatch;

/// The global options that narrow a command.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// `-h a,b`: a comma-separated list of patterns.
    pub hosts: Option<String>,
    /// `-r x,y`: the same for roles.
    pub roles: Option<String>,
    /// `-p`
    pub primary: bool,
}

/// A filter that matches nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SelectError {
    /// No host matches.
    #[error("No --hosts match for {0}")]
    Hosts(String),
    /// No role matches.
    #[error("No --roles match for {0}")]
    Roles(String),
    /// The deploy file names no host at all.
    #[error("No servers or accessories specified")]
    Nothing,
}

/// What a command is about.
#[derive(Clone, Debug)]
pub struct Targets<'c> {
    config: &'c Config,
    /// Hosts of roles and accessories that take part, the primary role's first.
    pub hosts: Vec<&'c str>,
    /// Roles that take part, the primary role first.
    pub roles: Vec<&'c Role>,
    /// The host of the deploy lock, and of commands that need one host.
    pub primary_host: &'c str,
    /// The role whose first healthy container lets the others boot.
    pub primary_role: Option<&'c Role>,
    /// Whether `-r` was given, so that hooks are told of roles.
    pub roles_filtered: bool,
}

/// Applies the filter.
pub fn select<'c>(config: &'c Config, filter: &Filter) -> Result<Targets<'c>, SelectError> {
    let all = config.all_hosts();
    let mut host_filter = match &filter.hosts {
        Some(list) => Some(matching(list, &all).ok_or_else(|| SelectError::Hosts(list.clone()))?),
        None => None,
    };
    let role_filter: Option<Vec<&Role>> = match &filter.roles {
        Some(list) => {
            let all: Vec<&str> = config.roles.iter().map(|role| role.name.as_str()).collect();
            let names = matching(list, &all).ok_or_else(|| SelectError::Roles(list.clone()))?;
            Some(
                names
                    .into_iter()
                    .filter_map(|name| config.role(name))
                    .collect(),
            )
        }
        None => None,
    };
    if filter.primary {
        let first = match &role_filter {
            Some(roles) => roles.first().and_then(|role| role.host_names().next()),
            None => config.primary_host(),
        };
        host_filter = Some(first.into_iter().collect());
    }

    let on_filtered_role = |host: &str| {
        role_filter
            .as_ref()
            .is_none_or(|roles| roles.iter().any(|role| has(role, host)))
    };
    let hosts: Vec<&str> = host_filter
        .clone()
        .unwrap_or(all)
        .into_iter()
        .filter(|host| on_filtered_role(host))
        .collect();
    let mut roles: Vec<&Role> = role_filter
        .clone()
        .unwrap_or_else(|| config.roles.iter().collect())
        .into_iter()
        .filter(|role| hosts.iter().any(|host| has(role, host)))
        .collect();

    let configured_primary = config.role(&config.primary_role);
    let preferred = match &role_filter {
        Some(filtered) => filtered
            .iter()
            .copied()
            .find(|role| role.primary)
            .or_else(|| filtered.first().copied()),
        None => configured_primary,
    };
    let primary_host = host_filter
        .as_ref()
        .and_then(|hosts| hosts.first().copied())
        .or_else(|| preferred.and_then(|role| role.host_names().next()))
        .or_else(|| config.primary_host())
        .ok_or(SelectError::Nothing)?;
    let primary_role = configured_primary
        .filter(|role| has(role, primary_host) && roles.iter().any(|r| r.name == role.name))
        .or_else(|| roles.iter().copied().find(|role| has(role, primary_host)))
        .or_else(|| roles.first().copied());

    roles.sort_by_key(|role| primary_role.is_none_or(|primary| primary.name != role.name));
    let mut hosts = hosts;
    hosts.sort_by_key(|host| primary_role.is_none_or(|primary| !has(primary, host)));
    Ok(Targets {
        config,
        hosts,
        roles,
        primary_host,
        primary_role,
        roles_filtered: role_filter.is_some(),
    })
}

impl<'c> Targets<'c> {
    /// The deploy file.
    pub fn config(&self) -> &'c Config {
        self.config
    }

    /// Hosts that carry a role that takes part.
    pub fn app_hosts(&self) -> Vec<&'c str> {
        self.hosts
            .iter()
            .copied()
            .filter(|host| self.config.roles.iter().any(|role| has(role, host)))
            .collect()
    }

    /// Hosts whose proxy is needed.
    pub fn proxy_hosts(&self) -> Vec<&'c str> {
        let proxied = self.config.proxy_hosts();
        self.hosts
            .iter()
            .copied()
            .filter(|host| proxied.contains(host))
            .collect()
    }

    /// Hosts of accessories.
    pub fn accessory_hosts(&self) -> Vec<&'c str> {
        let on = |host: &str| {
            self.config
                .accessories
                .iter()
                .any(|a| a.host_names().any(|h| h == host))
        };
        self.hosts.iter().copied().filter(|h| on(h)).collect()
    }

    /// An accessory's hosts that take part.
    pub fn hosts_of(&self, accessory: &'c Accessory) -> Vec<&'c str> {
        accessory
            .host_names()
            .filter(|host| self.hosts.contains(host))
            .collect()
    }

    /// The roles of a host that take part, the primary role first.
    pub fn roles_on(&self, host: &str) -> Vec<&'c Role> {
        self.roles
            .iter()
            .copied()
            .filter(|role| has(role, host))
            .collect()
    }

    /// Whether every role of a host takes part.
    pub fn whole(&self, host: &str) -> bool {
        self.config
            .roles
            .iter()
            .filter(|role| has(role, host))
            .all(|role| self.roles.iter().any(|r| r.name == role.name))
    }

    /// The same, narrowed to some of its hosts.
    #[must_use]
    pub fn narrowed(&self, hosts: &[&str]) -> Self {
        let mut narrowed = self.clone();
        narrowed.hosts.retain(|host| hosts.contains(host));
        narrowed
            .roles
            .retain(|role| narrowed.hosts.iter().any(|host| has(role, host)));
        narrowed
    }
}

fn has(role: &Role, host: &str) -> bool {
    role.host_names().any(|h| h == host)
}

/// The names that any of the comma-separated patterns matches, in the patterns' order, each once; none if there are none.
fn matching<'n>(list: &str, names: &[&'n str]) -> Option<Vec<&'n str>> {
    let mut found: Vec<&str> = Vec::new();
    for pattern in list.split(',') {
        for name in names.iter().copied() {
            if fnmatch(pattern, name) && !found.contains(&name) {
                found.push(name);
            }
        }
    }
    (!found.is_empty()).then_some(found)
}
