//! Sends a request on a connection: the head, then the body as it comes, in the framing the head announced.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, Bytes};
use http::header::HeaderMap;
use http_body::{Body as _, Frame};
use hyper::body::Incoming;

use super::Connection;
use crate::buffer::BufferedBody;

/// Where the body comes from.
pub(crate) enum RequestBody {
    /// There is none.
    Empty,
    /// The client, as it sends.
    Stream(Incoming),
    /// It was gathered before.
    Buffered(Box<BufferedBody>),
}

/// Who is to blame when sending fails.
#[derive(Debug)]
pub(crate) enum SendError {
    /// The target's connection.
    Target(io::Error),
    /// The client's.
    Client(hyper::Error),
    /// The temporary file.
    Spill(io::Error),
}

/// A request on its way.
pub(crate) struct RequestSender {
    head: Bytes,
    pending: Bytes,
    body: RequestBody,
    chunked: bool,
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

    /// Everything was written.
    pub(crate) fn is_done(&self) -> bool {
        self.finished && self.pending.is_empty()
    }

    /// Nothing of it can have reached the target.
    pub(crate) fn is_unsent(&self) -> bool {
        !self.sent_any
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
            RequestBody::Buffered(body) => match body.next() {
                Ok(piece) => Ok(piece.map(Frame::data)),
                Err(error) => Err(SendError::Spill(error)),
            },
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
        out.extend_from_slice(name.as_str().as_bytes());
        out.extend_from_slice(b": ");
        out.extend_from_slice(value.as_bytes());
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"\r\n");
    Bytes::from(out)
}
