//! quinn's connections and streams in the form that h3 wants: a thin adapter, and ours, because the published one
//! can panic when a stream is refused while it is read.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::Future;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, Bytes};
use h3::error::Code;
use h3::quic::{self, ConnectionErrorIncoming, StreamErrorIncoming, StreamId, WriteBuf};
use quinn::{ConnectionError, ReadError, VarInt, WriteError};

use super::connection::LARGEST_HEAD;
use super::frame_gate::{FrameGate, Held};

type Next<T> = Option<Pin<Box<dyn Future<Output = Result<T, ConnectionError>>>>>;
/// Ends when the client stops an answer, or has received all of it.
pub(super) type Stopped = Pin<Box<dyn Future<Output = ()>>>;

/// What is known of a request's stream beside what h3 makes of it.
pub(super) struct Accepted {
    id: StreamId,
    /// See [`Stopped`].
    pub(super) stopped: Stopped,
    /// Data that h3 holds.
    pub(super) held: Held,
}

/// The requests' streams in the order of their arrival, for whoever has them from h3.
#[derive(Clone, Default)]
pub(super) struct AcceptedStreams(Rc<RefCell<VecDeque<Accepted>>>);

impl AcceptedStreams {
    /// The one called `id`; those before it were turned away by h3.
    pub(super) fn take(&self, id: StreamId) -> Option<Accepted> {
        let mut streams = self.0.borrow_mut();
        while let Some(stream) = streams.pop_front() {
            if stream.id == id {
                return Some(stream);
            }
        }
        None
    }
}

/// A connection.
pub(super) struct Connection {
    inner: quinn::Connection,
    uni: Next<quinn::RecvStream>,
    bidi: Next<(quinn::SendStream, quinn::RecvStream)>,
    open: Next<quinn::SendStream>,
    accepted: AcceptedStreams,
}

impl Connection {
    pub(super) fn new(inner: quinn::Connection, accepted: AcceptedStreams) -> Self {
        Self {
            inner,
            uni: None,
            bidi: None,
            open: None,
            accepted,
        }
    }
}

impl quic::Connection<Bytes> for Connection {
    type RecvStream = RecvStream;
    type OpenStreams = Opener;

