//! The server's side of one connection.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use russh::keys::PublicKey;
use russh::server::{
    Auth, ChannelOpenHandle, Msg, PublicKeyOffer, Response, Session, VerifiedPublicKey,
};
use russh::{Channel, ChannelId, ChannelMsg, ChannelOpenFailure, ChannelReadHalf, Pty};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinSet};

use super::answer::{Answer, Call};
use super::shell::{self, Ended};
use super::{Shared, forward};

pub(crate) struct Handler {
    host: SocketAddr,
    shared: Arc<Shared>,
    user: String,
    waiting: HashMap<ChannelId, Channel<Msg>>,
    open: Arc<AtomicUsize>,
    running: JoinSet<()>,
    listening: HashMap<u32, AbortHandle>,
    started: bool,
}

impl Handler {
    pub(crate) fn new(host: SocketAddr, shared: Arc<Shared>) -> Self {
        let starting = shared.counters.starting.fetch_add(1, Ordering::SeqCst) + 1;
        shared
            .counters
            .most_starting
            .fetch_max(starting, Ordering::SeqCst);
        Self {
            host,
            shared,
            user: String::new(),
            waiting: HashMap::new(),
            open: Arc::default(),
            running: JoinSet::new(),
            listening: HashMap::new(),
            started: false,
        }
    }

    fn is_authorized(&self, offered: &PublicKey) -> bool {
        let Some(keys) = &self.shared.config.authorized_keys else {
            return true;
        };
        keys.iter()
            .filter_map(|line| PublicKey::from_openssh(line).ok())
            .any(|key| key.key_data() == offered.key_data())
    }

    fn decide(&self, good: bool) -> Auth {
        if good {
            return Auth::Accept;
        }
        // Without the list the library would strike the method that failed, which no OpenSSH does.
        Auth::Reject {
            proceed_with_methods: Some(super::methods(&self.shared.config)),
            partial_success: false,
        }
    }

    fn set_up(&mut self) {
        if !self.started {
            self.started = true;
            self.shared.counters.starting.fetch_sub(1, Ordering::SeqCst);
        }
    }

    fn start(&mut self, id: ChannelId, command: String, session: &Session) {
        let Some(channel) = self.waiting.remove(&id) else {
            return;
        };
        self.shared.counters.execs.fetch_add(1, Ordering::SeqCst);
        self.shared.note(&command);
        let handle = session.handle();
        let answer = self.shared.config.answer.clone();
        let (host, user, open) = (self.host, self.user.clone(), self.open.clone());
        self.running.spawn(async move {
            let (read, write) = channel.split();
            let write = Arc::new(write);
            let (sender, input) = mpsc::unbounded_channel();
            let work = async {
                match answer {
                    Answer::Shell { dir, env } => {
                        shell::run(&dir, &env, &command, input, write.clone()).await
                    }
                    Answer::Scripted(script) => {
                        let output = write.clone();
                        Ended::Status(
                            script(Call {
                                host,
                                user,
                                command,
                                input,
                                output,
                            })
                            .await,
                        )
                    }
                }
            };
            let ended = tokio::select! {
                ended = work => Some(ended),
                () = listen(read, sender) => None,
            };
            if let Some(ended) = ended {
                shell::finish(&handle, &write, ended).await;
            }
            open.fetch_sub(1, Ordering::SeqCst);
        });
    }
}

/// Hands on the input until the client closes the channel. Taken without limit: a full queue would hold up the whole connection,
/// window adjustments included.
async fn listen(mut read: ChannelReadHalf, sender: mpsc::UnboundedSender<Bytes>) {
    let mut sender = Some(sender);
    while let Some(message) = read.wait().await {
        match message {
            ChannelMsg::Data { data } => {
                if let Some(sender) = &sender {
                    let _ = sender.send(data);
                }
            }
            ChannelMsg::Eof => sender = None,
            ChannelMsg::Close => return,
            _ => {}
        }
    }
}

impl Drop for Handler {
    fn drop(&mut self) {
        self.set_up();
        for task in self.listening.values() {
            task.abort();
        }
    }
}

impl russh::server::Handler for Handler {
    type Error = russh::Error;

    async fn auth_publickey_offered(
        &mut self,
        _user: &str,
        offer: PublicKeyOffer<'_>,
    ) -> Result<Auth, russh::Error> {
        Ok(self.decide(self.is_authorized(offer.public_key)))
    }

    async fn auth_publickey(
        &mut self,
        user: &str,
        key: VerifiedPublicKey<'_>,
    ) -> Result<Auth, russh::Error> {
        user.clone_into(&mut self.user);
        Ok(self.decide(self.is_authorized(key.public_key)))
    }

    async fn auth_password(&mut self, user: &str, password: &str) -> Result<Auth, russh::Error> {
        user.clone_into(&mut self.user);
        Ok(self.decide(self.shared.config.password.as_deref() == Some(password)))
    }

