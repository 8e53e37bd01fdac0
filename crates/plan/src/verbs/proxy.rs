//! `proxy …`: the proxy's container on every host that needs one.

use std::sync::Arc;

use dhow_commands::audit::Entry;
use dhow_commands::proxy::ProxyImage;
use dhow_commands::{LogOptions, docker, proxy};
use dhow_text::shell::Cmd;

use super::boot::seen;
use crate::context::{Context, Facts, PlanError};
use crate::facts::HostFacts;
use crate::step::{Stage, Step, Track};

/// dhow's own proxy image, for hosts that lack it: what `docker load` reads, per machine type (`uname -m`).
#[derive(Clone, Debug, Default)]
pub struct ProxyArchive {
    /// The archive.
    pub content: Arc<[u8]>,
    /// The content label of the image in it.
    pub label: String,
}

/// The network everywhere, and a running proxy where it is needed. Touches no proxy that runs.
pub fn boot(
    context: &Context<'_>,
    facts: &Facts,
    archive: Option<&ProxyArchive>,
) -> Result<Vec<Stage>, PlanError> {
    let mut tracks = Vec::new();
    for host in &context.targets.hosts {
        tracks.push(Track::new(
            host,
            None,
            boot_steps(context, facts, host, archive)?,
        ));
    }
    Ok(vec![Stage::hosts("proxy", tracks)])
}

/// Whether [`boot`] would load dhow's own proxy image onto a host.
pub fn needs_archive(context: &Context<'_>, facts: &Facts, host: &str) -> bool {
    context.targets.proxy_hosts().contains(&host)
        && seen(facts, host).proxy.is_none()
        && lacks_image(context, seen(facts, host), host)
}

/// Whether dhow's own image is what a host would start, and is not there in the archive's form.
pub fn lacks_image(context: &Context<'_>, seen: &HostFacts, host: &str) -> bool {
    let own = dhow_image();
    match context.config().proxy_run(host) {
        Some(run) if proxy::run_image(run, ProxyImage::DHOW) != own => false,
        _ => seen.image(&own).is_none(),
    }
}

/// The full name of dhow's own proxy image.
pub fn dhow_image() -> String {
    format!(
        "{}:{}",
        ProxyImage::DHOW.repository,
        ProxyImage::DHOW.version
    )
}

pub(crate) fn boot_steps(
    context: &Context<'_>,
    facts: &Facts,
    host: &str,
    archive: Option<&ProxyArchive>,
) -> Result<Vec<Step>, PlanError> {
    let seen = seen(facts, host);
    let mut steps = Vec::new();
    let networked = seen.proxy.as_ref().is_some_and(|p| p.running) || !seen.containers.is_empty();
    if !networked {
        steps.push(network());
    }
    if !context.targets.proxy_hosts().contains(&host) {
        return Ok(steps);
    }
    match &seen.proxy {
        Some(running) => {
            let tag = running.image.rsplit(':').next().unwrap_or("");
            if proxy::is_too_old(tag) {
                return Err(PlanError::ProxyTooOld {
                    host: host.to_owned(),
                    version: tag.to_owned(),
                    least: "0.9.2",
                });
            }
            if !running.running {
                steps.push(Step::run("starting the proxy", proxy::start()));
            }
        }
        None => steps.extend(run_steps(context, seen, host, archive)),
    }
    Ok(steps)
}

/// `proxy reboot`: another container in the old one's place, all hosts at once or one by one.
pub fn reboot(
    context: &Context<'_>,
    facts: &Facts,
    archive: Option<&ProxyArchive>,
    rolling: bool,
) -> Result<Vec<Stage>, PlanError> {
    let hosts = context.targets.proxy_hosts();
    let size = if rolling { 1 } else { hosts.len().max(1) };
    let mut stages = Vec::new();
    for group in hosts.chunks(size) {
        stages.extend(context.hook("pre-proxy-reboot", Some(group)));
        let tracks = group.iter().map(|host| {
            let seen = seen(facts, host);
            let mut steps = vec![context.audit(&Entry::RebootedProxy, None)];
            // The image goes first: a transfer that fails must not leave a host without a proxy.
            let (load, run): (Vec<Step>, Vec<Step>) = run_steps(context, seen, host, archive)
                .into_iter()
                .partition(|step| matches!(step.action, crate::step::Action::Feed { .. }));
            steps.extend(load);
            steps.push(Step::run("stopping the proxy", proxy::stop_container()).tolerated());
            steps.push(Step::run(
                "removing the proxy's container",
                proxy::remove_container(),
            ));
            steps.extend(run);
            Track::new(host, None, steps)
        });
        stages.push(Stage::hosts("proxy", tracks.collect()));
        stages.extend(context.hook("post-proxy-reboot", Some(group)));
    }
    Ok(stages)
}

