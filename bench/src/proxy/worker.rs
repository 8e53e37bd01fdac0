//! One of those that send at the same time.

use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use super::exchange::Http;
use super::http2::Http2;
use super::scenario::{PLAIN, TLS, What};
use super::tls::Clients;
use super::websocket::WebSocket;
use crate::failed::Failed;

/// Workers that share an HTTP/2 connection.
const SHARE: usize = 8;

/// Where to, and how.
#[derive(Clone)]
pub(crate) struct Destination {
    /// The port for it.
    pub(crate) address: SocketAddr,
    /// For TLS.
    pub(crate) clients: Rc<Clients>,
}

/// A connection, or what makes them, and what is done over and over.
pub(crate) enum Worker {
    Http(Http<TcpStream>, Rc<[u8]>),
    Https(Box<Http<TlsStream<TcpStream>>>, Rc<[u8]>),
    Http2(Http2),
    WebSocket(WebSocket<TcpStream>),
    Handshake(Destination),
}

impl Worker {
    /// So many workers, connected.
    ///
    /// # Errors
    /// A connection fails.
    pub(crate) async fn open(
        what: What,
        count: usize,
        to: &Destination,
    ) -> Result<Vec<Self>, Failed> {
        let request: Rc<[u8]> = what.request().into();
        let mut workers = Vec::new();
        let mut shared: Option<Http2> = None;
        for number in 0..count {
            let request = Rc::clone(&request);
            workers.push(match what {
                What::Http { .. } => Self::Http(Http::new(connect(to.address).await?), request),
                What::Https => {
                    let stream = connect(to.address).await?;
                    let stream = to.clients.connect(stream, false).await?;
                    Self::Https(Box::new(Http::new(stream)), request)
                }
                What::Http2 => match &shared {
                    Some(connection) if number % SHARE != 0 => Self::Http2(connection.clone()),
                    _ => {
                        let stream = connect(to.address).await?;
                        let stream = to.clients.connect(stream, true).await?;
                        let connection = Http2::open(stream, TLS, "/").await?;
                        Self::Http2(shared.insert(connection).clone())
                    }
                },
                What::WebSocket => {
                    let stream = connect(to.address).await?;
                    Self::WebSocket(WebSocket::open(stream, PLAIN).await?)
                }
                What::Handshake => Self::Handshake(to.clone()),
            });
        }
        Ok(workers)
    }

    /// Does it once.
    ///
    /// # Errors
    /// It went wrong; nothing of what was measured counts then.
    pub(crate) async fn once(&mut self) -> Result<(), Failed> {
        match self {
            Self::Http(http, request) => http.exchange(request).await,
            Self::Https(http, request) => http.exchange(request).await,
            Self::Http2(http) => http.exchange().await,
            Self::WebSocket(socket) => socket.echo().await,
            Self::Handshake(to) => {
                let stream = connect(to.address).await?;
                let stream = to.clients.connect(stream, false).await?;
                // Closed by a reset, so that no socket lingers on either side.
                stream.get_ref().0.set_zero_linger()?;
                Ok(())
            }
        }
    }
}

/// A connection without delays.
pub(crate) async fn connect(address: SocketAddr) -> Result<TcpStream, Failed> {
    let connected = tokio::time::timeout(Duration::from_secs(5), TcpStream::connect(address));
    let stream = connected
        .await
        .map_err(|_| Failed::Wrong(format!("no connection to {address}")))??;
    stream.set_nodelay(true)?;
    Ok(stream)
}
