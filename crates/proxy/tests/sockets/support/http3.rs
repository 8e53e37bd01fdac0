//! An HTTP/3 client that shows everything: informational responses, trailers, resets.

use std::future::poll_fn;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf as _, Bytes, BytesMut};
use h3::client::{RequestStream, SendRequest};
use h3_quinn::{BidiStream, OpenStreams};
use http::{HeaderMap, Request, StatusCode};
use quinn::crypto::rustls::QuicClientConfig;

use crate::tls::client_config;

/// An answer, whatever the version it came over.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reply {
    pub(crate) interim: Vec<(StatusCode, HeaderMap)>,
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
    pub(crate) trailers: HeaderMap,
}

impl Reply {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// A connection.
#[derive(Clone)]
pub(crate) struct Http3 {
    pub(crate) quic: quinn::Connection,
    pub(crate) endpoint: quinn::Endpoint,
    pub(crate) sender: SendRequest<OpenStreams, Bytes>,
}

pub(crate) type Stream = RequestStream<BidiStream<Bytes>, Bytes>;

fn endpoint() -> quinn::Endpoint {
    let mut tls = client_config();
    tls.alpn_protocols = vec![b"h3".to_vec()];
    tls.enable_early_data = true;
    let crypto = QuicClientConfig::try_from(tls).unwrap();
    let mut config = quinn::ClientConfig::new(Arc::new(crypto));
    let mut transport = quinn::TransportConfig::default();
    transport.max_idle_timeout(Some(Duration::from_secs(20).try_into().unwrap()));
    config.transport_config(Arc::new(transport));
    let mut endpoint = quinn::Endpoint::client((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
    endpoint.set_default_client_config(config);
    endpoint
}

/// Why there is no connection.
pub(crate) async fn connect_error(port: u16, name: &str) -> quinn::ConnectionError {
    let connecting = endpoint()
        .connect((Ipv4Addr::LOCALHOST, port).into(), name)
        .unwrap();
    connecting.await.unwrap_err()
}

impl Http3 {
    /// Connects, or says why not.
    pub(crate) async fn try_open(port: u16, name: &str) -> Result<Self, quinn::ConnectionError> {
        Self::try_open_at(endpoint(), port, name).await
    }

    /// The same from an endpoint that may have been there before.
    pub(crate) async fn try_open_at(
        endpoint: quinn::Endpoint,
        port: u16,
        name: &str,
    ) -> Result<Self, quinn::ConnectionError> {
        let connecting = endpoint
            .connect((Ipv4Addr::LOCALHOST, port).into(), name)
            .unwrap();
        let quic = connecting.await?;
        let (mut driver, sender) = h3::client::new(h3_quinn::Connection::new(quic.clone()))
            .await
            .map_err(|_| quic.close_reason().unwrap())?;
        tokio::spawn(async move { poll_fn(|cx| driver.poll_close(cx)).await });
        Ok(Self {
            quic,
            endpoint,
            sender,
        })
    }

    pub(crate) async fn open(port: u16, name: &str) -> Self {
        Self::try_open(port, name).await.unwrap()
    }

    /// Sends a request's head.
    pub(crate) async fn start(&self, request: Request<()>) -> Stream {
        self.sender.clone().send_request(request).await.unwrap()
    }

    pub(crate) async fn get(&self, uri: &str) -> Reply {
        let mut stream = self.start(Request::get(uri).body(()).unwrap()).await;
        stream.finish().await.unwrap();
        read(&mut stream).await.unwrap()
    }

    /// A POST with the body in pieces, then trailers if there are any.
    pub(crate) async fn post(
        &self,
        request: Request<()>,
        pieces: &[Bytes],
        trailers: HeaderMap,
    ) -> Reply {
        let stream = self.start(request).await;
        let (mut send, mut recv) = stream.split();
        let pieces = pieces.to_vec();
        let sending = async move {
            for piece in pieces {
                send.send_data(piece).await.unwrap();
            }
            if !trailers.is_empty() {
                send.send_trailers(trailers).await.unwrap();
            }
            send.finish().await.unwrap();
        };
        let (reply, ()) = tokio::join!(read(&mut recv), sending);
        reply.unwrap()
    }
}

/// Reads an answer to its end.
pub(crate) async fn read<S: h3::quic::RecvStream>(
    stream: &mut RequestStream<S, Bytes>,
) -> Result<Reply, h3::error::StreamError> {
    let mut reply = Reply::default();
    loop {
        let (head, ()) = stream.recv_response().await?.into_parts();
        if head.status.is_informational() {
            reply.interim.push((head.status, head.headers));
            continue;
        }
        reply.status = head.status;
        reply.headers = head.headers;
        break;
    }
    let mut body = BytesMut::new();
    while let Some(mut data) = stream.recv_data().await? {
        body.extend_from_slice(&data.copy_to_bytes(data.remaining()));
    }
    reply.body = body.to_vec();
    reply.trailers = stream.recv_trailers().await?.unwrap_or_default();
    Ok(reply)
}
