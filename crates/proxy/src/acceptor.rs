//! Takes connections off a core's listeners and serves HTTP/1 on them; over TLS after the handshake.

use std::future::{Future as _, poll_fn};
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::client::{Client, Phase, Wish};
use crate::core::Core;
use crate::pipeline;

/// Largest request head, and with it the largest read buffer of a connection.
const LARGEST_HEAD: usize = (1 << 20) + (4 << 10);
/// A TLS handshake must be done within this.
const HANDSHAKE_TIME: Duration = Duration::from_secs(10);
/// A client that still sends gets this long to see its answer.
const LINGER_TIME: Duration = Duration::from_millis(500);

/// Accepts plain connections for ever.
pub(crate) async fn accept_http(core: Rc<Core>, listener: TcpListener) {
    let port = core.plane.http_port;
    loop {
        let Some((stream, peer)) = accept(&listener).await else {
            continue;
        };
        let core = Rc::clone(&core);
        let client = Rc::new(Client::new(peer, port, false));
        tokio::task::spawn_local(async move { serve(core, stream, client).await });
    }
}

/// Accepts TLS connections for ever.
pub(crate) async fn accept_https(core: Rc<Core>, listener: TcpListener, tls: TlsAcceptor) {
    let port = core.plane.https_port;
    loop {
        let Some((stream, peer)) = accept(&listener).await else {
            continue;
        };
        let core = Rc::clone(&core);
        let tls = tls.clone();
        tokio::task::spawn_local(async move {
            let handshake =
                tokio::time::timeout(HANDSHAKE_TIME, handshake(&core, stream, peer, tls));
            if let Ok(Some(stream)) = handshake.await {
                serve(core, stream, Rc::new(Client::new(peer, port, true))).await;
            }
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
) -> Option<tokio_rustls::server::TlsStream<TcpStream>> {
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

async fn serve<S>(core: Rc<Core>, stream: S, client: Rc<Client>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (handle, _membership) = core.clients.join(&client.phase);
    let io = TokioIo::new(Observed {
        stream,
        phase: Arc::clone(&client.phase),
    });
    let service =
        service_fn(|request| pipeline::serve(Rc::clone(&core), Rc::clone(&client), request));
    let mut builder = http1::Builder::new();
    builder
        .title_case_headers(true)
        .max_buf_size(LARGEST_HEAD)
        .max_header_size(LARGEST_HEAD);
    let mut connection = builder.serve_connection(io, service).with_upgrades();
    let mut finishing = false;
    core.stir();
    poll_fn(|cx| {
        match handle.listen(cx.waker()) {
            Wish::None => {}
            Wish::Finish if finishing => {}
            Wish::Finish => {
                finishing = true;
                Pin::new(&mut connection).graceful_shutdown();
            }
            Wish::Close => return Poll::Ready(()),
        }
        Pin::new(&mut connection).poll(cx).map(|_| ())
    })
    .await;
    if client.phase.has_unread_body()
        && let Some(parts) = connection.into_parts()
    {
        linger(parts.io.into_inner().stream).await;
    }
}

/// Reads on for a moment after an answer that came before the end of the request. Closing at once would reset
/// the connection, and the client might never see the answer.
async fn linger<S: AsyncRead + Unpin>(mut stream: S) {
    let mut scratch = [0_u8; 4096];
    let _ = tokio::time::timeout(LINGER_TIME, async {
        while let Ok(1..) = stream.read(&mut scratch).await {}
    })
    .await;
}

/// A stream that notes when bytes arrive.
struct Observed<S> {
    stream: S,
    phase: Arc<Phase>,
}

impl<S: AsyncRead + Unpin> AsyncRead for Observed<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let before = buffer.filled().len();
        let outcome = Pin::new(&mut self.stream).poll_read(cx, buffer);
        if buffer.filled().len() > before {
            self.phase.received();
        }
        outcome
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Observed<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[std::io::IoSlice<'_>],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
