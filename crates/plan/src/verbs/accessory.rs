//! `accessory …`: databases and their like, which are booted once and stay.

use dhow_commands::accessory as words;
use dhow_commands::app::Terminal;
use dhow_commands::audit::Entry;
use dhow_commands::{Content, LogOptions, docker, proxy};
use dhow_config::{Accessory, Registry};
use dhow_text::redact::Secret;
use dhow_text::shell::Cmd;

use super::proxy::network;
use super::replace::{fresh, replace};
use crate::context::{Context, Ensured, Login, PlanError};
use crate::step::{Action, Stage, Step, Track, Work};

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
/// accessory's `files`, in order; `present` are hosts with a container. These are told nothing but, where it stands behind the proxy,
/// the proxy: a boot that was cut off may have come no further than the container.
pub fn boot(
    context: &Context<'_>,
    accessory: &Accessory,
    files: &[LocalFile],
    present: &[&str],
) -> Result<Vec<Stage>, PlanError> {
    let config = context.config();
    let mut tracks = Vec::new();
    for host in hosts(context, accessory) {
        let mut track = Track::new(host, None, vec![network()]);
        track.steps.extend(uploads(accessory, files));
        if !present.contains(&host) {
            let image = context.ensure_image(registry(context, accessory), &accessory.image)?;
            track.steps.extend(image.steps);
            track.on_failure = image.on_failure;
            let booted = Entry::BootedAccessory(&accessory.name);
            track.steps.push(context.audit(&booted, None));
            track.steps.extend(env_file(context, accessory)?);
            let run = words::run(config, accessory, host);
            let run = fresh(&accessory.service_name, &run);
            let title = format!("starting {}", accessory.name);
            track.steps.push(Step::run(title, run));
        }
        let told = behind_proxy(context, accessory);
        track.steps.extend(if present.contains(&host) {
            told.into_iter().map(if_it_runs).collect()
        } else {
            told
        });
        tracks.push(track);
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

/// `accessory reboot`: everything that can be prepared, then another container in the old one's place; should it not start, the old
/// one comes back.
pub fn reboot(
    context: &Context<'_>,
    accessory: &Accessory,
    files: &[LocalFile],
) -> Result<Vec<Stage>, PlanError> {
    let mut prepare = vec![network()];
    prepare.extend(uploads(accessory, files));
    prepare.extend(env_file(context, accessory)?);
    let mut pull = pull_image(context, accessory)?;
    for stage in &mut pull {
        if let Work::Hosts { tracks, .. } = &mut stage.work {
            for track in tracks {
                track.steps.splice(0..0, prepare.iter().cloned());
            }
        }
    }
    let tracks = hosts(context, accessory).into_iter().map(|host| {
        let run = words::run(context.config(), accessory, host);
        let mut steps = vec![
            context.audit(&Entry::StoppedAccessory(&accessory.name), None),
            context.audit(&Entry::RemoveAccessoryContainer(&accessory.name), None),
            context.audit(&Entry::BootedAccessory(&accessory.name), None),
            Step::run(
                format!("replacing {}", accessory.name),
                replace(&accessory.service_name, &run),
            ),
        ];
        steps.extend(behind_proxy(context, accessory));
        Track::new(host, None, steps)
    });
    pull.push(Stage::hosts("accessory", tracks.collect()));
    Ok(pull)
}

/// `accessory pull_image`
pub fn pull_image(context: &Context<'_>, accessory: &Accessory) -> Result<Vec<Stage>, PlanError> {
    let login = Login::new(context, registry(context, accessory))?;
    let mut steps = login.as_ref().map(Login::steps).unwrap_or_default();
    steps.push(context.audit(&Entry::PullAccessoryImage(&accessory.name), None));
    let pull = words::pull(accessory);
    let pull = if login.is_some() {
        Login::with(pull)
    } else {
        pull
    };
    steps.push(Step::run("pulling the image", pull));
    let clean_up = login.as_ref().map(Login::clean_up).unwrap_or_default();
    steps.extend(clean_up.iter().cloned());
    let mut stage = everywhere(context, accessory, "pull", &steps);
    if let Work::Hosts { tracks, .. } = &mut stage.work {
        for track in tracks {
            track.on_failure = clean_up.clone();
        }
    }
    Ok(vec![stage])
}

/// `accessory directories`
pub fn directories(context: &Context<'_>, accessory: &Accessory) -> Vec<Stage> {
    let steps = make_directories(accessory);
    vec![everywhere(context, accessory, "directories", &steps)]
}

/// `accessory upload`
pub fn upload(context: &Context<'_>, accessory: &Accessory, files: &[LocalFile]) -> Vec<Stage> {
    let steps = upload_files(accessory, files);
    vec![everywhere(context, accessory, "upload", &steps)]
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

/// `accessory restart`
pub fn restart(context: &Context<'_>, accessory: &Accessory) -> Vec<Stage> {
    let mut stages = stop(context, accessory);
    stages.extend(start(context, accessory));
    stages
}

/// `accessory remove`: container, image and directory, with all its data.
pub fn remove(context: &Context<'_>, accessory: &Accessory) -> Vec<Stage> {
    let mut stages = stop(context, accessory);
    stages.extend(remove_container(context, accessory));
    stages.extend(remove_image(context, accessory));
    stages.extend(remove_directory(context, accessory));
    stages
}

/// `accessory remove_container`
pub fn remove_container(context: &Context<'_>, accessory: &Accessory) -> Vec<Stage> {
    let steps = [
        context.audit(&Entry::RemoveAccessoryContainer(&accessory.name), None),
        Step::run("removing the container", words::remove_container(accessory)),
    ];
    vec![everywhere(context, accessory, "remove", &steps)]
}

/// `accessory remove_image`
pub fn remove_image(context: &Context<'_>, accessory: &Accessory) -> Vec<Stage> {
    let steps = [
        context.audit(&Entry::RemovedAccessoryImage(&accessory.name), None),
        Step::run("removing the image", words::remove_image(accessory)),
    ];
    vec![everywhere(context, accessory, "remove", &steps)]
}

/// `accessory remove_service_directory`
pub fn remove_directory(context: &Context<'_>, accessory: &Accessory) -> Vec<Stage> {
    let step = Step::run("removing the directory", words::remove_directory(accessory));
    vec![everywhere(context, accessory, "remove", &[step])]
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
    let mut stage = before_exec(context, accessory, command, reuse)?;
    let exec = if reuse {
        words::exec_existing(accessory, Terminal::None, command)
    } else {
        words::exec_new(context.config(), accessory, Terminal::None, command)
    };
    if let Work::Hosts { tracks, .. } = &mut stage.work {
        for track in tracks {
            let step = Step::run("running the command", exec.clone());
            track.steps.push(step.block("App Host"));
        }
    }
    Ok(vec![stage])
}

/// What comes before the command itself: an entry in the audit log, and for a new container image and env file.
fn before_exec(
    context: &Context<'_>,
    accessory: &Accessory,
    command: &str,
    reuse: bool,
) -> Result<Stage, PlanError> {
    let mut before = Ensured::default();
    if !reuse {
        before = context.ensure_image(registry(context, accessory), &accessory.image)?;
        before.steps.extend(env_file(context, accessory)?);
    }
    let on = format!("{} accessory", accessory.name);
    let entry = context.audit(&Entry::Executed { command, on: &on }, None);
    before.steps.push(entry);
    let tracks = hosts(context, accessory).into_iter().map(|host| {
        let mut track = Track::new(host, None, before.steps.clone());
        track.on_failure = before.on_failure.clone();
        track
    });
    Ok(Stage::hosts("exec", tracks.collect()))
}

/// What an interactive `accessory exec` in a new container needs on its host.
pub fn before_interactive(
    context: &Context<'_>,
    accessory: &Accessory,
    host: &str,
) -> Result<Vec<Stage>, PlanError> {
    let image = context.ensure_image(registry(context, accessory), &accessory.image)?;
    let mut track = Track::new(host, None, image.steps);
    track.on_failure = image.on_failure;
    track.steps.extend(env_file(context, accessory)?);
    Ok(vec![Stage::hosts("prepare", vec![track])])
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
    let mut steps = make_directories(accessory);
    steps.extend(upload_files(accessory, files));
    steps
}

fn make_directories(accessory: &Accessory) -> Vec<Step> {
    accessory
        .directories
        .iter()
        .flat_map(|mount| words::make_directory(accessory, mount))
        .map(|cmd| Step::run("making a directory", cmd).debug())
        .collect()
}

fn upload_files(accessory: &Accessory, files: &[LocalFile]) -> Vec<Step> {
    let mut steps = Vec::new();
    for (file, local) in accessory.files.iter().zip(files) {
        let make = words::make_file_directory(accessory, file);
        steps.push(Step::run("making a directory", make).debug());
        let content = local.content.clone();
        steps.push(Step::upload(words::file_upload(
            accessory, file, local.mode, content,
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

/// The same for a container that may have been stopped on purpose.
fn if_it_runs(step: Step) -> Step {
    match step.action {
        Action::Run(cmd) => Step {
            action: Action::Run(Cmd::new("[ -z \"$dhow_accessory\" ]").or(cmd)),
            ..step
        },
        _ => step,
    }
}
