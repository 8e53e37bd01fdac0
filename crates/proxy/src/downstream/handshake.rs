//! The TLS handshake of a new connection.
//!
//! In: a connection on the HTTPS port. Out: an encrypted one, or nothing: whoever cannot be served is told by an alert (a plain
//! HTTP client by a plain answer) and an authority has seen what it came for.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use dhow_certs::Resolver;
use rustls::server::{Acceptor, ClientHello};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::server::TlsStream;
use tokio_rustls::{LazyConfigAcceptor, StartHandshake};

use crate::cores::core_state::CoreState;
use crate::tls::cert_source::CertSource;
use crate::tls::tls_config::Tls;

/// A handshake must be done within this, not counting what the client has to wait for.
const HANDSHAKE_TIME: Duration = Duration::from_secs(10);
/// A client waits this long at most for a certificate that has been ordered and is not there yet.
const ISSUE_TIME: Duration = Duration::from_secs(30);
/// A fatal `internal_error` in clear, as kamal-proxy ends a handshake for a name that it does not serve.
const INTERNAL_ERROR: [u8; 7] = [21, 3, 3, 0, 2, 2, 80];

/// Shakes hands.
pub(crate) async fn shake_hands(
    core: &CoreState,
    mut stream: TcpStream,
    peer: SocketAddr,
    tls: &Tls,
) -> Option<TlsStream<TcpStream>> {
    let log = &core.plane.log;
    let failed = |error: &dyn fmt::Display| {
        let message = format!("http: TLS handshake error from {peer}: {error}");
        log.info(&message, &[]);
    };
    let mut deadline = Instant::now() + HANDSHAKE_TIME;
    let start = match timeout_at(deadline, greet(&mut stream)).await.ok()?? {
        Greeting::Tls => LazyConfigAcceptor::new(Acceptor::default(), stream),
        Greeting::Plain => {
            refuse_plain(stream).await;
            return None;
        }
    };
    let mut start = match timeout_at(deadline, start).await.ok()? {
        Ok(start) => start,
        Err(error) => {
            failed(&error);
            return None;
        }
    };
    let prober = Resolver::is_challenge(&start.client_hello());
    if !prober {
        let begun = Instant::now();
        await_certificate(core, &start).await;
        deadline += begun.elapsed();
    }
    let Some(config) = tls.config(start.client_hello()) else {
        failed(&"unknown server name");
        let _ = start.io.write_all(&INTERNAL_ERROR).await;
        let _ = start.io.shutdown().await;
        return None;
    };
    match timeout_at(deadline, start.into_stream(config)).await.ok()? {
        Ok(mut stream) if prober => {
            // RFC 8737: nothing follows.
            let _ = stream.shutdown().await;
            None
        }
        Ok(stream) => Some(stream),
        Err(error) => {
            failed(&error);
            None
        }
    }
}

/// What a client begins with.
enum Greeting {
    Tls,
    Plain,
}

async fn greet(stream: &mut TcpStream) -> Option<Greeting> {
    let mut first = [0_u8; 1];
    let size = stream.peek(&mut first).await.ok()?;
    Some(if size == 1 && first.iter().all(u8::is_ascii_uppercase) {
        Greeting::Plain
    } else {
        Greeting::Tls
    })
}

async fn refuse_plain(mut stream: TcpStream) {
    let answer =
        b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n";
    let _ = stream.write_all(answer).await;
    let _ = stream.shutdown().await;
}

/// Waits if the host's certificate is on its way. It was ordered when the host was deployed; only for a host that no service lists
/// is it ordered now, if the application wants it.
async fn await_certificate(core: &CoreState, start: &StartHandshake<TcpStream>) {
    let hello: ClientHello<'_> = start.client_hello();
    let table = core.plane.table();
    let name = match hello.server_name() {
        Some(name) => name,
        None => {
            let Some(host) = table.default_tls_host() else {
                return;
            };
            core.plane.log.warn(
                "No server name; using default TLS hostname",
                &[("host", host)],
            );
            host
        }
    };
    let automatic = table
        .find_root(name)
        .is_some_and(|service| matches!(service.certificate, CertSource::Automatic));
    if let (true, Some(certificates)) = (automatic, &core.plane.certificates) {
        let name = name.to_owned();
        // An old table is not held while waiting.
        drop(table);
        certificates.manager().prepare(&name, ISSUE_TIME).await;
    }
}
