//! `app …` but booting: look at containers, start and stop them, run commands in them, remove them.

use dhow_commands::app::{self, ExecOptions};
use dhow_commands::audit::Entry;
use dhow_commands::{LogOptions, proxy};
use dhow_config::Role;

use super::boot::{seen, stop as stop_containers};
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
                Step::run("starting the container", app::start(config, role, &version)),
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
                let deploy = proxy::deploy_app(config, role, &version, "$dhow_id");
                steps.extend(deploy.map(|cmd| Step::run("telling the proxy", cmd)));
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
        let logs = app::logs(config, role, container_id, options)
            .or(dhow_text::shell::Cmd::new("echo 'Nothing found'"));
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
            let mut steps = std::mem::take(&mut ensured);
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
            tracks.push(Track::new(host, Some(&role.name), steps));
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
    let mut steps = context.ensure_image(&context.config().registry, &image)?;
    if let Some(role) = context.targets.roles_on(host).first() {
        steps.extend(env_file(context, role, host)?);
    }
    Ok(vec![Stage::hosts(
        "prepare",
        vec![Track::new(host, None, steps)],
    )])
}

/// `app remove`: stop, containers, images, directories.
pub fn remove(context: &Context<'_>, facts: &Facts) -> Vec<Stage> {
    let config = context.config();
    let mut stages = stop(context, facts);
    stages.extend(roles(context, "remove", true, |_, role| {
        vec![
            context.audit(&Entry::RemovedAppContainers, Some(role)),
            Step::run("removing containers", app::remove_containers(config, role)),
        ]
    }));
    let path = dhow_commands::paths::app(config);
    stages.extend(hosts(context, "remove", |host| {
        if !context.targets.whole(host) {
            return Vec::new();
        }
        vec![
            context.audit(&Entry::RemovedAppImages, None),
            Step::run("removing images", app::remove_images(config)),
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
    }));
    stages
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

fn hosts(context: &Context<'_>, name: &str, steps: impl Fn(&str) -> Vec<Step>) -> Vec<Stage> {
    let hosts = context.targets.app_hosts();
    let tracks = hosts
        .into_iter()
        .map(|host| Track::new(host, None, steps(host)))
        .collect();
    vec![Stage::hosts(name, tracks)]
}
