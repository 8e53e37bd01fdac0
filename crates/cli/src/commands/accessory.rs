//! `accessory …`

use dhow_commands::accessory as words;
use dhow_commands::app::Terminal;
use dhow_commands::hook::Hook;
use dhow_commands::{Content, LogOptions};
use dhow_config::{Accessory as Settings, UploadedFile};
use dhow_plan::verbs::accessory::{self as plan, LocalFile};
use dhow_plan::verbs::upgrade;
use dhow_plan::{Plan, Stage};
use dhow_run::Failed;
use dhow_text::redact::Secret;
use dhow_text::shell::ShellValue;

use super::local;
use crate::args::{Accessory, AccessoryExec, AccessoryLogs};
use crate::failed;
use crate::job::Job;
use crate::{prompt, terminal, world};

/// One of the `accessory` commands; gives the exit code.
pub(super) async fn accessory(job: &Job<'_>, command: &Accessory) -> Result<i32, Failed> {
    let version = job.any_version();
    let v = version.as_str();
    match command {
        Accessory::Remove(args) => {
            let question = format!(
                "This will remove all containers, images and data directories for {}. Are you sure?",
                args.name
            );
            if !prompt::confirmed(job, args.confirmed, &question).await {
                return Ok(0);
            }
        }
        Accessory::Upgrade(args) => {
            let question = "This will restart all accessories";
            if !prompt::confirmed(job, args.confirmed, question).await {
                return Ok(0);
            }
        }
        Accessory::Exec(args) if args.raw && args.interactive => {
            let text = "Raw is not compatible with interactive";
            return Err(failed::error("ArgumentError", text));
        }
        _ => {}
    }
    if !matches!(command, Accessory::Logs(args) if args.follow) {
        job.hook(Hook::PreConnect, v, false, None).await?;
    }
    match command {
        Accessory::Boot(args) => boot_named(job, v, &args.name).await?,
        Accessory::Upload(args) => {
            with_own_files(job, v, &args.name, |context, settings, files| {
                Ok(plan::upload(context, settings, files))
            })
            .await?;
        }
        Accessory::Reboot(args) => with_own_files(job, v, &args.name, plan::reboot).await?,
        Accessory::Directories(args) => each(job, v, &args.name, plan::directories).await?,
        Accessory::Start(args) => each(job, v, &args.name, plan::start).await?,
        Accessory::Stop(args) => each(job, v, &args.name, plan::stop).await?,
        Accessory::Restart(args) => each(job, v, &args.name, plan::restart).await?,
        Accessory::Details(args) => {
            for settings in named(job, &args.name) {
                let stages = plan::details(&job.context(v, false), settings);
                job.execute_or_show(stages).await?;
            }
        }
        Accessory::Logs(args) => return logs(job, args).await,
        Accessory::Exec(args) => return exec(job, args).await,
        Accessory::PullImage(args) => {
            for settings in named(job, &args.name) {
                let stages = plan::pull_image(&job.context(v, true), settings);
                job.locked_or_shown(v, stages.map_err(failed::plan)?)
                    .await?;
            }
        }
        Accessory::Remove(args) => each(job, v, &args.name, plan::remove).await?,
        Accessory::RemoveContainer(args) => {
            each(job, v, &args.name, plan::remove_container).await?;
        }
        Accessory::RemoveImage(args) => each(job, v, &args.name, plan::remove_image).await?,
        Accessory::RemoveServiceDirectory(args) => {
            each(job, v, &args.name, plan::remove_directory).await?;
        }
        Accessory::Upgrade(args) => {
            let accessories = with_files(job, named(job, &args.name))?;
            let context = job.context(v, true);
            let stages = upgrade::accessory(&context, &args.name, &accessories, args.rolling)
                .map_err(failed::plan)?;
            job.locked_or_shown(v, stages).await?;
        }
    }
    Ok(0)
}

/// Accessories with their files, read and rendered.
pub(super) fn with_files<'s>(
    job: &Job<'_>,
    accessories: impl IntoIterator<Item = &'s Settings>,
) -> Result<Vec<(&'s Settings, Vec<LocalFile>)>, Failed> {
    accessories
        .into_iter()
        .map(|settings| Ok((settings, files(job, settings)?)))
        .collect()
}

