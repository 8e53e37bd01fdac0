//! Connections to one target, kept for reuse between requests, and one exchange on one of them.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use http::{HeaderValue, Request, header};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::failure::Failure;
use super::target::Target;

type Sender = SendRequest<Full<Bytes>>;

/// The kept connections to a target.
#[derive(Debug)]
pub(super) struct Connections {
    target: Target,
    idle: Mutex<Vec<Sender>>,
    opened: AtomicU64,
}

impl Connections {
    pub(super) fn new(target: Target) -> Self {
        Self {
            target,
            idle: Mutex::new(Vec::new()),
            opened: AtomicU64::new(0),
        }
    }

    pub(super) fn target(&self) -> &Target {
        &self.target
    }

    /// How many connections were opened so far.
    pub(super) fn opened(&self) -> u64 {
        self.opened.load(Ordering::Relaxed)
    }

    /// Sends a request once and reads the whole answer. With `fresh` on a connection of its own, else on a kept one that
    /// the server has not closed. Returns the body of a 200.
    pub(super) async fn exchange(
        &self,
        mut request: Request<Full<Bytes>>,
        fresh: bool,
    ) -> Result<Bytes, Failure> {
        if fresh {
            request
                .headers_mut()
                .insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        let (response, sender) = loop {
            let kept = if fresh { None } else { self.take_idle().await };
            let reused = kept.is_some();
            let mut sender = match kept {
                Some(sender) => sender,
                None => self.open().await?,
            };
            match sender.try_send_request(request).await {
                Ok(response) => break (response, sender),
                Err(mut error) => match error.take_message() {
                    // Given back whole, so not a byte of it was sent: the server had closed the kept connection before.
                    Some(unsent) if reused => request = unsent,
                    _ => return Err(lost(error.error())),
                },
            }
        };
        let (head, body) = response.into_parts();
        let body = body
            .collect()
            .await
            .map_err(|error| lost(&error))?
            .to_bytes();
        if !fresh && let Ok(mut idle) = self.idle.lock() {
            idle.push(sender);
        }
        if head.status == http::StatusCode::OK {
            Ok(body)
        } else {
            Err(Failure::Status(head.status.as_u16()))
        }
    }

    /// A kept connection on which nothing is under way. One that the server has closed is passed over: nothing was sent
    /// on it, so no request is lost by that.
    async fn take_idle(&self) -> Option<Sender> {
        loop {
            let mut sender = self.idle.lock().ok()?.pop()?;
            if sender.ready().await.is_ok() && !sender.is_closed() {
                return Some(sender);
            }
        }
    }

    async fn open(&self) -> Result<Sender, Failure> {
        self.opened.fetch_add(1, Ordering::Relaxed);
        let stream = TcpStream::connect(self.target.address)
            .await
            .map_err(|error| Failure::Connect(error.kind()))?;
        let _ = stream.set_nodelay(true);
        let (sender, connection) = handshake(TokioIo::new(stream))
            .await
            .map_err(|error| lost(&error))?;
        tokio::spawn(async move {
            // Its error is the request's error too, and counted there.
            let _ = connection.await;
        });
        Ok(sender)
    }
}

fn lost(error: &hyper::Error) -> Failure {
    use std::error::Error as _;
    let cause = error
        .source()
        .and_then(|source| source.downcast_ref::<std::io::Error>());
    Failure::Lost(cause.map_or_else(|| error.to_string(), |cause| cause.kind().to_string()))
}