    fn poll_accept_recv(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<RecvStream, ConnectionErrorIncoming>> {
        let connection = &self.inner;
        let next = self.uni.get_or_insert_with(|| {
            let connection = connection.clone();
            Box::pin(async move { connection.accept_uni().await })
        });
        let stream = ready!(next.as_mut().poll(cx));
        self.uni = None;
        Poll::Ready(match stream {
            Ok(stream) => Ok(RecvStream::new(stream, FrameGate::unidirectional())),
            Err(error) => Err(of_connection(error)),
        })
    }

    fn poll_accept_bidi(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<BidiStream, ConnectionErrorIncoming>> {
        let connection = &self.inner;
        let next = self.bidi.get_or_insert_with(|| {
            let connection = connection.clone();
            Box::pin(async move { connection.accept_bi().await })
        });
        let streams = ready!(next.as_mut().poll(cx));
        self.bidi = None;
        let (send, recv) = match streams {
            Ok(streams) => streams,
            Err(error) => return Poll::Ready(Err(of_connection(error))),
        };
        let stopped = send.stopped();
        let held = Held::default();
        let stream = BidiStream {
            send: SendStream::new(send),
            recv: RecvStream::new(recv, FrameGate::request(LARGEST_HEAD, held.clone())),
        };
        self.accepted.0.borrow_mut().push_back(Accepted {
            id: quic::RecvStream::recv_id(&stream.recv),
            stopped: Box::pin(async move {
                let _ = stopped.await;
            }),
            held,
        });
        Poll::Ready(Ok(stream))
    }

    fn opener(&self) -> Opener {
        Opener {
            inner: self.inner.clone(),
        }
    }
}

impl quic::OpenStreams<Bytes> for Connection {
    type BidiStream = BidiStream;
    type SendStream = SendStream;

    fn poll_open_bidi(
        &mut self,
        _: &mut Context<'_>,
    ) -> Poll<Result<BidiStream, StreamErrorIncoming>> {
        Poll::Ready(Err(not_opened()))
    }

    fn poll_open_send(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<SendStream, StreamErrorIncoming>> {
        let connection = &self.inner;
        let next = self.open.get_or_insert_with(|| {
            let connection = connection.clone();
            Box::pin(async move { connection.open_uni().await })
        });
        let stream = ready!(next.as_mut().poll(cx));
        self.open = None;
        Poll::Ready(match stream {
            Ok(stream) => Ok(SendStream::new(stream)),
            Err(error) => Err(StreamErrorIncoming::ConnectionErrorIncoming {
                connection_error: of_connection(error),
            }),
        })
    }

    fn close(&mut self, code: Code, reason: &[u8]) {
        self.inner.close(number(code.value()), reason);
    }
}

/// Opens streams of ours; a server opens none but h3's own, which the connection itself opens.
pub(super) struct Opener {
    inner: quinn::Connection,
}

impl quic::OpenStreams<Bytes> for Opener {
    type BidiStream = BidiStream;
    type SendStream = SendStream;

    fn poll_open_bidi(
        &mut self,
        _: &mut Context<'_>,
    ) -> Poll<Result<BidiStream, StreamErrorIncoming>> {
        Poll::Ready(Err(not_opened()))
    }

    fn poll_open_send(
        &mut self,
        _: &mut Context<'_>,
    ) -> Poll<Result<SendStream, StreamErrorIncoming>> {
        Poll::Ready(Err(not_opened()))
    }

    fn close(&mut self, code: Code, reason: &[u8]) {
        self.inner.close(number(code.value()), reason);
    }
}

/// A request's stream.
pub(super) struct BidiStream {
    send: SendStream,
    recv: RecvStream,
}

impl quic::BidiStream<Bytes> for BidiStream {
    type SendStream = SendStream;
    type RecvStream = RecvStream;

    fn split(self) -> (SendStream, RecvStream) {
        (self.send, self.recv)
    }
}

impl quic::RecvStream for BidiStream {
    type Buf = Bytes;

    fn poll_data(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<Bytes>, StreamErrorIncoming>> {
        self.recv.poll_data(cx)
    }

    fn stop_sending(&mut self, error_code: u64) {
        self.recv.stop_sending(error_code);
    }

    fn recv_id(&self) -> StreamId {
        self.recv.recv_id()
    }
}

impl quic::SendStream<Bytes> for BidiStream {
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), StreamErrorIncoming>> {
        self.send.poll_ready(cx)
    }

    fn send_data<T: Into<WriteBuf<Bytes>>>(&mut self, data: T) -> Result<(), StreamErrorIncoming> {
        self.send.send_data(data)
    }

    fn poll_finish(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), StreamErrorIncoming>> {
        self.send.poll_finish(cx)
    }

    fn reset(&mut self, reset_code: u64) {
        self.send.reset(reset_code);
    }

    fn send_id(&self) -> StreamId {
        self.send.send_id()
    }
}

/// What a client sends.
pub(super) struct RecvStream {
    stream: quinn::RecvStream,
    gate: FrameGate,
    /// Received and not yet let through.
    received: Bytes,
}

/// Bytes taken off a stream at once.
const LARGEST_READ: usize = 64 << 10;

impl RecvStream {
    fn new(stream: quinn::RecvStream, gate: FrameGate) -> Self {
        Self {
            stream,
            gate,
            received: Bytes::new(),
        }
    }
}

impl quic::RecvStream for RecvStream {
    type Buf = Bytes;

    fn poll_data(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<Bytes>, StreamErrorIncoming>> {
        // h3 has data that it will give out before it asks again: whoever takes that comes back by itself.
        if self.gate.is_closed() {
            return Poll::Pending;
        }
        loop {
            match self.gate.pass(&mut self.received) {
                Ok(Some(piece)) => return Poll::Ready(Ok(Some(piece))),
                Ok(None) => {}
                Err(_) => {
                    let code = Code::H3_EXCESSIVE_LOAD.value();
                    let _ = self.stream.stop(number(code));
                    return Poll::Ready(Err(StreamErrorIncoming::StreamTerminated {
                        error_code: code,
                    }));
                }
            }
            // The future holds no state of its own, so a fresh one each time continues where the last one waited.
            let chunk = pin!(self.stream.read_chunk(LARGEST_READ, true)).poll(cx);
            match ready!(chunk) {
                Ok(Some(chunk)) => self.received = chunk.bytes,
                Ok(None) => return Poll::Ready(Ok(None)),
                Err(error) => return Poll::Ready(Err(of_read(error))),
            }
        }
    }

    fn stop_sending(&mut self, error_code: u64) {
        let _ = self.stream.stop(number(error_code));
    }

    fn recv_id(&self) -> StreamId {
        stream_id(self.stream.id())
    }
}

/// What a client gets.
pub(super) struct SendStream {
    stream: quinn::SendStream,
    writing: Option<WriteBuf<Bytes>>,
}

impl SendStream {
    fn new(stream: quinn::SendStream) -> Self {
        Self {
            stream,
            writing: None,
        }
    }
}

impl quic::SendStream<Bytes> for SendStream {
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), StreamErrorIncoming>> {
        while let Some(data) = &mut self.writing {
            if !data.has_remaining() {
                self.writing = None;
                break;
            }
            let written = ready!(Pin::new(&mut self.stream).poll_write(cx, data.chunk()));
            match written {
                Ok(size) => data.advance(size),
                Err(error) => {
                    self.writing = None;
                    return Poll::Ready(Err(of_write(error)));
                }
            }
        }
        Poll::Ready(Ok(()))
    }

    fn send_data<T: Into<WriteBuf<Bytes>>>(&mut self, data: T) -> Result<(), StreamErrorIncoming> {
        if self.writing.is_some() {
            return Err(internal("data was sent before there was room for it"));
        }
        self.writing = Some(data.into());
        Ok(())
    }

    fn poll_finish(&mut self, _: &mut Context<'_>) -> Poll<Result<(), StreamErrorIncoming>> {
        Poll::Ready(self.stream.finish().map_err(unknown))
    }

    fn reset(&mut self, reset_code: u64) {
        let _ = self.stream.reset(number(reset_code));
    }

    fn send_id(&self) -> StreamId {
        stream_id(self.stream.id())
    }
}

fn number(value: u64) -> VarInt {
    VarInt::from_u64(value).unwrap_or(VarInt::MAX)
}

#[expect(
    clippy::expect_used,
    reason = "both sides' ids are 62 bits wide, and h3 offers no way to make one but a checked one"
)]
fn stream_id(id: quinn::StreamId) -> StreamId {
    StreamId::try_from(u64::from(id)).expect("a stream id of 62 bits")
}

fn of_connection(error: ConnectionError) -> ConnectionErrorIncoming {
    match error {
        ConnectionError::ApplicationClosed(close) => ConnectionErrorIncoming::ApplicationClose {
            error_code: close.error_code.into_inner(),
        },
        ConnectionError::TimedOut => ConnectionErrorIncoming::Timeout,
        error => ConnectionErrorIncoming::Undefined(Arc::new(error)),
    }
}

fn of_read(error: ReadError) -> StreamErrorIncoming {
    match error {
        ReadError::Reset(code) => StreamErrorIncoming::StreamTerminated {
            error_code: code.into_inner(),
        },
        ReadError::ConnectionLost(error) => StreamErrorIncoming::ConnectionErrorIncoming {
            connection_error: of_connection(error),
        },
        error => unknown(error),
    }
}

fn of_write(error: WriteError) -> StreamErrorIncoming {
    match error {
        WriteError::Stopped(code) => StreamErrorIncoming::StreamTerminated {
            error_code: code.into_inner(),
        },
        WriteError::ConnectionLost(error) => StreamErrorIncoming::ConnectionErrorIncoming {
            connection_error: of_connection(error),
        },
        error => unknown(error),
    }
}

fn unknown(error: impl std::error::Error + Send + Sync + 'static) -> StreamErrorIncoming {
    StreamErrorIncoming::Unknown(Box::new(error))
}

fn not_opened() -> StreamErrorIncoming {
    internal("a server opens no such streams")
}

fn internal(text: &str) -> StreamErrorIncoming {
    StreamErrorIncoming::ConnectionErrorIncoming {
        connection_error: ConnectionErrorIncoming::InternalError(text.to_owned()),
    }
}
