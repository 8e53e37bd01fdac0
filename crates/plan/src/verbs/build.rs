//! `build …`: what runs on the deployer's machine to make the image and to push it.
//!
//! In: the deploy file, the builder, what programs answered. Out: local steps and decisions. The flow between them depends on
//! answers (is the copy of the repository there, is there a builder), so it is the caller's.

use std::collections::BTreeSet;

use dhow_commands::builder::clone::LocalClone;
use dhow_commands::builder::{BuildOptions, ImageBuilder, Kind, Output};
use dhow_commands::{docker, registry};
use dhow_config::Config;
use dhow_text::redact::{REDACTED, Secret};
use dhow_text::shell::Cmd;

use crate::context::{Context, PlanError};
use crate::step::{LocalStep, Stage, Tolerate};

/// What is wanted of a build.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'w> {
    /// `registry`, `docker`, or another of docker's exporters.
    pub output: &'w str,
    /// Whether nothing of earlier builds is used.
    pub no_cache: bool,
    /// Whether the tags say that the work tree was built as it was (`build dev`).
    pub dirty: bool,
}

/// How the build gets at the registry.
#[derive(Clone, Debug)]
pub enum Access {
    /// The registry runs on this machine: start it.
    StartLocal(LocalStep),
    /// Log in; for this build only.
    Login(LocalStep),
    /// As docker is logged in already: builds on build hosts do not touch the local login.
    AsItIs,
}

/// A build host, from a URL such as `ssh://app@1.1.1.5:2222`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildHost {
    /// The user, if the URL names one.
    pub user: Option<String>,
    /// Name or address.
    pub host: String,
    /// The port, if the URL names one.
    pub port: Option<u16>,
}

/// Succeeds if docker with buildx is installed here.
pub fn check_docker() -> LocalStep {
    shell("looking for docker", &docker::has_buildx())
}

/// What is missing if [`check_docker`] failed, and what to do about it.
pub fn docker_missing(exit: i32, output: &str) -> (&'static str, &'static str) {
    // Shells say it differently; 127 is what all of them end with.
    let no_docker = exit == 127 || output.contains("command not found");
    if no_docker {
        (
            "Docker is not installed locally",
            "install Docker here, or build elsewhere and deploy with `--skip-push`",
        )
    } else {
        (
            "Docker buildx plugin is not installed locally",
            "install it (package docker-buildx or docker-buildx-plugin): `docker buildx version` must work",
        )
    }
}

/// How the build gets at the registry.
pub fn access(context: &Context<'_>, builder: &ImageBuilder<'_>) -> Result<Access, PlanError> {
    let settings = &context.config().registry;
    if let Some(port) = settings.local_port() {
        let start = shell("starting the local registry", &registry::start_local(port));
        return Ok(Access::StartLocal(start));
    }
    if builder.is_remote() {
        return Ok(Access::AsItIs);
    }
    Ok(match context.login(settings)? {
        Some((username, password)) => {
            Access::Login(login(settings.server.as_deref(), &username, password))
        }
        None => Access::AsItIs,
    })
}

/// What is said about changes that git does not have: `status` is what `git status --porcelain` printed. Nothing if there are none.
pub fn uncommitted(status: &str, from_copy: bool) -> Option<String> {
    let status = status.trim();
    let how = if from_copy {
        "Building from a local git clone, so ignoring these uncommitted changes:"
    } else {
        "Building with uncommitted changes:"
    };
    (!status.is_empty()).then(|| format!("{how}\n {status}"))
}

/// The copy of the repository that is built; none if the work tree itself is (`builder.context`, or no repository).
pub fn copy(config: &Config, temporary: &str, root: Option<&str>, cwd: &str) -> Option<LocalClone> {
    if config.builder.context.is_some() {
        return None;
    }
    Some(LocalClone::new(temporary, &config.service, root?, cwd))
}

