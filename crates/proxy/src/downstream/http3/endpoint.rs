//! The QUIC endpoint: one UDP socket and one thread that reads it. A connection's first datagram decides which core
//! drives it, in turn; later ones find it by its id, wherever they come from.

use std::cell::RefCell;
use std::io;
use std::net::UdpSocket;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::Duration;

use quinn::crypto::rustls::QuicServerConfig;
use quinn::{EndpointConfig, IdleTimeout, ServerConfig, TokioRuntime, TransportConfig, VarInt};
use rustls::crypto::CryptoProvider;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::sync::oneshot;

use crate::cores::plane::Plane;
use crate::downstream::listener::{ListenError, listen_udp};
use crate::tls::tls_config::Tls;

/// Name of the protocol in the TLS handshake.
const ALPN: &[u8] = b"h3";
/// Requests at once on a connection.
const MOST_STREAMS: u32 = 100;
/// Streams of the client's own: control, header compression, and some to spare for those it makes up.
const MOST_CLIENT_STREAMS: u32 = 8;
/// Body bytes that may be on their way in, a request and a connection.
const WINDOW: u32 = 1 << 20;
/// Bytes kept for a client that has not confirmed them, a connection.
const SEND_WINDOW: u64 = 2 << 20;
/// A client that is silent for so long has gone.
const SILENCE: Duration = Duration::from_secs(30);
/// Asked often enough that one packet may be lost.
const PING: Duration = Duration::from_secs(12);
/// Connections that may wait for a core.
const MOST_WAITING: usize = 256;
/// From so many connections on, a client must first show that it is where it says (RFC 9000 §8.1).
const VALIDATE_FROM: usize = 1000;
/// Datagrams kept for connections that no core has taken yet, in bytes.
const INCOMING_BUFFER: u64 = 8 << 20;
/// Time for the last packets at the end.
const GOODBYE_TIME: Duration = Duration::from_millis(500);

/// Connections on their way to a core.
pub(crate) type Arrivals = Receiver<quinn::Incoming>;

/// Between two attempts to get the port of a proxy that has handed over and still has it.
const RETRY: Duration = Duration::from_millis(250);

