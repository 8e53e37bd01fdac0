//! HTTP/2: requests on connections that several workers share.

use bytes::Bytes;
use http::{Request, StatusCode, Uri, Version};
use http_body_util::{BodyExt as _, Empty};
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper::rt::Executor;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::failed::Failed;

/// A worker's share of a connection.
#[derive(Clone)]
pub(crate) struct Http2 {
    sender: SendRequest<Empty<Bytes>>,
    uri: Uri,
}

impl Http2 {
    /// A new connection to `host`; clones share it.
    ///
    /// # Errors
    /// The other side does not speak HTTP/2.
    pub(crate) async fn open<S>(stream: S, host: &str, path: &str) -> Result<Self, Failed>
    where
        S: AsyncRead + AsyncWrite + Unpin + 'static,
    {
        let uri = format!("https://{host}{path}").parse();
        let uri = uri.map_err(|error| Failed::Wrong(format!("no address: {error}")))?;
        let (sender, connection) = handshake(Local, TokioIo::new(stream))
            .await
            .map_err(wrong)?;
        tokio::task::spawn_local(async move {
            // Its error is the requests' error too.
            let _ = connection.await;
        });
        Ok(Self { sender, uri })
    }

    /// One request and its whole answer, which must be a 200.
    ///
    /// # Errors
    /// The connection breaks, or the answer is another one.
    pub(crate) async fn exchange(&mut self) -> Result<(), Failed> {
        let mut request = Request::new(Empty::new());
        *request.uri_mut() = self.uri.clone();
        *request.version_mut() = Version::HTTP_2;
        let headers = request.headers_mut();
        headers.insert(http::header::USER_AGENT, super::scenario::USER_AGENT);
        headers.insert(http::header::ACCEPT, super::scenario::ACCEPT);
        headers.insert(http::header::ACCEPT_ENCODING, super::scenario::ENCODING);
        self.sender.ready().await.map_err(wrong)?;
        let answer = self.sender.send_request(request).await.map_err(wrong)?;
        if answer.status() != StatusCode::OK {
            return Err(Failed::Wrong(format!("an answer {}", answer.status())));
        }
        let mut body = answer.into_body();
        while let Some(frame) = body.frame().await {
            frame.map_err(wrong)?;
        }
        Ok(())
    }
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "the shape that map_err wants"
)]
fn wrong(error: hyper::Error) -> Failed {
    Failed::Wrong(format!("HTTP/2: {error}"))
}

/// Runs hyper's tasks on the one thread there is.
#[derive(Clone, Copy)]
struct Local;

impl<F: Future + 'static> Executor<F> for Local {
    fn execute(&self, task: F) {
        tokio::task::spawn_local(async move {
            task.await;
        });
    }
}
