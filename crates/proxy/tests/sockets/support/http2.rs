//! An HTTP/2 client that shows everything: informational responses, trailers, resets.

use std::future::poll_fn;
use std::sync::Arc;

use bytes::Bytes;
use h2::client::{ResponseFuture, SendRequest};
use http::{HeaderMap, Request};
use rustls::pki_types::ServerName;

use super::Reply;
use crate::tls::client_config;

/// A connection.
#[derive(Clone)]
pub(crate) struct Http2 {
    sender: SendRequest<Bytes>,
}

impl Http2 {
    pub(crate) async fn open(port: u16, name: &'static str) -> Self {
        Self::try_open(port, name).await.unwrap()
    }

    /// Connects, if that can be done.
    pub(crate) async fn try_open(port: u16, name: &'static str) -> Option<Self> {
        let mut config = client_config();
        config.alpn_protocols = vec![b"h2".to_vec()];
        let stream = tokio::net::TcpStream::connect(("127.0.0.1", port))
            .await
            .ok()?;
        let stream = tokio_rustls::TlsConnector::from(Arc::new(config))
            .connect(ServerName::try_from(name).unwrap(), stream)
            .await
            .ok()?;
        let (sender, connection) = h2::client::handshake(stream).await.ok()?;
        tokio::spawn(connection);
        Some(Self { sender })
    }

    /// Sends a request's head; without `end` a body follows.
    pub(crate) async fn start(
        &self,
        request: Request<()>,
        end: bool,
    ) -> Result<(ResponseFuture, h2::SendStream<Bytes>), h2::Error> {
        let mut sender = self.sender.clone().ready().await?;
        sender.send_request(request, end)
    }

    pub(crate) async fn get(&self, uri: &str) -> Reply {
        let request = Request::get(uri).body(()).unwrap();
        let (response, _stream) = self.start(request, true).await.unwrap();
        read(response).await.unwrap()
    }

    /// A request with a body in pieces, then trailers if there are any.
    pub(crate) async fn post(
        &self,
        request: Request<()>,
        pieces: &[Bytes],
        trailers: HeaderMap,
    ) -> Reply {
        let (response, mut stream) = self.start(request, false).await.unwrap();
        let pieces = pieces.to_vec();
        let sending = async move {
            for mut piece in pieces {
                while !piece.is_empty() {
                    stream.reserve_capacity(piece.len());
                    let room = poll_fn(|cx| stream.poll_capacity(cx)).await;
                    let room = room.unwrap().unwrap().min(piece.len());
                    stream.send_data(piece.split_to(room), false).unwrap();
                }
            }
            if trailers.is_empty() {
                stream.send_data(Bytes::new(), true).unwrap();
            } else {
                stream.send_trailers(trailers).unwrap();
            }
        };
        let (reply, ()) = tokio::join!(read(response), sending);
        reply.unwrap()
    }
}

/// Reads an answer to its end.
pub(crate) async fn read(mut response: ResponseFuture) -> Result<Reply, h2::Error> {
    let mut reply = Reply::default();
    while let Some(head) = poll_fn(|cx| response.poll_informational(cx)).await {
        let (head, ()) = head?.into_parts();
        reply.interim.push((head.status, head.headers));
    }
    let (head, mut body) = response.await?.into_parts();
    reply.status = head.status;
    reply.headers = head.headers;
    while let Some(data) = body.data().await {
        let data = data?;
        body.flow_control().release_capacity(data.len())?;
        reply.body.extend_from_slice(&data);
    }
    reply.trailers = body.trailers().await?.unwrap_or_default();
    Ok(reply)
}
