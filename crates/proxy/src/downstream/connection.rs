//! Serves one client connection with HTTP/1. While a connection idles, hyper's state and buffers are given up and
//! only the socket is kept; they are made anew when the next bytes arrive.

use std::future::{Future as _, poll_fn};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf as _, Bytes};
use http::{Request, Version};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

use crate::cores::core_state::CoreState;
use crate::downstream::alt_svc;
use crate::downstream::client::{Client, Handle, Phase, Wish};
use crate::downstream::client_line::ClientLine;
use crate::downstream::inbound::InboundBody;
use crate::request::pipeline;

/// Largest request head, and with it the largest read buffer of a connection.
pub(crate) const LARGEST_HEAD: usize = (1 << 20) + (4 << 10);
/// A client that still sends gets this long to see its answer.
const LINGER_TIME: Duration = Duration::from_millis(500);

/// A stream that can be waited for without reading from it.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static {
    /// Ready when a read is worth trying.
    fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<()>;
}

impl Stream for TcpStream {
    fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<()> {
        // A new socket is taken for ready until a system call says otherwise, so one is made.
        self.poll_peek(cx, &mut ReadBuf::new(&mut [0_u8; 1]))
            .map(|_| ())
    }
}

impl Stream for TlsStream<TcpStream> {
    fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<()> {
        let (stream, session) = self.get_ref();
        if session.wants_read() {
            stream.poll_readable(cx)
        } else {
            // The first request came along with the end of the handshake, and is in here.
            Poll::Ready(())
        }
    }
}

/// Serves a connection to its end.
pub(crate) async fn serve<S: Stream>(core: Rc<CoreState>, stream: S, client: Rc<Client>) {
    let (handle, _membership) = core.clients.join(&client.phase);
    let _ = client.handle.set(Rc::clone(&handle));
    core.stir();
    let mut observed = Observed {
        stream,
        early: Bytes::new(),
        interim: Bytes::new(),
        phase: Arc::clone(&client.phase),
    };
    loop {
        if observed.early.is_empty() && !wait(&observed.stream, &handle).await {
            return;
        }
        handle.clear();
        match Box::pin(converse(&core, observed, &client, &handle)).await {
            Some(rested) => observed = rested,
            None => return,
        }
    }
}

/// Waits for bytes; `false` when the connection is to be closed instead.
async fn wait<S: Stream>(stream: &S, handle: &Handle) -> bool {
    poll_fn(|cx| match handle.listen(cx.waker()) {
        Wish::Finish | Wish::Close => Poll::Ready(false),
        Wish::None | Wish::Rest | Wish::Leave => stream.poll_readable(cx).map(|()| true),
    })
    .await
}

/// Serves requests until the connection ends, or idles; then the stream is given back.
async fn converse<S: Stream>(
    core: &Rc<CoreState>,
    stream: Observed<S>,
    client: &Rc<Client>,
    handle: &Handle,
) -> Option<Observed<S>> {
    let service = service_fn(|request: Request<Incoming>| {
        let advertisement = client
            .tls
            .then(|| alt_svc::advertisement(&core.plane, &request))
            .flatten();
        let informs = request.version() == Version::HTTP_11;
        let line = ClientLine::http1(client.handle.get().cloned(), &client.phase, informs);
        let request = request.map(InboundBody::Http1);
        let serving = pipeline::serve(Rc::clone(core), Rc::clone(client), request, line.clone());
        async move {
            let response = serving.await;
            line.finish();
            response.map(|mut response| {
                alt_svc::advertise(&mut response, advertisement);
                response
            })
        }
    });
    let mut builder = http1::Builder::new();
    builder
        .title_case_headers(true)
        .max_buf_size(LARGEST_HEAD)
        .max_header_size(LARGEST_HEAD);
    let mut connection = builder
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    let mut finishing = false;
    let rest = poll_fn(|cx| {
        match handle.listen(cx.waker()) {
            Wish::None | Wish::Leave => {}
            Wish::Rest if client.phase.may_rest() => return Poll::Ready(true),
            Wish::Rest => handle.clear(),
            Wish::Finish if finishing => {}
            Wish::Finish => {
                finishing = true;
                Pin::new(&mut connection).graceful_shutdown();
            }
            Wish::Close => return Poll::Ready(false),
        }
        ready!(pin!(&mut connection).poll(cx).map(|_| ()));
        Poll::Ready(false)
    })
    .await;
    handle.clear();
    if rest {
        let parts = connection.into_parts()?;
        let mut stream = parts.io.into_inner();
        // The start of a request may have come along with the one before.
        stream.early = parts.read_buf;
        stream.release_early();
        return Some(stream);
    }
    if client.phase.has_unread_body() {
        Box::pin(linger(connection.into_parts()?.io.into_inner().stream)).await;
    }
    None
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

/// A stream that notes when bytes arrive and when some are waiting to leave.
struct Observed<S> {
    stream: S,
    /// Read before the rest of it.
    early: Bytes,
    /// Informational responses being written.
    interim: Bytes,
    phase: Arc<Phase>,
}

impl<S> Observed<S> {
    /// Even without a byte left in it, it keeps hyper's whole buffer alive.
    fn release_early(&mut self) {
        if self.early.is_empty() {
            self.early = Bytes::new();
        }
    }
}

impl<S: AsyncWrite + Unpin> Observed<S> {
    /// Writes informational responses whose time has come; ready when hyper may write on.
    fn poll_interim(&mut self, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        loop {
            while !self.interim.is_empty() {
                self.phase.writing();
                let size = ready!(Pin::new(&mut self.stream).poll_write(cx, &self.interim))?;
                if size == 0 {
                    return Poll::Ready(Err(std::io::ErrorKind::WriteZero.into()));
                }
                self.interim.advance(size);
            }
            match self.phase.interim.take() {
                Some(bytes) => self.interim = Bytes::from(bytes),
                None => return Poll::Ready(Ok(())),
            }
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Observed<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        if !self.early.is_empty() {
            let size = self.early.len().min(buffer.remaining());
            buffer.put_slice(self.early.get(..size).unwrap_or_default());
            self.early.advance(size);
            self.release_early();
            self.phase.received();
            return Poll::Ready(Ok(()));
        }
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
        ready!(self.poll_interim(cx))?;
        self.phase.interim.writing();
        self.phase.writing();
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        // hyper flushes only after it has handed everything over.
        self.phase.interim.flushed();
        ready!(self.poll_interim(cx))?;
        ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
        self.phase.flushed();
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[std::io::IoSlice<'_>],
    ) -> Poll<std::io::Result<usize>> {
        ready!(self.poll_interim(cx))?;
        self.phase.interim.writing();
        self.phase.writing();
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
