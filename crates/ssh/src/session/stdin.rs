//! The input of a command.

use std::sync::Arc;

use bytes::Bytes;
use russh::ChannelWriteHalf;
use russh::client::Msg;
use tokio::runtime::Handle;
use tokio::sync::watch;

use super::channel::Line;
use crate::dial::Lost;
use crate::error::SshError;

/// Writes to a command's standard input, as fast as the command reads. Dropping it closes the input.
pub struct Stdin {
    host: String,
    write: Arc<ChannelWriteHalf<Msg>>,
    ended: watch::Receiver<bool>,
    lost: watch::Receiver<Lost>,
    open: bool,
}

impl std::fmt::Debug for Stdin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stdin")
            .field("host", &self.host)
            .field("open", &self.open)
            .finish_non_exhaustive()
    }
}

impl Stdin {
    pub(crate) fn new(host: &str, line: &Line) -> Self {
        Self {
            host: host.to_owned(),
            write: line.write.clone(),
            ended: line.ended.subscribe(),
            lost: line.lost.clone(),
            open: true,
        }
    }

    /// Writes everything; returns when the last byte is on its way. Somebody else must read the command's output meanwhile, or both
    /// sides may end up waiting for each other; see [`Exec::drive`](super::Exec::drive).
    ///
    /// # Errors
    /// The command ended or the connection is lost.
    pub async fn write(&mut self, bytes: Bytes) -> Result<(), SshError> {
        let sent = {
            let gone = async {
                tokio::select! {
                    _ = self.ended.wait_for(|ended| *ended) => {}
                    _ = self.lost.wait_for(Option::is_some) => {}
                }
            };
            tokio::select! {
                sent = self.write.data_bytes(bytes) => sent.is_ok(),
                () = gone => false,
            }
        };
        if sent { Ok(()) } else { Err(self.closed()) }
    }

    /// Tells the command that nothing more comes.
    ///
    /// # Errors
    /// The connection is lost.
    pub async fn close(mut self) -> Result<(), SshError> {
        self.open = false;
        self.write.eof().await.map_err(|_| self.closed())
    }

    fn closed(&self) -> SshError {
        match self.lost.borrow().as_ref() {
            Some(reason) => SshError::ConnectionLost {
                host: self.host.clone(),
                reason: reason.to_string(),
            },
            None => SshError::InputClosed {
                host: self.host.clone(),
            },
        }
    }
}

impl Drop for Stdin {
    fn drop(&mut self) {
        if !self.open || *self.ended.borrow() {
            return;
        }
        let write = self.write.clone();
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(async move { write.eof().await });
        }
    }
}
