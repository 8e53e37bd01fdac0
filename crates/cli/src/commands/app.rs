//! `app …`

use dhow_commands::LogOptions;
use dhow_commands::app::{self as words, ExecOptions, Terminal};
use dhow_commands::hook::Hook;
use dhow_config::Pairs;
use dhow_plan::Facts;
use dhow_plan::verbs::{app as plan, stale};
use dhow_run::{EventKind, Failed};
use dhow_text::shell::ShellValue;

use super::deploy;
use crate::args::{App, AppExec, AppLogs};
use crate::failed;
use crate::job::Job;
use crate::terminal;

/// One of the `app` commands; gives the exit code.
pub(super) async fn app(job: &Job<'_>, command: &App) -> Result<i32, Failed> {
    let version = job.any_version();
    match command {
        // These two tell the hook themselves, or must not.
        App::Boot => return deploy::app_boot(job).await.map(|()| 0),
        App::Exec(options) => return exec(job, options).await,
        App::Logs(options) if options.follow => return logs(job, options).await,
        _ => job.hook(Hook::PreConnect, &version, false, None).await?,
    }
    let look = || job.context(&version, false);
    let change = || job.context(&version, true);
    match command {
        App::Boot | App::Exec(_) => {}
        App::Start => under_lock(job, &version, plan::start).await?,
        App::Stop => under_lock(job, &version, plan::stop).await?,
        App::Remove => under_lock(job, &version, plan::remove).await?,
        App::StaleContainers(options) => stale_containers(job, &version, options.stop).await?,
        App::Details => job.execute_or_show(plan::details(&look())).await?,
        App::Containers => job.execute_or_show(plan::containers(&look())).await?,
        App::Images => job.execute_or_show(plan::images(&look())).await?,
        App::Version => job.execute_or_show(plan::version(&look())).await?,
        App::Logs(options) => return logs(job, options).await,
        App::Live => job.locked_or_shown(&version, plan::live(&change())).await?,
        App::Maintenance(options) => {
            let drain = options.drain_timeout.map(whole_seconds);
            let stages = plan::maintenance(&change(), drain, options.message.as_deref());
            job.locked_or_shown(&version, stages).await?;
        }
        App::RemoveContainer(options) => {
            let stages = plan::remove_container(&change(), &options.version);
            job.locked_or_shown(&version, stages).await?;
        }
        App::RemoveContainers => {
            job.locked_or_shown(&version, plan::remove_containers(&change()))
                .await?;
        }
        App::RemoveImages => {
            job.locked_or_shown(&version, plan::remove_images(&change()))
                .await?;
        }
        App::RemoveAppDirectories => {
            job.locked_or_shown(&version, plan::remove_directories(&change()))
                .await?;
        }
    }
    Ok(0)
}

/// `app stale_containers`: a look; with `--stop` it is under the lock and has consequences.
async fn stale_containers(job: &Job<'_>, version: &str, stop: bool) -> Result<(), Failed> {
    let hosts = job.targets.app_hosts();
    let look = job.look(&hosts, &[], false);
    if !stop || job.global.dry_run {
        let facts = look.await?;
        let context = job.context(version, false);
        let found = stale::find(&context, &facts);
        if stop {
            job.show(&dhow_plan::Plan {
                stages: stale::stop_all(&context, &found),
            });
        } else {
            tell(job, &found, stale::Stale::detected);
        }
        return Ok(());
    }
    let (held, facts) = job.lock_and_look(version, look).await?;
    let work = async {
        let context = job.context(version, true);
        let found = stale::find(&context, &facts);
        tell(job, &found, stale::Stale::stopping);
        job.execute(stale::stop_all(&context, &found))
            .await
            .map(|_| ())
    };
    let result = job.guarded(&held, work).await;
    job.unlock(held).await;
    result
}

fn tell<'s>(job: &Job<'_>, found: &[stale::Stale<'s>], text: impl Fn(&stale::Stale<'s>) -> String) {
    for stale in found {
        job.sink.emit(EventKind::Block {
            header: "App Host".to_owned(),
            host: stale.host.to_owned(),
            text: text(stale),
        });
    }
}

/// The proxy's time outs are whole seconds; a part of one counts as one.
#[expect(clippy::cast_possible_truncation, reason = "no time out is that long")]
fn whole_seconds(seconds: f64) -> i64 {
    seconds.ceil() as i64
}

