//! `proxy …`

use dhow_commands::LogOptions;
use dhow_commands::hook::Hook;
use dhow_commands::proxy as words;
use dhow_plan::verbs::proxy as plan;
use dhow_run::{Failed, Level};

use super::{deploy, upgrade};
use crate::args::{BootConfig, BootConfigAction, Proxy, ProxyLogs};
use crate::failed;
use crate::job::Job;
use crate::{prompt, terminal};

const OUTAGE: &str = "This will cause a brief outage on each host. Are you sure?";

/// One of the `proxy` commands; gives the exit code.
pub(super) async fn proxy(job: &Job<'_>, command: &Proxy) -> Result<i32, Failed> {
    let version = job.any_version();
    let asks_first = match command {
        Proxy::Reboot(options) | Proxy::Upgrade(options) => Some(options.confirmed),
        _ => None,
    };
    if let Some(confirmed) = asks_first
        && !prompt::confirmed(job, confirmed, OUTAGE).await
    {
        return Ok(0);
    }
    if !matches!(command, Proxy::Logs(options) if options.follow) {
        job.hook(Hook::PreConnect, &version, false, None).await?;
    }
    let context = job.context(&version, true);
    let change = |stages| job.locked_or_shown(&version, stages);
    match command {
        Proxy::Boot => boot(job, &version).await?,
        Proxy::BootConfig(options) => boot_config(job, &version, options).await?,
        Proxy::Reboot(options) => reboot(job, &version, options.rolling).await?,
        Proxy::Upgrade(options) => upgrade::proxy(job, options.rolling).await?,
        Proxy::Start => change(plan::start(&context)).await?,
        Proxy::Stop => change(plan::stop(&context)).await?,
        Proxy::Restart => change(plan::restart(&context)).await?,
        Proxy::Details => job.execute_or_show(plan::details(&context)).await?,
        Proxy::Logs(options) => return logs(job, options).await,
        Proxy::Remove(options) => remove(job, &version, options.force).await?,
        Proxy::RemoveContainer => change(plan::remove_container(&context)).await?,
        Proxy::RemoveImage => change(plan::remove_image(&context)).await?,
        Proxy::RemoveProxyDirectory => change(plan::remove_directory(&context)).await?,
    }
    Ok(0)
}

/// `proxy boot_config`: files on the hosts that say how the proxy is run. Takes no lock.
async fn boot_config(job: &Job<'_>, version: &str, args: &BootConfig) -> Result<(), Failed> {
    let deprecated = "The proxy boot_config command is deprecated - set the config in the deploy YAML at proxy/run instead";
    job.sink.say(Level::Warn, deprecated);
    let context = job.context(version, false);
    let stages = match &args.action {
        BootConfigAction::Set => plan::set_boot_config(&context, &settings(args))
            .map_err(|error| failed::error("ArgumentError", error.to_string()))?,
        BootConfigAction::Reset => plan::reset_boot_config(&context),
        BootConfigAction::Get if !job.global.dry_run => {
            for outcome in job.execute(plan::boot_config(&context)).await? {
                let answer = outcome.outputs.concat();
                job.say(format!("Host {}: {}", outcome.host, answer.trim()));
            }
            return Ok(());
        }
        BootConfigAction::Get => plan::boot_config(&context),
        BootConfigAction::Unknown(other) => {
            return Err(failed::error(
                "ArgumentError",
                format!("Unknown boot_config subcommand {other}"),
            ));
        }
    };
    job.execute_or_show(stages).await
}

fn settings(args: &BootConfig) -> words::BootConfig {
    words::BootConfig {
        publish: args.publish,
        bind_ips: args.publish_host_ip.clone(),
        http_port: args.http_port.into(),
        https_port: args.https_port.into(),
        log_max_size: args.log_max_size.clone(),
        registry: args.registry.clone(),
        repository: args.repository.clone(),
        image_version: args.image_version.clone(),
        metrics_port: args.metrics_port.map(Into::into),
        debug: args.debug,
        docker_options: args.docker_options.clone(),
    }
}

