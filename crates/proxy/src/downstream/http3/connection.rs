//! One HTTP/3 connection on the core that drives it: the handshake, its requests, and its end.

use std::cell::Cell;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use h3::error::Code;
use h3::quic::SendStream as _;
use h3::server::RequestResolver;
use http::StatusCode;
use http::header::{CONNECTION, HeaderMap, HeaderName, TE, TRANSFER_ENCODING, UPGRADE};
use quinn::VarInt;
use tokio::sync::Notify;
use tokio::sync::mpsc::Receiver;
use tokio::time::{Instant, sleep_until, timeout};

use super::body::Http3Body;
use super::quic::{Accepted, AcceptedStreams, Connection};
use super::reply::Http3Reply;
use crate::cores::core_state::CoreState;
use crate::downstream::client::{Client, Handle, Wish};
use crate::downstream::http2::join_cookies;
use crate::downstream::inbound::{InboundBody, declared_length};
use crate::downstream::multiplexed::{self, Outcome};
use crate::downstream::patience::Patience;

/// Largest head, as HTTP/3 counts it (RFC 9114 §4.2.2). Half of what HTTP/1 may have: at 33 bytes for the smallest
/// field it bounds their number to what a header map can hold.
pub(super) const LARGEST_HEAD: u64 = 512 << 10;
/// A handshake must be done within this.
const HANDSHAKE_TIME: Duration = Duration::from_secs(10);
/// A head must be complete this long after its first byte.
const HEAD_TIME: Duration = Duration::from_secs(60);
/// A connection without requests is closed after this long; to open another costs a client little.
const IDLE_TIME: Duration = Duration::from_secs(30);
/// After the first word of leaving, requests that are on their way already still get an answer.
const LONGEST_FAREWELL: Duration = Duration::from_secs(1);
/// Requests that may still come when the end is announced: all that a client can have sent.
const ALL: usize = 1 << 20;

/// Takes connections that the endpoint gives this core, until it gives no more.
pub(crate) async fn accept_http3(core: Rc<CoreState>, mut arrivals: Receiver<quinn::Incoming>) {
    while let Some(incoming) = arrivals.recv().await {
        let serving = tokio::task::spawn_local(serve(Rc::clone(&core), incoming));
        let log = core.plane.log.clone();
        tokio::task::spawn_local(async move {
            if serving.await.is_err_and(|error| error.is_panic()) {
                log.error("An HTTP/3 connection failed", &[]);
            }
        });
    }
}

async fn serve(core: Rc<CoreState>, incoming: quinn::Incoming) {
    let peer = incoming.remote_address();
    let Some(quic) = handshake(&core, incoming, peer).await else {
        return;
    };
    let mut client = Rc::new(Client::new(peer, core.plane.https_port, true));
    let (handle, _membership) = core.clients.join(&client.phase);
    core.stir();
    let accepted = AcceptedStreams::default();
    let mut builder = h3::server::builder();
    builder
        .max_field_section_size(LARGEST_HEAD)
        .send_grease(false);
    let connection = Connection::new(quic.clone(), accepted.clone());
    let Ok(mut connection) = builder.build::<_, Bytes>(connection).await else {
        return;
    };
    let patience = Rc::new(Patience::default());
    let requests = Rc::new(Requests::default());
    let mut end = End::new();
    let mut used = false;
    loop {
        let over = requests.count.get() == 0;
        tokio::select! {
            wish = next_wish(&handle, &patience, end.leaving) => match wish {
                Wish::Finish => {
                    end.leave(&quic);
                    // Without a request so far, the announcement says that none will be served.
                    if connection.shutdown(ALL).await.is_err() || !used {
                        break;
                    }
                }
                _ => break,
            },
            () = requests.changed.notified() => end.note(requests.count.get()),
            () = sleep_until(end.at), if over => break,
            resolver = connection.accept() => {
                let Ok(Some(resolver)) = resolver else { break };
                let id = resolver.frame_stream.send_id();
                let Some(stream) = accepted.take(id) else { break };
                // A client may have moved to another address.
                let peer = quic.remote_address();
                if peer != client.peer {
                    client = Rc::new(client.moved(peer));
                }
                used = true;
                let one = Request::new(&requests);
                let (core, client) = (Rc::clone(&core), Rc::clone(&client));
                let patience = Rc::clone(&patience);
                tokio::task::spawn_local(async move {
                    let outcome = answer(core, client, resolver, stream).await;
                    patience.note(outcome);
                    drop(one);
                });
            }
        }
    }
    if end.leaving {
        // One more than the last: everything up to that one was served.
        let _ = connection.shutdown(1).await;
    }
    let code = if patience.is_over() {
        Code::H3_EXCESSIVE_LOAD
    } else {
        Code::H3_NO_ERROR
    };
    quic.close(VarInt::from_u64(code.value()).unwrap_or_default(), b"");
    // The task that sends the goodbye is on this thread: it gets its turn before the connection counts as gone.
    for _ in 0..3 {
        tokio::task::yield_now().await;
    }
}

