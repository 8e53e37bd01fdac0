//! `setup`, `deploy`, `redeploy`, `rollback` and `build …`: the stories that end with a version serving.

use std::time::Instant;

use dhow_commands::hook::Hook;
use dhow_config::Config;
use dhow_plan::verbs::boot::ErrorPage;
use dhow_plan::verbs::deploy::{self as plan, DeployOptions as PlanOptions};
use dhow_plan::verbs::proxy::ProxyArchive;
use dhow_plan::verbs::{proxy, pull, rollback as rollbacks, server};
use dhow_plan::{Facts, Track};
use dhow_run::{Failed, Failure};

use crate::args::{Build, DeployOptions};
use crate::failed;
use crate::job::Job;

/// `setup`: Docker, then a deploy, all under one lock.
pub(super) async fn setup(job: &Job<'_>, options: &DeployOptions) -> Result<(), Failed> {
    let version = job.version()?;
    if job.global.dry_run {
        job.show(&dhow_plan::Plan {
            stages: server::bootstrap(&job.context(&version, false)),
        });
        return deploy(job, options, false).await;
    }
    job.hook(Hook::PreConnect, &version, false, None).await?;
    job.say("Acquiring the deploy lock...");
    let held = job.lock(&version).await?;
    let work = async {
        job.say("Ensure Docker is installed...");
        job.execute(server::bootstrap(&job.context(&version, true)))
            .await?;
        job.hook(Hook::DockerSetup, &version, true, None).await?;
        deliver(job, options, &version).await?;
        let facts = look(job, &version).await?;
        let accessories = super::accessory::stages_of_all(job, &version).await?;
        boot(job, &version, &facts, false, &accessories).await
    };
    let started = Instant::now();
    let result = job.guarded(&held, work).await;
    if result.is_ok() {
        let seconds = started.elapsed().as_secs();
        let after = job
            .hook(Hook::PostDeploy, &version, true, Some(seconds))
            .await;
        job.unlock(held).await;
        return after;
    }
    job.unlock(held).await;
    result
}

/// `deploy` and `redeploy`.
pub(super) async fn deploy(
    job: &Job<'_>,
    options: &DeployOptions,
    redeploy: bool,
) -> Result<(), Failed> {
    let started = Instant::now();
    let version = job.version()?;
    if job.global.dry_run {
        if !options.skip_push {
            crate::build::push(job, &version, options.no_cache, "registry").await?;
        }
        let facts = look_for_deploy(job, &version).await?;
        return show(job, &version, &facts, redeploy);
    }
    job.hook(Hook::PreConnect, &version, false, None).await?;
    deliver(job, options, &version).await?;
    let (held, facts) = job
        .lock_and_look(&version, look_for_deploy(job, &version))
        .await?;
    let result = job
        .guarded(&held, boot(job, &version, &facts, redeploy, &[]))
        .await;
    job.unlock(held).await;
    result?;
    let seconds = started.elapsed().as_secs();
    job.hook(Hook::PostDeploy, &version, false, Some(seconds))
        .await
}

/// `rollback [VERSION]`
pub(super) async fn rollback(job: &Job<'_>, version: Option<&str>) -> Result<(), Failed> {
    let started = Instant::now();
    let wanted = version.unwrap_or_default().to_owned();
    job.hook(Hook::PreConnect, &wanted, false, None).await?;
    if job.global.dry_run {
        let facts = look(job, &wanted).await?;
        let version = chosen(job, version, &facts).await?;
        let plan = rollbacks::rollback(&job.context(&version, false), &facts, &error_pages(job)?)
            .map_err(failed::plan)?;
        job.show(&plan);
        return Ok(());
    }
    let (held, facts) = job.lock_and_look(&wanted, look(job, &wanted)).await?;
    let work = async {
        let version = chosen(job, version, &facts).await?;
        let plan = rollbacks::rollback(&job.context(&version, true), &facts, &error_pages(job)?)
            .map_err(failed::plan)?;
        job.executor().execute(&plan).await?;
        Ok(version)
    };
    let result = job.guarded(&held, work).await;
    job.unlock(held).await;
    let version = result?;
    let seconds = started.elapsed().as_secs();
    job.hook(Hook::PostDeploy, &version, false, Some(seconds))
        .await
}

