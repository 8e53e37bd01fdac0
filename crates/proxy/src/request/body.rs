//! Response bodies on their way to the client: nothing, one piece, a gathered body, or what the target sends as
//! it sends it. Each carries its exchange along, so that the access log knows what was sent.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use crate::request::buffer::BufferedBody;
use crate::request::exchange::Exchange;
use crate::request::failure::{Failure, TargetError};
use crate::request::gunzip::{Gunzip, NotGzip};
use crate::request::sniff::sniff;
use crate::upstream::lane::{InFlight, Verdict};
use crate::upstream::{BodyDecoder, Connection, Decoded, Malformed, RequestSender, SendError};

/// A response body for hyper.
pub(crate) struct ClientBody {
    kind: BodyKind,
    exchange: Option<Box<Exchange>>,
}

/// Where the bytes come from.
pub(crate) enum BodyKind {
    /// Nowhere.
    Empty,
    /// They are all here.
    Full(Bytes),
    /// They were gathered.
    Buffered(Box<BufferedBody>),
    /// The target is still sending.
    Stream(Box<TargetBody>),
}

impl BodyKind {
    /// What kind of body this is, by its first bytes; `None` when there are none.
    ///
    /// # Errors
    /// When the target breaks off before the first.
    pub(crate) async fn sniff(&mut self) -> Result<Option<&'static str>, Failure> {
        let start: &[u8] = match self {
            Self::Empty => &[],
            Self::Full(bytes) => bytes,
            Self::Buffered(body) => body.start(),
            Self::Stream(body) => body.peek().await?,
        };
        Ok((!start.is_empty()).then(|| sniff(start)))
    }
}

/// The response broke off; hyper closes the connection, so that the client sees it too.
#[derive(Debug, thiserror::Error)]
#[error("the response broke off")]
pub(crate) struct BrokenOff;

/// A body still coming from a target, with everything that must live as long.
pub(crate) struct TargetBody {
    /// The connection it comes on; gone at the end.
    connection: Option<Connection>,
    decoder: BodyDecoder,
    keep_alive: bool,
    /// The rest of the request, if the target answered before it was out.
    request: Option<RequestSender>,
    in_flight: InFlight,
    /// Unpacks what the client did not ask to be packed.
    gunzip: Option<Box<Gunzip>>,
    /// Read before its turn, to see what it is.
    peeked: Option<Frame<Bytes>>,
}

impl ClientBody {
    /// A body that belongs to `exchange`; without one nothing is logged.
    pub(crate) fn new(kind: BodyKind, exchange: Option<Box<Exchange>>) -> Self {
        Self { kind, exchange }
    }

    fn poll_kind(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BrokenOff>>> {
        Poll::Ready(match &mut self.kind {
            BodyKind::Empty => None,
            BodyKind::Full(bytes) => {
                let bytes = std::mem::take(bytes);
                self.kind = BodyKind::Empty;
                Some(Ok(Frame::data(bytes)))
            }
            BodyKind::Buffered(body) => match body.next_frame() {
                Ok(frame) => frame.map(Ok),
                Err(_) => Some(Err(BrokenOff)),
            },
            BodyKind::Stream(body) => {
                ready!(body.poll_piece(cx)).map(|piece| piece.map_err(|_| BrokenOff))
            }
        })
    }
}

impl Body for ClientBody {
    type Data = Bytes;
    type Error = BrokenOff;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BrokenOff>>> {
        let frame = ready!(self.poll_kind(cx));
        if let (Some(Ok(frame)), Some(exchange)) = (&frame, &mut self.exchange)
            && let Some(data) = frame.data_ref()
        {
            exchange.sent += data.len() as u64;
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.kind, BodyKind::Empty)
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            BodyKind::Empty => SizeHint::with_exact(0),
            BodyKind::Full(bytes) => SizeHint::with_exact(bytes.len() as u64),
            BodyKind::Buffered(body) => SizeHint::with_exact(body.total()),
            BodyKind::Stream(body) => body
                .length()
                .map_or_else(SizeHint::default, SizeHint::with_exact),
        }
    }
}

impl TargetBody {
    pub(crate) fn new(
        connection: Connection,
        decoder: BodyDecoder,
        keep_alive: bool,
        request: RequestSender,
        in_flight: InFlight,
    ) -> Self {
        // From here on the body may take all the time it wants.
        in_flight.set_deadline(None);
        // A body that was never asked for is not sent any more, and so the connection is of no further use.
        let unwanted = request.is_held();
        let request = (!request.is_done() && !unwanted).then_some(request);
        Self {
            connection: Some(connection),
            decoder,
            keep_alive: keep_alive && !unwanted,
            request,
            in_flight,
            gunzip: None,
            peeked: None,
        }
    }

    /// Whether the target writes without having said how much: it wants each piece passed on when it is there, buffering or not.
    pub(crate) fn is_chunked(&self) -> bool {
        matches!(self.decoder, BodyDecoder::Chunked(_))
    }

    /// Unpacks gzip from here on.
    pub(crate) fn unpack(&mut self) {
        self.gunzip = Some(Box::default());
    }

    /// Waits for the first piece and gives its data without taking it away.
    ///
    /// # Errors
    /// When the target breaks off before one.
    pub(crate) async fn peek(&mut self) -> Result<&[u8], Failure> {
        self.peeked = poll_fn(|cx| self.poll_piece(cx)).await.transpose()?;
        let data = self.peeked.as_ref().and_then(Frame::data_ref);
        Ok(data.map_or(&[], |data| data))
    }

