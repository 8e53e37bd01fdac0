//! `app boot`, the heart of a deploy: new containers start, answer, take over; then the old ones go.

use dhow_commands::audit::Entry;
use dhow_commands::{app, assets, error_pages, proxy, tls};
use dhow_config::{Role, Ssl};
use dhow_text::shell::Cmd;

use super::proxy::dialect;
use crate::context::{Context, Facts, PlanError};
use crate::facts::HostFacts;
use crate::step::{Gate, LocalStep, Stage, Step, Track, Work};

/// A page of `error_pages_path`, read at the edge.
#[derive(Clone, Debug)]
pub struct ErrorPage {
    /// `404.html`
    pub name: String,
    /// Its local permission bits.
    pub mode: u32,
    /// Its content.
    pub content: Vec<u8>,
}

/// The container id of the new container, on the host.
const ID: &str = "dhow_id";

/// All stages of a boot: assets everywhere, then group by group, then the tag.
pub fn boot(
    context: &Context<'_>,
    facts: &Facts,
    pages: &[ErrorPage],
) -> Result<Vec<Stage>, PlanError> {
    let mut stages = Vec::new();
    let prepared = prepare(context, facts, pages)?;
    if prepared.iter().any(|track| !track.steps.is_empty()) {
        stages.push(Stage::hosts("assets", prepared));
    }
    stages.extend(groups(context, facts)?);
    stages.push(Stage::hosts("tag", tag(context)));
    Ok(stages)
}

/// Assets, certificates and error pages, before any container starts anywhere.
pub(crate) fn prepare(
    context: &Context<'_>,
    facts: &Facts,
    pages: &[ErrorPage],
) -> Result<Vec<Track>, PlanError> {
    let config = context.config();
    let version = context.version.as_str();
    let mut tracks = Vec::new();
    for host in context.targets.app_hosts() {
        let seen = seen(facts, host);
        let mut steps = Vec::new();
        if config.error_pages_path.is_some() && !pages.is_empty() {
            steps.push(
                Step::run(
                    "making room for error pages",
                    error_pages::make_version_directory(config, version),
                )
                .debug(),
            );
            steps.extend(pages.iter().map(|page| {
                Step::upload(error_pages::upload(
                    config,
                    version,
                    &page.name,
                    page.mode,
                    page.content.clone(),
                ))
            }));
        }
        for role in context.targets.roles_on(host) {
            if let Some(extract) = assets::extract(config, role, version) {
                steps.push(Step::run("extracting assets", extract));
                let prefix = config.container_prefix(role);
                let old = seen.current(config, role).map(|c| c.version(&prefix));
                let sync = assets::sync(config, role, version, old.map(Into::into));
                // Some versions of `cp -n` fail where a file is there already, as after a deploy that was cut off.
                steps.extend(
                    sync.map(|sync| Step::run("bridging assets", sync).tolerating("not replacing")),
                );
            }
            if let Some(Ssl::Custom {
                certificate_pem,
                private_key_pem,
            }) = role.proxy.as_ref().map(|p| &p.ssl)
            {
                let certificate = context.secret(certificate_pem)?;
                let key = context.secret(private_key_pem)?;
                steps.push(
                    Step::run(
                        "making room for the certificate",
                        tls::make_directory(config, role),
                    )
                    .debug(),
                );
                steps.extend(tls::uploads(config, role, certificate, key).map(Step::upload));
            }
        }
        tracks.push(Track::new(host, None, steps));
    }
    Ok(tracks)
}

