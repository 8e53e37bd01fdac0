//! A request's body over HTTP/3. h3 gives out data and trailers; that they are as long as the client declared is
//! checked here (RFC 9114 §4.1.2): to a target over HTTP/1 a wrong length would be a second request.

use std::future::poll_fn;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, Bytes};
use h3::error::Code;
use h3::server::RequestStream;
use http::Method;
use http_body::Frame;

use super::frame_gate::Held;
use super::quic::RecvStream;
use crate::downstream::inbound::InboundError;

/// A request's body.
pub(crate) struct Http3Body {
    stream: RequestStream<RecvStream, Bytes>,
    held: Held,
    /// Read before its turn, to see whether there is a body.
    peeked: Option<Result<Frame<Bytes>, InboundError>>,
    /// What is still to come, if the client said so.
    length: Option<u64>,
    data_ended: bool,
    ended: bool,
}

impl Http3Body {
    pub(super) fn new(
        stream: RequestStream<RecvStream, Bytes>,
        held: Held,
        length: Option<u64>,
    ) -> Self {
        Self {
            stream,
            held,
            peeked: None,
            length,
            data_ended: false,
            ended: false,
        }
    }

    /// Finds out whether there is a body where the head does not say: methods that seldom have one are waited for,
    /// of others the client may want to hear something first.
    pub(super) async fn settle(&mut self, method: &Method) {
        if self.length == Some(0) {
            // The end must still come, and may not bring anything.
            return;
        }
        if self.length.is_some() {
            return;
        }
        let seldom = matches!(
            *method,
            Method::GET | Method::HEAD | Method::DELETE | Method::OPTIONS | Method::TRACE
        );
        self.peeked = poll_fn(|cx| match self.poll_frame(cx) {
            Poll::Pending if !seldom => Poll::Ready(None),
            outcome => outcome,
        })
        .await;
    }

    /// The next piece.
    pub(crate) fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, InboundError>>> {
        if self.peeked.is_some() {
            return Poll::Ready(self.peeked.take());
        }
        if self.ended {
            return Poll::Ready(None);
        }
        let frame = ready!(self.poll_stream(cx));
        if !matches!(&frame, Ok(Some(frame)) if frame.is_data()) {
            self.ended = true;
        }
        if frame.is_err() {
            self.stream.stop_sending(Code::H3_MESSAGE_ERROR);
        }
        Poll::Ready(frame.transpose())
    }

    fn poll_stream(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<Frame<Bytes>>, InboundError>> {
        if !self.data_ended {
            match ready!(self.stream.poll_recv_data(cx)) {
                Ok(Some(mut data)) => {
                    let data = data.copy_to_bytes(data.remaining());
                    self.held.taken(data.len());
                    if let Some(length) = &mut self.length {
                        *length = length
                            .checked_sub(data.len() as u64)
                            .ok_or(InboundError::Malformed)?;
                    }
                    return Poll::Ready(Ok(Some(Frame::data(data))));
                }
                Ok(None) => self.data_ended = true,
                Err(_) => return Poll::Ready(Err(InboundError::Gone)),
            }
        }
        let trailers =
            ready!(self.stream.poll_recv_trailers(cx)).map_err(|_| InboundError::Gone)?;
        if self.length.is_some_and(|left| left > 0) {
            return Poll::Ready(Err(InboundError::Malformed));
        }
        Poll::Ready(Ok(trailers.map(Frame::trailers)))
    }

    /// Nothing is to come.
    pub(crate) fn is_end_stream(&self) -> bool {
        (self.ended && self.peeked.is_none()) || self.length == Some(0)
    }

    /// What is to come, if that is known.
    pub(crate) fn length(&self) -> Option<u64> {
        match &self.peeked {
            None if self.ended => Some(0),
            // Only a body without a declared length is looked into beforehand.
            Some(_) => None,
            None => self.length,
        }
    }
}

impl Drop for Http3Body {
    fn drop(&mut self) {
        if !self.ended {
            // The answer is all that matters now; the rest of the request need not come.
            self.stream.stop_sending(Code::H3_NO_ERROR);
        }
    }
}
