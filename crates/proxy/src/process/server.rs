//! The server from start to end: state, listeners, cores, control socket; then signals, and a graceful end.

use std::cell::OnceCell;
use std::io;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

use dhow_proxy_api::{Places, ProxyEnv, ProxyProtocol, RunArgs};
use jiff::tz::TimeZone;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc::unbounded_channel;
use tokio::task::JoinHandle;

use crate::cores::core_thread::{self, CoreThread, Sockets};
use crate::cores::plane::{Cores, Order, Plane};
use crate::downstream::http3::{self, QuicError};
use crate::downstream::listener::{ListenError, adopt, is_on, listen_alone, port, share_out};
use crate::downstream::seats::Seats;
use crate::observe::log::{self, Level, LogSender};
use crate::observe::metrics::Metrics;
use crate::observe::metrics_server;
use crate::process::control::{ControlSocket, Wish};
use crate::process::succession::{Predecessor, follow, see_off};
use crate::process::takeover::{self, Estate, TakeoverError};
use crate::process::upgrade_in_place::{self, Invocation, Upgrade, refuse};
use crate::services::operations::{Operations, Waiting};
use crate::services::registry::Registry;
use crate::services::state_file::{StateFile, data_dir};
use crate::tls::certificates::Certificates;
use crate::tls::tls_config::{self, Tls};

/// More cores than this gain nothing and cost memory.
const MOST_CORES: usize = 32;