/// `app boot`: the version's image, or the latest one, on all hosts.
pub(super) async fn app_boot(job: &Job<'_>) -> Result<(), Failed> {
    let version = match &job.global.version {
        Some(version) => version.clone(),
        None => {
            job.say("Get most recent version available as an image...");
            job.config().latest_tag()
        }
    };
    let pages = error_pages(job)?;
    let stages = |facts: &Facts, locked: bool| {
        dhow_plan::verbs::boot::boot(&job.context(&version, locked), facts, &pages)
            .map_err(failed::plan)
    };
    if job.global.dry_run {
        let facts = look(job, &version).await?;
        job.show(&dhow_plan::Plan {
            stages: stages(&facts, false)?,
        });
        return Ok(());
    }
    job.hook(Hook::PreConnect, &version, false, None).await?;
    let (held, facts) = job.lock_and_look(&version, look(job, &version)).await?;
    job.say(format!(
        "Start container with version {version} (or reboot if already running)..."
    ));
    let work = async { job.execute(stages(&facts, true)?).await.map(|_| ()) };
    let result = job.guarded(&held, work).await;
    job.unlock(held).await;
    result
}

/// `build …`
pub(super) async fn build(job: &Job<'_>, command: &Build) -> Result<(), Failed> {
    match command {
        Build::Pull => {
            let version = job.version()?;
            pull_image(job, &version).await
        }
        Build::Deliver if job.config().registry.is_local() => Err(failed::no_delivery()),
        Build::Deliver => {
            let version = job.version()?;
            job.hook(Hook::PreConnect, &version, false, None).await?;
            crate::build::push(job, &version, false, "registry").await?;
            pull_image(job, &version).await
        }
        Build::Push(options) => {
            let version = job.version()?;
            job.hook(Hook::PreConnect, &version, false, None).await?;
            crate::build::push(job, &version, options.no_cache, &options.output).await
        }
        other => crate::build::other(job, other).await,
    }
}

/// Builds and pushes, unless told not to.
async fn deliver(job: &Job<'_>, options: &DeployOptions, version: &str) -> Result<(), Failed> {
    if options.skip_push {
        job.say("Pull app image...");
        return Ok(());
    }
    if job.config().registry.is_local() {
        return Err(failed::no_delivery());
    }
    job.say("Build and push app image...");
    crate::build::push(job, version, options.no_cache, "registry").await
}

async fn pull_image(job: &Job<'_>, version: &str) -> Result<(), Failed> {
    let context = job.context(version, false);
    let mirrors = pull::asks_mirror(&context);
    let facts = if mirrors || job.config().registry.is_local() {
        let image = job.config().absolute_image(version);
        let hosts = job.targets.app_hosts();
        job.look(&hosts, &[&image], mirrors).await?
    } else {
        Facts::new()
    };
    job.execute_or_show(pull::pull(&context, &facts).map_err(failed::plan)?)
        .await
}

/// Looks at all hosts: containers, the proxy, and the images that matter.
async fn look(job: &Job<'_>, version: &str) -> Result<Facts, Failed> {
    let image = job.config().absolute_image(version);
    let own = proxy::dhow_image();
    let mirrors = pull::asks_mirror(&job.context(version, false));
    job.look(&job.targets.hosts, &[&image, &own], mirrors).await
}

/// The same for a deploy, which needs to know images only where it has assets, or a registry that hosts can't reach.
async fn look_for_deploy(job: &Job<'_>, version: &str) -> Result<Facts, Failed> {
    let config = job.config();
    let assets = config.roles.iter().any(|role| role.assets.is_some());
    let mirrors = pull::asks_mirror(&job.context(version, false));
    if assets || mirrors || config.registry.is_local() {
        return look(job, version).await;
    }
    let own = proxy::dhow_image();
    let step = dhow_plan::facts::probe_containers(config, &[&own]);
    job.look_by(&job.targets.hosts, &step).await
}

/// Everything under the lock.
async fn boot(
    job: &Job<'_>,
    version: &str,
    facts: &Facts,
    redeploy: bool,
    accessories: &[dhow_plan::Stage],
) -> Result<(), Failed> {
    let context = job.context(version, true);
    let lacking = if redeploy {
        Vec::new()
    } else {
        plan::lacking_proxy(&context, facts)
    };
    warn_of_older_proxies(job, facts);
    warn_of_unheard_settings(job, facts);
    let archive = archive(job, facts, &lacking)?;
    let pages = error_pages(job)?;
    let options = PlanOptions {
        redeploy,
        pull: true,
        accessories,
        pages: &pages,
        archive: archive.as_ref(),
    };
    let plan = plan::deploy(&context, facts, options).map_err(failed::plan)?;
    let executor = job.executor();
    let result = executor.execute(&plan).await;
    executor.summarise();
    result.map(|_| ())
}

