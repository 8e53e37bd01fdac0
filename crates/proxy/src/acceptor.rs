//! Takes connections off a core's listeners; over TLS, after the handshake, like plain ones.

use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::client::{Arrival, Client};
use crate::connection::serve;
use crate::core::Core;
use crate::http2;

/// A TLS handshake must be done within this.
const HANDSHAKE_TIME: Duration = Duration::from_secs(10);

/// Accepts plain connections for ever.
pub(crate) async fn accept_http(core: Rc<Core>, listener: TcpListener) {
    let port = core.plane.http_port;
    loop {
        let Some((stream, peer)) = accept(&listener).await else {
            continue;
        };
        let arrival = Arrival::new(&core);
        let core = Rc::clone(&core);
        let client = Rc::new(Client::new(peer, port, false));
        tokio::task::spawn_local(async move {
            serve(core, stream, client).await;
            drop(arrival);
        });
    }
}

/// Accepts TLS connections for ever.
pub(crate) async fn accept_https(core: Rc<Core>, listener: TcpListener, tls: TlsAcceptor) {
    let port = core.plane.https_port;
    loop {
        let Some((stream, peer)) = accept(&listener).await else {
            continue;
        };
        let arrival = Arrival::new(&core);
        let core = Rc::clone(&core);
        let tls = tls.clone();
        tokio::task::spawn_local(async move {
            let handshake =
                tokio::time::timeout(HANDSHAKE_TIME, handshake(&core, stream, peer, tls));
            if let Ok(Some(stream)) = handshake.await {
                let client = Rc::new(Client::new(peer, port, true));
                if stream.get_ref().1.alpn_protocol() == Some(http2::ALPN) {
                    Box::pin(http2::serve(core, stream, client)).await;
                } else {
                    serve(core, stream, client).await;
                }
            }
            drop(arrival);
        });
    }
}

async fn accept(listener: &TcpListener) -> Option<(TcpStream, SocketAddr)> {
    match listener.accept().await {
        Ok((stream, peer)) => {
            let _ = stream.set_nodelay(true);
            Some((stream, peer))
        }
        Err(error) => {
            // Out of descriptors or memory: the next attempt would fail at once as well.
            if !matches!(
                error.kind(),
                std::io::ErrorKind::ConnectionAborted | std::io::ErrorKind::ConnectionReset
            ) {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            None
        }
    }
}

async fn handshake(
    core: &Core,
    mut stream: TcpStream,
    peer: SocketAddr,
    tls: TlsAcceptor,
) -> Option<TlsStream<TcpStream>> {
    let mut first = [0_u8; 1];
    if stream.peek(&mut first).await.ok()? == 1 && first.iter().all(u8::is_ascii_uppercase) {
        let answer =
            b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n";
        let _ = stream.write_all(answer).await;
        let _ = stream.shutdown().await;
        return None;
    }
    match tls.accept(stream).await {
        Ok(stream) => Some(stream),
        Err(error) => {
            let message = format!("http: TLS handshake error from {peer}: {error}");
            core.plane.log.info(&message, &[]);
            None
        }
    }
}
