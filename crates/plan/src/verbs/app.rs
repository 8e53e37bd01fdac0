//! `app …` but booting: look at containers, start and stop them, run commands in them, remove them.

use dhow_commands::app::{self, ExecOptions};
use dhow_commands::audit::Entry;
use dhow_commands::{LogOptions, proxy};
use dhow_config::Role;
use dhow_text::shell::Cmd;

use super::boot::{seen, stop as stop_containers};
use super::proxy::dialect;
use crate::context::{Context, Facts, PlanError};
use crate::step::{Stage, Step, Track, Work};

/// `app start`: containers of the version that are there start again, and the proxy is told.
pub fn start(context: &Context<'_>, facts: &Facts) -> Vec<Stage> {
    let config = context.config();
    roles(
        context,
        "start",
        config.boot.parallel_roles,
        |host, role| {
            let version = match seen(facts, host).current(config, role) {
                Some(current) => current.version(&config.container_prefix(role)).to_owned(),
                None => context.version.clone(),
            };
            let mut steps = vec![
                context.audit(&Entry::StartedApp { version: &version }, Some(role)),
                Step::run("starting the container", app::start(config, role, &version)).tolerated(),
            ];
            if role.runs_proxy() {
                steps.push(
                    Step::capture(
                        "finding the container",
                        "dhow_id",
                        app::container_id(config, role, version.as_str()),
                    )
                    .debug(),
                );
                let dialect = dialect(context, seen(facts, host), host);
                let deploy = proxy::deploy_app_to(dialect, config, role, &version, "$dhow_id");
                let deploy = deploy.unwrap_or_default().real();
                let (role, tell) = (&role.name, "did the container boot?");
                steps.push(Step::run("telling the proxy", Cmd::new(format!(
                    "if [ -z \"$dhow_id\" ]; then echo 'Failed to get endpoint for {role} on {host}, {tell}' >&2; exit 1; fi; {deploy}"
                ))));
            }
            steps
        },
    )
}

/// `app stop`
pub fn stop(context: &Context<'_>, facts: &Facts) -> Vec<Stage> {
    let config = context.config();
    roles(context, "stop", config.boot.parallel_roles, |host, role| {
        let mut steps = vec![context.audit(&Entry::StoppedApp, Some(role))];
        let seen = seen(facts, host);
        if role.runs_proxy() && seen.current(config, role).is_some() {
            let remove = proxy::remove(&config.container_prefix(role));
            steps.push(Step::run("taking it out of the proxy", remove).tolerated());
        }
        let running: Vec<String> = seen
            .of(config, role)
            .filter(|c| c.is_up())
            .map(|c| c.name.clone())
            .collect();
        if !running.is_empty() {
            steps.push(Step::run(
                "stopping the container",
                stop_containers(context, role, &running),
            ));
        }
        steps
    })
}

/// `app details`
pub fn details(context: &Context<'_>) -> Vec<Stage> {
    let config = context.config();
    roles(context, "details", true, |_, role| {
        vec![Step::run("looking at containers", app::info(config, role)).block("App Host")]
    })
}

/// `app containers`
pub fn containers(context: &Context<'_>) -> Vec<Stage> {
    hosts(context, "containers", |_| {
        vec![
            Step::run(
                "looking at containers",
                app::list_containers(context.config()),
            )
            .block("App Host"),
        ]
    })
}

/// `app images`
pub fn images(context: &Context<'_>) -> Vec<Stage> {
    hosts(context, "images", |_| {
        vec![Step::run("looking at images", app::list_images(context.config())).block("App Host")]
    })
}

/// `app version`: that of the first role of each host.
pub fn version(context: &Context<'_>) -> Vec<Stage> {
    hosts(context, "version", |host| {
        let role = context.targets.roles_on(host).first().copied();
        let steps = role.map(|role| {
            Step::run(
                "looking at the version",
                app::current_version(context.config(), role),
            )
            .block("App Host")
        });
        steps.into_iter().collect()
    })
}