/// What is wrong with a copy. `status` and `revision` are what git printed there.
pub fn copy_trouble(
    copy: &LocalClone,
    status: &str,
    revision: &str,
    wanted: &str,
) -> Option<String> {
    let directory = &copy.build_directory;
    let (status, revision) = (status.trim(), revision.trim());
    if !status.is_empty() {
        return Some(format!("Clone in {directory} is dirty, {status}"));
    }
    (revision != wanted).then(|| {
        format!(
            "Clone in {directory} is not on the correct revision, expected `{wanted}` but got `{revision}`"
        )
    })
}

/// The Dockerfile that has to be there; none where buildpacks build.
pub fn dockerfile<'c>(config: &'c Config, builder: &ImageBuilder<'_>) -> Option<&'c str> {
    (builder.kind() != Kind::Pack).then_some(config.builder.dockerfile.as_str())
}

/// Whether the output of a failed check means that the builder has to be made.
pub fn is_builder_missing(output: &str) -> bool {
    ["no compatible builder"]
        .into_iter()
        .chain(NOTHING_THERE)
        .any(|text| output.contains(text))
}

/// Whether it is no wonder that the builder before this one could not be removed, by the output of the failed check.
pub fn is_nothing_to_remove(output: &str) -> bool {
    NOTHING_THERE.into_iter().any(|text| output.contains(text))
}

/// What docker says of builders and contexts that are not there.
const NOTHING_THERE: [&str; 3] = ["context not found", "no builder", "does not exist"];

/// The host behind `ssh://…`; none for other URLs.
pub fn build_host(remote: &str) -> Option<BuildHost> {
    let authority = remote.strip_prefix("ssh://")?.split('/').next()?;
    let (user, place) = match authority.rsplit_once('@') {
        Some((user, place)) => (Some(user.to_owned()), place),
        None => (None, authority),
    };
    let (host, port) = match place.strip_prefix('[').and_then(|v6| v6.split_once(']')) {
        Some((v6, tail)) => (v6, tail.strip_prefix(':')),
        None => match place.rsplit_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (place, None),
        },
    };
    Some(BuildHost {
        user,
        host: host.to_owned(),
        port: port.and_then(|port| port.parse().ok()),
    })
}

