//! Sends a request on a connection: the head, then the body as it comes, in the framing the head announced.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, Bytes};
use http::header::HeaderMap;
use http_body::{Body as _, Frame};

use super::Connection;
use crate::downstream::inbound::{InboundBody, InboundError};
use crate::request::buffer::BufferedBody;

/// Where the body comes from.
pub(crate) enum RequestBody {
    /// There is none.
    Empty,
    /// The client, as it sends.
    Stream(InboundBody),
    /// It was gathered before.
    Buffered(Box<BufferedBody>),
}

/// Who is to blame when sending fails.
#[derive(Debug)]
pub(crate) enum SendError {
    /// The target's connection.
    Target(io::Error),
    /// The client's.
    Client(InboundError),
    /// The temporary file.
    Spill(io::Error),
}

/// A request on its way.
pub(crate) struct RequestSender {
    head: Bytes,
    pending: Bytes,
    body: RequestBody,
    chunked: bool,
    /// The body is not asked for yet.
    held: bool,
    body_touched: bool,
    sent_any: bool,
    finished: bool,
}

impl RequestSender {
    /// A request with `head` in wire form; `chunked` is the framing it announces.
    pub(crate) fn new(head: Vec<u8>, body: RequestBody, chunked: bool) -> Self {
        let head = Bytes::from(head);
        let finished = matches!(body, RequestBody::Empty) && !chunked;
        Self {
            pending: head.clone(),
            head,
            body,
            chunked,
            held: false,
            body_touched: false,
            sent_any: false,
            finished,
        }
    }

    /// Writes as much as can be written; ready when the whole request is out.
    pub(crate) fn poll_send(
        &mut self,
        cx: &mut Context<'_>,
        connection: &mut Connection,
    ) -> Poll<Result<(), SendError>> {
        loop {
            while !self.pending.is_empty() {
                let size =
                    ready!(connection.poll_write(cx, &self.pending)).map_err(SendError::Target)?;
                if size == 0 {
                    return Poll::Ready(Err(SendError::Target(io::ErrorKind::WriteZero.into())));
                }
                self.sent_any = true;
                self.pending.advance(size);
            }
            if self.finished {
                return Poll::Ready(Ok(()));
            }
            if self.held {
                return Poll::Pending;
            }
            self.body_touched = true;
            match ready!(self.poll_piece(cx))? {
                Some(frame) => self.pending = self.encode(frame),
                None => {
                    self.finished = true;
                    if self.chunked {
                        self.pending = Bytes::from_static(b"0\r\n\r\n");
                    }
                }
            }
        }
    }

    /// Sends no more than the head until [`Self::release`]: the client waits to be asked for the body, and the
    /// target decides whether it is wanted.
    pub(crate) fn hold(&mut self) {
        self.held = !self.finished;
    }

    /// The body may follow.
    pub(crate) fn release(&mut self) {
        self.held = false;
    }

    /// The body is not asked for yet.
    pub(crate) fn is_held(&self) -> bool {
        self.held
    }

    /// Everything was written.
    pub(crate) fn is_done(&self) -> bool {
        self.finished && self.pending.is_empty()
    }

    /// Nothing of it can have reached the target.
    pub(crate) fn is_unsent(&self) -> bool {
        !self.sent_any
    }

    /// Starts over with another head, for another target; `false` when part of the body is gone.
    pub(crate) fn readdress(&mut self, head: Vec<u8>) -> bool {
        self.head = Bytes::from(head);
        self.rewind()
    }

    /// Starts over for another connection; `false` when part of the body is gone.
    pub(crate) fn rewind(&mut self) -> bool {
        if self.body_touched {
            return false;
        }
        self.pending = self.head.clone();
        self.sent_any = false;
        true
    }

    fn poll_piece(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<Frame<Bytes>>, SendError>> {
        Poll::Ready(match &mut self.body {
            RequestBody::Empty => Ok(None),
            RequestBody::Buffered(body) => body.next_frame().map_err(SendError::Spill),
            RequestBody::Stream(body) => match ready!(Pin::new(body).poll_frame(cx)) {
                Some(Ok(frame)) => Ok(Some(frame)),
                Some(Err(error)) => Err(SendError::Client(error)),
                None => Ok(None),
            },
        })
    }

    fn encode(&mut self, frame: Frame<Bytes>) -> Bytes {
        match frame.into_data() {
            Ok(data) if !self.chunked => data,
            Ok(data) if data.is_empty() => data,
            Ok(data) => {
                let mut chunk = Vec::with_capacity(data.len() + 20);
                chunk.extend_from_slice(format!("{:x}\r\n", data.len()).as_bytes());
                chunk.extend_from_slice(&data);
                chunk.extend_from_slice(b"\r\n");
                Bytes::from(chunk)
            }
            Err(frame) => {
                self.finished = true;
                match frame.into_trailers() {
                    Ok(trailers) if self.chunked => last_chunk(&trailers),
                    _ => Bytes::new(),
                }
            }
        }
    }
}

fn last_chunk(trailers: &HeaderMap) -> Bytes {
    let mut out = b"0\r\n".to_vec();
    for (name, value) in trailers {
        if !may_trail(name.as_str()) {
            continue;
        }
        out.extend_from_slice(name.as_str().as_bytes());
        out.extend_from_slice(b": ");
        out.extend_from_slice(value.as_bytes());
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"\r\n");
    Bytes::from(out)
}

/// What frames, routes or authorises a request must not come after it (RFC 9110 §6.5.1): who reads it has decided by
/// then, and who merges it into the head would decide otherwise.
fn may_trail(name: &str) -> bool {
    !super::is_hop_by_hop(name)
        && !name.starts_with("x-forwarded-")
        && !matches!(
            name,
            "host"
                | "content-length"
                | "content-encoding"
                | "content-type"
                | "content-range"
                | "authorization"
                | "cookie"
                | "expect"
                | "forwarded"
                | "x-kamal-target"
        )
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn item_d4_trailers_pass_and_what_belongs_into_the_head_does_not() {
        let mut trailers = HeaderMap::new();
        for name in [
            "x-sum",
            "content-length",
            "transfer-encoding",
            "host",
            "x-forwarded-for",
        ] {
            trailers.append(name, HeaderValue::from_static("1"));
        }
        assert_eq!(last_chunk(&trailers), "0\r\nx-sum: 1\r\n\r\n");
    }
}
