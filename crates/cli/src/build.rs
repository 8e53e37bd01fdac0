//! `build …` on this machine: the image from the repository to the registry.
//!
//! What is run is decided in [`dhow_plan::verbs::build`]; here is the flow between the steps, where it depends on what docker and
//! git answer.

mod builder;
mod copy;
mod dev;
mod docker_config;
mod programs;
mod scratch;

use dhow_commands::builder::ImageBuilder;
use dhow_commands::hook::Hook;
use dhow_plan::LocalStep;
use dhow_plan::verbs::build::{self as plan, Access, Wanted};
use dhow_run::{Failed, Level};
use dhow_text::redact::Secret;

use self::docker_config::DockerConfig;
use self::programs::{answer, ask, step};
use crate::args::Build;
use crate::failed;
use crate::job::Job;

/// `build push`: builds the image and pushes it, or puts it where `output` says. Runs everything but the pre-connect hook.
pub(crate) async fn push(
    job: &Job<'_>,
    version: &str,
    no_cache: bool,
    output: &str,
) -> Result<(), Failed> {
    let builder = builder::of(job).await?;
    let wanted = Wanted {
        output,
        no_cache,
        dirty: false,
    };
    let copy = copy::of(job);
    if job.global.dry_run {
        let outline = plan::outline(
            &job.context(version, false),
            &builder,
            wanted,
            copy.as_ref(),
        );
        return job.execute_or_show(outline.map_err(failed::plan)?).await;
    }
    check_docker(job).await?;
    let login = access(job, &builder, version).await?;
    job.hook(Hook::PreBuild, version, false, None).await?;
    tell_uncommitted(job, copy.is_some()).await?;
    check_dockerfile(job, &builder)?;
    if let Some(copy) = &copy {
        copy::prepare(job, copy).await?;
    }
    builder::ensure(job, &builder).await?;
    let directory = copy.as_ref().map(|copy| copy.build_directory.as_str());
    let env = login.as_ref().map(DockerConfig::env).unwrap_or_default();
    build(job, &builder, version, wanted, directory, env).await
}

/// The other `build …` commands that need no host.
pub(crate) async fn other(job: &Job<'_>, command: &Build) -> Result<(), Failed> {
    match command {
        Build::Create => builder::create(job).await,
        Build::Remove => builder::remove(job).await,
        Build::Details => builder::details(job).await,
        Build::Dev(options) => dev::dev(job, options.no_cache, &options.output).await,
        Build::Push(options) => {
            let version = job.version()?;
            push(job, &version, options.no_cache, &options.output).await
        }
        Build::Deliver | Build::Pull => Err(failed::error(
            "ArgumentError",
            "`build pull` and `build deliver` are about hosts",
        )),
    }
}

/// Fails unless docker with buildx is here.
pub(crate) async fn check_docker(job: &Job<'_>) -> Result<(), Failed> {
    let argv = plan::shell_argv(&dhow_commands::docker::has_buildx());
    let answer = ask(job, "looking for docker", &argv).await?;
    if answer.exit == 0 {
        return Ok(());
    }
    let (message, hint) = plan::docker_missing(answer.exit, &answer.both);
    let mut failed = programs::failed(&argv, &answer);
    for (_, failure) in &mut failed.hosts {
        failure.class = "Kamal::Cli::DependencyError".to_owned();
        failure.message = message.to_owned();
        failure.hint = Some(hint.to_owned());
    }
    Err(failed)
}

/// Starts the local registry, or logs in to the registry; the login is gone with what is given back.
async fn access(
    job: &Job<'_>,
    builder: &ImageBuilder<'_>,
    version: &str,
) -> Result<Option<DockerConfig>, Failed> {
    let access = plan::access(&job.context(version, false), builder).map_err(failed::plan)?;
    match access {
        Access::AsItIs => Ok(None),
        Access::StartLocal(start) => step(job, "registry", start).await.map(|()| None),
        Access::Login(mut login) => {
            let server = job.config().registry.server.as_deref();
            let config = DockerConfig::new(job.edge, server).map_err(|error| {
                failed::error(
                    "RuntimeError",
                    format!("no place for the registry login: {error}"),
                )
            })?;
            if let LocalStep::Run { env, .. } = &mut login {
                env.extend(config.env());
            }
            step(job, "login", login).await?;
            Ok(Some(config))
        }
    }
}

async fn tell_uncommitted(job: &Job<'_>, from_copy: bool) -> Result<(), Failed> {
    if job.git.top_level().is_none() {
        return Ok(());
    }
    let status = answer(
        job,
        "looking for uncommitted changes",
        &dhow_commands::git::status(),
    )
    .await?;
    if let Some(text) = plan::uncommitted(&status, from_copy) {
        job.sink.say(Level::Warn, text);
    }
    Ok(())
}

/// Looked for where the command was given, as Kamal does, and after the pre-build hook, which may write it.
fn check_dockerfile(job: &Job<'_>, builder: &ImageBuilder<'_>) -> Result<(), Failed> {
    match plan::dockerfile(job.config(), builder) {
        Some(dockerfile) if !job.edge.path(dockerfile).exists() => Err(failed::error(
            "Kamal::Commands::Builder::Base::BuilderError",
            format!("Missing {dockerfile}"),
        )),
        _ => Ok(()),
    }
}

async fn build(
    job: &Job<'_>,
    builder: &ImageBuilder<'_>,
    version: &str,
    wanted: Wanted<'_>,
    directory: Option<&str>,
    env: Vec<(String, Secret)>,
) -> Result<(), Failed> {
    let environment = |name: &str| job.edge.env(name).map(str::to_owned);
    let context = job.context(version, false);
    let built = plan::build(&context, builder, wanted, directory, environment, env)
        .map_err(failed::plan)?;
    step(job, "build", built).await
}
