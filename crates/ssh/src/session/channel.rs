//! A session channel that closes itself.

use std::sync::Arc;

use russh::client::Msg;
use russh::{Channel, ChannelReadHalf, ChannelWriteHalf};
use tokio::runtime::Handle;
use tokio::sync::watch;

use super::slots::Slot;
use crate::dial::Lost;
use crate::error::SshError;

/// A confirmed session channel on which nothing was started yet. Dropped unused it is closed.
pub(crate) struct Opened {
    pub(crate) read: ChannelReadHalf,
    pub(crate) line: Line,
}

/// The sending side of a channel; closes it when dropped before the server did, and gives back its slot.
pub(crate) struct Line {
    pub(crate) write: Arc<ChannelWriteHalf<Msg>>,
    /// The fate of the connection.
    pub(crate) lost: watch::Receiver<Lost>,
    /// Becomes true when the channel is closed.
    pub(crate) ended: watch::Sender<bool>,
    /// Whether commands on this connection may use our agent.
    pub(crate) forward_agent: bool,
    slot: Option<Slot>,
}

impl Opened {
    pub(crate) fn new(
        channel: Channel<Msg>,
        slot: Slot,
        lost: watch::Receiver<Lost>,
        forward_agent: bool,
    ) -> Self {
        let (read, write) = channel.split();
        Self {
            read,
            line: Line {
                write: Arc::new(write),
                lost,
                ended: watch::channel(false).0,
                forward_agent,
                slot: Some(slot),
            },
        }
    }
}

impl Line {
    /// The server closed the channel.
    pub(crate) fn end(&mut self) {
        self.ended.send_replace(true);
        self.slot = None;
    }

    pub(crate) fn has_ended(&self) -> bool {
        *self.ended.borrow()
    }

    /// The error for a channel that ended with its connection, or by itself without a result.
    pub(crate) fn lost(&self, host: &str, otherwise: &str) -> SshError {
        let reason = self.lost.borrow().clone();
        let reason = match reason {
            Some(reason) => reason.to_string(),
            // The connection's end was not even noticed in good order.
            None if self.lost.has_changed().is_err() => "broken off".to_owned(),
            None => otherwise.to_owned(),
        };
        SshError::ConnectionLost {
            host: host.to_owned(),
            reason,
        }
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        if self.has_ended() {
            return;
        }
        self.ended.send_replace(true);
        let (write, slot) = (self.write.clone(), self.slot.take());
        // Without a runtime the connection is gone anyway.
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(async move {
                let _ = write.close().await;
                drop(slot);
            });
        }
    }
}