    /// The next piece; `None` at the proper end. Pieces are data or, last, trailers.
    pub(crate) fn poll_piece(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Failure>>> {
        if self.peeked.is_some() {
            return Poll::Ready(self.peeked.take().map(Ok));
        }
        if self.gunzip.is_none() {
            return self.poll_raw(cx);
        }
        loop {
            if let Some(gunzip) = &mut self.gunzip {
                match gunzip.next() {
                    Ok(Some(plain)) => return Poll::Ready(Some(Ok(Frame::data(plain)))),
                    Ok(None) => {}
                    Err(NotGzip) => return Poll::Ready(Some(Err(not_gzip()))),
                }
            }
            let frame = match ready!(self.poll_raw(cx)) {
                Some(frame) => Some(frame?),
                None => None,
            };
            match (frame.map(Frame::into_data), &mut self.gunzip) {
                (Some(Ok(packed)), Some(gunzip)) => gunzip.feed(packed),
                (Some(Ok(data)), None) => return Poll::Ready(Some(Ok(Frame::data(data)))),
                (Some(Err(trailers)), _) => {
                    return match self.finish_unpacking() {
                        Ok(None) => Poll::Ready(Some(Ok(trailers))),
                        Ok(Some(plain)) => {
                            self.peeked = Some(trailers);
                            Poll::Ready(Some(Ok(Frame::data(plain))))
                        }
                        Err(failure) => Poll::Ready(Some(Err(failure))),
                    };
                }
                (None, _) => {
                    let rest = self.finish_unpacking().transpose();
                    return Poll::Ready(rest.map(|plain| plain.map(Frame::data)));
                }
            }
        }
    }

    fn finish_unpacking(&mut self) -> Result<Option<Bytes>, Failure> {
        match self.gunzip.take() {
            Some(mut gunzip) => gunzip.finish().map_err(|NotGzip| not_gzip()),
            None => Ok(None),
        }
    }

    fn poll_raw(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Failure>>> {
        let Some(connection) = &mut self.connection else {
            return Poll::Ready(None);
        };
        if let Some(verdict) = self.in_flight.verdict() {
            return Poll::Ready(Some(Err(match verdict {
                Verdict::TimedOut => Failure::TimedOut,
                Verdict::Cancelled => Failure::Drained,
            })));
        }
        if let Some(request) = &mut self.request {
            match request.poll_send(cx, connection) {
                Poll::Ready(Ok(())) => self.request = None,
                Poll::Ready(Err(SendError::Client(error))) => {
                    return Poll::Ready(Some(Err(Failure::of_client_body(error))));
                }
                // A target may stop reading once it has answered; the connection is not used again.
                Poll::Ready(Err(_)) => {
                    self.request = None;
                    self.keep_alive = false;
                }
                Poll::Pending => {}
            }
        }
        loop {
            match self.decoder.decode(&mut connection.read) {
                Ok(Decoded::Data(data)) => {
                    // Who knows the length does not ask for an end after the last byte.
                    if self.decoder.is_over() {
                        self.finish();
                    }
                    return Poll::Ready(Some(Ok(Frame::data(data))));
                }
                Ok(Decoded::Trailers(trailers)) => {
                    return Poll::Ready(Some(Ok(Frame::trailers(trailers))));
                }
                Ok(Decoded::End) => {
                    self.finish();
                    return Poll::Ready(None);
                }
                Ok(Decoded::NeedMore) => {}
                Err(error) => return Poll::Ready(Some(Err(Failure::Target(error.into())))),
            }
            match connection.poll_fill(cx, true) {
                Poll::Ready(Ok(0)) if self.decoder.may_end_at_eof() => {
                    self.connection = None;
                    return Poll::Ready(None);
                }
                Poll::Ready(Ok(0)) => {
                    return Poll::Ready(Some(Err(Failure::Target(TargetError::Closed))));
                }
                Poll::Ready(Ok(_)) => {}
                Poll::Ready(Err(error)) => {
                    return Poll::Ready(Some(Err(TargetError::Io(error).into_failure())));
                }
                Poll::Pending => {
                    self.in_flight.watch(cx);
                    return Poll::Pending;
                }
            }
        }
    }

    /// Takes the whole body if it has arrived already, and lets the target go.
    pub(crate) fn take_complete(&mut self) -> Option<Bytes> {
        if self.gunzip.is_some() {
            return None;
        }
        let connection = self.connection.as_mut()?;
        let length = usize::try_from(self.decoder.length()?).ok()?;
        if connection.read.len() < length {
            return None;
        }
        let body = connection.read.split_to(length).freeze();
        self.finish();
        Some(body)
    }

    /// What is still to come, if that is known.
    pub(crate) fn length(&self) -> Option<u64> {
        match self.gunzip {
            Some(_) => None,
            None => {
                let peeked = self.peeked.as_ref().and_then(Frame::data_ref);
                let peeked = peeked.map_or(0, Bytes::len) as u64;
                self.decoder.length().map(|left| left + peeked)
            }
        }
    }

    /// Keeps the connection for the next request if that is possible.
    fn finish(&mut self) {
        if let Some(connection) = self.connection.take()
            && self.keep_alive
            && self.request.is_none()
            && connection.read.is_empty()
        {
            self.in_flight.lane().put(connection);
        }
    }
}

fn not_gzip() -> Failure {
    Failure::Target(TargetError::Malformed(Malformed("the body is not gzip")))
}
