//! The answer's way to the client over HTTP/3.

use std::task::{Context, Poll};

use bytes::Bytes;
use h3::error::Code;
use h3::server::RequestStream;
use http::Response;
use http::header::HeaderMap;

use super::quic::{SendStream, Stopped};
use crate::downstream::multiplexed::{Gone, Reply};

/// The sending half of a request's stream.
pub(super) struct Http3Reply {
    pub(super) stream: RequestStream<SendStream, Bytes>,
    pub(super) stopped: Stopped,
    /// The client has stopped the answer, or has all of it.
    pub(super) over: bool,
}

impl Reply for Http3Reply {
    async fn interim(&mut self, head: Response<()>) -> Result<(), Gone> {
        self.stream.send_response(head).await.map_err(|_| Gone)
    }

    async fn head(&mut self, head: Response<()>, end: bool) -> Result<(), Gone> {
        self.stream.send_response(head).await.map_err(|_| Gone)?;
        if end { self.end().await } else { Ok(()) }
    }

    async fn data(&mut self, data: Bytes) -> Result<(), Gone> {
        self.stream.send_data(data).await.map_err(|_| Gone)
    }

    async fn trailers(&mut self, trailers: HeaderMap) -> Result<(), Gone> {
        self.stream
            .send_trailers(trailers)
            .await
            .map_err(|_| Gone)?;
        self.end().await
    }

    async fn end(&mut self) -> Result<(), Gone> {
        self.stream.finish().await.map_err(|_| Gone)
    }

    /// Closing the connection before the client has everything would lose what is on its way.
    async fn delivered(&mut self) {
        std::future::poll_fn(|cx| self.poll_gone(cx)).await;
    }

    fn reset(&mut self) {
        self.stream.stop_stream(Code::H3_INTERNAL_ERROR);
    }

    fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if !self.over && self.stopped.as_mut().poll(cx).is_ready() {
            self.over = true;
        }
        if self.over {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }
}
