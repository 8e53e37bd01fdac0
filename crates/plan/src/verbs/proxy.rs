//! `proxy …`: the proxy's container on every host that needs one.

use std::sync::Arc;

use dhow_commands::audit::Entry;
use dhow_commands::proxy::{BootConfig, BootFile, Dialect, InvalidBindAddress, ProxyImage};
use dhow_commands::{LogOptions, docker, proxy};
use dhow_config::Config;
use dhow_text::shell::Cmd;

use super::boot::seen;
use super::in_place::or_replace;
use super::replace::{fresh, replace_measured};
use crate::context::{Context, Facts, PlanError};
use crate::facts::{Container, HostFacts, ProxyContainer};
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
    let hosts = context.targets.hosts.iter();
    let tracks: Result<Vec<Track>, PlanError> = hosts
        .map(|host| boot_one(context, facts, host, archive))
        .collect();
    Ok(vec![Stage::hosts("proxy", tracks?)])
}

/// Whether [`boot`] would load dhow's own proxy image onto a host.
pub fn needs_archive(context: &Context<'_>, facts: &Facts, host: &str) -> bool {
    context.targets.proxy_hosts().contains(&host)
        && seen(facts, host).proxy.is_none()
        && lacks_image(context, seen(facts, host), host)
}

/// Whether dhow's own image is what a host would start, and is not there in the archive's form.
pub fn lacks_image(context: &Context<'_>, seen: &HostFacts, host: &str) -> bool {
    takes_own(context, host) && seen.image(&dhow_image()).is_none()
}

/// Proxy hosts that would be given dhow's own image.
pub fn own_hosts<'c>(context: &Context<'c>) -> Vec<&'c str> {
    let mut hosts = context.targets.proxy_hosts();
    hosts.retain(|host| takes_own(context, host));
    hosts
}

fn takes_own(context: &Context<'_>, host: &str) -> bool {
    let run = context.config().proxy_run(host);
    run.is_none_or(|run| proxy::run_image(run, ProxyImage::DHOW) == dhow_image())
}

/// The full name of dhow's own proxy image.
pub fn dhow_image() -> String {
    format!(
        "{}:{}",
        ProxyImage::DHOW.repository,
        ProxyImage::DHOW.version
    )
}

fn boot_one(
    context: &Context<'_>,
    facts: &Facts,
    host: &str,
    archive: Option<&ProxyArchive>,
) -> Result<Track, PlanError> {
    let seen = seen(facts, host);
    let mut track = Track::new(host, None, Vec::new());
    // Only what runs keeps a network from being removed.
    let networked = seen.proxy.as_ref().is_some_and(|proxy| proxy.running)
        || seen.containers.iter().any(Container::is_up);
    if !networked {
        track.steps.push(network());
    }
    if !context.targets.proxy_hosts().contains(&host) {
        return Ok(track);
    }
    match &seen.proxy {
        Some(proxy) => {
            let tag = proxy.image.rsplit(':').next().unwrap_or("");
            if proxy::is_too_old(tag) {
                return Err(PlanError::ProxyTooOld {
                    host: host.to_owned(),
                    version: tag.to_owned(),
                    least: "0.9.2",
                });
            }
            if !proxy.running {
                let start = Step::run("starting the proxy", proxy::start());
                track.steps.push(start);
            }
        }
        None => {
            prepare(context, seen, archive, &mut track)?;
            let run = fresh(proxy::CONTAINER, &run_command(context, host));
            track.steps.push(Step::run("starting the proxy", run));
        }
    }
    Ok(track)
}

/// Whether an image is dhow's own proxy of an earlier version than this dhow's.
pub fn is_older_dhow(image: &str) -> bool {
    let own = ProxyImage::DHOW;
    let numbers = |tag: &str| -> Option<Vec<u64>> {
        let numbers = tag.strip_prefix('v')?.split('.').map(str::parse);
        numbers.collect::<Result<_, _>>().ok()
    };
    let tag = image.strip_prefix(own.repository);
    let tag = tag.and_then(|rest| rest.strip_prefix(':'));
    match (tag.and_then(numbers), numbers(own.version)) {
        (Some(theirs), Some(ours)) => theirs < ours,
        _ => false,
    }
}

