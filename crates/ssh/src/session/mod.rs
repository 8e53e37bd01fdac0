//! A host we are logged in to: commands, terminals and forwards over one connection.

mod channel;
mod exec;
mod forward;
mod link;
mod pty;
mod slots;
mod stdin;
mod tunnel;

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::Mutex as AsyncMutex;
use tokio::time::{Instant, sleep};

use crate::connector::Shared;
use crate::error::SshError;
use channel::Opened;
use slots::Slots;

pub use exec::{Event, Exec, ExecOptions, Exit, Output};
pub use forward::{Incoming, RemoteForward};
pub use pty::{Pty, PtyInput, WindowSize};
pub use stdin::Stdin;
pub use tunnel::Tunnel;

pub(crate) use link::Link;

/// How long a command waits for a free channel before another connection is opened for it.
const CHANNEL_WAIT: Duration = Duration::from_secs(2);

/// How many connections a session may have, so that long-running commands (following logs) don't starve the others.
const MAX_LINKS: usize = 8;

/// A handle on a host; clones share the connection, which ends with the last of them or with [`Session::close`].
#[derive(Clone)]
pub struct Session {
    inner: Arc<Inner>,
}

struct Inner {
    host: String,
    /// The first connection; it also carries the forwards.
    link: Arc<Link>,
    /// The channels of all connections.
    slots: Slots,
    /// Further connections, opened when commands would have to wait long.
    more: AsyncMutex<Vec<Arc<Link>>>,
    /// Commands started ahead, by their text.
    prepared: Mutex<Vec<(String, Exec)>>,
    shared: Weak<Shared>,
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("host", &self.inner.host)
            .finish_non_exhaustive()
    }
}

impl Session {
    pub(crate) fn new(host: &str, link: Link, shared: Weak<Shared>) -> Self {
        let (link, slots) = (Arc::new(link), Slots::new());
        // Jump hosts carry streams, not commands, so they need no channel in reserve.
        if shared.strong_count() > 0 {
            link.refill(&slots);
        }
        Self {
            inner: Arc::new(Inner {
                host: host.to_owned(),
                link,
                slots,
                more: AsyncMutex::default(),
                prepared: Mutex::default(),
                shared,
            }),
        }
    }

