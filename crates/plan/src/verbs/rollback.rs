//! `rollback [VERSION]`: to a version that is still there as a container, on every host.

use dhow_text::shell::{Cmd, single_quote};

use super::boot::{self, ErrorPage};
use crate::context::{Context, Facts, PlanError};
use crate::facts::{Container, HostFacts};
use crate::step::{Plan, Stage, Step};

/// Everything between taking the lock and giving it back. `pages` are those of `error_pages_path`: the proxy wants them below the
/// version's name, where a later deploy has removed them.
pub fn rollback(
    context: &Context<'_>,
    facts: &Facts,
    pages: &[ErrorPage],
) -> Result<Plan, PlanError> {
    let missing = missing(context, facts, &context.version);
    if !missing.is_empty() {
        return Err(PlanError::NoSuchVersion {
            version: context.version.clone(),
            missing,
        });
    }
    let mut stages: Vec<Stage> = context.hook("pre-deploy", None).into_iter().collect();
    let prepared = boot::prepare(context, facts, pages)?;
    if prepared.iter().any(|track| !track.steps.is_empty()) {
        stages.push(Stage::hosts("assets", prepared));
    }
    stages.extend(boot::groups(context, facts)?);
    stages.push(Stage::hosts("tag", boot::tag(context)));
    Ok(Plan { stages })
}

/// The last version that served before the current one and is still there for every role on every host.
///
/// `history` are the versions that became the latest image, the oldest first: only a version that every host booted is tagged, so
/// one that failed its health check is not among them.
pub fn previous(
    context: &Context<'_>,
    facts: &Facts,
    history: &[String],
) -> Result<String, PlanError> {
    let config = context.config();
    let mut current: Vec<&str> = Vec::new();
    for host in context.targets.app_hosts() {
        let seen = boot::seen(facts, host);
        for role in context.targets.roles_on(host) {
            let prefix = config.container_prefix(role);
            current.extend(
                seen.current(config, role)
                    .map(|c| original(c.version(&prefix))),
            );
        }
    }
    let there = |version: &&String| missing(context, facts, version).is_empty();
    history
        .iter()
        .rev()
        .filter(|version| !current.contains(&version.as_str()))
        .find(there)
        .cloned()
        .ok_or(PlanError::NoEarlierVersion)
}

/// Prints the versions that became the latest image, from the audit log.
pub fn history(context: &Context<'_>) -> Step {
    let config = context.config();
    let log = dhow_commands::paths::audit_log(config);
    let cmd = format!(
        "grep -F 'Tagging ' {} 2>/dev/null | tail -n 500",
        single_quote(&log)
    );
    Step::run("reading the audit log", Cmd::new(cmd))
        .debug()
        .tolerated()
}

/// The versions in what [`history`] printed.
pub fn read_history(context: &Context<'_>, output: &str) -> Vec<String> {
    let start = format!("Tagging {}:", context.config().repository());
    output
        .lines()
        .filter_map(|line| line.split_once(&start))
        .filter_map(|(_, rest)| rest.strip_suffix(" as the latest image"))
        .map(str::to_owned)
        .collect()
}

/// Hosts and roles that have no container of the version. One that made way for another of the same version counts: after a rollback
/// that was cut off there may be no other, and it is as good as any.
fn missing(context: &Context<'_>, facts: &Facts, version: &str) -> Vec<String> {
    let mut missing = Vec::new();
    for host in context.targets.app_hosts() {
        let seen: &HostFacts = boot::seen(facts, host);
        for role in context.targets.roles_on(host) {
            let config = context.config();
            let prefix = config.container_prefix(role);
            let is_it = |container: &Container| original(container.version(&prefix)) == version;
            if !seen.of(config, role).any(is_it) {
                missing.push(format!("{} on {host}", role.name));
            }
        }
    }
    missing
}

/// A version without the suffix of a container that made way for one of the same version.
fn original(version: &str) -> &str {
    version.split("_replaced_").next().unwrap_or(version)
}