async fn with_own_files(
    job: &Job<'_>,
    version: &str,
    name: &str,
    stages: impl Fn(
        &dhow_plan::Context<'_>,
        &Settings,
        &[LocalFile],
    ) -> Result<Vec<Stage>, dhow_plan::PlanError>,
) -> Result<(), Failed> {
    for (settings, files) in with_files(job, named(job, name))? {
        let stages = stages(&job.context(version, true), settings, &files).map_err(failed::plan)?;
        job.locked_or_shown(version, stages).await?;
    }
    Ok(())
}

/// The stages that boot all accessories of the command's hosts, for `setup`.
pub(super) async fn stages_of_all(job: &Job<'_>, version: &str) -> Result<Vec<Stage>, Failed> {
    let mut stages = Vec::new();
    for settings in &job.config().accessories {
        stages.extend(boot_stages(job, version, settings, true).await?);
    }
    Ok(stages)
}

async fn boot_named(job: &Job<'_>, version: &str, name: &str) -> Result<(), Failed> {
    for settings in named(job, name) {
        if job.global.dry_run {
            let stages = boot_stages(job, version, settings, false).await?;
            job.show(&Plan { stages });
            continue;
        }
        let work = async {
            let stages = boot_stages(job, version, settings, true).await?;
            job.execute(stages).await.map(|_| ())
        };
        job.locked(version, work).await?;
    }
    Ok(())
}

async fn boot_stages(
    job: &Job<'_>,
    version: &str,
    settings: &Settings,
    locked: bool,
) -> Result<Vec<Stage>, Failed> {
    let context = job.context(version, locked);
    let files = files(job, settings)?;
    let outcomes = job.executor().ask(plan::look(&context, settings)).await;
    let mut present = Vec::new();
    for outcome in &outcomes {
        if let Some(failure) = &outcome.failure {
            return Err(Failed {
                hosts: vec![(Some(outcome.host.clone()), failure.clone())],
            });
        }
        if !outcome.outputs.concat().trim().is_empty() {
            present.push(outcome.host.as_str());
        }
    }
    plan::boot(&context, settings, &files, &present).map_err(failed::plan)
}

