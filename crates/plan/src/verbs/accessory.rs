//! `accessory …`: databases and their like, which are booted once and stay.

use dhow_commands::accessory as words;
use dhow_commands::app::Terminal;
use dhow_commands::audit::Entry;
use dhow_commands::{Content, LogOptions, docker, proxy};
use dhow_config::{Accessory, Registry};
use dhow_text::redact::Secret;

use super::proxy::network;
use crate::context::{Context, Login, PlanError};
use crate::step::{Stage, Step, Track};

/// A file of `files`, read (or rendered) at the edge.
#[derive(Clone, Debug)]
pub struct LocalFile {
    /// Its local permission bits; `0o640` for one that was rendered.
    pub mode: u32,
    /// Its content.
    pub content: Content,
}

/// Asks each host whether the accessory's container is there, running or not.
pub fn look(context: &Context<'_>, accessory: &Accessory) -> Vec<Track> {
    let step = Step::run("looking for the container", words::container_id(accessory)).debug();
    let hosts = hosts(context, accessory);
    hosts
        .into_iter()
        .map(|host| Track::new(host, None, vec![step.clone()]))
        .collect()
}

/// `accessory boot`: files and directories on all its hosts, a container on those that have none. `files` are those of the
/// accessory's `files`, in order; `present` are hosts with a container.
pub fn boot(
    context: &Context<'_>,
    accessory: &Accessory,
    files: &[LocalFile],
    present: &[&str],
) -> Result<Vec<Stage>, PlanError> {
    let config = context.config();
    let registry = registry(context, accessory);
    let mut tracks = Vec::new();
    for host in hosts(context, accessory) {
        let mut steps = vec![network()];
        steps.extend(uploads(accessory, files));
        if !present.contains(&host) {
            steps.extend(context.ensure_image(registry, &accessory.image)?);
            steps.push(context.audit(&Entry::BootedAccessory(&accessory.name), None));
            steps.extend(env_file(context, accessory)?);
            let run = words::run(config, accessory, host);
            steps.push(Step::run(format!("starting {}", accessory.name), run));
            steps.extend(behind_proxy(context, accessory));
        }
        tracks.push(Track::new(host, None, steps));
    }
    let mut stage = Stage::hosts("accessory", tracks);
    if !present.is_empty() {
        let mut hosts = present.to_vec();
        hosts.sort_unstable();
        stage = stage.saying(format!(
            "Skipping booting `{}` on {}, a container already exists",
            accessory.name,
            hosts.join(", ")
        ));
    }
    Ok(vec![stage])
}

/// `accessory reboot`: the image anew, then another container in the old one's place.
pub fn reboot(
    context: &Context<'_>,
    accessory: &Accessory,
    files: &[LocalFile],
) -> Result<Vec<Stage>, PlanError> {
    let login = Login::new(context, registry(context, accessory))?;
    let pull = words::pull(accessory);
    let mut pulling = login.as_ref().map(Login::steps).unwrap_or_default();
    pulling.push(context.audit(&Entry::PullAccessoryImage(&accessory.name), None));
    let pull = if login.is_some() {
        Login::with(pull)
    } else {
        pull
    };
    pulling.push(Step::run("pulling the image", pull));
    pulling.extend(login.as_ref().map(Login::clean_up).unwrap_or_default());
    let mut stages = vec![everywhere(context, accessory, "pull", &pulling)];
    stages.extend(stop(context, accessory));
    stages.push(everywhere(
        context,
        accessory,
        "remove",
        &[
            context.audit(&Entry::RemoveAccessoryContainer(&accessory.name), None),
            Step::run("removing the container", words::remove_container(accessory)),
        ],
    ));
    stages.extend(boot(context, accessory, files, &[])?);
    Ok(stages)
}

/// `accessory start`
pub fn start(context: &Context<'_>, accessory: &Accessory) -> Vec<Stage> {
    let mut steps = vec![
        context.audit(&Entry::StartedAccessory(&accessory.name), None),
        Step::run("starting the container", words::start(accessory)),
    ];
    steps.extend(behind_proxy(context, accessory));
    vec![everywhere(context, accessory, "start", &steps)]
}

/// `accessory stop`
pub fn stop(context: &Context<'_>, accessory: &Accessory) -> Vec<Stage> {
    let mut steps = vec![context.audit(&Entry::StoppedAccessory(&accessory.name), None)];
    steps.push(Step::run("stopping the container", words::stop(accessory)).tolerated());
    if accessory.proxy.is_some() {
        let remove = proxy::remove(&accessory.service_name);
        steps.push(Step::run("taking it out of the proxy", remove).tolerated());
    }
    vec![everywhere(context, accessory, "stop", &steps)]
}

