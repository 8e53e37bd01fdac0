//! An SSH server in this process.
//!
//! In: a [`Config`] that says who may log in, what answers commands, and how the server misbehaves. Out: a running [`Sshd`] with its
//! addresses, counters and switches. Many addresses share one set of everything, so that a thousand hosts cost little memory.

mod answer;
mod forward;
mod server;
mod shell;
mod wire;

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use russh::keys::key::safe_rng;
use russh::keys::{Algorithm, PrivateKey};
use russh::server::Config as ProtocolConfig;
use russh::{MethodKind, MethodSet};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

pub use answer::{Answer, Call, Script};

/// How the server behaves.
#[derive(Clone)]
pub struct Config {
    /// What runs the commands.
    pub answer: Answer,
    /// Public keys that may log in, in OpenSSH's one-line form; `None` lets any key in.
    pub authorized_keys: Option<Vec<String>>,
    /// The password that lets in; `None` offers no password login.
    pub password: Option<String>,
    /// Added to everything in both directions together (a round trip).
    pub round_trip: Duration,
    /// Session channels a connection may have at the same time (OpenSSH: 10).
    pub max_sessions: usize,
    /// Whether forwarding is allowed.
    pub forwarding: bool,
}

impl Config {
    /// Lets any key in and answers with `answer`.
    #[must_use]
    pub fn new(answer: Answer) -> Self {
        Self {
            answer,
            authorized_keys: None,
            password: None,
            round_trip: Duration::ZERO,
            max_sessions: 10,
            forwarding: true,
        }
    }
}

/// What happened at the server so far.
#[derive(Debug, Default)]
pub struct Counters {
    /// TCP connections taken, refused ones too.
    pub connections: AtomicUsize,
    /// Successful logins.
    pub logins: AtomicUsize,
    /// Session channels opened.
    pub channels: AtomicUsize,
    /// Commands started.
    pub execs: AtomicUsize,
    /// Session channels refused.
    pub refused_channels: AtomicUsize,
    /// Connections that are being set up now: taken, but not logged in.
    pub starting: AtomicUsize,
    /// The most there were at a time.
    pub most_starting: AtomicUsize,
}

/// A running server; it stops when dropped.
pub struct Sshd {
    addresses: Vec<SocketAddr>,
    shared: Arc<Shared>,
    _tasks: JoinSet<()>,
}

pub(crate) struct Shared {
    pub(crate) config: Config,
    pub(crate) counters: Counters,
    protocol: Mutex<Arc<ProtocolConfig>>,
    /// What clients asked to run.
    commands: Mutex<Vec<String>>,
    /// Connections to hang up on before saying anything.
    refuse: AtomicUsize,
    /// Counted up to cut all connections.
    pub(crate) cuts: watch::Sender<u64>,
    /// While true nothing passes in either direction.
    pub(crate) frozen: watch::Sender<bool>,
}

impl Sshd {
    /// Listens on a free port of 127.0.0.1.
    ///
    /// # Errors
    /// The port can't be had.
    pub async fn start(config: Config) -> io::Result<Self> {
        Self::listen(&[SocketAddr::from(([127, 0, 0, 1], 0))], config).await
    }

