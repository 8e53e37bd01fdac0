//! A command on a host that this terminal is connected to: raw mode, window size, exit code.

use std::io::{IsTerminal, Write};

use dhow_plan::{Action, Stage, Step, Work};
use dhow_run::{Failed, Failure};
use dhow_ssh::{Event, ExecOptions, SshError, WindowSize};
use dhow_text::shell::{Cmd, single_quote};
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr};
use tokio::io::AsyncReadExt;
use tokio::sync::mpsc;

use crate::job::Job;

/// Runs a command with this terminal as its own, or with plain pipes if there is none; gives its exit code.
pub(crate) async fn interactive(job: &Job<'_>, host: &str, cmd: &Cmd) -> Result<i32, Failed> {
    if job.global.dry_run {
        return shown(job, host, cmd);
    }
    let session = job
        .fleet
        .session(host)
        .await
        .map_err(|failure| job.on_host(host, failure))?;
    if !job.edge.stdin_is_terminal {
        return piped(job, host, cmd).await;
    }
    let term = job.edge.env("TERM").unwrap_or("xterm").to_owned();
    let pty = session
        .pty(&cmd.real(), &term, size())
        .await
        .map_err(|e| lost(job, host, &e))?;
    let (resized, resizes) = mpsc::channel(4);
    let watcher = tokio::spawn(async move {
        let kind = tokio::signal::unix::SignalKind::window_change();
        let Ok(mut changes) = tokio::signal::unix::signal(kind) else {
            return;
        };
        while changes.recv().await.is_some() && resized.send(size()).await.is_ok() {}
    });
    job.screen.take().await;
    let raw = RawMode::enter();
    let exit = pty
        .pump(tokio::io::stdin(), tokio::io::stdout(), resizes)
        .await;
    drop(raw);
    job.screen.give_back();
    watcher.abort();
    exit.map(|exit| i32::try_from(exit.code()).unwrap_or(255))
        .map_err(|e| lost(job, host, &e))
}

/// Shows what a command prints until it ends or the person has seen enough.
pub(crate) async fn stream(job: &Job<'_>, host: &str, cmd: &Cmd) -> Result<i32, Failed> {
    if job.global.dry_run {
        return shown(job, host, cmd);
    }
    piped(job, host, cmd).await
}

async fn piped(job: &Job<'_>, host: &str, cmd: &Cmd) -> Result<i32, Failed> {
    job.screen.take().await;
    let ended = pipe(job, host, cmd).await;
    job.screen.give_back();
    ended
}

async fn pipe(job: &Job<'_>, host: &str, cmd: &Cmd) -> Result<i32, Failed> {
    let session = job
        .fleet
        .session(host)
        .await
        .map_err(|failure| job.on_host(host, failure))?;
    let exec = session.exec(&cmd.real(), &ExecOptions::default()).await;
    let mut exec = exec.map_err(|e| lost(job, host, &e))?;
    let stdin = exec.stdin();
    let feeder = tokio::spawn(async move {
        let Some(mut remote) = stdin else { return };
        if std::io::stdin().is_terminal() {
            // Nothing to send; the input stays open so that the command does not take its end for a goodbye.
            std::future::pending::<()>().await;
        }
        let mut local = tokio::io::stdin();
        let mut buffer = vec![0_u8; 32 << 10];
        while let Ok(read @ 1..) = local.read(&mut buffer).await {
            let bytes = buffer.get(..read).unwrap_or_default().to_vec();
            if remote.write(bytes.into()).await.is_err() {
                return;
            }
        }
        let _ = remote.close().await;
    });
    while let Some(event) = exec.next().await {
        let written = match event {
            Event::Stdout(bytes) => std::io::stdout()
                .write_all(&bytes)
                .and_then(|()| std::io::stdout().flush()),
            Event::Stderr(bytes) => std::io::stderr().write_all(&bytes),
        };
        if written.is_err() {
            break;
        }
    }
    feeder.abort();
    let exit = exec.finish().await.map_err(|e| lost(job, host, &e))?;
    Ok(i32::try_from(exit.code()).unwrap_or(255))
}

