//! A slow network: a port that leads to another one, every byte arriving later than it was sent.
//!
//! For measuring round trips against servers that know nothing of it. Order and pipelining are kept: what is sent together arrives together.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

/// How many pieces may be on their way in one direction.
const IN_FLIGHT: usize = 256;

/// A slow way to a server; it ends when dropped.
pub struct DelayProxy {
    address: SocketAddr,
    _tasks: JoinSet<()>,
}

impl DelayProxy {
    /// Listens on a free port of 127.0.0.1 and leads to `target`; a question and its answer take `round_trip` longer.
    ///
    /// # Errors
    /// The port can't be had.
    pub async fn start(target: SocketAddr, round_trip: Duration) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((near, _)) = listener.accept().await {
                connections.spawn(connection(near, target, round_trip / 2));
            }
        });
        Ok(Self {
            address,
            _tasks: tasks,
        })
    }

    /// The port it listens on.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.address.port()
    }
}

async fn connection(near: TcpStream, target: SocketAddr, delay: Duration) {
    let Ok(far) = TcpStream::connect(target).await else {
        return;
    };
    for stream in [&near, &far] {
        // Nagle's algorithm would add delays of its own.
        let _ = stream.set_nodelay(true);
    }
    let (near_read, near_write) = near.into_split();
    let (far_read, far_write) = far.into_split();
    let (_open, frozen) = watch::channel(false);
    tokio::join!(
        relay(near_read, far_write, delay, frozen.clone()),
        relay(far_read, near_write, delay, frozen)
    );
}

/// Hands on what is read, each piece `delay` after it came, in order and without waiting for the one before; holds back while `frozen`.
pub(crate) async fn relay(
    mut read: impl AsyncRead + Unpin,
    mut write: impl AsyncWrite + Unpin,
    delay: Duration,
    mut frozen: watch::Receiver<bool>,
) {
    let (sender, mut receiver) = mpsc::channel::<(Instant, Bytes)>(IN_FLIGHT);
    let reading = async move {
        let mut buffer = vec![0; 16 * 1024];
        while let Ok(count @ 1..) = read.read(&mut buffer).await {
            let piece = Bytes::copy_from_slice(buffer.get(..count).unwrap_or_default());
            if sender.send((Instant::now() + delay, piece)).await.is_err() {
                return;
            }
        }
    };
    let writing = async move {
        while let Some((due, piece)) = receiver.recv().await {
            sleep_until(due).await;
            if frozen.wait_for(|frozen| !frozen).await.is_err()
                || write.write_all(&piece).await.is_err()
            {
                return;
            }
        }
        let _ = write.shutdown().await;
    };
    tokio::join!(reading, writing);
}