/// What `build details` says before docker's own tables.
pub fn kind_name(builder: &ImageBuilder<'_>) -> &'static str {
    match builder.kind() {
        Kind::Local => "local",
        Kind::Remote => "remote",
        Kind::Hybrid => "hybrid",
        Kind::Cloud => "cloud",
        Kind::Pack => "pack",
    }
}

/// The build. `environment` answers for `${NAME}` in build arguments; `more` is added to the environment of the build.
pub fn build(
    context: &Context<'_>,
    builder: &ImageBuilder<'_>,
    wanted: Wanted<'_>,
    directory: Option<&str>,
    environment: impl Fn(&str) -> Option<String>,
    more: Vec<(String, Secret)>,
) -> Result<LocalStep, PlanError> {
    let names = &context.config().builder.secrets;
    let secrets = names
        .iter()
        .map(|name| Ok((name.clone(), context.secret(name)?)))
        .collect::<Result<Vec<_>, PlanError>>()?;
    let built = builder.build(&BuildOptions {
        version: &context.version,
        output: match wanted.output {
            "registry" => Output::Registry,
            "docker" => Output::Docker,
            other => Output::Other(other),
        },
        dirty: wanted.dirty,
        no_cache: wanted.no_cache,
        secrets: &secrets,
    });
    let mut env: Vec<(String, Secret)> = built
        .env
        .iter()
        .map(|(name, value)| (name.clone(), value.resolve(&environment)))
        .collect();
    env.extend(more);
    Ok(LocalStep::Run {
        title: "building the image".to_owned(),
        loud: true,
        shown: Some(built.cmd.redacted()),
        argv: shell_argv(&built.cmd),
        env,
        stdin: None,
        directory: directory.map(str::to_owned),
        tolerate: Tolerate::Nothing,
    })
}

/// All of `build push` when nothing is in its way, to be shown and not to be run.
pub fn outline(
    context: &Context<'_>,
    builder: &ImageBuilder<'_>,
    wanted: Wanted<'_>,
    copied: Option<&LocalClone>,
) -> Result<Vec<Stage>, PlanError> {
    let mut stages = Vec::new();
    let mut steps = vec![check_docker()];
    match access(context, builder)? {
        Access::StartLocal(step) | Access::Login(step) => steps.push(step),
        Access::AsItIs => {}
    }
    stages.push(Stage::local("docker", steps));
    stages.extend(context.hook("pre-build", None));
    if let Some(copy) = copied {
        let argvs = [copy.make_directory(), copy.clone_repository()];
        let steps = argvs.map(|argv| program("copying the repository", argv));
        stages.push(Stage::local("copy", steps.into()));
    }
    let mut steps = Vec::new();
    if let Some(check) = builder.check() {
        steps.push(shell("looking for the builder", &check));
    }
    let directory = copied.map(|copy| copy.build_directory.as_str());
    steps.push(build(
        context,
        builder,
        wanted,
        directory,
        |_| None,
        Vec::new(),
    )?);
    stages.push(Stage::local("build", steps));
    Ok(stages)
}

/// A Dockerfile whose image is the build context; exported to a directory, it tells which files a build gets to see.
pub const CONTEXT_DOCKERFILE: &str = "FROM scratch\nCOPY . /\n";

/// Exports the build context of the working directory to a directory, with [`CONTEXT_DOCKERFILE`] in a file.
pub fn export_context(dockerfile: &str, to: &str) -> LocalStep {
    let output = format!("--output=type=local,dest={to}");
    let argv = ["docker", "buildx", "build", &output, "-f", dockerfile, "."];
    program("listing the build context", argv.map(str::to_owned).into())
}

/// What is said before the work tree is built as it is. `context` are the files that the build sees, the others what git printed.
pub fn dev_warnings(context: &BTreeSet<String>, modified: &str, untracked: &str) -> Vec<String> {
    let warn = |what: &str, printed: &str| {
        let present: BTreeSet<&str> = printed
            .lines()
            .filter(|file| context.contains(*file))
            .collect();
        if present.is_empty() {
            return None;
        }
        let files: String = present.iter().map(|file| format!("\n  {file}")).collect();
        Some(format!(
            "WARNING: {what} will be present in the dev container:{files}"
        ))
    };
    let changed = warn("Files with uncommitted changes", modified);
    changed
        .into_iter()
        .chain(warn("Untracked files", untracked))
        .collect()
}

/// A line for the shell of this machine, as a step.
pub fn shell(title: &str, cmd: &Cmd) -> LocalStep {
    let (shown, stdin) = (cmd.redacted(), cmd.input().cloned());
    with_input(title, shell_argv(cmd), Some(shown), stdin)
}

/// A program with its arguments, as a step.
pub fn program(title: &str, argv: Vec<String>) -> LocalStep {
    with_input(title, argv, None, None)
}

/// Without a shell between, so that nothing in a user name can be taken for one.
fn login(server: Option<&str>, username: &Secret, password: Secret) -> LocalStep {
    let words = |username| {
        ["docker", "login"]
            .into_iter()
            .chain(server)
            .chain(["-u", username, "--password-stdin"])
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let shown = words(REDACTED).join(" ");
    let argv = words(username.reveal());
    with_input(
        "logging in to the registry",
        argv,
        Some(shown),
        Some(password),
    )
}

fn with_input(
    title: &str,
    argv: Vec<String>,
    shown: Option<String>,
    stdin: Option<Secret>,
) -> LocalStep {
    LocalStep::Run {
        title: title.to_owned(),
        loud: false,
        argv,
        shown,
        env: Vec::new(),
        stdin,
        directory: None,
        tolerate: Tolerate::Nothing,
    }
}

/// The arguments that run a line by the shell of this machine.
pub fn shell_argv(cmd: &Cmd) -> Vec<String> {
    vec!["sh".to_owned(), "-c".to_owned(), cmd.real()]
}

#[cfg(test)]
mod tests;
