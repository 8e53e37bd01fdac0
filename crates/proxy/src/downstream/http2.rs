//! Serves one client connection with HTTP/2: the same pipeline as HTTP/1, many requests at once. Only over TLS,
//! when the client asks for it in the handshake. The `h2` crate is used as it is, because hyper's server on top of
//! it cannot send informational responses.

use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use h2::server::{Builder, SendResponse};
use h2::{Reason, RecvStream, SendStream};
use http::header::{COOKIE, HeaderMap, HeaderValue};
use http::{Request, Response, StatusCode};
use http_body::Frame;

use crate::cores::core_state::CoreState;
use crate::downstream::alt_svc;
use crate::downstream::client::{Client, Handle, Wish};
use crate::downstream::connection::{LARGEST_HEAD, Stream};
use crate::downstream::inbound::{InboundBody, InboundError, declared_length};
use crate::downstream::multiplexed::{self, Gone, Outcome, Reply};
use crate::downstream::patience::Patience;

/// Name of the protocol in the TLS handshake.
pub(crate) const ALPN: &[u8] = b"h2";

/// Requests at once on a connection.
const MOST_STREAMS: u32 = 250;
/// Body bytes that may be on their way in, a request and a connection.
const WINDOW: u32 = 1 << 20;
/// Largest frame taken.
const LARGEST_FRAME: u32 = 1 << 20;
/// Bytes kept for a client that does not take them, a request.
const SEND_BUFFER: usize = 400 << 10;
/// Resets that the client's own mistakes may make us send before the connection is closed.
const MOST_ERROR_RESETS: usize = 1024;

/// Serves a connection to its end.
pub(crate) async fn serve<S: Stream>(core: Rc<CoreState>, stream: S, client: Rc<Client>) {
    let (handle, _membership) = core.clients.join(&client.phase);
    core.stir();
    let mut builder = Builder::new();
    builder
        .max_concurrent_streams(MOST_STREAMS)
        .initial_window_size(WINDOW)
        .initial_connection_window_size(WINDOW)
        .max_frame_size(LARGEST_FRAME)
        .max_header_list_size(u32::try_from(LARGEST_HEAD).unwrap_or(u32::MAX))
        .max_send_buffer_size(SEND_BUFFER)
        .max_local_error_reset_streams(Some(MOST_ERROR_RESETS));
    let handshake = builder.handshake::<S, Bytes>(stream);
    let connection = tokio::select! {
        connection = handshake => connection,
        () = told_to_end(&handle) => return,
    };
    let Ok(mut connection) = connection else {
        return;
    };
    let patience = Rc::new(Patience::default());
    let mut finishing = false;
    loop {
        let accepted = poll_fn(|cx| {
            match handle.listen(cx.waker()) {
                Wish::None => {}
                Wish::Rest => handle.clear(),
                Wish::Leave | Wish::Finish if finishing => {}
                Wish::Leave | Wish::Finish => {
                    finishing = true;
                    connection.graceful_shutdown();
                }
                Wish::Close => return Poll::Ready(None),
            }
            if patience.is_over() {
                connection.abrupt_shutdown(Reason::ENHANCE_YOUR_CALM);
                let _ = connection.poll_closed(cx);
                return Poll::Ready(None);
            }
            patience.watch(cx);
            connection.poll_accept(cx)
        });
        let Some(Ok((request, respond))) = accepted.await else {
            return;
        };
        let (core, client) = (Rc::clone(&core), Rc::clone(&client));
        let patience = Rc::clone(&patience);
        tokio::task::spawn_local(async move {
            let outcome = answer(core, client, request, respond).await;
            patience.note(outcome);
        });
    }
}

/// Ready when the connection is to be closed.
async fn told_to_end(handle: &Handle) {
    poll_fn(|cx| match handle.listen(cx.waker()) {
        Wish::Finish | Wish::Close => Poll::Ready(()),
        _ => Poll::Pending,
    })
    .await;
}

async fn answer(
    core: Rc<CoreState>,
    client: Rc<Client>,
    request: Request<RecvStream>,
    respond: SendResponse<Bytes>,
) -> Outcome {
    let advertisement = alt_svc::advertisement(&core.plane, &request);
    let reply = Http2Reply {
        respond,
        stream: None,
        advertisement,
    };
    let Ok(length) = declared_length(request.headers()) else {
        multiplexed::refuse(&core, reply, StatusCode::BAD_REQUEST).await;
        return Outcome::Answered;
    };
    let mut request = request.map(|stream| InboundBody::Http2(Http2Body { stream, length }));
    join_cookies(request.headers_mut());
    multiplexed::serve(core, client, request, reply).await
}