/// `proxy reboot`, all hosts at once or one by one. A proxy of dhow's own that differs by its image alone becomes the new one in its
/// container, without a gap. Otherwise another container takes the old one's place: its published ports close and open again, for how
/// long is printed. Should it not start, the old one comes back.
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
        let mut tracks = Vec::new();
        for host in group {
            let mut track = Track::new(host, None, Vec::new());
            track.steps.push(context.audit(&Entry::RebootedProxy, None));
            let seen = seen(facts, host);
            prepare(context, seen, archive, &mut track)?;
            let run = run_command(context, host);
            let replace = replace_measured(proxy::CONTAINER, &run, &proxy::list());
            let running = seen.proxy.as_ref().filter(|proxy| proxy.running);
            let step = if running.is_some_and(ProxyContainer::is_own) {
                let create = create_command(context, host);
                Step::run("restarting the proxy", or_replace(&create, &replace))
            } else {
                Step::run("replacing the proxy", replace)
            };
            track.steps.push(step.block("Proxy Host"));
            tracks.push(track);
        }
        stages.push(Stage::hosts("proxy", tracks));
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
    let mut stages = stop(context);
    stages.extend(remove_container(context));
    stages.extend(remove_image(context));
    stages.extend(remove_directory(context));
    stages
}

/// `proxy remove_container`
pub fn remove_container(context: &Context<'_>) -> Vec<Stage> {
    each(context, "remove", || {
        vec![
            context.audit(&Entry::RemovedProxyContainer, None),
            Step::run("removing the proxy's container", proxy::remove_container()),
        ]
    })
}

/// `proxy remove_image`
pub fn remove_image(context: &Context<'_>) -> Vec<Stage> {
    each(context, "remove", || {
        vec![
            context.audit(&Entry::RemovedProxyImage, None),
            Step::run("removing the proxy's image", proxy::remove_image()),
        ]
    })
}

/// `proxy remove_proxy_directory`
pub fn remove_directory(context: &Context<'_>) -> Vec<Stage> {
    each(context, "remove", || {
        vec![Step::run("removing the proxy's directory", proxy::remove_directory()).tolerated()]
    })
}

/// `proxy boot_config set`
pub fn set_boot_config(
    context: &Context<'_>,
    settings: &BootConfig,
) -> Result<Vec<Stage>, InvalidBindAddress> {
    let files = settings.files()?;
    Ok(each(context, "boot config", || {
        let make = Step::run("making the proxy's directory", proxy::make_directory());
        let files = files.iter().map(|file| match file {
            BootFile::Write(upload) => Step::upload(upload.clone()),
            BootFile::Remove(remove) => Step::run("removing a setting", remove.clone()).tolerated(),
        });
        std::iter::once(make.debug()).chain(files).collect()
    }))
}

/// `proxy boot_config get`: the answer of each host is its step's output.
pub fn boot_config(context: &Context<'_>) -> Vec<Stage> {
    each(context, "boot config", || {
        let extension = &context.config().extension.proxy;
        let read = proxy::boot_config(ProxyImage::DHOW, extension);
        vec![Step::run("reading the proxy's settings", read).debug()]
    })
}

/// `proxy boot_config reset`
pub fn reset_boot_config(context: &Context<'_>) -> Vec<Stage> {
    each(context, "boot config", || {
        let remove = proxy::reset_boot_config().into_iter();
        remove
            .map(|cmd| Step::run("removing a setting", cmd).tolerated())
            .collect()
    })
}

/// Creates the network that app and proxy meet on.
pub(crate) fn network() -> Step {
    Step::run("creating the network", docker::create_network())
        .debug()
        .tolerating("already exists")
}