async fn handshake(
    core: &CoreState,
    incoming: quinn::Incoming,
    peer: SocketAddr,
) -> Option<quinn::Connection> {
    let shaken = match incoming.accept() {
        Ok(connecting) => timeout(HANDSHAKE_TIME, connecting).await.ok()?,
        Err(error) => Err(error),
    };
    match shaken {
        Ok(connection) => Some(connection),
        Err(error) => {
            let message = format!("http: QUIC handshake error from {peer}: {error}");
            core.plane.log.info(&message, &[]);
            None
        }
    }
}

/// What the connection is told next; to close, too, when patience with it is over.
async fn next_wish(handle: &Handle, patience: &Patience, leaving: bool) -> Wish {
    poll_fn(|cx| {
        patience.watch(cx);
        match handle.listen(cx.waker()) {
            _ if patience.is_over() => Poll::Ready(Wish::Close),
            Wish::Leave | Wish::Finish if !leaving => Poll::Ready(Wish::Finish),
            Wish::Close => Poll::Ready(Wish::Close),
            Wish::Rest => {
                handle.clear();
                Poll::Pending
            }
            _ => Poll::Pending,
        }
    })
    .await
}

/// When a connection without requests ends.
struct End {
    at: Instant,
    leaving: bool,
}

impl End {
    fn new() -> Self {
        Self {
            at: Instant::now() + HEAD_TIME,
            leaving: false,
        }
    }

    fn leave(&mut self, quic: &quinn::Connection) {
        self.leaving = true;
        let grace = (quic.rtt() * 3).min(LONGEST_FAREWELL);
        self.at = Instant::now() + grace;
    }

    /// So many requests are being served.
    fn note(&mut self, requests: usize) {
        if requests == 0 && !self.leaving {
            self.at = Instant::now() + IDLE_TIME;
        }
    }
}

/// Requests being served on a connection.
#[derive(Default)]
struct Requests {
    count: Cell<usize>,
    changed: Notify,
}

/// One of them.
struct Request(Rc<Requests>);

impl Request {
    fn new(requests: &Rc<Requests>) -> Self {
        requests.count.set(requests.count.get() + 1);
        Self(Rc::clone(requests))
    }
}

impl Drop for Request {
    fn drop(&mut self) {
        self.0.count.set(self.0.count.get().saturating_sub(1));
        self.0.changed.notify_one();
    }
}

async fn answer(
    core: Rc<CoreState>,
    client: Rc<Client>,
    resolver: RequestResolver<Connection, Bytes>,
    accepted: Accepted,
) -> Outcome {
    let Ok(Ok((request, mut stream))) = timeout(HEAD_TIME, resolver.resolve_request()).await else {
        return Outcome::TakenBack;
    };
    if speaks_of_the_connection(request.headers()) {
        stream.stop_stream(Code::H3_MESSAGE_ERROR);
        stream.stop_sending(Code::H3_MESSAGE_ERROR);
        return Outcome::TakenBack;
    }
    let (send, recv) = stream.split();
    let reply = Http3Reply {
        stream: send,
        stopped: accepted.stopped,
        over: false,
    };
    let Ok(length) = declared_length(request.headers()) else {
        multiplexed::refuse(&core, reply, StatusCode::BAD_REQUEST).await;
        return Outcome::Answered;
    };
    let mut body = Box::new(Http3Body::new(recv, accepted.held, length));
    if timeout(HEAD_TIME, body.settle(request.method()))
        .await
        .is_err()
    {
        multiplexed::refuse(&core, reply, StatusCode::REQUEST_TIMEOUT).await;
        return Outcome::TakenBack;
    }
    let mut request = request.map(|()| InboundBody::Http3(body));
    join_cookies(request.headers_mut());
    multiplexed::serve(core, client, request, reply).await
}

/// Fields that only HTTP/1 has make a message malformed (RFC 9114 §4.2).
fn speaks_of_the_connection(headers: &HeaderMap) -> bool {
    static NAMES: [HeaderName; 5] = [
        CONNECTION,
        TRANSFER_ENCODING,
        UPGRADE,
        HeaderName::from_static("keep-alive"),
        HeaderName::from_static("proxy-connection"),
    ];
    NAMES.iter().any(|name| headers.contains_key(name))
        || headers
            .get_all(TE)
            .iter()
            .any(|value| !value.as_bytes().eq_ignore_ascii_case(b"trailers"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn headers_of_http1_are_told_apart() {
        for (name, value, bad) in [
            ("te", "trailers", false),
            ("te", "gzip", true),
            ("connection", "close", true),
            ("transfer-encoding", "chunked", true),
            ("keep-alive", "5", true),
            ("x-upgrade", "h2c", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            );
            assert_eq!(speaks_of_the_connection(&headers), bad, "{name}: {value}");
        }
    }
}
