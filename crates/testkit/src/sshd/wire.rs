//! The network in between: delays, silence, and cable cutters.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf, duplex, split};
use tokio::net::TcpStream;
use tokio::sync::watch;

use super::Shared;
use crate::delay::relay;

/// A client's connection as the server sees it.
pub(crate) struct Wire {
    carrier: Carrier,
    cut: Pin<Box<dyn Future<Output = ()> + Send>>,
    is_cut: bool,
}

enum Carrier {
    Straight(TcpStream),
    Delayed(DuplexStream),
}

impl Wire {
    pub(crate) fn new(stream: TcpStream, shared: &Shared) -> Self {
        let delay = shared.config.round_trip / 2;
        let carrier = if delay.is_zero() {
            Carrier::Straight(stream)
        } else {
            Carrier::Delayed(delayed(stream, delay, &shared.frozen.subscribe()))
        };
        let mut cuts = shared.cuts.subscribe();
        Self {
            carrier,
            cut: Box::pin(async move {
                // An error means that the server itself is gone.
                let _ = cuts.changed().await;
            }),
            is_cut: false,
        }
    }

    fn check(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        self.is_cut = self.is_cut || self.cut.as_mut().poll(cx).is_ready();
        if self.is_cut {
            Err(io::ErrorKind::ConnectionReset.into())
        } else {
            Ok(())
        }
    }
}

fn delayed(stream: TcpStream, delay: Duration, frozen: &watch::Receiver<bool>) -> DuplexStream {
    let (near, far) = duplex(64 * 1024);
    let (near_read, near_write) = split(near);
    let (read, write) = stream.into_split();
    tokio::spawn(relay(read, near_write, delay, frozen.clone()));
    tokio::spawn(relay(near_read, write, delay, frozen.clone()));
    far
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.check(cx)?;
        match &mut self.carrier {
            Carrier::Straight(stream) => Pin::new(stream).poll_read(cx, buf),
            Carrier::Delayed(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.is_cut {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        match &mut self.carrier {
            Carrier::Straight(stream) => Pin::new(stream).poll_write(cx, buf),
            Carrier::Delayed(stream) => Pin::new(stream).poll_write(cx, buf),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.carrier {
            Carrier::Straight(stream) => Pin::new(stream).poll_flush(cx),
            Carrier::Delayed(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.carrier {
            Carrier::Straight(stream) => Pin::new(stream).poll_shutdown(cx),
            Carrier::Delayed(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
