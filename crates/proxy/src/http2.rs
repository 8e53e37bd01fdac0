//! Serves one client connection with HTTP/2: the same pipeline as HTTP/1, many requests at once. Only over TLS,
//! when the client asks for it in the handshake.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;

use http::header::{COOKIE, HeaderMap, HeaderValue};
use hyper::rt::Executor;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;

use crate::client::{Client, Wish};
use crate::connection::{LARGEST_HEAD, Stream};
use crate::core::Core;
use crate::pipeline;

/// Name of the protocol in the TLS handshake.
pub(crate) const ALPN: &[u8] = b"h2";

/// Requests at once on a connection.
const MOST_STREAMS: u32 = 250;
/// Body bytes that may be on their way in, a request and a connection.
const WINDOW: u32 = 1 << 20;
/// Largest frame taken.
const LARGEST_FRAME: u32 = 1 << 20;

/// Serves a connection to its end.
pub(crate) async fn serve<S: Stream>(core: Rc<Core>, stream: S, client: Rc<Client>) {
    let (handle, _membership) = core.clients.join(&client.phase);
    core.stir();
    let service =
        service_fn(|request| pipeline::serve(Rc::clone(&core), Rc::clone(&client), request));
    let mut builder = http2::Builder::new(LocalExecutor);
    builder
        .max_concurrent_streams(MOST_STREAMS)
        .initial_stream_window_size(WINDOW)
        .initial_connection_window_size(WINDOW)
        .max_frame_size(LARGEST_FRAME)
        .max_header_list_size(u32::try_from(LARGEST_HEAD).unwrap_or(u32::MAX));
    let mut connection = std::pin::pin!(builder.serve_connection(TokioIo::new(stream), service));
    let mut finishing = false;
    poll_fn(|cx| {
        match handle.listen(cx.waker()) {
            Wish::None => {}
            Wish::Rest => handle.clear(),
            Wish::Leave | Wish::Finish if finishing => {}
            Wish::Leave | Wish::Finish => {
                finishing = true;
                connection.as_mut().graceful_shutdown();
            }
            Wish::Close => return Poll::Ready(()),
        }
        Pin::new(&mut connection).poll(cx).map(|_| ())
    })
    .await;
}

/// HTTP/2 clients may send one cookie a line; HTTP/1 wants them in one (RFC 9113, 8.2.3).
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

/// Runs hyper's tasks on the core they belong to.
#[derive(Clone, Copy)]
struct LocalExecutor;

impl<F: Future + 'static> Executor<F> for LocalExecutor {
    fn execute(&self, task: F) {
        tokio::task::spawn_local(async move {
            task.await;
        });
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