/// HTTP/3 cannot be set up.
#[derive(Debug, thiserror::Error)]
pub(crate) enum QuicError {
    /// The port.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// Threads and runtimes.
    #[error("{}", crate::process::system_error::text(.0))]
    System(#[from] io::Error),
    /// TLS.
    #[error("tls: {0}")]
    Tls(#[from] rustls::Error),
    /// The cipher that QUIC begins with is missing.
    #[error("quic: {0}")]
    Cipher(#[from] quinn::crypto::rustls::NoInitialCipherSuite),
}

/// An endpoint that runs, or will once it has its port.
pub(crate) struct Endpoint {
    running: Rc<RefCell<Option<Running>>>,
    waiting: Option<tokio::task::JoinHandle<()>>,
}

struct Running {
    stop: oneshot::Sender<()>,
    thread: JoinHandle<()>,
}

type Senders = Vec<Sender<quinn::Incoming>>;

/// Opens the UDP port and starts the endpoint; gives what each core takes its connections from. After a takeover the
/// proxy before may still have the port for the requests it finishes; then the port is waited for, and clients come
/// over TCP meanwhile.
///
/// # Errors
/// See [`QuicError`].
pub(crate) fn open(
    plane: &Arc<Plane>,
    provider: &Arc<CryptoProvider>,
    took_over: bool,
) -> Result<(Endpoint, Vec<Arrivals>), QuicError> {
    let config = server_config(Tls::for_quic(plane, provider)?)?;
    let (senders, arrivals): (Senders, Vec<Arrivals>) =
        (0..plane.cores).map(|_| channel(MOST_WAITING)).unzip();
    let running = Rc::default();
    let waiting = match listen_udp(plane.https_port) {
        Ok(socket) => {
            begin(socket, config, senders, plane, &running)?;
            None
        }
        Err(error) if !took_over => return Err(error.into()),
        Err(_) => {
            let (plane, running) = (Arc::clone(plane), Rc::clone(&running));
            Some(tokio::task::spawn_local(async move {
                let socket = loop {
                    tokio::time::sleep(RETRY).await;
                    if let Ok(socket) = listen_udp(plane.https_port) {
                        break socket;
                    }
                };
                if let Err(error) = begin(socket, config, senders, &plane, &running) {
                    let log = &plane.log;
                    log.error("HTTP/3 does not start", &[("error", &error.to_string())]);
                }
            }))
        }
    };
    Ok((Endpoint { running, waiting }, arrivals))
}

fn begin(
    socket: UdpSocket,
    config: ServerConfig,
    senders: Senders,
    plane: &Plane,
    running: &RefCell<Option<Running>>,
) -> io::Result<()> {
    *running.borrow_mut() = Some(start(socket, config, senders)?);
    plane.http3.store(true, Ordering::Relaxed);
    Ok(())
}

impl Endpoint {
    /// Says goodbye to whoever is left, and ends. The cores must have ended before.
    pub(crate) async fn stop(self) {
        if let Some(waiting) = self.waiting {
            waiting.abort();
        }
        let running = self.running.borrow_mut().take();
        if let Some(Running { stop, thread }) = running {
            let _ = stop.send(());
            let _ = tokio::task::spawn_blocking(move || thread.join()).await;
        }
    }
}

/// How connections are served; `tls` resolves certificates.
///
/// # Errors
/// When the provider lacks what QUIC needs.
fn server_config(mut tls: rustls::ServerConfig) -> Result<ServerConfig, QuicError> {
    tls.alpn_protocols = vec![ALPN.to_vec()];
    // No 0-RTT: it could be replayed by anyone who has seen it.
    tls.max_early_data_size = 0;
    let mut config = ServerConfig::with_crypto(Arc::new(QuicServerConfig::try_from(tls)?));
    config
        .max_incoming(MOST_WAITING * 4)
        .incoming_buffer_size_total(INCOMING_BUFFER);
    let mut transport = TransportConfig::default();
    transport
        .max_concurrent_bidi_streams(VarInt::from_u32(MOST_STREAMS))
        .max_concurrent_uni_streams(VarInt::from_u32(MOST_CLIENT_STREAMS))
        .stream_receive_window(VarInt::from_u32(WINDOW))
        .receive_window(VarInt::from_u32(WINDOW))
        .send_window(SEND_WINDOW)
        .datagram_receive_buffer_size(None)
        .max_idle_timeout(IdleTimeout::try_from(SILENCE).ok())
        .keep_alive_interval(Some(PING));
    config.transport_config(Arc::new(transport));
    Ok(config)
}

fn start(socket: UdpSocket, config: ServerConfig, cores: Senders) -> io::Result<Running> {
    let (stop, stopped) = oneshot::channel();
    let (ready, outcome) = std::sync::mpsc::channel();
    let thread = std::thread::Builder::new()
        .name("quic".to_owned())
        .spawn(move || run(socket, config, cores, stopped, &ready))?;
    outcome.recv().map_err(io::Error::other)??;
    Ok(Running { stop, thread })
}

fn run(
    socket: UdpSocket,
    config: ServerConfig,
    cores: Senders,
    stopped: oneshot::Receiver<()>,
    ready: &std::sync::mpsc::Sender<io::Result<()>>,
) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            let _ = ready.send(Err(error));
            return;
        }
    };
    runtime.block_on(async move {
        let endpoint = quinn::Endpoint::new(
            EndpointConfig::default(),
            Some(config),
            socket,
            Arc::new(TokioRuntime),
        );
        match endpoint {
            Ok(endpoint) => {
                let _ = ready.send(Ok(()));
                distribute(&endpoint, &cores, stopped).await;
            }
            Err(error) => {
                let _ = ready.send(Err(error));
            }
        }
    });
}

/// Gives connections to the cores in turn, until told to stop.
async fn distribute(
    endpoint: &quinn::Endpoint,
    cores: &[Sender<quinn::Incoming>],
    mut stopped: oneshot::Receiver<()>,
) {
    let mut turns = cores.iter().cycle();
    loop {
        let incoming = tokio::select! {
            incoming = endpoint.accept() => incoming,
            _ = &mut stopped => break,
        };
        let Some(incoming) = incoming else { break };
        if endpoint.open_connections() >= VALIDATE_FROM
            && !incoming.remote_address_validated()
            && incoming.may_retry()
        {
            let _ = incoming.retry();
            continue;
        }
        // One that no core takes is refused as it is dropped: the core has its hands full, or the server stops.
        if let Some(core) = turns.next() {
            drop(core.try_send(incoming));
        }
    }
    endpoint.close(VarInt::default(), b"");
    let _ = tokio::time::timeout(GOODBYE_TIME, endpoint.wait_idle()).await;
}