/// Why the server does not run; the text is the line after `Error: `.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ServerError {
    /// A port.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// The control socket.
    #[error("listen unix {}: bind: {}", .path.display(), crate::process::system_error::text(.source))]
    Socket {
        /// Its path.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Threads, runtimes, signals.
    #[error("{}", crate::process::system_error::text(.0))]
    System(#[from] io::Error),
    /// HTTP/3.
    #[error(transparent)]
    Quic(#[from] QuicError),
    /// TLS cannot be set up.
    #[error("tls: {0}")]
    Tls(#[from] rustls::Error),
    /// The proxy that runs goes on.
    #[error(transparent)]
    Takeover(#[from] TakeoverError),
}

/// Runs the server until it is told to stop. Logs go to standard output.
///
/// # Errors
/// When it cannot start.
pub(crate) fn run(
    invocation: &Invocation,
    args: RunArgs,
    env: &ProxyEnv,
) -> Result<(), ServerError> {
    let ports = (port(args.http_port)?, port(args.https_port)?);
    raise_descriptor_limit();
    let (log, writer) = log::start(io::stdout(), local_zone(env), args.debug)?;
    let outcome = run_logged(invocation, args, ports, env, log);
    writer.finish();
    match outcome? {
        Some(upgrade) => Ok(upgrade.become_it()?),
        None => Ok(()),
    }
}

/// The time zone of the log, as Go finds it: what `TZ` names, else `/etc/localtime`. That file is read here because jiff, to give the zone a
/// name that nobody asks for, would first read the names of all zones there are.
fn local_zone(env: &ProxyEnv) -> TimeZone {
    if env.names_time_zone {
        return TimeZone::system();
    }
    std::fs::read("/etc/localtime")
        .ok()
        .and_then(|zone| TimeZone::tzif("Local", &zone).ok())
        .unwrap_or(TimeZone::UTC)
}

fn run_logged(
    invocation: &Invocation,
    args: RunArgs,
    ports: (u16, u16),
    env: &ProxyEnv,
    log: LogSender,
) -> Result<Option<Upgrade>, ServerError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(4)
        .thread_keep_alive(std::time::Duration::from_secs(1))
        .build_local(tokio::runtime::LocalOptions::default())?;
    let outcome = runtime.block_on(serve(invocation, args, ports, env, log));
    runtime.shutdown_background();
    outcome
}

async fn serve(
    invocation: &Invocation,
    args: RunArgs,
    ports: (u16, u16),
    env: &ProxyEnv,
    log: LogSender,
) -> Result<Option<Upgrade>, ServerError> {
    let count = std::thread::available_parallelism()
        .map_or(1, usize::from)
        .min(MOST_CORES);
    let metrics_port = port(args.metrics_port)?;
    let mut plane = Plane::new(log.clone(), count, ports, env.tmp.clone());
    plane.edge = args.edge.clone();
    plane.seats = Seats::new(args.edge.max_connections);
    plane.metrics = (metrics_port != 0).then(|| Arc::new(Metrics::new(count)));
    let provider = tls_config::provider();
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;

    // From here on the running proxy takes no commands, so that the state read below stays the latest.
    let path = env.socket();
    let asked = if args.takeover {
        takeover::ask(&path)?
    } else {
        None
    };
    let places = Places {
        data_dir: data_dir(env),
    };
    let cache = places.certificates();
    let certificates = Certificates::start(&env.acme, cache, &provider, log.clone())?;
    plane.certificates = Some(certificates);
    let plane = Arc::new(plane);
    let tls = Tls::new(&plane, &provider)?;

    let mut operations = Operations {
        registry: Registry::new(Arc::clone(&plane), StateFile::new(places.state_file())).into(),
        plane: Arc::clone(&plane),
        cores: Cores {
            senders: Vec::new(),
        },
        provider: Arc::clone(&provider),
        waiting: Waiting::default(),
        predecessor: OnceCell::new(),
    };
    operations.restore();

    let (inherited, line) = match asked {
        Some((estate, line)) => (Some(estate), Some(line)),
        None => (None, None),
    };
    let (mut socket, mut estate) = open(inherited, &path, ports, count)?;
    let metrics_task = serve_metrics(&plane, metrics_port, &mut estate)?;
    let http = share_out(&estate.http, count)?;
    let https = share_out(&estate.https, count)?;
    let http3 = if args.http3 {
        Some(http3::open(&plane, &provider, line.is_some())?)
    } else {
        None
    };
    let (endpoint, mut arrivals) = http3.unzip();
    if let Some(line) = &line {
        line.ready()?;
    }
    let mut threads: Vec<CoreThread> = Vec::new();
    let (inquiries, receiver) = unbounded_channel();
    let _ = plane.inquiries.set(inquiries);
    let mut receiver = Some(receiver);
    for (index, (http, https)) in http.into_iter().zip(https).enumerate() {
        let sockets = Sockets {
            http,
            https,
            inquiries: receiver.take(),
            http3: arrivals.as_mut().and_then(Vec::pop),
        };
        threads.push(core_thread::start(
            index,
            Arc::clone(&plane),
            sockets,
            tls.clone(),
        )?);
    }
    operations.cores = Cores {
        senders: threads.iter().map(|thread| thread.orders.clone()).collect(),
    };
    let cores = operations.cores.clone();
    say_who_is_believed(&args, &log);
    if let Some(line) = log.line(Level::Info, "Server started") {
        line.int("http", ports.0.into())
            .int("https", ports.1.into())
            .send();
    }

    let mut stands_in = false;
    if let Some(line) = line {
        let process = line.process;
        stands_in = upgrade_in_place::is_parent(process);
        let stream = line.serving()?;
        see_off(&stream, process)?;
        let predecessor = Predecessor::new(stream);
        let _ = operations.predecessor.set(predecessor);
        socket.own(path);
        log.info("Took over from the proxy before", &[]);
    }
    let operations = Rc::new(operations);
    let estate = Arc::new(estate);
    let successor = tokio::select! {
        successor = hand_over(&socket, &estate, &operations, invocation, &log) => Some(successor),
        _ = terminate.recv() => None,
        _ = interrupt.recv() => None,
    };
    drop(estate);
    if let Some(task) = metrics_task {
        task.abort();
    }
    let mut upgrade = None;
    if let Some(successor) = successor {
        upgrade = successor.upgrade;
        operations.registry.borrow_mut().hand_over();
        socket.hand_over();
        if let Some(certificates) = &plane.certificates {
            certificates.manager().retire();
        }
        log.info("Handed over to a new proxy", &[]);
        cores.order(Order::Leave);
        tokio::task::spawn_local(follow(successor.stream, operations));
    } else {
        drop(socket);
        cores.order(Order::Finish);
    }
    let ended = ended(threads, &log);
    tokio::pin!(ended);
    loop {
        tokio::select! {
            () = &mut ended => break,
            _ = terminate.recv() => stop(&cores, &mut upgrade, &log),
            _ = interrupt.recv() => stop(&cores, &mut upgrade, &log),
        }
    }
    if let Some(endpoint) = endpoint {
        endpoint.stop().await;
    }
    log.info("Server stopped", &[]);
    // A process that outlives this one became it, or will: there is one that lasts, and it is not this one.
    Ok(upgrade.filter(|_| !stands_in))
}

/// Told to stop while clients are on their way out.
fn stop(cores: &Cores, upgrade: &mut Option<Upgrade>, log: &LogSender) {
    cores.order(Order::Finish);
    if let Some(upgrade) = upgrade.take() {
        upgrade.stop(log);
    }
}

/// Who took over, and whether this process is to become it.
struct Successor {
    stream: UnixStream,
    upgrade: Option<Upgrade>,
}

/// The control socket and the sockets to serve, the running proxy's where it gave them.
fn open(
    inherited: Option<Estate>,
    path: &Path,
    ports: (u16, u16),
    cores: usize,
) -> Result<(ControlSocket, Estate), ServerError> {
    let failed = |source| ServerError::Socket {
        path: path.to_owned(),
        source,
    };
    let (http, https, metrics, control) = match inherited {
        Some(estate) => {
            let control = estate.control().map_err(failed)?;
            (estate.http, estate.https, estate.metrics, Some(control))
        }
        None => (Vec::new(), Vec::new(), None, None),
    };
    let http = adopt(http, ports.0, cores)?;
    let https = adopt(https, ports.1, cores)?;
    let socket = match control {
        Some(control) => ControlSocket::adopt(control),
        None => ControlSocket::open(path.to_owned()),
    };
    let socket = socket.map_err(failed)?;
    let control = socket.duplicate()?;
    let estate = Estate {
        http,
        https,
        metrics,
        control,
    };
    Ok((socket, estate))
}

/// Serves the control socket until another proxy has taken over. One that only tries leaves this one as it was.
async fn hand_over(
    socket: &ControlSocket,
    estate: &Arc<Estate>,
    operations: &Rc<Operations>,
    invocation: &Invocation,
    log: &LogSender,
) -> Successor {
    let mut upgrade: Option<Upgrade> = None;
    loop {
        let failed = async {
            match &mut upgrade {
                Some(upgrade) => upgrade.failed().await,
                None => std::future::pending().await,
            }
        };
        let wish = tokio::select! {
            wish = socket.serve(operations) => wish,
            () = failed => {
                upgrade = None;
                continue;
            }
        };
        let stream = match wish {
            Wish::TakeOver(stream) => stream,
            Wish::Upgrade { client, .. } if upgrade.is_some() => {
                refuse(client, "another one is under way").await;
                continue;
            }
            Wish::Upgrade { program, client } => {
                upgrade = Upgrade::start(program, client, invocation).await;
                continue;
            }
        };
        let estate = Arc::clone(estate);
        let offered =
            tokio::task::spawn_blocking(move || takeover::offer(&stream, &estate).map(|()| stream));
        match offered.await {
            Ok(Ok(stream)) => {
                if let Some(upgrade) = &mut upgrade {
                    upgrade.succeeded().await;
                }
                return Successor { stream, upgrade };
            }
            Ok(Err(error)) => log.warn("Takeover failed", &[("error", &error.to_string())]),
            Err(error) => log.warn("Takeover failed", &[("error", &error.to_string())]),
        }
    }
}

/// Waits for the ends of all cores.
async fn ended(threads: Vec<CoreThread>, log: &LogSender) {
    let mut cut_off = false;
    for core in threads {
        let ended = tokio::task::spawn_blocking(move || core.thread.join().unwrap_or(true)).await;
        if ended.unwrap_or(true) && !cut_off {
            cut_off = true;
            log.warn("Closing active connections", &[]);
        }
    }
}

/// Opens the metrics port, if there is to be one.
fn serve_metrics(
    plane: &Plane,
    port: u16,
    estate: &mut Estate,
) -> Result<Option<JoinHandle<()>>, ServerError> {
    let Some(metrics) = &plane.metrics else {
        if let Some(line) = plane.log.line(Level::Debug, "Metrics server disabled") {
            line.send();
        }
        estate.metrics = None;
        return Ok(None);
    };
    let listener = match estate.metrics.take() {
        Some(listener) if is_on(&listener, port) => listener,
        _ => listen_alone(port)?,
    };
    estate.metrics = Some(listener.try_clone()?);
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let task = tokio::task::spawn_local(metrics_server::serve(listener, Arc::clone(metrics)));
    let address = format!(":{port}");
    plane.log.info("Metrics enabled", &[("address", &address)]);
    Ok(Some(task))
}

/// Every connection takes two descriptors, and the limit a process starts with is often 1024. Not being allowed to
/// raise it is no reason not to run.
fn raise_descriptor_limit() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    let _ = setrlimit(Resource::Nofile, limit);
}

/// Nobody should believe everybody without knowing it.
fn say_who_is_believed(args: &RunArgs, log: &LogSender) {
    if args.edge.proxy_protocol != ProxyProtocol::Off && args.edge.trusted_proxies.is_empty() {
        log.warn("PROXY protocol headers are believed from everybody", &[]);
    }
}