    async fn auth_keyboard_interactive<'a>(
        &'a mut self,
        user: &str,
        _submethods: &str,
        response: Option<Response<'a>>,
    ) -> Result<Auth, russh::Error> {
        user.clone_into(&mut self.user);
        let Some(expected) = self.shared.config.password.clone() else {
            return Ok(self.decide(false));
        };
        match response {
            None => Ok(Auth::Partial {
                name: "".into(),
                instructions: "".into(),
                prompts: vec![("Password: ".into(), false)].into(),
            }),
            Some(mut answers) => {
                Ok(self.decide(answers.next().is_some_and(|a| *a == *expected.as_bytes())))
            }
        }
    }

    async fn auth_succeeded(&mut self, _session: &mut Session) -> Result<(), russh::Error> {
        self.shared.counters.logins.fetch_add(1, Ordering::SeqCst);
        self.set_up();
        Ok(())
    }

    async fn channel_open_session(
        &mut self,
        channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), russh::Error> {
        if self.open.load(Ordering::SeqCst) >= self.shared.config.max_sessions {
            self.shared
                .counters
                .refused_channels
                .fetch_add(1, Ordering::SeqCst);
            reply.reject(ChannelOpenFailure::ConnectFailed).await;
            return Ok(());
        }
        self.open.fetch_add(1, Ordering::SeqCst);
        self.shared.counters.channels.fetch_add(1, Ordering::SeqCst);
        self.waiting.insert(channel.id(), channel);
        reply.accept().await;
        Ok(())
    }

    async fn channel_close(
        &mut self,
        channel: ChannelId,
        _session: &mut Session,
    ) -> Result<(), russh::Error> {
        if self.waiting.remove(&channel).is_some() {
            self.open.fetch_sub(1, Ordering::SeqCst);
        }
        Ok(())
    }

    async fn pty_request(
        &mut self,
        channel: ChannelId,
        _term: &str,
        _columns: u32,
        _rows: u32,
        _width: u32,
        _height: u32,
        _modes: &[(Pty, u32)],
        session: &mut Session,
    ) -> Result<(), russh::Error> {
        session.channel_success(channel)
    }

    async fn exec_request(
        &mut self,
        channel: ChannelId,
        data: &[u8],
        session: &mut Session,
    ) -> Result<(), russh::Error> {
        session.channel_success(channel)?;
        self.start(channel, String::from_utf8_lossy(data).into_owned(), session);
        Ok(())
    }

    async fn shell_request(
        &mut self,
        channel: ChannelId,
        session: &mut Session,
    ) -> Result<(), russh::Error> {
        session.channel_success(channel)?;
        self.start(channel, "sh".to_owned(), session);
        Ok(())
    }

    async fn channel_open_direct_tcpip(
        &mut self,
        channel: Channel<Msg>,
        host: &str,
        port: u32,
        _originator: &str,
        _originator_port: u32,
        reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), russh::Error> {
        let port = u16::try_from(port).unwrap_or_default();
        if !self.shared.config.forwarding {
            reply
                .reject(ChannelOpenFailure::AdministrativelyProhibited)
                .await;
            return Ok(());
        }
        let host = host.to_owned();
        tokio::spawn(async move {
            match TcpStream::connect((host.as_str(), port)).await {
                Ok(stream) => {
                    let _ = stream.set_nodelay(true);
                    reply.accept().await;
                    forward::carry(channel, stream);
                }
                Err(_) => reply.reject(ChannelOpenFailure::ConnectFailed).await,
            }
        });
        Ok(())
    }

    async fn channel_open_direct_streamlocal(
        &mut self,
        channel: Channel<Msg>,
        path: &str,
        reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), russh::Error> {
        match UnixStream::connect(path).await {
            Ok(stream) if self.shared.config.forwarding => {
                reply.accept().await;
                forward::carry(channel, stream);
            }
            _ => reply.reject(ChannelOpenFailure::ConnectFailed).await,
        }
        Ok(())
    }

    async fn tcpip_forward(
        &mut self,
        address: &str,
        port: &mut u32,
        session: &mut Session,
    ) -> Result<bool, russh::Error> {
        let wanted = u16::try_from(*port).unwrap_or_default();
        if !self.shared.config.forwarding {
            return Ok(false);
        }
        let Ok((bound, task)) = forward::listen(session.handle(), address, wanted).await else {
            return Ok(false);
        };
        *port = u32::from(bound);
        self.listening.insert(*port, task);
        Ok(true)
    }

    async fn cancel_tcpip_forward(
        &mut self,
        _address: &str,
        port: u32,
        _session: &mut Session,
    ) -> Result<bool, russh::Error> {
        let task = self.listening.remove(&port);
        if let Some(task) = &task {
            task.abort();
        }
        Ok(task.is_some())
    }
}
