//! Requests of the proxy's own to one of its services: over a pipe in memory to a core, then the way of any other request (access
//! log, metrics, pause, balancing), except that the service is given and nothing is redirected.
//!
//! In: a service, a host and a path. Out: the answer's status and the beginning of its body.

use std::net::{Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::header::{HOST, USER_AGENT};
use http::{Request, StatusCode};
use http_body_util::{BodyExt as _, Empty};
use hyper_util::rt::TokioIo;
use tokio::io::DuplexStream;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};

use crate::cores::core_state::CoreState;
use crate::downstream::client::Client;
use crate::downstream::connection::{Stream, serve};

/// Bytes on their way in the pipe.
const PIPE: usize = 16 << 10;

/// A line to the core that answers.
pub(crate) type Inquiries = UnboundedSender<Inquiry>;

/// A connection on its way to a core.
pub(crate) struct Inquiry {
    service: Arc<str>,
    stream: DuplexStream,
}

/// No answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InquiryError {
    /// Nobody is there to answer.
    #[error("the proxy is not serving")]
    NotServing,
    /// What was asked is no request.
    #[error(transparent)]
    Request(#[from] http::Error),
    /// The answer broke off.
    #[error(transparent)]
    Exchange(#[from] hyper::Error),
    /// It took too long.
    #[error("no answer within {0:?}")]
    TimedOut(Duration),
}

/// GETs `path` from `service` as if for `host`; at most `limit` bytes of the body are read.
///
/// # Errors
/// When there is no answer in `time`.
pub(crate) async fn inquire(
    inquiries: &Inquiries,
    service: Arc<str>,
    host: &str,
    path: &str,
    limit: usize,
    time: Duration,
) -> Result<(StatusCode, Vec<u8>), InquiryError> {
    let (near, far) = tokio::io::duplex(PIPE);
    let request = Request::get(path)
        .header(HOST, host)
        .header(USER_AGENT, "kamal-proxy")
        .body(Empty::<Bytes>::new())?;
    let inquiry = Inquiry {
        service,
        stream: far,
    };
    if inquiries.send(inquiry).is_err() {
        return Err(InquiryError::NotServing);
    }
    tokio::time::timeout(time, exchange(near, request, limit))
        .await
        .unwrap_or(Err(InquiryError::TimedOut(time)))
}

async fn exchange(
    stream: DuplexStream,
    request: Request<Empty<Bytes>>,
    limit: usize,
) -> Result<(StatusCode, Vec<u8>), InquiryError> {
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let answer = async {
        let response = sender.send_request(request).await?;
        let status = response.status();
        let mut body = response.into_body();
        let mut read = Vec::new();
        while read.len() < limit
            && let Some(frame) = body.frame().await
        {
            if let Ok(data) = frame?.into_data() {
                read.extend_from_slice(&data);
            }
        }
        read.truncate(limit);
        Ok((status, read))
    };
    tokio::pin!(answer);
    // The connection moves the bytes; what it ends with, the answer ends with too.
    let connection = async {
        let _ = connection.await;
        std::future::pending().await
    };
    tokio::select! {
        answer = &mut answer => answer,
        never = connection => never,
    }
}

/// Answers inquiries on a core, for ever.
pub(crate) async fn answer(core: Rc<CoreState>, mut inquiries: UnboundedReceiver<Inquiry>) {
    let port = core.plane.http_port;
    while let Some(Inquiry { service, stream }) = inquiries.recv().await {
        let peer = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let mut client = Client::new(peer, port, false);
        client.inquires = Some(service);
        tokio::task::spawn_local(serve(Rc::clone(&core), stream, Rc::new(client)));
    }
}

impl Stream for DuplexStream {
    fn poll_readable(&self, _: &mut Context<'_>) -> Poll<()> {
        // An inquiry comes at once and never idles.
        Poll::Ready(())
    }
}