/// Runs stages; the output of commands that are the result goes to standard output byte for byte, host by host, and nothing else does.
pub(crate) async fn raw(job: &Job<'_>, mut stages: Vec<Stage>) -> Result<(), Failed> {
    if job.global.dry_run || job.global.json {
        return job.execute_or_show(stages).await;
    }
    let mut results: Vec<(String, Cmd)> = Vec::new();
    for stage in &mut stages {
        let Work::Hosts { tracks, .. } = &mut stage.work else {
            continue;
        };
        for track in tracks {
            let is_result = |step: &mut Step| step.block.is_some();
            for step in track.steps.extract_if(.., is_result) {
                if let Action::Run(cmd) = step.action {
                    results.push((track.host.clone(), cmd));
                }
            }
        }
    }
    job.execute(stages).await?;
    let alone = results.len() == 1;
    let runs = results
        .iter()
        .map(|(host, cmd)| bytes_of(job, host, cmd, alone));
    let mut failed = Vec::new();
    for ended in futures_util::future::join_all(runs).await {
        match ended {
            // Nobody reading any more is no reason to fail.
            Ok(bytes) => drop(std::io::stdout().write_all(&bytes)),
            Err(failure) => failed.extend(failure.hosts),
        }
    }
    let _ = std::io::stdout().flush();
    if failed.is_empty() {
        Ok(())
    } else {
        Err(Failed { hosts: failed })
    }
}

/// What a command prints; given back at its end, or put out as it comes.
async fn bytes_of(job: &Job<'_>, host: &str, cmd: &Cmd, at_once: bool) -> Result<Vec<u8>, Failed> {
    let session = job.fleet.session(host).await;
    let session = session.map_err(|failure| job.on_host(host, failure))?;
    let line = format!("sh -c {}", single_quote(&cmd.real()));
    let exec = session.exec(&line, &ExecOptions::default()).await;
    let mut exec = exec.map_err(|e| lost(job, host, &e))?;
    if let Some(stdin) = exec.stdin() {
        stdin.close().await.map_err(|e| lost(job, host, &e))?;
    }
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    while let Some(event) = exec.next().await {
        match event {
            Event::Stdout(bytes) if at_once => {
                let mut out = std::io::stdout();
                if out.write_all(&bytes).and_then(|()| out.flush()).is_err() {
                    return Ok(Vec::new());
                }
            }
            Event::Stdout(bytes) => stdout.extend_from_slice(&bytes),
            Event::Stderr(bytes) => stderr.extend_from_slice(&bytes),
        }
    }
    let exit = exec.finish().await.map_err(|e| lost(job, host, &e))?;
    if exit.is_success() {
        return Ok(stdout);
    }
    let text = cmd.redacted();
    let program = text.split_whitespace().next().unwrap_or_default();
    let message = format!("{program} exit status: {}", exit.code());
    let mut failure = Failure::new("SSHKit::Command::Failed", message);
    failure.exit = i32::try_from(exit.code()).ok();
    failure.output = String::from_utf8_lossy(&stderr).trim_end().to_owned();
    failure.command = Some(text);
    Err(job.on_host(host, failure))
}

fn shown(job: &Job<'_>, host: &str, cmd: &Cmd) -> Result<i32, Failed> {
    let step = Step::run("interactive", cmd.clone());
    let track = dhow_plan::Track::new(host, None, vec![step]);
    job.show(&dhow_plan::Plan {
        stages: vec![Stage::hosts("interactive", vec![track])],
    });
    Ok(0)
}

fn lost(job: &Job<'_>, host: &str, error: &SshError) -> Failed {
    let mut failure = Failure::new(error.kamal_class(), error.to_string());
    failure.hint = error.hint();
    job.on_host(host, failure)
}

fn size() -> WindowSize {
    let size = tcgetwinsize(std::io::stdout()).ok();
    WindowSize {
        columns: size.map_or(80, |s| s.ws_col),
        rows: size.map_or(24, |s| s.ws_row),
    }
}

/// Takes the terminal out of line mode, and puts it back when dropped.
struct RawMode(Option<Termios>);

impl RawMode {
    fn enter() -> Self {
        let stdin = std::io::stdin();
        let Ok(before) = tcgetattr(&stdin) else {
            return Self(None);
        };
        let mut raw = before.clone();
        raw.make_raw();
        match tcsetattr(&stdin, OptionalActions::Now, &raw) {
            Ok(()) => Self(Some(before)),
            Err(_) => Self(None),
        }
    }
}

impl Drop for RawMode {
    fn drop(&mut self) {
        if let Some(before) = &self.0 {
            let _ = tcsetattr(std::io::stdin(), OptionalActions::Now, before);
        }
    }
}