    /// The host as the user named it.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.inner.host
    }

    /// Whether the connection is gone.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.inner.link.is_closed()
    }

    /// Waits until the connection is gone; the reason as a fragment.
    pub async fn closed(&self) -> String {
        self.inner.link.closed().await.to_string()
    }

    /// Starts a command. It costs one round trip until its output: the channel is already open, and the request and the input are sent
    /// without waiting for an answer.
    ///
    /// Servers let nothing be written to a command's standard input before they have started it, so a command that is fed costs
    /// one round trip more, unless it was [prepared](Self::prepare).
    ///
    /// # Errors
    /// The connection is lost, or the server opens no more channels.
    pub async fn exec(&self, command: &str, options: &ExecOptions) -> Result<Exec, SshError> {
        if let Some(ready) = self.take_prepared(command) {
            return Ok(ready);
        }
        let opened = self.open().await?;
        Exec::start(&self.inner.host, opened, command, options).await
    }

    /// Starts a command ahead of its use, so that a following [`exec`](Self::exec) of the same text can feed it at once. For interpreters
    /// that wait for their input (`sh`). The command is ended if nobody takes it before the session ends.
    ///
    /// # Errors
    /// As for [`exec`](Self::exec).
    pub async fn prepare(&self, command: &str, options: &ExecOptions) -> Result<(), SshError> {
        let opened = self.open().await?;
        let exec = Exec::start(&self.inner.host, opened, command, options).await?;
        self.prepared().push((command.to_owned(), exec));
        Ok(())
    }

    /// Starts a command with a terminal of its own, or the login shell when `command` is empty.
    ///
    /// # Errors
    /// As for [`exec`](Self::exec).
    pub async fn pty(&self, command: &str, term: &str, size: WindowSize) -> Result<Pty, SshError> {
        let opened = self.open().await?;
        Pty::start(&self.inner.host, opened, command, term, size).await
    }

    /// A stream to a socket file on the host, such as Docker's. Servers do not count these as sessions.
    ///
    /// # Errors
    /// The connection is lost, or the server forbids it or finds no such socket.
    pub async fn streamlocal(&self, path: &str) -> Result<Tunnel, SshError> {
        self.inner.link.streamlocal(&self.inner.host, path).await
    }

    /// A stream to `host:port` as the remote host sees it.
    ///
    /// # Errors
    /// The connection is lost, or the server forbids it or can't connect.
    pub async fn direct_tcpip(&self, host: &str, port: u16) -> Result<Tunnel, SshError> {
        self.inner
            .link
            .direct_tcpip(&self.inner.host, host, port)
            .await
    }

    /// Lets the host listen on `bind:port` (0: a port of its choice) and hand us what connects there.
    ///
    /// # Errors
    /// The connection is lost, or the server forbids it or the port is taken.
    pub async fn remote_forward(&self, bind: &str, port: u16) -> Result<RemoteForward, SshError> {
        RemoteForward::open(&self.inner.host, self.inner.link.clone(), bind, port).await
    }

    /// Says goodbye and ends the connection; commands still running lose theirs.
    pub async fn close(&self) {
        self.prepared().clear();
        let more = std::mem::take(&mut *self.inner.more.lock().await);
        for link in more.iter().chain([&self.inner.link]) {
            link.close().await;
        }
    }

    fn prepared(&self) -> std::sync::MutexGuard<'_, Vec<(String, Exec)>> {
        self.inner
            .prepared
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn take_prepared(&self, command: &str) -> Option<Exec> {
        let mut prepared = self.prepared();
        prepared.retain(|(_, exec)| !exec.is_lost());
        let at = prepared.iter().position(|(text, _)| text == command)?;
        Some(prepared.remove(at).1)
    }

    /// A session channel on any of the connections.
    async fn open(&self) -> Result<Opened, SshError> {
        let Inner { link, slots, .. } = &*self.inner;
        let opened = match link.take_spare().await {
            Some(opened) => opened,
            None => self.open_fresh().await?,
        };
        link.refill(slots);
        Ok(opened)
    }

    async fn open_fresh(&self) -> Result<Opened, SshError> {
        let host = &self.inner.host;
        let deadline = Instant::now() + CHANNEL_WAIT;
        let mut pause = Duration::from_millis(20);
        let mut slot = None;
        loop {
            if slot.is_none() {
                let patience = deadline.saturating_duration_since(Instant::now());
                slot = self.inner.slots.take(patience).await;
            }
            let mut refusal = None;
            let links = self.links().await;
            let tried = links.len();
            for link in links {
                let Some(held) = slot.take_if(|_| link.has_room()) else {
                    continue;
                };
                match link.open(host, held).await {
                    Ok(opened) => return Ok(opened),
                    Err((error @ SshError::ChannelRefused { .. }, back)) => {
                        refusal = Some(error);
                        slot = back;
                    }
                    Err((error, _)) => return Err(error),
                }
            }
            if Instant::now() >= deadline && !self.widen(tried, slot.is_none()).await? {
                // No further connection may be opened: wait on, unless the server is what is in the way.
                if let Some(error) = refusal {
                    return Err(error);
                }
            }
            // The server has fewer sessions for us than we count, or has not ended the last ones yet.
            sleep(pause).await;
            pause = (pause * 2).min(Duration::from_millis(500));
        }
    }

    async fn links(&self) -> Vec<Arc<Link>> {
        let more = self.inner.more.lock().await;
        let mut links = vec![self.inner.link.clone()];
        links.extend(more.iter().cloned());
        links
    }

    /// Opens one more connection, unless somebody else just did or slots came free meanwhile; false when there can be no more.
    async fn widen(&self, tried: usize, wants_slot: bool) -> Result<bool, SshError> {
        let mut more = self.inner.more.lock().await;
        if more.len() + 1 > tried || (wants_slot && self.inner.slots.has_free()) {
            return Ok(true);
        }
        let Some(shared) = self.inner.shared.upgrade().filter(|_| tried < MAX_LINKS) else {
            return Ok(false);
        };
        let link = shared.dial(&self.inner.host).await?;
        more.push(Arc::new(link));
        self.inner.slots.add_link();
        Ok(true)
    }
}