/// A request's body; h2 holds it against its declared length.
pub(crate) struct Http2Body {
    stream: RecvStream,
    /// What is still to come, if the client said so.
    length: Option<u64>,
}

impl Http2Body {
    /// The next piece.
    pub(crate) fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, InboundError>>> {
        match ready!(self.stream.poll_data(cx)) {
            Some(Ok(data)) => {
                // The client may send as much again; taking it is what we are about to do.
                let _ = self.stream.flow_control().release_capacity(data.len());
                if let Some(length) = &mut self.length {
                    *length = length.saturating_sub(data.len() as u64);
                }
                Poll::Ready(Some(Ok(Frame::data(data))))
            }
            Some(Err(_)) => Poll::Ready(Some(Err(InboundError::Gone))),
            None => match ready!(self.stream.poll_trailers(cx)) {
                Ok(trailers) => Poll::Ready(trailers.map(|trailers| Ok(Frame::trailers(trailers)))),
                Err(_) => Poll::Ready(Some(Err(InboundError::Gone))),
            },
        }
    }

    /// Nothing is to come.
    pub(crate) fn is_end_stream(&self) -> bool {
        self.stream.is_end_stream()
    }

    /// What is to come, if that is known.
    pub(crate) fn length(&self) -> Option<u64> {
        if self.stream.is_end_stream() {
            return Some(0);
        }
        self.length
    }
}

/// The sending half of a stream: until the final head `respond` sends, then `stream`.
struct Http2Reply {
    respond: SendResponse<Bytes>,
    stream: Option<SendStream<Bytes>>,
    advertisement: Option<HeaderValue>,
}

impl Reply for Http2Reply {
    async fn interim(&mut self, head: Response<()>) -> Result<(), Gone> {
        self.respond.send_informational(head).map_err(|_| Gone)
    }

    async fn head(&mut self, mut head: Response<()>, end: bool) -> Result<(), Gone> {
        alt_svc::advertise(&mut head, self.advertisement.take());
        let stream = self.respond.send_response(head, end).map_err(|_| Gone)?;
        if !end {
            self.stream = Some(stream);
        }
        Ok(())
    }

    async fn data(&mut self, mut data: Bytes) -> Result<(), Gone> {
        let stream = self.stream.as_mut().ok_or(Gone)?;
        while !data.is_empty() {
            stream.reserve_capacity(data.len());
            let room = match stream.capacity() {
                0 => poll_fn(|cx| {
                    if stream.poll_reset(cx).is_ready() {
                        return Poll::Ready(None);
                    }
                    stream.poll_capacity(cx)
                })
                .await
                .and_then(Result::ok)
                .ok_or(Gone)?,
                room => room,
            };
            let piece = data.split_to(room.min(data.len()));
            if !piece.is_empty() {
                stream.send_data(piece, false).map_err(|_| Gone)?;
            }
        }
        Ok(())
    }

    async fn trailers(&mut self, trailers: HeaderMap) -> Result<(), Gone> {
        let stream = self.stream.as_mut().ok_or(Gone)?;
        stream.send_trailers(trailers).map_err(|_| Gone)
    }

    async fn end(&mut self) -> Result<(), Gone> {
        let stream = self.stream.as_mut().ok_or(Gone)?;
        stream.send_data(Bytes::new(), true).map_err(|_| Gone)
    }

    fn reset(&mut self) {
        match &mut self.stream {
            Some(stream) => stream.send_reset(Reason::INTERNAL_ERROR),
            None => self.respond.send_reset(Reason::INTERNAL_ERROR),
        }
    }

    fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match &mut self.stream {
            Some(stream) => stream.poll_reset(cx).map(|_| ()),
            None => self.respond.poll_reset(cx).map(|_| ()),
        }
    }
}

/// HTTP/2 and 3 clients may send one cookie a line; HTTP/1 wants them in one (RFC 9113, 8.2.3).
pub(crate) fn join_cookies(headers: &mut HeaderMap) {
    if headers.get_all(COOKIE).iter().nth(1).is_none() {
        return;
    }
    let all: Vec<_> = headers
        .get_all(COOKIE)
        .iter()
        .map(HeaderValue::as_bytes)
        .collect();
    if let Ok(joined) = HeaderValue::from_bytes(&all.join(&b"; "[..])) {
        headers.insert(COOKIE, joined);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cookies_come_in_one_line() {
        let mut headers = HeaderMap::new();
        headers.append(COOKIE, HeaderValue::from_static("a=1"));
        headers.append(COOKIE, HeaderValue::from_static("b=2"));
        join_cookies(&mut headers);
        assert_eq!(
            headers.get_all(COOKIE).iter().collect::<Vec<_>>(),
            ["a=1; b=2"]
        );
    }
}
