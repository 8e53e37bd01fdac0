//! Forwards: streams to where the client wants to go, and ports whose connections go to the client.

use std::io;
use std::net::SocketAddr;

use russh::Channel;
use russh::server::{Handle, Msg};
use tokio::io::{AsyncRead, AsyncWrite, copy_bidirectional};
use tokio::net::TcpListener;
use tokio::task::AbortHandle;

/// Carries bytes between a channel and a local stream until both are done.
pub(crate) fn carry(
    channel: Channel<Msg>,
    mut local: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
) {
    tokio::spawn(async move {
        let mut remote = channel.into_stream();
        // Either end may break off; the other one sees it.
        let _ = copy_bidirectional(&mut remote, &mut local).await;
    });
}

/// Listens for the client; returns the port and what stops it.
pub(crate) async fn listen(
    handle: Handle,
    address: &str,
    port: u16,
) -> io::Result<(u16, AbortHandle)> {
    let any = SocketAddr::from(([127, 0, 0, 1], port));
    let listener = TcpListener::bind(any).await?;
    let bound = listener.local_addr()?.port();
    let address = address.to_owned();
    let task = tokio::spawn(async move {
        while let Ok((stream, origin)) = listener.accept().await {
            let opened = handle
                .channel_open_forwarded_tcpip(
                    address.clone(),
                    u32::from(bound),
                    origin.ip().to_string(),
                    u32::from(origin.port()),
                )
                .await;
            if let Ok(channel) = opened {
                carry(channel, stream);
            }
        }
    });
    Ok((bound, task.abort_handle()))
}