/// `accessory remove`: container, image and directory, with all its data.
pub fn remove(context: &Context<'_>, accessory: &Accessory) -> Vec<Stage> {
    let mut stages = stop(context, accessory);
    stages.push(everywhere(
        context,
        accessory,
        "remove",
        &[
            context.audit(&Entry::RemoveAccessoryContainer(&accessory.name), None),
            Step::run("removing the container", words::remove_container(accessory)),
            context.audit(&Entry::RemovedAccessoryImage(&accessory.name), None),
            Step::run("removing the image", words::remove_image(accessory)),
            Step::run("removing the directory", words::remove_directory(accessory)),
        ],
    ));
    stages
}

/// `accessory details`
pub fn details(context: &Context<'_>, accessory: &Accessory) -> Vec<Stage> {
    let header = format!("Accessory {} Host", accessory.name);
    let step = Step::run("looking at the container", words::info(accessory)).block(&header);
    vec![everywhere(context, accessory, "details", &[step])]
}

/// `accessory logs`
pub fn logs(context: &Context<'_>, accessory: &Accessory, options: &LogOptions<'_>) -> Vec<Stage> {
    let step = Step::run("reading logs", words::logs(accessory, options))
        .debug()
        .block("");
    vec![everywhere(context, accessory, "logs", &[step])]
}

/// `accessory exec` on all its hosts, in a new container or the running one.
pub fn exec(
    context: &Context<'_>,
    accessory: &Accessory,
    command: &str,
    reuse: bool,
) -> Result<Vec<Stage>, PlanError> {
    let on = format!("{} accessory", accessory.name);
    let mut steps = vec![context.audit(&Entry::Executed { command, on: &on }, None)];
    let exec = if reuse {
        words::exec_existing(accessory, Terminal::None, command)
    } else {
        steps.extend(env_file(context, accessory)?);
        words::exec_new(context.config(), accessory, Terminal::None, command)
    };
    steps.push(Step::run("running the command", exec).block("App Host"));
    Ok(vec![everywhere(context, accessory, "exec", &steps)])
}

/// The secrets that an accessory's container needs, by name.
pub fn secret_names(accessory: &Accessory) -> Vec<String> {
    accessory
        .env
        .secrets
        .iter()
        .map(|s| s.secret.clone())
        .collect()
}

fn hosts<'c>(context: &Context<'c>, accessory: &Accessory) -> Vec<&'c str> {
    let wanted = |host: &&str| accessory.host_names().any(|h| h == *host);
    context
        .targets
        .hosts
        .iter()
        .copied()
        .filter(wanted)
        .collect()
}

fn everywhere(context: &Context<'_>, accessory: &Accessory, name: &str, steps: &[Step]) -> Stage {
    let hosts = hosts(context, accessory);
    Stage::hosts(
        name,
        hosts
            .into_iter()
            .map(|host| Track::new(host, None, steps.to_vec()))
            .collect(),
    )
}

/// The accessory's own registry, or the app's.
fn registry<'r>(context: &'r Context<'_>, accessory: &'r Accessory) -> &'r Registry {
    accessory
        .registry
        .as_ref()
        .unwrap_or_else(|| &context.config().registry)
}

fn uploads(accessory: &Accessory, files: &[LocalFile]) -> Vec<Step> {
    let mut steps = Vec::new();
    for mount in &accessory.directories {
        let make = words::make_directory(accessory, mount);
        steps.extend(
            make.into_iter()
                .map(|cmd| Step::run("making a directory", cmd).debug()),
        );
    }
    for (file, local) in accessory.files.iter().zip(files) {
        steps.push(
            Step::run(
                "making a directory",
                words::make_file_directory(accessory, file),
            )
            .debug(),
        );
        steps.push(Step::upload(words::file_upload(
            accessory,
            file,
            local.mode,
            local.content.clone(),
        )));
        let permissions = words::set_permissions(accessory, file);
        steps.extend(
            permissions
                .into_iter()
                .map(|cmd| Step::run("setting permissions", cmd).debug()),
        );
    }
    steps
}

fn env_file(context: &Context<'_>, accessory: &Accessory) -> Result<Vec<Step>, PlanError> {
    let mut secrets: Vec<(String, Secret)> = Vec::new();
    for reference in &accessory.env.secrets {
        let value = context.secret(&reference.secret)?;
        secrets.retain(|(name, _)| *name != reference.name);
        secrets.push((reference.name.clone(), value));
    }
    let config = context.config();
    Ok(vec![
        Step::run(
            "making room for the env file",
            words::make_env_directory(config),
        )
        .debug(),
        Step::upload(words::env_upload(config, accessory, &secrets)),
    ])
}

/// Tells the proxy of the container, if it is to stand behind it.
fn behind_proxy(context: &Context<'_>, accessory: &Accessory) -> Vec<Step> {
    let id = "$dhow_accessory";
    let Some(deploy) = proxy::deploy_accessory(context.config(), accessory, &context.version, id)
    else {
        return Vec::new();
    };
    let find = docker::running_container_id(&accessory.service_name);
    vec![
        Step::capture("finding the container", "dhow_accessory", find).debug(),
        Step::run("telling the proxy", deploy),
    ]
}