/// Looks, then does what the look calls for, under the lock.
async fn under_lock(
    job: &Job<'_>,
    version: &str,
    plan: impl Fn(&dhow_plan::Context<'_>, &Facts) -> Vec<dhow_plan::Stage>,
) -> Result<(), Failed> {
    let hosts = job.targets.app_hosts();
    if job.global.dry_run {
        let facts = job.look(&hosts, &[], false).await?;
        job.show(&dhow_plan::Plan {
            stages: plan(&job.context(version, false), &facts),
        });
        return Ok(());
    }
    let (held, facts) = job
        .lock_and_look(version, job.look(&hosts, &[], false))
        .await?;
    let stages = plan(&job.context(version, true), &facts);
    let result = job.guarded(&held, job.execute(stages)).await;
    job.unlock(held).await;
    result.map(|_| ())
}

async fn logs(job: &Job<'_>, args: &AppLogs) -> Result<i32, Failed> {
    let version = job.any_version();
    let lines = args.lines.and_then(|lines| u64::try_from(lines).ok());
    let default = if args.follow { 10 } else { 100 };
    let unasked = args.since.is_none() && args.grep.is_none();
    let options = LogOptions {
        timestamps: !args.skip_timestamps,
        since: args.since.as_deref(),
        lines: lines.or_else(|| unasked.then_some(default)),
        grep: args.grep.as_deref(),
        grep_options: args.grep_options.as_deref(),
    };
    let container = args.container_id.as_deref();
    let context = job.context(&version, false);
    if !args.follow {
        job.execute_or_show(plan::logs(&context, container, &options))
            .await?;
        return Ok(0);
    }
    let host = job.targets.primary_host;
    let role = job
        .targets
        .roles_on(host)
        .first()
        .copied()
        .ok_or_else(|| no_role(host))?;
    let follow = words::follow_logs(job.config(), role, container, &options);
    job.say(format!("Following logs on {host}..."));
    terminal::stream(job, host, &follow).await
}

async fn exec(job: &Job<'_>, args: &AppExec) -> Result<i32, Failed> {
    check(args)?;
    let command = args
        .command
        .iter()
        .map(|word| word.trim())
        .collect::<Vec<_>>()
        .join(" ");
    let env: Pairs = args
        .env
        .iter()
        .map(|pair| (pair.name.clone(), ShellValue::Text(pair.value.clone())))
        .collect();
    let config = job.config();
    let known = job.any_version();
    job.hook(Hook::PreConnect, &known, false, None).await?;
    let host = job.targets.primary_host;
    let role = job
        .targets
        .roles_on(host)
        .first()
        .copied()
        .ok_or_else(|| no_role(host))?;
    let terminal = match (args.interactive, job.edge.stdin_is_terminal) {
        (true, true) => Terminal::Full,
        (true, false) => Terminal::Input,
        (false, _) => Terminal::None,
    };
    let options = ExecOptions {
        terminal,
        detach: args.detach,
        env: Some(&env),
    };

    if args.reuse {
        job.say("Get current version of running container...");
        let version = running_version(job, host, role).await?.unwrap_or(known);
        let context = job.context(&version, false);
        if args.interactive {
            job.say(format!("Launching interactive command with version {version} via SSH from existing container on {host}..."));
            let exec = words::exec_existing(config, role, version.as_str(), &options, &command);
            return terminal::interactive(job, host, &exec).await;
        }
        job.say(format!(
            "Launching command with version {version} from existing container..."
        ));
        let stages = plan::exec_existing(&context, &version, &options, &command);
        result(job, args, stages).await?;
        return Ok(0);
    }
    let version = match &job.global.version {
        Some(version) => version.clone(),
        None => {
            job.say("Get most recent version available as an image...");
            config.latest_tag()
        }
    };
    let context = job.context(&version, false);
    if args.interactive {
        let before = plan::before_interactive(&context, &version).map_err(failed::plan)?;
        job.execute_or_show(before).await?;
        job.say(format!("Launching interactive command with version {version} via SSH from new container on {host}..."));
        let hex = context.random.hex(6);
        let exec = words::exec_new(config, role, host, &version, &hex, &options, &command);
        return terminal::interactive(job, host, &exec).await;
    }
    job.say(format!(
        "Launching command with version {version} from new container..."
    ));
    let stages = plan::exec_new(&context, &version, &options, &command).map_err(failed::plan)?;
    result(job, args, stages).await?;
    Ok(0)
}

/// Runs a command for what it prints, in blocks or as it is.
async fn result(
    job: &Job<'_>,
    args: &AppExec,
    stages: Vec<dhow_plan::Stage>,
) -> Result<(), Failed> {
    if args.raw {
        terminal::raw(job, stages).await
    } else {
        job.execute_or_show(stages).await
    }
}

/// Kamal's checks, in its order.
fn check(args: &AppExec) -> Result<(), Failed> {
    let refuse = |text: String| Err(failed::error("ArgumentError", text));
    let both = |one: bool, one_name: &'static str, two: bool, two_name: &'static str| {
        let names: Vec<&str> = [(one, one_name), (two, two_name)]
            .iter()
            .filter(|(on, _)| *on)
            .map(|(_, name)| *name)
            .collect();
        names.join(" or ")
    };
    if args.detach && (args.interactive || args.reuse) {
        return refuse(format!(
            "Detach is not compatible with {}",
            both(args.interactive, "interactive", args.reuse, "reuse")
        ));
    }
    if args.raw && (args.interactive || args.detach) {
        return refuse(format!(
            "Raw is not compatible with {}",
            both(args.interactive, "interactive", args.detach, "detach")
        ));
    }
    if args.command.is_empty() {
        return refuse("No command provided. You must specify a command to execute.".to_owned());
    }
    Ok(())
}

/// The version of the role's container that serves on a host.
async fn running_version(
    job: &Job<'_>,
    host: &str,
    role: &dhow_config::Role,
) -> Result<Option<String>, Failed> {
    let facts = job.look(&[host], &[], false).await?;
    let prefix = job.config().container_prefix(role);
    let current = facts
        .get(host)
        .and_then(|seen| seen.current(job.config(), role));
    Ok(current.map(|container| container.version(&prefix).to_owned()))
}

fn no_role(host: &str) -> Failed {
    failed::error(
        "ArgumentError",
        format!("no role of this command runs on `{host}`"),
    )
}