    /// Listens on several addresses, each of which plays a host of its own ([`Call::host`] tells them apart).
    ///
    /// # Errors
    /// An address can't be had.
    pub async fn listen(addresses: &[SocketAddr], config: Config) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            protocol: Mutex::new(Arc::new(protocol(&config, random_key()?))),
            config,
            counters: Counters::default(),
            commands: Mutex::default(),
            refuse: AtomicUsize::new(0),
            cuts: watch::channel(0).0,
            frozen: watch::channel(false).0,
        });
        let mut tasks = JoinSet::new();
        let mut bound = Vec::with_capacity(addresses.len());
        for address in addresses {
            let listener = TcpListener::bind(address).await?;
            let address = listener.local_addr()?;
            bound.push(address);
            tasks.spawn(serve(listener, address, shared.clone()));
        }
        Ok(Self {
            addresses: bound,
            shared,
            _tasks: tasks,
        })
    }

    /// The first address.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.addresses
            .first()
            .copied()
            .unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 0)))
    }

    /// The port of the first address.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.address().port()
    }

    /// All addresses.
    #[must_use]
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// What happened so far.
    #[must_use]
    pub fn counters(&self) -> &Counters {
        &self.shared.counters
    }

    /// The exec requests so far, as they came: what anybody on the host can read in a list of processes.
    #[must_use]
    pub fn commands(&self) -> Vec<String> {
        let commands = self.shared.commands.lock();
        commands.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Connections from now on get another host key.
    ///
    /// # Errors
    /// No key could be made.
    pub fn change_host_key(&self) -> io::Result<()> {
        let changed = Arc::new(protocol(&self.shared.config, random_key()?));
        *self
            .shared
            .protocol
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = changed;
        Ok(())
    }

    /// The current host key in OpenSSH's one-line form.
    #[must_use]
    pub fn host_key(&self) -> String {
        let protocol = self.shared.protocol();
        protocol
            .keys
            .first()
            .and_then(|key| key.public_key().to_openssh().ok())
            .unwrap_or_default()
    }

    /// Hangs up on the next `count` connections at once, as a server with too many unfinished ones does.
    pub fn refuse_next(&self, count: usize) {
        self.shared.refuse.store(count, Ordering::SeqCst);
    }

    /// Breaks all connections off.
    pub fn cut(&self) {
        self.shared.cuts.send_modify(|cuts| *cuts += 1);
    }

    /// Stops or resumes all traffic without closing anything, as a network that swallows packets does.
    /// Only for servers with a [`Config::round_trip`].
    pub fn freeze(&self, frozen: bool) {
        self.shared.frozen.send_replace(frozen);
    }
}

impl Shared {
    fn protocol(&self) -> Arc<ProtocolConfig> {
        self.protocol
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn note(&self, command: &str) {
        let commands = self.commands.lock();
        let mut commands = commands.unwrap_or_else(PoisonError::into_inner);
        commands.push(command.to_owned());
    }

    fn refuses(&self) -> bool {
        let take = |left: usize| left.checked_sub(1);
        self.refuse
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, take)
            .is_ok()
    }
}

async fn serve(listener: TcpListener, address: SocketAddr, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((stream, _)) = accepted else { continue };
                shared.counters.connections.fetch_add(1, Ordering::SeqCst);
                if shared.refuses() {
                    continue;
                }
                connections.spawn(connection(stream, address, shared.clone()));
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn connection(stream: TcpStream, address: SocketAddr, shared: Arc<Shared>) {
    // A connection that can't be set up is the client's to notice.
    let _ = stream.set_nodelay(true);
    let wire = wire::Wire::new(stream, &shared);
    let handler = server::Handler::new(address, shared.clone());
    if let Ok(session) = russh::server::run_stream(shared.protocol(), wire, handler).await {
        let _ = session.await;
    }
}

/// The ways to log in that the server names.
fn methods(config: &Config) -> MethodSet {
    let mut methods = MethodSet::empty();
    methods.push(MethodKind::PublicKey);
    if config.password.is_some() {
        methods.push(MethodKind::Password);
        methods.push(MethodKind::KeyboardInteractive);
    }
    methods
}

fn protocol(config: &Config, key: PrivateKey) -> ProtocolConfig {
    ProtocolConfig {
        methods: methods(config),
        // Tests have nobody to hold up.
        auth_rejection_time: Duration::ZERO,
        auth_rejection_time_initial: Some(Duration::ZERO),
        keys: vec![key],
        max_auth_attempts: 6,
        inactivity_timeout: None,
        ..ProtocolConfig::default()
    }
}

fn random_key() -> io::Result<PrivateKey> {
    PrivateKey::random(&mut safe_rng(), Algorithm::Ed25519).map_err(io::Error::other)
}

impl Drop for Sshd {
    fn drop(&mut self) {
        self.cut();
    }
}