fn show(job: &Job<'_>, version: &str, facts: &Facts, redeploy: bool) -> Result<(), Failed> {
    let context = job.context(version, false);
    let pages = error_pages(job)?;
    let lacking = plan::lacking_proxy(&context, facts);
    let archive = if redeploy {
        None
    } else {
        archive(job, facts, &lacking)?
    };
    let options = PlanOptions {
        redeploy,
        pull: true,
        accessories: &[],
        pages: &pages,
        archive: archive.as_ref(),
    };
    job.show(&plan::deploy(&context, facts, options).map_err(failed::plan)?);
    Ok(())
}

/// dhow's proxy image for hosts that lack it; the hosts must be of one kind of machine.
pub(super) fn archive(
    job: &Job<'_>,
    facts: &Facts,
    hosts: &[&str],
) -> Result<Option<ProxyArchive>, Failed> {
    let machines = plan::machines(facts, hosts);
    match machines.as_slice() {
        [] => Ok(None),
        [machine] => crate::proxy_binary::archive(job.edge, job.global, machine).map(Some),
        several => Err(failed::here(
            Failure::new(
                "RuntimeError",
                format!(
                    "hosts of different machine types lack the proxy: {}",
                    several.join(", ")
                ),
            )
            .hinted(
                "set them up one type at a time with `--hosts`, each with its `--proxy-binary`",
            ),
        )),
    }
}

/// An older proxy of dhow's own does its work; whoever wants this version's says so.
fn warn_of_older_proxies(job: &Job<'_>, facts: &Facts) {
    let mut older: Vec<&str> = facts
        .iter()
        .filter(|(_, seen)| {
            seen.proxy
                .as_ref()
                .is_some_and(|p| proxy::is_older_dhow(&p.image))
        })
        .map(|(host, _)| host.as_str())
        .collect();
    older.sort_unstable();
    if !older.is_empty() {
        let text = format!(
            "The proxy on {} is of an older dhow; `dhow proxy reboot` brings this one's",
            older.join(", ")
        );
        job.sink.say(dhow_run::Level::Warn, text);
    }
}

/// What the deploy file says to dhow's own proxy, another is not told: it would refuse the whole command.
pub(super) fn warn_of_unheard_settings(job: &Job<'_>, facts: &Facts) {
    let hosts = proxy::unheard(&job.context("", false), facts);
    if !hosts.is_empty() {
        let text = format!(
            "The proxy on {} is not this dhow's own and knows nothing of x-dhow.proxy; `dhow proxy reboot` brings one that does",
            hosts.join(", ")
        );
        job.sink.say(dhow_run::Level::Warn, text);
    }
}

/// The version that a rollback goes to.
async fn chosen(job: &Job<'_>, version: Option<&str>, facts: &Facts) -> Result<String, Failed> {
    if let Some(version) = version {
        return Ok(version.to_owned());
    }
    let context = job.context("", false);
    let host = job.targets.primary_host;
    let track = Track::new(host, None, vec![rollbacks::history(&context)]);
    let outcomes = job.executor().ask(vec![track]).await;
    let output = outcomes
        .first()
        .and_then(|o| o.outputs.first())
        .map_or("", String::as_str);
    let history = rollbacks::read_history(&context, output);
    let version = rollbacks::previous(&context, facts, &history).map_err(failed::plan)?;
    job.say(format!("Rolling back to version {version}..."));
    Ok(version)
}

/// The pages of `error_pages_path` that the proxy can use.
pub(super) fn error_pages(job: &Job<'_>) -> Result<Vec<ErrorPage>, Failed> {
    let config: &Config = job.config();
    let Some(directory) = &config.error_pages_path else {
        return Ok(Vec::new());
    };
    let path = job.edge.path(directory);
    let unreadable = |error: std::io::Error| {
        failed::error(
            "Errno::ENOENT",
            format!("error_pages_path `{directory}` can't be read: {error}"),
        )
    };
    let mut pages = Vec::new();
    for entry in std::fs::read_dir(path).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if dhow_commands::error_pages::is_error_page(&name) {
            use std::os::unix::fs::PermissionsExt;
            let mode = entry.metadata().map_err(unreadable)?.permissions().mode() & 0o777;
            let content = std::fs::read(entry.path()).map_err(unreadable)?;
            pages.push(ErrorPage {
                name,
                mode,
                content,
            });
        }
    }
    pages.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(pages)
}