/// Whether other apps than this one live on the proxy's hosts.
pub(super) async fn other_apps(job: &Job<'_>, version: &str) -> Result<bool, Failed> {
    let context = job.context(version, true);
    let outcomes = job.executor().ask(plan::count_apps(&context)).await;
    let count = |output: &String| output.trim().parse::<u64>().unwrap_or(0);
    Ok(outcomes
        .iter()
        .any(|outcome| outcome.outputs.iter().any(|output| count(output) > 0)))
}

async fn boot(job: &Job<'_>, version: &str) -> Result<(), Failed> {
    let own = plan::dhow_image();
    let images = [own.as_str()];
    let look = job.look(&job.targets.hosts, &images, false);
    if job.global.dry_run {
        let facts = look.await?;
        let context = job.context(version, false);
        let archive = deploy::archive(
            job,
            &facts,
            &dhow_plan::verbs::deploy::lacking_proxy(&context, &facts),
        )?;
        let stages = plan::boot(&context, &facts, archive.as_ref()).map_err(failed::plan)?;
        job.show(&dhow_plan::Plan { stages });
        return Ok(());
    }
    let (held, facts) = job.lock_and_look(version, look).await?;
    let work = async {
        let context = job.context(version, true);
        let archive = deploy::archive(
            job,
            &facts,
            &dhow_plan::verbs::deploy::lacking_proxy(&context, &facts),
        )?;
        let stages = plan::boot(&context, &facts, archive.as_ref()).map_err(failed::plan)?;
        job.execute(stages).await.map(|_| ())
    };
    let result = job.guarded(&held, work).await;
    job.unlock(held).await;
    result
}

async fn reboot(job: &Job<'_>, version: &str, rolling: bool) -> Result<(), Failed> {
    let own = plan::dhow_image();
    let images = [own.as_str()];
    let hosts = job.targets.proxy_hosts();
    let look = job.look(&hosts, &images, false);
    let stages = |facts: &dhow_plan::Facts, locked: bool| {
        let context = job.context(version, locked);
        let archive = deploy::archive(job, facts, &plan::own_hosts(&context))?;
        plan::reboot(&context, facts, archive.as_ref(), rolling).map_err(failed::plan)
    };
    if job.global.dry_run {
        let facts = look.await?;
        job.show(&dhow_plan::Plan {
            stages: stages(&facts, false)?,
        });
        return Ok(());
    }
    let (held, facts) = job.lock_and_look(version, look).await?;
    let work = async { job.execute(stages(&facts, true)?).await.map(|_| ()) };
    let result = job.guarded(&held, work).await;
    job.unlock(held).await;
    result
}

async fn logs(job: &Job<'_>, args: &ProxyLogs) -> Result<i32, Failed> {
    let version = job.any_version();
    let lines = args.lines.and_then(|lines| u64::try_from(lines).ok());
    let unasked = args.since.is_none() && args.grep.is_none();
    let options = LogOptions {
        timestamps: !args.skip_timestamps,
        since: args.since.as_deref(),
        lines: lines.or_else(|| unasked.then_some(100)),
        grep: args.grep.as_deref(),
        grep_options: None,
    };
    if !args.follow {
        job.execute_or_show(plan::logs(&job.context(&version, false), &options))
            .await?;
        return Ok(0);
    }
    let host = job.targets.primary_host;
    job.say(format!("Following logs on {host}..."));
    terminal::stream(job, host, &words::follow_logs(&options)).await
}

async fn remove(job: &Job<'_>, version: &str, force: bool) -> Result<(), Failed> {
    if job.global.dry_run {
        return job
            .execute_or_show(plan::remove(&job.context(version, false)))
            .await;
    }
    let work = async {
        if other_apps(job, version).await? {
            if !force {
                job.say("Not removing the proxy, as other apps are installed, ignore this check with kamal proxy remove --force");
                return Ok(());
            }
            job.say("Forcing, so removing the proxy, even though other apps are installed");
        }
        job.execute(plan::remove(&job.context(version, true)))
            .await
            .map(|_| ())
    };
    job.locked(version, work).await
}