/// `proxy start`
pub fn start(context: &Context<'_>) -> Vec<Stage> {
    each(context, "start", || {
        vec![
            context.audit(&Entry::StartedProxy, None),
            Step::run("starting the proxy", proxy::start()),
        ]
    })
}

/// `proxy stop`
pub fn stop(context: &Context<'_>) -> Vec<Stage> {
    each(context, "stop", || {
        vec![
            context.audit(&Entry::StoppedProxy, None),
            Step::run("stopping the proxy", proxy::stop_container()).tolerated(),
        ]
    })
}

/// `proxy restart`
pub fn restart(context: &Context<'_>) -> Vec<Stage> {
    let mut stages = stop(context);
    stages.extend(start(context));
    stages
}

/// `proxy details`
pub fn details(context: &Context<'_>) -> Vec<Stage> {
    each(context, "details", || {
        vec![Step::run("looking at the proxy", proxy::details()).block("Proxy Host")]
    })
}

/// `proxy logs`
pub fn logs(context: &Context<'_>, options: &LogOptions<'_>) -> Vec<Stage> {
    each(context, "logs", || {
        vec![
            Step::run("reading the proxy's log", proxy::logs(options))
                .debug()
                .tolerated()
                .block("Proxy Host"),
        ]
    })
}

/// Counts the apps of a host, for `proxy remove`.
pub fn count_apps(context: &Context<'_>) -> Vec<Track> {
    let hosts = context.targets.proxy_hosts();
    let count = Step::run("counting apps", proxy::number_of_apps()).debug();
    hosts
        .into_iter()
        .map(|host| Track::new(host, None, vec![count.clone()]))
        .collect()
}

/// `proxy remove`: container, image and directory.
pub fn remove(context: &Context<'_>) -> Vec<Stage> {
    each(context, "remove", || {
        vec![
            context.audit(&Entry::StoppedProxy, None),
            Step::run("stopping the proxy", proxy::stop_container()).tolerated(),
            context.audit(&Entry::RemovedProxyContainer, None),
            Step::run("removing the proxy's container", proxy::remove_container()),
            context.audit(&Entry::RemovedProxyImage, None),
            Step::run("removing the proxy's image", proxy::remove_image()),
            Step::run("removing the proxy's directory", proxy::remove_directory()).tolerated(),
        ]
    })
}

/// Creates the network that app and proxy meet on.
pub(crate) fn network() -> Step {
    Step::run("creating the network", docker::create_network())
        .debug()
        .tolerating("already exists")
}

fn run_steps(
    context: &Context<'_>,
    seen: &HostFacts,
    host: &str,
    archive: Option<&ProxyArchive>,
) -> Vec<Step> {
    let mut steps = Vec::new();
    if let Some(archive) = archive
        && (lacks_image(context, seen, host) || outdated(context, seen, host, archive))
    {
        steps.push(Step::feed(
            "loading the proxy's image",
            Cmd::docker("load --quiet"),
            Arc::clone(&archive.content),
        ));
    }
    steps.push(
        Step::run(
            "making room for proxy settings",
            proxy::make_apps_config_directory(),
        )
        .debug(),
    );
    let run = proxy::run(context.config().proxy_run(host), ProxyImage::DHOW);
    steps.push(Step::run("starting the proxy", run));
    steps
}

/// Whether the host's image of dhow's proxy is another build than the archive's.
fn outdated(context: &Context<'_>, seen: &HostFacts, host: &str, archive: &ProxyArchive) -> bool {
    let own = dhow_image();
    let uses = context
        .config()
        .proxy_run(host)
        .is_none_or(|run| proxy::run_image(run, ProxyImage::DHOW) == own);
    uses && seen
        .image(&own)
        .is_some_and(|image| image.content.as_deref() != Some(&archive.label))
}

fn each(context: &Context<'_>, name: &str, steps: impl Fn() -> Vec<Step>) -> Vec<Stage> {
    let hosts = context.targets.proxy_hosts();
    let tracks = hosts
        .into_iter()
        .map(|host| Track::new(host, None, steps()))
        .collect();
    vec![Stage::hosts(name, tracks)]
}
