//! A server that becomes another program and stays the same process: what a container's first process must do, since
//! the container ends with it.
//!
//! It starts the program as a child, which takes over (see [`crate::process::takeover`]). Once its own clients are gone, it
//! executes the program in its own place, which takes over from the child in turn; the child drains and ends. Clients
//! notice nothing of either.
//!
//! A child that is itself asked to become another program, because the server still waits for its clients, only starts it and ends: the
//! server that lasts takes over from whoever serves then. If the child became it as well, it would take over from that server, which
//! would end, and the container with it.

use std::ffi::OsString;
use std::io;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use dhow_proxy_api::ControlReply;
use rustix::process::{Pid, Signal, getppid, kill_process};
use tokio::net::UnixStream;

use crate::observe::log::LogSender;
use crate::process::control::tell;

/// How the server was called.
#[derive(Clone, Debug)]
pub(crate) struct Invocation {
    /// Its arguments, with the word to take over.
    args: Vec<OsString>,
}

/// A program on its way into this one's place.
pub(crate) struct Upgrade {
    program: PathBuf,
    invocation: Invocation,
    child: Child,
    client: Option<UnixStream>,
}

const TAKEOVER: &str = "--takeover";
/// A program may be several things, by the name it is called by.
const NAME: &str = "kamal-proxy";

impl Invocation {
    pub(crate) fn new(args: &[OsString]) -> Self {
        let mut args = args.to_vec();
        if !args.iter().any(|arg| arg == TAKEOVER) {
            args.push(TAKEOVER.into());
        }
        Self { args }
    }
}

impl Upgrade {
    /// Starts the program. `client` is told how it went, sooner or later.
    pub(crate) async fn start(
        program: PathBuf,
        client: UnixStream,
        invocation: &Invocation,
    ) -> Option<Self> {
        let child = Command::new(&program)
            .arg0(NAME)
            .args(&invocation.args)
            .stdin(Stdio::null())
            .spawn();
        match child {
            Ok(child) => Some(Self {
                program,
                invocation: invocation.clone(),
                child,
                client: Some(client),
            }),
            Err(error) => {
                refuse(client, &crate::process::system_error::text(&error)).await;
                None
            }
        }
    }

    /// Waits until the child has ended, which it does when it cannot take over.
    pub(crate) async fn failed(&mut self) {
        while matches!(self.child.try_wait(), Ok(None)) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        if let Some(client) = self.client.take() {
            refuse(client, "the new proxy could not take over; see the log").await;
        }
    }

    /// The child serves: tells the client.
    pub(crate) async fn succeeded(&mut self) {
        if let Some(client) = self.client.take() {
            tell(client, &ControlReply::Done).await;
        }
    }

    /// Becomes the program. Returns only if that is impossible, once the child has ended.
    ///
    /// # Errors
    /// Why the program could not be executed.
    pub(crate) fn become_it(mut self) -> io::Result<()> {
        let error = Command::new(&self.program)
            .arg0(NAME)
            .args(&self.invocation.args)
            .exec();
        // The child serves, and lives only as long as this process may.
        let _ = self.child.wait();
        Err(error)
    }

    /// Ends the child as this process ends.
    pub(crate) fn stop(mut self, log: &LogSender) {
        let id = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        if let Some(id) = id {
            let _ = kill_process(id, Signal::TERM);
        }
        if let Err(error) = self.child.wait() {
            log.warn(
                "Unable to stop the new proxy",
                &[("error", &error.to_string())],
            );
        }
    }
}

/// Whether a process started this one, as an upgrade does.
pub(crate) fn is_parent(process: u32) -> bool {
    let process = i32::try_from(process).ok().and_then(Pid::from_raw);
    process.is_some() && process == getppid()
}

/// Tells a client that there is no upgrade.
pub(crate) async fn refuse(client: UnixStream, reason: &str) {
    let reply = ControlReply::Failed {
        message: format!("upgrade: {reason}"),
        details: Vec::new(),
    };
    tell(client, &reply).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_word_to_take_over_is_said_once() {
        let args = ["run", "--debug"].map(OsString::from);
        let first = Invocation::new(&args);
        assert_eq!(first.args, ["run", "--debug", "--takeover"]);
        assert_eq!(Invocation::new(&first.args).args, first.args);
    }
}
