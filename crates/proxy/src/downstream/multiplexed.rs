//! One request on a connection that carries many (HTTP/2, HTTP/3), from its head to the last byte of its answer.
//! In: a request and a way to reply. Out: the answer, informational responses before it and trailers behind it,
//! sent as the client takes them.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::{
    CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, DATE, EXPECT, HeaderMap, HeaderName, HeaderValue, TE,
    TRANSFER_ENCODING, UPGRADE,
};
use http::{Request, Response, StatusCode};
use http_body::{Body as _, Frame};

use crate::cores::core_state::CoreState;
use crate::downstream::client::{Client, Handle, Wish};
use crate::downstream::client_line::ClientLine;
use crate::downstream::inbound::InboundBody;
use crate::request::body::{BodyKind, BrokenOff, ClientBody};
use crate::request::pipeline;

/// The client has gone or takes no more of this answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Gone;

/// The sending half of a stream.
pub(crate) trait Reply {
    /// Sends an informational response.
    async fn interim(&mut self, head: Response<()>) -> Result<(), Gone>;
    /// Sends the final head; `end` if nothing follows.
    async fn head(&mut self, head: Response<()>, end: bool) -> Result<(), Gone>;
    /// Sends data once there is room for it.
    async fn data(&mut self, data: Bytes) -> Result<(), Gone>;
    /// Sends trailers; nothing follows.
    async fn trailers(&mut self, trailers: HeaderMap) -> Result<(), Gone>;
    /// Ends the answer behind data.
    async fn end(&mut self) -> Result<(), Gone>;
    /// Waits until the client has everything, where ending the connection would lose what is on its way.
    async fn delivered(&mut self) {}
    /// Breaks the answer off.
    fn reset(&mut self);
    /// Ready when the client has taken the request back.
    fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<()>;
}

/// How it went, for those who count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// There was an answer.
    Answered,
    /// The client took the request back before.
    TakenBack,
}

/// Serves `request` and sends the answer.
pub(crate) async fn serve<R: Reply>(
    core: Rc<CoreState>,
    client: Rc<Client>,
    request: Request<InboundBody>,
    mut reply: R,
) -> Outcome {
    let waits = !request.body().is_end_stream() && expects_continue(request.headers());
    let line = ClientLine::stream(waits);
    let cut = line.cut.clone().unwrap_or_default();
    let Some(response) = respond(&core, client, request, &line, &cut, &mut reply).await else {
        reply.reset();
        return Outcome::TakenBack;
    };
    let sent = match response {
        Ok(response) => send(&core, response, &cut, &mut reply).await,
        Err(BrokenOff) => Err(Gone),
    };
    match sent {
        Ok(()) => reply.delivered().await,
        Err(Gone) => reply.reset(),
    }
    Outcome::Answered
}

/// Answers a request that goes no further.
pub(crate) async fn refuse<R: Reply>(core: &CoreState, mut reply: R, status: StatusCode) {
    let text = format!(
        "{} {}",
        status.as_u16(),
        status.canonical_reason().unwrap_or_default()
    );
    let mut response = Response::new(ClientBody::new(BodyKind::Full(Bytes::from(text)), None));
    *response.status_mut() = status;
    response.headers_mut().insert(
        CONTENT_TYPE,
        HeaderValue::from_static("text/plain; charset=utf-8"),
    );
    match send(core, response, &Handle::default(), &mut reply).await {
        Ok(()) => reply.delivered().await,
        Err(Gone) => reply.reset(),
    }
}

/// Whether the client waits for 100 before it sends a body.
pub(crate) fn expects_continue(headers: &HeaderMap) -> bool {
    headers
        .get(EXPECT)
        .is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue"))
}

enum Event {
    Response(Result<Response<ClientBody>, BrokenOff>),
    Interim,
    Gone,
}

/// Waits for the answer and passes on what comes before it; `None` when the client has gone.
async fn respond<R: Reply>(
    core: &Rc<CoreState>,
    client: Rc<Client>,
    request: Request<InboundBody>,
    line: &ClientLine,
    cut: &Handle,
    reply: &mut R,
) -> Option<Result<Response<ClientBody>, BrokenOff>> {
    let mut serving = Box::pin(pipeline::serve(
        Rc::clone(core),
        client,
        request,
        line.clone(),
    ));
    loop {
        let event = poll_fn(|cx| {
            if cut.listen(cx.waker()) == Wish::Close || reply.poll_gone(cx).is_ready() {
                return Poll::Ready(Event::Gone);
            }
            match serving.as_mut().poll(cx) {
                Poll::Ready(response) => Poll::Ready(Event::Response(response)),
                Poll::Pending if line.has_interim() => Poll::Ready(Event::Interim),
                Poll::Pending => Poll::Pending,
            }
        })
        .await;
        while let Some(head) = line.next_interim() {
            unless_cut(cut, reply.interim(head)).await.ok()?;
        }
        match event {
            Event::Response(response) => return Some(response),
            Event::Interim => {}
            Event::Gone => return None,
        }
    }
}

async fn send<R: Reply>(
    core: &CoreState,
    response: Response<ClientBody>,
    cut: &Handle,
    reply: &mut R,
) -> Result<(), Gone> {
    let (mut parts, mut body) = response.into_parts();
    // hyper's reason phrases and the like mean nothing here.
    parts.extensions.clear();
    prepare(&mut parts.headers, body.size_hint().exact(), core);
    let head = Response::from_parts(parts, ());
    if body.is_end_stream() {
        return unless_cut(cut, reply.head(head, true)).await;
    }
    unless_cut(cut, reply.head(head, false)).await?;
    loop {
        let frame = poll_fn(|cx| {
            if cut.listen(cx.waker()) == Wish::Close || reply.poll_gone(cx).is_ready() {
                return Poll::Ready(Err(Gone));
            }
            Pin::new(&mut body).poll_frame(cx).map(Ok)
        });
        match frame.await?.transpose().map_err(|BrokenOff| Gone)? {
            None => break,
            Some(frame) => match Frame::into_data(frame) {
                Ok(data) if data.is_empty() => {}
                Ok(data) => unless_cut(cut, reply.data(data)).await?,
                Err(frame) => {
                    if let Ok(trailers) = frame.into_trailers() {
                        return unless_cut(cut, reply.trailers(trailers)).await;
                    }
                }
            },
        }
    }
    unless_cut(cut, reply.end()).await
}

/// Waits for `future`, unless the request is cut off.
async fn unless_cut<F: Future<Output = Result<(), Gone>>>(
    cut: &Handle,
    future: F,
) -> Result<(), Gone> {
    let mut future = pin!(future);
    poll_fn(|cx| match cut.listen(cx.waker()) {
        Wish::Close => Poll::Ready(Err(Gone)),
        _ => Pin::as_mut(&mut future).poll(cx),
    })
    .await
}

/// Takes out what speaks of an HTTP/1 connection, and adds what hyper adds there.
fn prepare(headers: &mut HeaderMap, length: Option<u64>, core: &CoreState) {
    static GONE: [HeaderName; 6] = [
        CONNECTION,
        TE,
        TRANSFER_ENCODING,
        UPGRADE,
        HeaderName::from_static("keep-alive"),
        HeaderName::from_static("proxy-connection"),
    ];
    for name in &GONE {
        headers.remove(name);
    }
    headers
        .entry(DATE)
        .or_insert_with(|| core.clock.http_date());
    if let Some(length) = length.filter(|length| *length > 0) {
        headers
            .entry(CONTENT_LENGTH)
            .or_insert_with(|| HeaderValue::from(length));
    }
}