/// The image onto the host, and the place for settings: everything that can fail without harm.
fn prepare(
    context: &Context<'_>,
    seen: &HostFacts,
    archive: Option<&ProxyArchive>,
    track: &mut Track,
) -> Result<(), PlanError> {
    let host = track.host.as_str();
    if let Some(archive) = archive
        && (lacks_image(context, seen, host) || outdated(context, seen, host, archive))
    {
        track.steps.push(Step::feed(
            "loading the proxy's image",
            Cmd::docker("load --quiet"),
            Arc::clone(&archive.content),
        ));
    }
    if let Some(image) = private_image(context, host) {
        let ensured = context.ensure_image(&context.config().registry, &image)?;
        track.steps.extend(ensured.steps);
        track.on_failure.extend(ensured.on_failure);
    }
    let make = proxy::make_apps_config_directory();
    let step = Step::run("making room for proxy settings", make);
    track.steps.push(step.debug());
    Ok(())
}

/// The image that a host's `proxy.run` takes from the registry that the app's image comes from, and which may want a login.
fn private_image(context: &Context<'_>, host: &str) -> Option<String> {
    let run = context.config().proxy_run(host)?;
    let server = run.registry.as_deref()?;
    let image = proxy::run_image(run, ProxyImage::DHOW);
    (context.config().registry.server.as_deref() == Some(server)).then_some(image)
}

/// Whether [`boot`] and [`reboot`] may need the registry's credentials.
pub fn needs_registry(config: &Config) -> bool {
    let same = |server: &str| config.registry.server.as_deref() == Some(server);
    config
        .proxy_hosts()
        .into_iter()
        .filter_map(|host| config.proxy_run(host)?.registry.as_deref())
        .any(same)
}

fn run_command(context: &Context<'_>, host: &str) -> Cmd {
    let config = context.config();
    proxy::run_extended(
        config.proxy_run(host),
        ProxyImage::DHOW,
        &config.extension.proxy,
    )
}

fn create_command(context: &Context<'_>, host: &str) -> Cmd {
    let config = context.config();
    proxy::create_extended(
        proxy::NEXT_CONTAINER,
        config.proxy_run(host),
        ProxyImage::DHOW,
        &config.extension.proxy,
    )
}

/// Which flags the proxy of a host knows: the one that runs, else the one that will.
pub(crate) fn dialect(context: &Context<'_>, seen: &HostFacts, host: &str) -> Dialect {
    let own = match &seen.proxy {
        Some(proxy) => proxy.is_own() && !is_older_dhow(&proxy.image),
        None => takes_own(context, host),
    };
    if own { Dialect::Dhow } else { Dialect::Kamal }
}

/// Hosts whose proxy is told nothing of what the deploy file says to dhow's own.
pub fn unheard<'c>(context: &Context<'c>, facts: &Facts) -> Vec<&'c str> {
    if !proxy::needs_own(&context.config().extension.proxy) {
        return Vec::new();
    }
    let mut hosts = context.targets.proxy_hosts();
    hosts.retain(|host| dialect(context, seen(facts, host), host) == Dialect::Kamal);
    hosts
}

/// Whether the host's image of dhow's proxy is another build than the archive's.
fn outdated(context: &Context<'_>, seen: &HostFacts, host: &str, archive: &ProxyArchive) -> bool {
    let image = seen.image(&dhow_image());
    takes_own(context, host)
        && image.is_some_and(|image| image.content.as_deref() != Some(&archive.label))
}

fn each(context: &Context<'_>, name: &str, steps: impl Fn() -> Vec<Step>) -> Vec<Stage> {
    let hosts = context.targets.proxy_hosts();
    let tracks = hosts
        .into_iter()
        .map(|host| Track::new(host, None, steps()))
        .collect();
    vec![Stage::hosts(name, tracks)]
}