async fn each(
    job: &Job<'_>,
    version: &str,
    name: &str,
    stages: impl Fn(&dhow_plan::Context<'_>, &Settings) -> Vec<Stage>,
) -> Result<(), Failed> {
    for settings in named(job, name) {
        job.locked_or_shown(version, stages(&job.context(version, true), settings))
            .await?;
    }
    Ok(())
}

async fn logs(job: &Job<'_>, args: &AccessoryLogs) -> Result<i32, Failed> {
    let version = job.any_version();
    let lines = args.lines.and_then(|lines| u64::try_from(lines).ok());
    let unasked = args.since.is_none() && args.grep.is_none();
    let options = LogOptions {
        timestamps: !args.skip_timestamps,
        since: args.since.as_deref(),
        lines: lines.or_else(|| unasked.then_some(100)),
        grep: args.grep.as_deref(),
        grep_options: args.grep_options.as_deref(),
    };
    for settings in named(job, &args.name) {
        if !args.follow {
            job.execute_or_show(plan::logs(
                &job.context(&version, false),
                settings,
                &options,
            ))
            .await?;
            continue;
        }
        let hosts = job.targets.hosts_of(settings);
        let Some(host) = hosts.first() else { continue };
        job.say(format!("Following logs on {}...", hosts.join(", ")));
        return terminal::stream(job, host, &words::follow_logs(settings, &options)).await;
    }
    Ok(0)
}

async fn exec(job: &Job<'_>, args: &AccessoryExec) -> Result<i32, Failed> {
    let version = job.any_version();
    let context = job.context(&version, false);
    let command = args.command.join(" ");
    let from = if args.reuse { "existing" } else { "new" };
    for settings in named(job, &args.name) {
        if args.interactive {
            return interactive(job, &context, settings, args).await;
        }
        job.say(format!("Launching command from {from} container..."));
        let stages = plan::exec(&context, settings, &command, args.reuse).map_err(failed::plan)?;
        if args.raw {
            terminal::raw(job, stages).await?;
        } else {
            job.execute_or_show(stages).await?;
        }
    }
    Ok(0)
}

async fn interactive(
    job: &Job<'_>,
    context: &dhow_plan::Context<'_>,
    settings: &Settings,
    args: &AccessoryExec,
) -> Result<i32, Failed> {
    let hosts = job.targets.hosts_of(settings);
    let Some(host) = hosts.first() else {
        return Ok(0);
    };
    let command = args.command.join(" ");
    let terminal = if job.edge.stdin_is_terminal {
        Terminal::Full
    } else {
        Terminal::Input
    };
    if args.reuse {
        job.say("Launching interactive command via SSH from existing container...");
        let exec = words::exec_existing(settings, terminal, &command);
        return terminal::interactive(job, host, &exec).await;
    }
    let before = plan::before_interactive(context, settings, host).map_err(failed::plan)?;
    job.execute_or_show(before).await?;
    job.say("Launching interactive command via SSH from new container...");
    let exec = words::exec_new(job.config(), settings, terminal, &command);
    terminal::interactive(job, host, &exec).await
}

/// The accessories of this name (`all` is every one); none, and a word about it, if there is no such accessory.
fn named<'j>(job: &Job<'j>, name: &str) -> Vec<&'j Settings> {
    let config = job.config();
    if name == "all" {
        return config.accessories.iter().collect();
    }
    let found = config.accessory(name);
    if found.is_none() {
        let names: Vec<&str> = config.accessories.iter().map(|a| a.name.as_str()).collect();
        let options = match names.as_slice() {
            [] => String::new(),
            [one] => format!(" (options: {one})"),
            [one, other] => format!(" (options: {one} and {other})"),
            [most @ .., last] => format!(" (options: {}, and {last})", most.join(", ")),
        };
        local::complain(&format!("No accessory by the name of '{name}'{options}"));
    }
    found.into_iter().collect()
}

/// Reads an accessory's files; those whose names end in `erb` are rendered with the accessory's environment.
fn files(job: &Job<'_>, settings: &Settings) -> Result<Vec<LocalFile>, Failed> {
    settings
        .files
        .iter()
        .map(|file| read(job, settings, file))
        .collect()
}

fn read(job: &Job<'_>, settings: &Settings, file: &UploadedFile) -> Result<LocalFile, Failed> {
    let path = job.edge.path(&file.local);
    let missing = || failed::error("RuntimeError", format!("Missing file: {}", path.display()));
    let bytes = std::fs::read(&path).map_err(|_| missing())?;
    if !file.local.ends_with("erb") {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(&path)
            .map_err(|_| missing())?
            .permissions()
            .mode()
            & 0o777;
        return Ok(LocalFile {
            mode,
            content: Content::Public(bytes),
        });
    }
    let mut env: Vec<(String, Secret)> = Vec::new();
    for (name, value) in &settings.env.clear {
        match value {
            ShellValue::Text(text) => env.push((name.clone(), Secret::new(text.as_str()))),
            ShellValue::Bool(flag) => env.push((name.clone(), Secret::new(flag.to_string()))),
            ShellValue::Null | ShellValue::List(_) => {}
        }
    }
    for reference in &settings.env.secrets {
        if let Some(secret) = job.secrets.get(&reference.secret) {
            env.push((reference.name.clone(), secret.clone()));
        }
    }
    let text = world::rendered(
        job.edge,
        &file.local,
        &String::from_utf8_lossy(&bytes),
        &env,
    )
    .map_err(|diagnostic| {
        failed::error(
            diagnostic.class,
            format!("{}: {}", file.local, diagnostic.message),
        )
    })?;
    // What is rendered may hold secrets.
    Ok(LocalFile {
        mode: 0o640,
        content: Content::Secret(Secret::new(text)),
    })
}
