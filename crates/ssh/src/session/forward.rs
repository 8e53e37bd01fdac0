//! A port on the host whose connections come to us.

use std::sync::Arc;

use tokio::runtime::Handle;
use tokio::sync::mpsc;

use super::link::Link;
use super::tunnel::Tunnel;
use crate::error::SshError;

/// How many connections may wait to be accepted; the server is told to refuse more.
const BACKLOG: usize = 128;

/// A connection that arrived at a forwarded port.
#[derive(Debug)]
pub struct Incoming {
    /// Who connected over there, as `address:port`.
    pub origin: String,
    /// The connection.
    pub tunnel: Tunnel,
}

/// A port the host listens on for us, until this is dropped.
pub struct RemoteForward {
    bind: String,
    port: u16,
    incoming: mpsc::Receiver<Incoming>,
    link: Arc<Link>,
}

impl std::fmt::Debug for RemoteForward {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RemoteForward")
            .field("bind", &self.bind)
            .field("port", &self.port)
            .finish_non_exhaustive()
    }
}

impl RemoteForward {
    pub(crate) async fn open(
        host: &str,
        link: Arc<Link>,
        bind: &str,
        port: u16,
    ) -> Result<Self, SshError> {
        let (sender, incoming) = mpsc::channel(BACKLOG);
        // With a known port the taker stands ready before the first connection can arrive.
        if port != 0 {
            link.forwards.add(u32::from(port), sender.clone());
        }
        let refused = |reason: String| SshError::ChannelRefused {
            host: host.to_owned(),
            what: format!("listening on `{bind}:{port}`"),
            reason,
        };
        let bound = match link.handle.tcpip_forward(bind, u32::from(port)).await {
            Ok(0) => port,
            Ok(chosen) => u16::try_from(chosen)
                .map_err(|_| refused(format!("port {chosen} is out of range")))?,
            Err(error) => {
                link.forwards.remove(u32::from(port));
                return Err(match error {
                    russh::Error::RequestDenied => {
                        refused("the port is taken, or forwarding is prohibited".to_owned())
                    }
                    _ => link.lost(host),
                });
            }
        };
        link.forwards.add(u32::from(bound), sender);
        Ok(Self {
            bind: bind.to_owned(),
            port: bound,
            incoming,
            link,
        })
    }

    /// The port the host listens on.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The next connection; `None` when the ssh connection is lost.
    pub async fn accept(&mut self) -> Option<Incoming> {
        tokio::select! {
            biased;
            incoming = self.incoming.recv() => incoming,
            _ = self.link.closed() => None,
        }
    }
}

impl Drop for RemoteForward {
    fn drop(&mut self) {
        self.link.forwards.remove(u32::from(self.port));
        let (link, bind, port) = (
            self.link.clone(),
            std::mem::take(&mut self.bind),
            u32::from(self.port),
        );
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(async move { link.handle.cancel_tcpip_forward(bind, port).await });
        }
    }
}
