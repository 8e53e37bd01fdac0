//! One connection: its channels, and one kept open in reserve.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use russh::client::{Handle, Msg};
use russh::{Channel, Disconnect};
use tokio::sync::{oneshot, watch};
use tokio::time::timeout;

use super::channel::Opened;
use super::slots::{PER_LINK, Slot, Slots};
use super::tunnel::Tunnel;
use crate::dial::{Client, Forwards, Lost, Route};
use crate::error::SshError;

/// How long saying goodbye may take.
const GOODBYE: Duration = Duration::from_secs(2);

/// An authenticated connection.
pub(crate) struct Link {
    pub(crate) handle: Handle<Client>,
    pub(crate) forwards: Forwards,
    lost: watch::Receiver<Lost>,
    used: Arc<AtomicUsize>,
    spare: Mutex<Option<oneshot::Receiver<Opened>>>,
    /// Set when the server refused a channel in reserve: it has none to spare.
    stingy: AtomicBool,
    /// Whether commands may use our agent.
    forward_agent: bool,
}

impl Link {
    pub(crate) fn new(
        handle: Handle<Client>,
        lost: watch::Receiver<Lost>,
        forwards: Forwards,
        route: &Route,
    ) -> Self {
        Self {
            handle,
            forwards,
            lost,
            used: Arc::default(),
            spare: Mutex::default(),
            stingy: AtomicBool::new(false),
            forward_agent: route.forward_agent && route.credentials.agent.is_some(),
        }
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.handle.is_closed() || self.lost.borrow().is_some()
    }

    /// Waits for the end of the connection and tells its reason.
    pub(crate) async fn closed(&self) -> Arc<str> {
        let mut lost = self.lost.clone();
        let reason = lost
            .wait_for(Option::is_some)
            .await
            .ok()
            .and_then(|reason| reason.clone());
        reason.unwrap_or_else(|| Arc::from("closed"))
    }

    /// The error for something that ended because the connection did.
    pub(crate) fn lost(&self, host: &str) -> SshError {
        let reason = self.lost.borrow().clone();
        SshError::ConnectionLost {
            host: host.to_owned(),
            reason: reason.map_or_else(|| "closed".to_owned(), |reason| reason.to_string()),
        }
    }

    /// Whether a channel may be opened here, as far as we count them.
    pub(crate) fn has_room(&self) -> bool {
        self.used.load(Ordering::SeqCst) < PER_LINK
    }

    /// The channel in reserve, if there is one or one is on its way.
    pub(crate) async fn take_spare(&self) -> Option<Opened> {
        let coming = self
            .spare
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()?;
        coming.await.ok()
    }

    /// Opens a channel in reserve, in the background, if there is none and it would not take the last slot.
    pub(crate) fn refill(self: &Arc<Self>, slots: &Slots) {
        let mut spare = self.spare.lock().unwrap_or_else(PoisonError::into_inner);
        if spare.is_some() || self.stingy.load(Ordering::Relaxed) || !self.has_room() {
            return;
        }
        let Some(mut slot) = slots.take_spare() else {
            return;
        };
        slot.charge(&self.used);
        let (sender, receiver) = oneshot::channel();
        *spare = Some(receiver);
        // The task must not keep the connection alive by itself.
        let link = Arc::downgrade(self);
        tokio::spawn(async move {
            let Some(link) = link.upgrade() else { return };
            match link.open_now(slot).await {
                // Nobody there to take it any more: dropping it closes it.
                Ok(opened) => drop(sender.send(opened)),
                Err((russh::Error::ChannelOpenFailure(_), _)) => {
                    link.stingy.store(true, Ordering::Relaxed);
                }
                Err(_) => {}
            }
        });
    }

    /// Opens a session channel; a failure gives the slot back. The opening goes on by itself when the caller goes away, so that no channel
    /// is left open unseen.
    pub(crate) async fn open(
        self: &Arc<Self>,
        host: &str,
        mut slot: Slot,
    ) -> Result<Opened, (SshError, Option<Slot>)> {
        slot.charge(&self.used);
        let link = self.clone();
        let opening = tokio::spawn(async move { link.open_now(slot).await });
        match opening.await {
            Ok(Ok(opened)) => Ok(opened),
            Ok(Err((error, slot))) => {
                Err((self.refused(host, "a session channel", &error), Some(slot)))
            }
            Err(_) => Err((self.lost(host), None)),
        }
    }

    async fn open_now(&self, slot: Slot) -> Result<Opened, (russh::Error, Slot)> {
        match self.handle.channel_open_session().await {
            Ok(channel) => Ok(Opened::new(
                channel,
                slot,
                self.lost.clone(),
                self.forward_agent,
            )),
            Err(error) => Err((error, slot)),
        }
    }

    pub(crate) async fn streamlocal(
        self: &Arc<Self>,
        host: &str,
        path: &str,
    ) -> Result<Tunnel, SshError> {
        let (link, owned) = (self.clone(), path.to_owned());
        self.tunnel(host, path, async move {
            link.handle.channel_open_direct_streamlocal(owned).await
        })
        .await
    }

    pub(crate) async fn direct_tcpip(
        self: &Arc<Self>,
        host: &str,
        name: &str,
        port: u16,
    ) -> Result<Tunnel, SshError> {
        let (link, owned) = (self.clone(), name.to_owned());
        let what = format!("{name}:{port}");
        self.tunnel(host, &what, async move {
            link.handle
                .channel_open_direct_tcpip(owned, u32::from(port), "127.0.0.1", 0)
                .await
        })
        .await
    }

    async fn tunnel(
        &self,
        host: &str,
        what: &str,
        opening: impl Future<Output = Result<Channel<Msg>, russh::Error>> + Send + 'static,
    ) -> Result<Tunnel, SshError> {
        let opening = tokio::spawn(async move { opening.await.map(Tunnel::new) });
        match opening.await {
            Ok(Ok(tunnel)) => Ok(tunnel),
            Ok(Err(error)) => Err(self.refused(host, &format!("a stream to `{what}`"), &error)),
            Err(_) => Err(self.lost(host)),
        }
    }

    fn refused(&self, host: &str, what: &str, error: &russh::Error) -> SshError {
        match error {
            russh::Error::ChannelOpenFailure(reason) => SshError::ChannelRefused {
                host: host.to_owned(),
                what: what.to_owned(),
                reason: reason.description().to_lowercase(),
            },
            _ => self.lost(host),
        }
    }

    /// Says goodbye and waits a moment for it to be sent.
    pub(crate) async fn close(&self) {
        drop(
            self.spare
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .take(),
        );
        if self
            .handle
            .disconnect(Disconnect::ByApplication, "", "")
            .await
            .is_ok()
        {
            let _ = timeout(GOODBYE, self.closed()).await;
        }
    }
}