/// The boot itself, `boot.limit` hosts at a time, with the hooks around each group.
pub(crate) fn groups(context: &Context<'_>, facts: &Facts) -> Result<Vec<Stage>, PlanError> {
    let config = context.config();
    let hosts = context.targets.app_hosts();
    let size = config
        .boot
        .group_size(config.all_hosts().len())
        .unwrap_or(hosts.len())
        .max(1);
    // The gate belongs to the whole command: once a primary container was healthy, later groups need not wait.
    let gatekeeper = context.targets.primary_role;
    let mut stages = Vec::new();
    let mut decided = false;
    for group in hosts.chunks(size) {
        stages.extend(context.hook("pre-app-boot", Some(group)));
        let mut tracks = Vec::new();
        for host in group {
            for role in context.targets.roles_on(host) {
                let mut track = boot_one(context, seen(facts, host), host, role)?;
                if let Some(primary) = gatekeeper.filter(|_| !decided) {
                    let gate = Gate(primary.name.clone());
                    if role.name == primary.name {
                        track.opens = Some(gate);
                    } else {
                        track.waits_for = Some(gate);
                    }
                }
                tracks.push(track);
            }
        }
        decided |= tracks.iter().any(|track| track.opens.is_some());
        stages.push(Stage {
            name: "boot".to_owned(),
            say: None,
            work: Work::Hosts {
                tracks,
                parallel_roles: config.boot.parallel_roles,
            },
        });
        stages.extend(context.hook("post-app-boot", Some(group)));
        if let Some(seconds) = config.boot.wait {
            let seconds = u64::try_from(seconds).unwrap_or(0);
            stages.push(Stage::local("wait", vec![LocalStep::Wait { seconds }]));
        }
    }
    Ok(stages)
}

/// The version becomes the latest on every app host.
pub(crate) fn tag(context: &Context<'_>) -> Vec<Track> {
    let hosts = context.targets.app_hosts();
    hosts
        .into_iter()
        .map(|host| Track::new(host, None, tag_steps(context)))
        .collect()
}

pub(crate) fn tag_steps(context: &Context<'_>) -> Vec<Step> {
    let config = context.config();
    let image = config.absolute_image(&context.version);
    vec![
        context.audit(&Entry::TaggedLatest { image: &image }, None),
        Step::run(
            "tagging the image as the latest",
            app::tag_latest(config, &context.version),
        ),
    ]
}

/// What was seen on a host; nothing, for one that was not asked.
pub(crate) fn seen<'f>(facts: &'f Facts, host: &str) -> &'f HostFacts {
    static NOTHING: std::sync::LazyLock<HostFacts> = std::sync::LazyLock::new(HostFacts::default);
    facts.get(host).unwrap_or(&NOTHING)
}

fn boot_one(
    context: &Context<'_>,
    seen: &HostFacts,
    host: &str,
    role: &Role,
) -> Result<Track, PlanError> {
    let config = context.config();
    let version = context.version.as_str();
    let name = config.container_name(role, version);
    let mut steps = Vec::new();

    let mut old: Vec<String> = serving(context, seen, role);
    if seen.named(&name).is_some() {
        let hex = context.random.hex(16);
        let replaced = app::replaced_name(version, &hex);
        let entry = Entry::RenamedContainer {
            from: version,
            to: &replaced,
        };
        steps.push(context.audit(&entry, Some(role)));
        let title =
            format!("renaming container {version} to {replaced} as already deployed on {host}");
        steps.push(Step::run(title, app::rename(config, role, version, &hex)));
        for old in old.iter_mut().filter(|old| **old == name) {
            *old = format!("{}-{replaced}", config.container_prefix(role));
        }
    }

    steps.push(context.audit(&Entry::BootedApp { version }, Some(role)));
    steps.push(
        Step::run(
            "making room for the env file",
            app::make_env_directory(config),
        )
        .debug(),
    );
    let secrets = context.env_secrets(role, host)?;
    steps.push(Step::upload(app::env_upload(config, role, &secrets)));
    let hex = context.random.hex(12);
    steps.push(Step::capture(
        "starting the new container",
        ID,
        app::run(config, role, host, version, &hex),
    ));
    steps.push(match &role.proxy {
        Some(_) => {
            // Docker's short id, which is the container's name on the network.
            let id = format!("$(printf %.12s \"${ID}\")");
            let dialect = dialect(context, seen, host);
            let deploy = proxy::deploy_app_to(dialect, config, role, version, &id);
            let deploy = deploy.unwrap_or_default();
            Step::run(
                "waiting until the new container answers, then switching to it",
                deploy,
            )
        }
        None => Step::run(
            "waiting until the new container is ready",
            ready(context, &name),
        ),
    });
    // The new container serves: from here on nothing may undo it, so no failure counts.
    if !old.is_empty() {
        let title = match old.len() {
            1 => "stopping the old container".to_owned(),
            many => format!("stopping {many} old containers"),
        };
        steps.push(Step::run(title, stop(context, role, &old)).tolerated());
        let assets = assets::clean_up(config, role, version);
        steps.extend(assets.map(|cmd| Step::run("removing old assets", cmd).debug().tolerated()));
        if config.error_pages_path.is_some() {
            let pages = error_pages::clean_up(config, version);
            steps.push(
                Step::run("removing old error pages", pages)
                    .debug()
                    .tolerated(),
            );
        }
    }

    let mut track = Track::new(host, Some(&role.name), steps);
    track.on_failure = evidence(context, role);
    Ok(track)
}

