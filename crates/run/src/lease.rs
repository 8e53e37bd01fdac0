//! The deploy lock, held by a small `sh` on the primary host for as long as this process wants it.
//!
//! In: who asks, and the text for Kamal's `details`. Out: a [`Lease`] that is renewed every 10 s in the background. The lock goes
//! away when it is released, when this process or its connection ends however it ends, and 30 s after the last renewal at the
//! latest. Beside Kamal's `details` lies `lease` (`owner`, `host`, `pid`, `holder`, `expiry`), by which the next deployer knows a
//! dead lock from a live one; a lock without it (Kamal's, or one taken by hand) is never broken.

use std::time::Duration;

use dhow_ssh::{Event as Said, Exec, ExecOptions, Session, Stdin};
use dhow_text::shell::single_quote;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;

use crate::event::Failure;
use crate::failure::from_ssh;

/// Time between two renewals; a third of what a lease lasts.
const BEAT: Duration = Duration::from_secs(10);

/// Who asks for the lock, and what it will say.
#[derive(Clone, Debug)]
pub struct LeaseRequest {
    /// `.kamal/lock-<service>[-<destination>]`
    pub directory: String,
    /// The content of `details`: base64 with line feeds, as Kamal writes it.
    pub details: String,
    /// The person.
    pub owner: String,
    /// The machine this process runs on.
    pub host: String,
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
    /// Takes the lock, or says who has it. Waits at most 30 s for a dead holder. Costs one exchange.
    pub async fn acquire(session: &Session, request: &LeaseRequest) -> Result<Self, Refused> {
        let failed = |error| Refused::Failed(from_ssh(&error));
        let exec = session.exec("sh", &ExecOptions::default()).await;
        let mut exec = exec.map_err(failed)?;
        let mut answer = Answer::default();
        let Some(mut stdin) = exec.stdin() else {
            return Err(answer.refused(request));
        };
        stdin.write(script(request).into()).await.map_err(failed)?;
        loop {
            match exec.next().await {
                Some(Said::Stdout(bytes)) => {
                    answer.stdout.push_str(&String::from_utf8_lossy(&bytes))
                }
                Some(Said::Stderr(bytes)) => {
                    answer.stderr.push_str(&String::from_utf8_lossy(&bytes))
                }
                None => return Err(answer.refused(request)),
            }
            if answer.stdout.ends_with("taken\n") {
                return Ok(Self::kept(exec, stdin));
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
            let _ = release.send(());
        }
        if let Some(keeper) = self.keeper.take() {
            let _ = tokio::time::timeout(BEAT, keeper).await;
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
    loop {
        tokio::select! {
            _ = &mut released, if !releasing => {
                releasing = true;
                if stdin.write("release\n".into()).await.is_err() {
                    return;
                }
            }
            _ = beat.tick(), if !releasing => {
                if stdin.write("beat\n".into()).await.is_err() {
                    tell.send_replace(true);
                    return;
                }
            }
            said = exec.next() => match said {
                Some(Said::Stdout(bytes)) => {
                    let text = String::from_utf8_lossy(&bytes);
                    if text.contains("lost") {
                        tell.send_replace(true);
                    }
                    if text.contains("released") {
                        return;
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

fn script(request: &LeaseRequest) -> String {
    let variables = [
        ("dhow_lock", request.directory.clone()),
        ("dhow_details", request.details.clone()),
        ("dhow_owner", request.owner.replace('\n', " ")),
        ("dhow_host", request.host.replace('\n', " ")),
        ("dhow_pid", request.pid.to_string()),
    ];
    let mut text = String::new();
    for (name, value) in variables {
        text.push_str(name);
        text.push('=');
        text.push_str(&single_quote(&value));
        text.push('\n');
    }
    text + include_str!("lease.sh")
}

#[derive(Default)]
struct Answer {
    stdout: String,
    stderr: String,
}

impl Answer {
    fn refused(&self, request: &LeaseRequest) -> Refused {
        match self.stdout.split_once("held\n") {
            Some((_, details)) => Refused::Held(details.trim_end().to_owned()),
            None => {
                let text = self.stderr.trim();
                let reason = if text.is_empty() {
                    "the host said nothing"
                } else {
                    text
                };
                let mut failure = Failure::new(
                    "SSHKit::Command::Failed",
                    format!("the deploy lock `{}` can't be taken", request.directory),
                );
                failure.output = reason.to_owned();
                Refused::Failed(failure)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Write};
    use std::process::{Child, ChildStdout, Command, Stdio};

    use super::*;

    /// A holder in a directory of its own, without SSH around it.
    struct Holder {
        child: Child,
        out: BufReader<ChildStdout>,
    }

    impl Holder {
        fn start(shell: &str, home: &std::path::Path) -> Self {
            let request = LeaseRequest {
                directory: ".kamal/lock-app".into(),
                details: "TG9ja2VkIGJ5OiBtZQ==\n".into(),
                owner: "it's me".into(),
                host: "here".into(),
                pid: 1,
            };
            let mut child = Command::new(shell)
                .current_dir(home)
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::null())
                .spawn()
                .unwrap();
            let text = script(&request);
            child
                .stdin
                .as_mut()
                .unwrap()
                .write_all(text.as_bytes())
                .unwrap();
            let out = BufReader::new(child.stdout.take().unwrap());
            Self { child, out }
        }

        fn line(&mut self) -> String {
            let mut line = String::new();
            self.out.read_line(&mut line).unwrap();
            line.trim_end().to_owned()
        }

        fn say(&mut self, text: &str) {
            self.child
                .stdin
                .as_mut()
                .unwrap()
                .write_all(text.as_bytes())
                .unwrap();
        }
    }

    const SHELLS: [&str; 2] = ["dash", "bash"];

    #[test]
    fn a_lock_is_taken_renewed_and_released() {
        for shell in SHELLS {
            let home = tempfile::tempdir().unwrap();
            let lock = home.path().join(".kamal/lock-app");
            let mut holder = Holder::start(shell, home.path());
            assert_eq!(holder.line(), "taken", "{shell}");
            let details = std::fs::read_to_string(lock.join("details")).unwrap();
            assert_eq!(details, "TG9ja2VkIGJ5OiBtZQ==\n");
            assert!(
                std::fs::read_to_string(lock.join("lease"))
                    .unwrap()
                    .contains("owner=it's me\n")
            );
            holder.say("beat\n");
            assert_eq!(holder.line(), "renewed");
            holder.say("release\n");
            assert_eq!(holder.line(), "released");
            assert!(!lock.exists());
            assert!(holder.child.wait().unwrap().success());
        }
    }

    #[test]
    fn the_lock_goes_with_its_deployer() {
        for shell in SHELLS {
            let home = tempfile::tempdir().unwrap();
            let mut holder = Holder::start(shell, home.path());
            assert_eq!(holder.line(), "taken");
            drop(holder.child.stdin.take());
            holder.child.wait().unwrap();
            assert!(!home.path().join(".kamal/lock-app").exists(), "{shell}");
        }
    }

    #[test]
    fn a_live_lock_is_respected_and_shown() {
        for shell in SHELLS {
            let home = tempfile::tempdir().unwrap();
            let mut first = Holder::start(shell, home.path());
            assert_eq!(first.line(), "taken");
            let mut second = Holder::start(shell, home.path());
            assert_eq!(second.line(), "held");
            assert_eq!(second.line(), "Locked by: me");
            first.say("beat\n");
            assert_eq!(first.line(), "renewed", "{shell}");
            first.say("release\n");
            assert_eq!(first.line(), "released");
        }
    }

    #[test]
    fn a_dead_holders_lock_is_broken_by_the_next() {
        for shell in SHELLS {
            let home = tempfile::tempdir().unwrap();
            let mut first = Holder::start(shell, home.path());
            assert_eq!(first.line(), "taken");
            first.child.kill().unwrap();
            first.child.wait().unwrap();
            let mut second = Holder::start(shell, home.path());
            assert_eq!(second.line(), "taken", "{shell}");
            second.say("release\n");
            assert_eq!(second.line(), "released");
        }
    }

    #[test]
    fn a_lock_without_a_lease_is_never_broken() {
        for shell in SHELLS {
            let home = tempfile::tempdir().unwrap();
            let lock = home.path().join(".kamal/lock-app");
            std::fs::create_dir_all(&lock).unwrap();
            std::fs::write(lock.join("details"), "TG9ja2VkIGJ5OiBtZQ==\n").unwrap();
            let mut holder = Holder::start(shell, home.path());
            assert_eq!(holder.line(), "held", "{shell}");
            assert!(lock.join("details").exists());
        }
    }

    #[test]
    fn somebody_elses_lock_survives_our_goodbye() {
        for shell in SHELLS {
            let home = tempfile::tempdir().unwrap();
            let lock = home.path().join(".kamal/lock-app");
            let mut holder = Holder::start(shell, home.path());
            assert_eq!(holder.line(), "taken");
            std::fs::remove_dir_all(&lock).unwrap();
            std::fs::create_dir(&lock).unwrap();
            std::fs::write(lock.join("details"), "eA==\n").unwrap();
            holder.say("beat\n");
            assert_eq!(holder.line(), "lost", "{shell}");
            holder.child.wait().unwrap();
            assert!(lock.join("details").exists());
        }
    }
}