/// `app logs`
pub fn logs(
    context: &Context<'_>,
    container_id: Option<&str>,
    options: &LogOptions<'_>,
) -> Vec<Stage> {
    let config = context.config();
    roles(context, "logs", true, |_, role| {
        let logs =
            app::logs(config, role, container_id, options).or(Cmd::new("echo 'Nothing found'"));
        vec![Step::run("reading logs", logs).debug().block("App Host")]
    })
}

/// `app exec` in a new container, on every host and role. `version` may be a tag.
pub fn exec_new(
    context: &Context<'_>,
    version: &str,
    options: &ExecOptions<'_>,
    command: &str,
) -> Result<Vec<Stage>, PlanError> {
    let config = context.config();
    let mut tracks = Vec::new();
    for host in context.targets.app_hosts() {
        let image = context.config().absolute_image(version);
        let mut ensured = context.ensure_image(&context.config().registry, &image)?;
        for role in context.targets.roles_on(host) {
            let mut steps = std::mem::take(&mut ensured.steps);
            let entry = Entry::ExecutedInApp {
                command,
                version,
                reused: false,
            };
            steps.push(context.audit(&entry, None));
            steps.extend(env_file(context, role, host)?);
            let hex = context.random.hex(6);
            let run = app::exec_new(config, role, host, version, &hex, options, command);
            steps.push(Step::run("running the command in a new container", run).block("App Host"));
            let mut track = Track::new(host, Some(&role.name), steps);
            track.on_failure = std::mem::take(&mut ensured.on_failure);
            tracks.push(track);
        }
    }
    Ok(vec![Stage::hosts("exec", tracks)])
}

/// `app exec --reuse`
pub fn exec_existing(
    context: &Context<'_>,
    version: &str,
    options: &ExecOptions<'_>,
    command: &str,
) -> Vec<Stage> {
    let config = context.config();
    roles(context, "exec", true, |_, role| {
        let entry = Entry::ExecutedInApp {
            command,
            version,
            reused: true,
        };
        let exec = app::exec_existing(config, role, version, options, command);
        vec![
            context.audit(&entry, Some(role)),
            Step::run("running the command", exec).block("App Host"),
        ]
    })
}

/// What an interactive `app exec` in a new container needs beforehand, on the primary host: the image, and the role's env file.
pub fn before_interactive(context: &Context<'_>, version: &str) -> Result<Vec<Stage>, PlanError> {
    let host = context.targets.primary_host;
    let image = context.config().absolute_image(version);
    let image = context.ensure_image(&context.config().registry, &image)?;
    let mut track = Track::new(host, None, image.steps);
    track.on_failure = image.on_failure;
    if let Some(role) = context.targets.roles_on(host).first() {
        track.steps.extend(env_file(context, role, host)?);
    }
    Ok(vec![Stage::hosts("prepare", vec![track])])
}

/// `app remove`: stop, containers, images, directories.
pub fn remove(context: &Context<'_>, facts: &Facts) -> Vec<Stage> {
    let mut stages = stop(context, facts);
    stages.extend(remove_containers(context));
    stages.extend(remove_images(context));
    stages.extend(remove_directories(context));
    stages
}

/// `app remove_container VERSION`
pub fn remove_container(context: &Context<'_>, version: &str) -> Vec<Stage> {
    let config = context.config();
    roles(context, "remove", true, |_, role| {
        vec![
            context.audit(&Entry::RemovedAppContainer { version }, Some(role)),
            Step::run(
                "removing the container",
                app::remove_container(config, role, version),
            ),
        ]
    })
}

/// `app remove_containers`: those that do not run.
pub fn remove_containers(context: &Context<'_>) -> Vec<Stage> {
    let config = context.config();
    roles(context, "remove", true, |_, role| {
        vec![
            context.audit(&Entry::RemovedAppContainers, Some(role)),
            Step::run("removing containers", app::remove_containers(config, role)),
        ]
    })
}

