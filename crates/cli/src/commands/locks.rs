//! `lock …`: the deploy lock by hand. Such a lock has no lease: it stays until somebody releases it.

use dhow_commands::hook::Hook;
use dhow_commands::{audit, lock as words};
use dhow_plan::{Stage, Step, Track};
use dhow_run::Failed;
use dhow_text::shell::Cmd;

use crate::args::Lock;
use crate::failed;
use crate::job::Job;

/// One of the `lock` commands; gives the exit code.
pub(super) async fn lock(job: &Job<'_>, command: &Lock) -> Result<i32, Failed> {
    let version = job.any_version();
    job.hook(Hook::PreConnect, &version, false, None).await?;
    match command {
        Lock::Status => {
            let (found, text) = ask(job, words::status(job.config())).await?;
            job.say(if found {
                text.trim_end()
            } else {
                "There is no deploy lock"
            });
        }
        Lock::Release => {
            let release = words::release(job.config());
            if job.global.dry_run {
                job.execute_or_show(on_primary(job, release)).await?;
                return Ok(0);
            }
            let (found, _) = ask(job, release).await?;
            job.say(if found {
                "Released the deploy lock"
            } else {
                "There is no deploy lock"
            });
        }
        Lock::Acquire(options) => acquire(job, &options.message).await?,
    }
    Ok(0)
}

async fn acquire(job: &Job<'_>, message: &str) -> Result<(), Failed> {
    let version = job.any_version();
    let details = words::details(job.git.user_name(), job.recorded_at(), &version, message);
    let acquire = words::acquire(job.config(), &details);
    let directories = job.targets.hosts.iter().map(|host| {
        Track::new(
            host,
            None,
            vec![Step::run("making the run directory", audit::make_run_directory()).debug()],
        )
    });
    let mut stages = vec![Stage::hosts("prepare", directories.collect())];
    if job.global.dry_run {
        stages.extend(on_primary(job, acquire));
        return job.execute_or_show(stages).await;
    }
    job.execute(stages).await?;
    let (taken, error) = ask(job, acquire).await?;
    if taken {
        job.say("Acquired the deploy lock");
        return Ok(());
    }
    if !error.contains(words::HELD) {
        return Err(failed::error("SSHKit::Command::Failed", error));
    }
    let (_, status) = ask(job, words::status(job.config())).await?;
    job.sink
        .say(dhow_run::Level::Error, "Deploy lock already in place!");
    job.say(status.trim_end());
    Err(failed::error(
        "Kamal::Cli::LockError",
        "Deploy lock found. Run 'kamal lock help' for more information",
    ))
}

/// Runs a command on the primary host: whether it succeeded, and what it printed.
async fn ask(job: &Job<'_>, cmd: Cmd) -> Result<(bool, String), Failed> {
    let host = job.targets.primary_host;
    let step = Step::run(
        "asking for the lock",
        Cmd::new(format!(
            "{{ {} ; }} 2>&1 && printf '\\nyes' || printf '\\nno'",
            cmd.real()
        )),
    )
    .debug();
    let mut outcomes = job
        .executor()
        .ask(vec![Track::new(host, None, vec![step])])
        .await;
    match outcomes.pop() {
        Some(outcome) => match outcome.failure {
            Some(failure) => Err(Failed {
                hosts: vec![(Some(host.to_owned()), failure)],
            }),
            None => {
                let output = outcome.outputs.concat();
                let text = output.trim_end();
                let (text, answer) = text.rsplit_once('\n').unwrap_or(("", text));
                Ok((answer == "yes", text.to_owned()))
            }
        },
        None => Ok((false, String::new())),
    }
}

fn on_primary(job: &Job<'_>, cmd: Cmd) -> Vec<Stage> {
    let step = Step::run("the deploy lock", cmd);
    vec![Stage::hosts(
        "lock",
        vec![Track::new(job.targets.primary_host, None, vec![step])],
    )]
}