/// What a person wants to see when a container does not come up; then it is stopped, so that nothing half-started stays. A container
/// that the proxy has switched to after all (its answer was lost, not its work) is left alone.
///
/// All of this is about the container that this track has started, by its id: before there is one, its name may still be that of
/// the container that serves.
fn evidence(context: &Context<'_>, role: &Role) -> Vec<Step> {
    let about = |command: &str| Cmd::new(format!("[ -z \"${ID}\" ] || {command} \"${ID}\" 2>&1"));
    let state = "docker inspect --format '{{.State.Status}}, exit code {{.State.ExitCode}}{{if .State.OOMKilled}}, killed for want of memory{{end}}{{if .State.Error}}, {{.State.Error}}{{end}}{{if .RestartCount}}, restarted {{.RestartCount}} times{{end}}'";
    let health = "docker inspect --format '{{if .State.Health}}{{json .State.Health}}{{end}}'";
    let mut stop = stop(context, role, &[format!("\"${ID}\"")]);
    if role.runs_proxy() {
        stop = unless_served(&format!("$(printf %.12s \"${ID}\")"), stop);
    }
    let stop = Cmd::new(format!("[ -z \"${ID}\" ] || {{ {}; }}", stop.real()));
    vec![
        Step::run("container log", about("docker logs --timestamps --tail 40")).debug(),
        Step::run("container state", about(state)).debug(),
        Step::run("container health", about(health)).debug(),
        Step::run("stopping the new container", stop),
    ]
}

/// `command`, unless the proxy sends requests to a container; `id` is its short id, as text that may stand in double quotes.
pub(crate) fn unless_served(id: &str, command: Cmd) -> Cmd {
    let serves = format!(
        "docker exec kamal-proxy kamal-proxy list 2>/dev/null | grep -qF \"{id}\" && echo 'the proxy serves from it: left running'"
    );
    Cmd::new(serves).or(command)
}

/// Waits on the host, not by asking again and again from afar: `healthy` counts at once, `running` after the readiness delay.
fn ready(context: &Context<'_>, name: &str) -> Cmd {
    let config = context.config();
    let (timeout, delay) = (config.deploy_timeout, config.readiness_delay);
    let status = format!(
        "s=$(docker inspect --format '{{{{if .State.Health}}}}{{{{.State.Health.Status}}}}{{{{else}}}}{{{{.State.Status}}}}{{{{end}}}}' {name} 2>/dev/null)"
    );
    Cmd::new(format!(
        "n=0; end=$(($(date +%s) + {timeout})); while :; do {status}; \
         if [ \"$s\" = running ] && [ {delay} -gt 0 ]; then echo 'Container is running, waiting for readiness delay of {delay} seconds'; sleep {delay}; {status}; fi; \
         case $s in running|healthy) echo 'Container is healthy!'; break;; esac; \
         n=$((n + 1)); left=$((end - $(date +%s))); \
         if [ $left -le 0 ]; then echo \"container not ready after {timeout} seconds ($s)\" >&2; exit 1; fi; \
         if [ $n -lt $left ]; then sleep $n; else sleep $left; fi; done"
    ))
}

/// `docker stop` of containers that a probe has named.
pub(crate) fn stop(context: &Context<'_>, role: &Role, names: &[String]) -> Cmd {
    let timeout = app::stop_timeout(context.config(), role);
    let timeout = timeout.map(|seconds| ["-t".to_owned(), seconds.to_string()]);
    Cmd::docker("stop")
        .args(timeout.into_iter().flatten())
        .args(names)
}

/// Every container of a role that runs, so that leftovers of a deploy that was cut off go too, but only once the new one serves. One
/// that is just created counts: the `docker run` of a deploy that was cut off may be about to start it.
pub(crate) fn serving(context: &Context<'_>, seen: &HostFacts, role: &Role) -> Vec<String> {
    let config = context.config();
    seen.of(config, role)
        .filter(|c| c.is_up() || c.state == "created")
        .map(|c| c.name.clone())
        .collect()
}
