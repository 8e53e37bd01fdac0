//! `app stale_containers`: containers of other versions that still run.
//!
//! In: what was seen on the hosts. Out: a list, and the stages that stop them. A container that the proxy sends requests to is never
//! stale, whatever the tags say: after a deploy that was cut off between switch and tag the newer one is not the latest yet.

use dhow_config::Role;

use super::boot::{seen, stop, unless_served};
use crate::context::{Context, Facts};
use crate::facts::Container;
use crate::step::{Stage, Step, Track};

/// A container of another version than the one that serves.
#[derive(Clone, Debug)]
pub struct Stale<'c> {
    /// Its host.
    pub host: &'c str,
    /// Its role.
    pub role: &'c Role,
    /// Its version.
    pub version: String,
    name: String,
    id: String,
}

/// All of them, host by host.
pub fn find<'c>(context: &Context<'c>, facts: &Facts) -> Vec<Stale<'c>> {
    let config = context.config();
    let mut found = Vec::new();
    for host in context.targets.app_hosts() {
        let seen = seen(facts, host);
        for role in context.targets.roles_on(host) {
            let prefix = config.container_prefix(role);
            let Some(current) = seen.current(config, role) else {
                continue;
            };
            let others = seen
                .of(config, role)
                .filter(|container| container.is_up() && container.id != current.id);
            found.extend(others.map(|container| Stale {
                host,
                role,
                version: container.version(&prefix).to_owned(),
                name: container.name.clone(),
                id: short(container),
            }));
        }
    }
    found
}

/// Stops them, with Kamal's word about each as a result.
pub fn stop_all(context: &Context<'_>, stale: &[Stale<'_>]) -> Vec<Stage> {
    let tracks = stale.iter().map(|stale| {
        let mut command = stop(context, stale.role, std::slice::from_ref(&stale.name));
        if stale.role.runs_proxy() {
            command = unless_served(&stale.id, command);
        }
        let title = stale.stopping();
        let step = Step::run(title, command).tolerated();
        Track::new(stale.host, Some(&stale.role.name), vec![step])
    });
    vec![Stage::hosts("stale", tracks.collect())]
}

impl Stale<'_> {
    /// What is said where it is only found.
    pub fn detected(&self) -> String {
        let (role, version) = (&self.role.name, &self.version);
        format!(
            "Detected stale container for role {role} with version {version} (use `kamal app stale_containers --stop` to stop)"
        )
    }

    /// What is said where it is stopped.
    pub fn stopping(&self) -> String {
        let (role, version) = (&self.role.name, &self.version);
        format!("Stopping stale container for role {role} with version {version}")
    }
}

/// The id that the proxy knows a container by.
fn short(container: &Container) -> String {
    container.id.chars().take(12).collect()
}
