//! Banner, key exchange and host key check over any stream.

use std::borrow::Cow;
use std::io::ErrorKind;
use std::sync::Arc;

use russh::SshId;
use russh::client::{self, Handle};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;
use tokio::time::timeout;

use super::client::{Client, ClientError, Forwards, Lost};
use super::route::Route;
use crate::error::SshError;

/// A connection that is ready for authentication.
pub(crate) struct Handshake {
    pub(crate) handle: Handle<Client>,
    pub(crate) lost: watch::Receiver<Lost>,
    pub(crate) forwards: Forwards,
}

/// Why there is no connection.
pub(crate) enum Failure {
    /// The server hung up before keys were exchanged: it may be busy (`MaxStartups`) and is worth another try.
    Dropped(String),
    /// Trying again leads nowhere.
    Final(SshError),
}

/// Does the exchange within the route's time limit.
pub(crate) async fn handshake<S>(stream: S, route: &Route) -> Result<Handshake, Failure>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let keys = route.host_keys.clone();
    let preferred = match tokio::task::spawn_blocking(move || keys.preferred()).await {
        Ok(Ok(preferred)) => preferred,
        Ok(Err(error)) => return Err(Failure::Final(error)),
        Err(error) => return Err(fatal(route, error.to_string())),
    };
    let config = client::Config {
        client_id: SshId::Standard(Cow::Borrowed("SSH-2.0-dhow")),
        keepalive_interval: route.keepalive_interval,
        keepalive_max: route.keepalive_max,
        preferred,
        nodelay: true,
        ..client::Config::default()
    };
    let (lost_sender, lost) = watch::channel(None);
    let forwards = Forwards::default();
    let client = Client {
        host_keys: route.host_keys.clone(),
        lost: lost_sender,
        forwards: forwards.clone(),
        agent: route
            .credentials
            .agent
            .clone()
            .filter(|_| route.forward_agent),
    };
    let connecting = client::connect_stream(Arc::new(config), stream, client);
    match timeout(route.connect_timeout, connecting).await {
        Ok(Ok(handle)) => Ok(Handshake {
            handle,
            lost,
            forwards,
        }),
        Ok(Err(ClientError::HostKey(error))) => Err(Failure::Final(*error)),
        Ok(Err(ClientError::Ssh(error))) => Err(sort(route, &error)),
        Err(_) => Err(Failure::Final(SshError::Timeout {
            host: route.host.clone(),
            stage: "the ssh handshake".to_owned(),
            after: route.connect_timeout,
        })),
    }
}

fn sort(route: &Route, error: &russh::Error) -> Failure {
    match error {
        russh::Error::HUP | russh::Error::Disconnect => {
            Failure::Dropped("the server hung up during the handshake".to_owned())
        }
        russh::Error::IO(io) => match io.kind() {
            ErrorKind::UnexpectedEof
            | ErrorKind::ConnectionReset
            | ErrorKind::BrokenPipe
            | ErrorKind::ConnectionAborted => {
                Failure::Dropped(format!("the server hung up during the handshake: {io}"))
            }
            _ => fatal(route, io.to_string()),
        },
        russh::Error::UnknownKey => fatal(route, "the host key was not accepted".to_owned()),
        other => fatal(route, other.to_string()),
    }
}

fn fatal(route: &Route, reason: String) -> Failure {
    Failure::Final(SshError::Handshake {
        host: route.host.clone(),
        reason,
    })
}