/// `app remove_images`, on hosts all of whose roles take part.
pub fn remove_images(context: &Context<'_>) -> Vec<Stage> {
    whole_hosts(context, || {
        vec![
            context.audit(&Entry::RemovedAppImages, None),
            Step::run("removing images", app::remove_images(context.config())),
        ]
    })
}

/// `app remove_app_directories`, on hosts all of whose roles take part.
pub fn remove_directories(context: &Context<'_>) -> Vec<Stage> {
    let config = context.config();
    let path = dhow_commands::paths::app(config);
    whole_hosts(context, || {
        vec![
            Step::run(
                "removing the app's directory",
                app::remove_app_directory(config),
            )
            .tolerated(),
            context.audit(&Entry::RemovedAppDirectory { path: &path }, None),
            Step::run(
                "removing the app's proxy settings",
                app::remove_proxy_app_directory(config),
            )
            .debug()
            .tolerated(),
        ]
    })
}

/// `app live`: the end of maintenance, in roles behind the proxy.
pub fn live(context: &Context<'_>) -> Vec<Stage> {
    let config = context.config();
    proxied(context, "live", |role| {
        let resume = proxy::resume(&config.container_prefix(role));
        Step::run("sending requests to the app again", resume)
    })
}

/// `app maintenance`: the proxy answers in place of roles behind it, once requests under way have had `drain` seconds.
pub fn maintenance(context: &Context<'_>, drain: Option<i64>, message: Option<&str>) -> Vec<Stage> {
    let config = context.config();
    let drain = drain.unwrap_or(config.drain_timeout);
    proxied(context, "maintenance", |role| {
        let stop = proxy::stop(&config.container_prefix(role), drain, message);
        Step::run("answering in place of the app", stop)
    })
}

/// The role's env file, which a container needs even if the role was never booted here.
fn env_file(context: &Context<'_>, role: &Role, host: &str) -> Result<Vec<Step>, PlanError> {
    let config = context.config();
    let secrets = context.env_secrets(role, host)?;
    Ok(vec![
        Step::run(
            "making room for the env file",
            app::make_env_directory(config),
        )
        .debug(),
        Step::upload(app::env_upload(config, role, &secrets)).debug(),
    ])
}

fn roles(
    context: &Context<'_>,
    name: &str,
    parallel_roles: bool,
    steps: impl Fn(&str, &Role) -> Vec<Step>,
) -> Vec<Stage> {
    let mut tracks = Vec::new();
    for host in context.targets.app_hosts() {
        for role in context.targets.roles_on(host) {
            tracks.push(Track::new(host, Some(&role.name), steps(host, role)));
        }
    }
    vec![Stage {
        name: name.to_owned(),
        say: None,
        work: Work::Hosts {
            tracks,
            parallel_roles,
        },
    }]
}

fn proxied(context: &Context<'_>, name: &str, step: impl Fn(&Role) -> Step) -> Vec<Stage> {
    let mut stages = roles(context, name, true, |_, role| {
        let step = role.runs_proxy().then(|| step(role));
        step.into_iter().collect()
    });
    drop_idle(&mut stages);
    stages
}

fn whole_hosts(context: &Context<'_>, steps: impl Fn() -> Vec<Step>) -> Vec<Stage> {
    let mut stages = hosts(context, "remove", |host| {
        let whole = context.targets.whole(host);
        whole.then(&steps).unwrap_or_default()
    });
    drop_idle(&mut stages);
    stages
}

/// Tracks without steps go.
fn drop_idle(stages: &mut [Stage]) {
    for stage in stages {
        if let Work::Hosts { tracks, .. } = &mut stage.work {
            tracks.retain(|track| !track.steps.is_empty());
        }
    }
}

fn hosts(context: &Context<'_>, name: &str, steps: impl Fn(&str) -> Vec<Step>) -> Vec<Stage> {
    let hosts = context.targets.app_hosts();
    let tracks = hosts
        .into_iter()
        .map(|host| Track::new(host, None, steps(host)))
        .collect();
    vec![Stage::hosts(name, tracks)]
}
