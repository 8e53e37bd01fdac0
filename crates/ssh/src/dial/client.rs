//! Our side of the protocol library's callbacks: host keys, forwarded channels, and why a connection ended.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use russh::Channel;
use russh::client::{ChannelOpenHandle, DisconnectReason, Handler, Msg, Session};
use russh::keys::PublicKeyOrCertificate;
use tokio::net::UnixStream;
use tokio::sync::{mpsc, watch};

use super::host_key::HostKeys;
use crate::error::SshError;
use crate::session::{Incoming, Tunnel};

/// Why a connection ended; empty while it lives.
pub(crate) type Lost = Option<Arc<str>>;

/// The ports the server listens on for us, and who takes what arrives there.
#[derive(Clone, Default)]
pub(crate) struct Forwards(Arc<Mutex<HashMap<u32, mpsc::Sender<Incoming>>>>);

impl Forwards {
    pub(crate) fn add(&self, port: u32, sender: mpsc::Sender<Incoming>) {
        self.lock().insert(port, sender);
    }

    pub(crate) fn remove(&self, port: u32) {
        self.lock().remove(&port);
    }

    fn find(&self, port: u32) -> Option<mpsc::Sender<Incoming>> {
        self.lock().get(&port).cloned()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<u32, mpsc::Sender<Incoming>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The callbacks of one connection.
pub(crate) struct Client {
    pub(crate) host_keys: Arc<HostKeys>,
    pub(crate) lost: watch::Sender<Lost>,
    pub(crate) forwards: Forwards,
    /// The agent that commands over there may use.
    pub(crate) agent: Option<PathBuf>,
}

/// What stops a connection from inside the callbacks.
#[derive(Debug)]
pub(crate) enum ClientError {
    Ssh(russh::Error),
    HostKey(Box<SshError>),
}

impl From<russh::Error> for ClientError {
    fn from(error: russh::Error) -> Self {
        Self::Ssh(error)
    }
}

impl Handler for Client {
    type Error = ClientError;

    async fn check_server_key(
        &mut self,
        key: &PublicKeyOrCertificate,
    ) -> Result<bool, ClientError> {
        let keys = self.host_keys.clone();
        // Files and a lock are waited for, so not on this thread; the key is copied since the callback only lends it.
        let key = match key {
            PublicKeyOrCertificate::PublicKey { key, hash_alg } => {
                PublicKeyOrCertificate::PublicKey {
                    key: key.clone(),
                    hash_alg: *hash_alg,
                }
            }
            PublicKeyOrCertificate::Certificate(certificate) => {
                PublicKeyOrCertificate::Certificate(certificate.clone())
            }
        };
        match tokio::task::spawn_blocking(move || keys.check(&key)).await {
            Ok(Ok(())) => Ok(true),
            Ok(Err(error)) => Err(ClientError::HostKey(Box::new(error))),
            Err(_) => Ok(false),
        }
    }

    async fn server_channel_open_forwarded_tcpip(
        &mut self,
        channel: Channel<Msg>,
        _connected_address: &str,
        connected_port: u32,
        originator_address: &str,
        originator_port: u32,
        reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), ClientError> {
        // A full or missing taker drops `reply`, which refuses the channel.
        let Some(permit) = self
            .forwards
            .find(connected_port)
            .and_then(|s| s.try_reserve_owned().ok())
        else {
            return Ok(());
        };
        reply.accept().await;
        permit.send(Incoming {
            origin: format!("{originator_address}:{originator_port}"),
            tunnel: Tunnel::new(channel),
        });
        Ok(())
    }

    async fn server_channel_open_agent_forward(
        &mut self,
        channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), ClientError> {
        let Some(socket) = self.agent.clone() else {
            return Ok(());
        };
        reply.accept().await;
        tokio::spawn(async move {
            let mut remote = Tunnel::new(channel);
            if let Ok(mut local) = UnixStream::connect(socket).await {
                // Whoever is over there notices a broken agent by the end of the stream.
                let _ = tokio::io::copy_bidirectional(&mut remote, &mut local).await;
            }
        });
        Ok(())
    }

    async fn disconnected(
        &mut self,
        reason: DisconnectReason<ClientError>,
    ) -> Result<(), ClientError> {
        let (text, result) = match reason {
            DisconnectReason::ReceivedDisconnect(info) if info.message.is_empty() => {
                ("the server disconnected".to_owned(), Ok(()))
            }
            DisconnectReason::ReceivedDisconnect(info) => {
                (format!("the server disconnected: {}", info.message), Ok(()))
            }
            DisconnectReason::Error(error) => (describe(&error), Err(error)),
        };
        self.lost.send_replace(Some(text.into()));
        result
    }
}

fn describe(error: &ClientError) -> String {
    match error {
        ClientError::HostKey(error) => error.to_string(),
        ClientError::Ssh(russh::Error::KeepaliveTimeout) => "no answer to keep-alives".to_owned(),
        ClientError::Ssh(russh::Error::Disconnect | russh::Error::HUP) => {
            "closed by the server".to_owned()
        }
        ClientError::Ssh(russh::Error::IO(error))
            if error.kind() == std::io::ErrorKind::UnexpectedEof =>
        {
            "closed by the server".to_owned()
        }
        ClientError::Ssh(russh::Error::IO(error))
            if error.kind() == std::io::ErrorKind::TimedOut =>
        {
            "no answer to keep-alives or data".to_owned()
        }
        ClientError::Ssh(error) => error.to_string(),
    }
}
