//! What an old and a new proxy still have to do with each other while the old one drains. Requests that a pause
//! holds are the old one's; that the pause ends is said to the new one, which passes it on.

use std::io::{self, Write as _};
use std::os::unix::net::UnixStream as StdUnixStream;
use std::rc::Rc;

use dhow_proxy_api::{CONTROL_VERSION, ControlRequest, SocketMessage};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::process::{Pid, WaitOptions, waitpid};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::net::UnixStream;

use crate::services::operations::Operations;

/// A new proxy's line to the one it took over from.
pub(crate) struct Predecessor(StdUnixStream);

/// Waits for the end of the proxy at the other end of `stream`, and, if it was a child of this process, sees it off: it
/// was when this process became another program in the meantime.
pub(crate) fn see_off(stream: &StdUnixStream, process: u32) -> io::Result<()> {
    let process = i32::try_from(process).ok().and_then(Pid::from_raw);
    let stream = stream.try_clone()?;
    std::thread::Builder::new()
        .name("predecessor".to_owned())
        .spawn(move || {
            let mut events = [PollFd::new(&stream, PollFlags::RDHUP)];
            while poll(&mut events, None) == Err(Errno::INTR) {}
            // It is no child usually, and then this fails at once.
            if process.is_some() {
                let _ = waitpid(process, WaitOptions::empty());
            }
        })?;
    Ok(())
}

impl Predecessor {
    pub(crate) fn new(stream: StdUnixStream) -> Self {
        // A predecessor that does not read must not hold up anybody.
        let _ = stream.set_nonblocking(true);
        Self(stream)
    }

    /// Passes on what concerns requests that are held. It is not waited for.
    pub(crate) fn pass_on(&self, request: &ControlRequest) {
        if let Some(request) = concerns_held(request)
            && let Ok(mut line) = serde_json::to_vec(&SocketMessage {
                version: CONTROL_VERSION,
                request,
            })
        {
            line.push(b'\n');
            let _ = (&self.0).write_all(&line);
        }
    }
}

/// What the old proxy must know of.
fn concerns_held(request: &ControlRequest) -> Option<ControlRequest> {
    matches!(
        request,
        ControlRequest::Resume { .. } | ControlRequest::Stop { .. } | ControlRequest::Remove { .. }
    )
    .then(|| request.clone())
}

/// Old side: obeys what the new proxy passes on, until it is gone.
pub(crate) async fn follow(stream: StdUnixStream, operations: Rc<Operations>) {
    if stream.set_nonblocking(true).is_err() {
        return;
    }
    let Ok(stream) = UnixStream::from_std(stream) else {
        return;
    };
    let mut lines = BufReader::new(stream).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        if let Ok(message) = serde_json::from_str::<SocketMessage>(&line)
            && concerns_held(&message.request).is_some()
        {
            let operations = Rc::clone(&operations);
            tokio::task::spawn_local(async move { operations.handle(message).await });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_ends_a_pause_is_passed_on() {
        let service = || "web".to_owned();
        assert!(concerns_held(&ControlRequest::Resume { service: service() }).is_some());
        assert!(concerns_held(&ControlRequest::Remove { service: service() }).is_some());
        for request in [
            ControlRequest::List,
            ControlRequest::TakeOver,
            ControlRequest::RolloutStop { service: service() },
        ] {
            assert!(concerns_held(&request).is_none());
        }
    }

    #[test]
    fn a_predecessor_that_is_gone_is_no_trouble() {
        let (here, there) = StdUnixStream::pair().unwrap();
        drop(there);
        let service = "web".to_owned();
        Predecessor::new(here).pass_on(&ControlRequest::Resume { service });
    }
}
