//! Who is at the other end of a connection that was just accepted: the peer, or whom a PROXY protocol header names.
//!
//! The bytes are looked at without taking them out of the socket, and only a header is taken: what follows it, or what stands
//! there instead, is left for TLS or HTTP.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use dhow_proxy_api::{ProxyProtocol, is_within};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use crate::cores::plane::Plane;
use crate::downstream::proxy_protocol::{LONGEST, Start, read_start};

/// A header must be complete this long after the connection. Whoever sends one sends it at once.
const HEADER_TIME: Duration = Duration::from_secs(5);
/// Between two looks at a header of which a part has come. Headers come in one piece, so this hardly ever happens.
const LOOK: Duration = Duration::from_millis(10);

/// The client of a connection; `None` when the connection is to be closed.
pub(crate) async fn client_of(
    plane: &Plane,
    stream: &mut TcpStream,
    peer: SocketAddr,
) -> Option<SocketAddr> {
    let edge = &plane.edge;
    let networks = &edge.trusted_proxies;
    let trusted = || networks.is_empty() || is_within(networks, peer.ip());
    let required = match edge.proxy_protocol {
        ProxyProtocol::Off => return Some(peer),
        ProxyProtocol::Optional if !trusted() => return Some(peer),
        ProxyProtocol::Optional => false,
        ProxyProtocol::Required => true,
    };
    let outcome = if required && !trusted() {
        Err(io::Error::other("no trusted proxy"))
    } else {
        match timeout(HEADER_TIME, Box::pin(take_header(stream))).await {
            Ok(outcome) => outcome,
            // What comes late may be anything, but no header any more.
            Err(_) if !required => return Some(peer),
            Err(_) => Err(io::ErrorKind::TimedOut.into()),
        }
    };
    match outcome {
        Ok(Some(named)) => Some(named.unwrap_or(peer)),
        Ok(None) if !required => Some(peer),
        Ok(None) => refuse(plane, peer, "no PROXY header"),
        Err(error) => refuse(plane, peer, &crate::process::system_error::text(&error)),
    }
}

fn refuse(plane: &Plane, peer: SocketAddr, why: &str) -> Option<SocketAddr> {
    let peer = SocketAddr::new(peer.ip().to_canonical(), peer.port());
    let message = format!("PROXY protocol error from {peer}: {why}");
    plane.log.info(&message, &[]);
    None
}

/// Takes a header off a connection and gives whom it names; the outer `None` is a connection that has none.
async fn take_header(stream: &mut TcpStream) -> io::Result<Option<Option<SocketAddr>>> {
    let mut bytes = vec![0; LONGEST];
    loop {
        let seen = stream.peek(&mut bytes).await?;
        if seen == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let start = read_start(bytes.get(..seen).unwrap_or_default());
        match start.map_err(io::Error::other)? {
            Start::Other => return Ok(None),
            Start::Partial => sleep(LOOK).await,
            Start::Header { length, source } => {
                bytes.truncate(length);
                stream.read_exact(&mut bytes).await?;
                return Ok(Some(source));
            }
        }
    }
}
