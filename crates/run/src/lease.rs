//! The deploy lock, held by a small program on the primary host for as long as this process wants it.
//!
//! In: who asks, and what the lock says about itself. Out: a [`Lease`] that is renewed in the background. The lock goes away when it
//! is released, when this process or its connection ends however it ends, and when renewals stop coming. The program, and why it
//! can't end somebody else's lock, is [`dhow_commands::lock::lease`].

use std::time::Duration;

use dhow_commands::lock::lease::{self as words, Reply};
use dhow_config::Config;
use dhow_ssh::{Event as Said, Exec, ExecOptions, Session, Stdin};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

use crate::event::Failure;
use crate::failure::from_ssh;

/// Time between two renewals.
const BEAT: Duration = Duration::from_secs(words::RENEW_EVERY as u64);
/// A deployer that was just killed takes its lock with it, but not in the same instant: so soon is looked again at first.
const GRACE: Duration = Duration::from_millis(1500);
/// No lease is waited for longer than this, whatever the host's clock says.
const PATIENCE: Duration = Duration::from_secs(words::SECONDS as u64 + words::RENEW_EVERY as u64);

/// Who asks for the lock, and what it will say.
#[derive(Clone, Debug)]
pub struct LeaseRequest<'r> {
    /// The deploy file, which names the lock.
    pub config: &'r Config,
    /// What Kamal's `details` will hold, not yet encoded.
    pub details: &'r str,
    /// The person.
    pub owner: &'r str,
    /// The machine this process runs on.
    pub host: &'r str,
    /// This process.
    pub pid: u32,
}

/// Why the lock was not taken.
#[derive(Debug)]
pub enum Refused {
    /// Somebody holds it; the decoded `details`.
    Held(String),
    /// The host could not be asked.
    Failed(Failure),
}

/// The lock, held.
#[derive(Debug)]
pub struct Lease {
    release: Option<oneshot::Sender<()>>,
    keeper: Option<JoinHandle<()>>,
    lost: watch::Receiver<bool>,
}

impl Lease {
    /// Takes the lock, or says who has it. A holder who renews the lease while we look lives, and has the lock; the lease of one who
    /// does not is waited for, 30 s at most. Costs one exchange, and one more for each look at somebody else's lock.
    pub async fn acquire(session: &Session, request: &LeaseRequest<'_>) -> Result<Self, Refused> {
        let started = Instant::now();
        let mut least = u64::MAX;
        loop {
            match attempt(session, request).await? {
                Attempt::Taken(held) => {
                    let (exec, stdin) = *held;
                    return Ok(Self::kept(exec, stdin));
                }
                Attempt::Busy { seconds, details } => {
                    let waited = started.elapsed();
                    match seconds {
                        Some(left) if left <= least && waited < PATIENCE => least = left,
                        _ => return Err(Refused::Held(details)),
                    }
                    let pause = if waited < GRACE { 300 } else { 1000 };
                    sleep(Duration::from_millis(pause)).await;
                }
            }
        }
    }

    /// Turns true when the lock is no longer ours although nobody released it.
    pub fn lost(&self) -> watch::Receiver<bool> {
        self.lost.clone()
    }

    /// Gives the lock back and waits until the host has said so.
    pub async fn release(mut self) {
        if let Some(release) = self.release.take() {
            // A keeper that has ended already has nothing to give back.
            let _ = release.send(());
        }
        if let Some(keeper) = self.keeper.take() {
            let _ = timeout(BEAT, keeper).await;
        }
    }

    fn kept(exec: Exec, stdin: Stdin) -> Self {
        let (release, released) = oneshot::channel();
        let (tell, lost) = watch::channel(false);
        let keeper = tokio::spawn(keep(exec, stdin, released, tell));
        Self {
            release: Some(release),
            keeper: Some(keeper),
            lost,
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(keeper) = self.keeper.take() {
            keeper.abort();
        }
    }
}

enum Attempt {
    Taken(Box<(Exec, Stdin)>),
    Busy {
        seconds: Option<u64>,
        details: String,
    },
}

async fn attempt(session: &Session, request: &LeaseRequest<'_>) -> Result<Attempt, Refused> {
    let failed = |error| Refused::Failed(from_ssh(&error));
    let token = format!("{:016x}", getrandom::u64().unwrap_or_default());
    let lease = words::Lease {
        owner: request.owner,
        host: request.host,
        pid: request.pid,
        token: &token,
        seconds: words::SECONDS,
    };
    let program = words::hold(request.config, request.details, &lease).real() + "\n";
    let exec = session.exec("sh", &ExecOptions::default()).await;
    let mut exec = exec.map_err(failed)?;
    let Some(mut stdin) = exec.stdin() else {
        return Err(cannot("the shell has no standard input"));
    };
    stdin.write(program.into()).await.map_err(failed)?;
    let (mut stdout, mut stderr) = (String::new(), String::new());
    while let Some(said) = exec.next().await {
        match said {
            Said::Stdout(bytes) => stdout.push_str(&String::from_utf8_lossy(&bytes)),
            Said::Stderr(bytes) => stderr.push_str(&String::from_utf8_lossy(&bytes)),
        }
        let first = stdout.split_once('\n').map(|(line, _)| line);
        if first.and_then(Reply::parse) == Some(Reply::Held) {
            return Ok(Attempt::Taken(Box::new((exec, stdin))));
        }
    }
    let (first, rest) = stdout.split_once('\n').unwrap_or((&stdout, ""));
    match Reply::parse(first) {
        Some(Reply::Busy { seconds }) => Ok(Attempt::Busy {
            seconds,
            details: rest.trim_end().to_owned(),
        }),
        _ => Err(cannot(&format!("{rest}{stderr}"))),
    }
}

fn cannot(reason: &str) -> Refused {
    let reason = reason.trim();
    let mut failure = Failure::new("SSHKit::Command::Failed", "the deploy lock can't be taken");
    failure.output = if reason.is_empty() {
        "the host said nothing"
    } else {
        reason
    }
    .to_owned();
    Refused::Failed(failure)
}

/// Renews until told to stop, then waits for the holder's goodbye.
async fn keep(
    mut exec: Exec,
    mut stdin: Stdin,
    mut released: oneshot::Receiver<()>,
    tell: watch::Sender<bool>,
) {
    let mut beat = tokio::time::interval(BEAT);
    beat.tick().await;
    let mut releasing = false;
    let mut said = String::new();
    loop {
        tokio::select! {
            _ = &mut released, if !releasing => {
                releasing = true;
                if stdin.write(words::RELEASE.into()).await.is_err() {
                    return;
                }
            }
            _ = beat.tick(), if !releasing => {
                if stdin.write(words::RENEW.into()).await.is_err() {
                    tell.send_replace(true);
                    return;
                }
            }
            event = exec.next() => match event {
                Some(Said::Stdout(bytes)) => {
                    said.push_str(&String::from_utf8_lossy(&bytes));
                    match said.lines().find_map(Reply::parse) {
                        Some(Reply::Lost) => {
                            tell.send_replace(true);
                        }
                        Some(Reply::Released) => return,
                        _ => {}
                    }
                }
                Some(Said::Stderr(_)) => {}
                None => {
                    if !releasing {
                        tell.send_replace(true);
                    }
                    return;
                }
            },
        }
    }
}
