//! The server from start to end: state, listeners, cores, control socket; then signals, and a graceful end.

use std::io;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;

use dhow_proxy_api::{Places, ProxyEnv, RunArgs};
use jiff::tz::TimeZone;
use tokio::signal::unix::{SignalKind, signal};

use crate::control::ControlSocket;
use crate::core_thread::{self, CoreThread, Sockets};
use crate::listener::{ListenError, listen, listen_alone, port};
use crate::log::{self, Level, LogSender};
use crate::metrics::Metrics;
use crate::metrics_server;
use crate::operations::{Operations, Waiting};
use crate::plane::{Cores, Order, Plane};
use crate::registry::Registry;
use crate::state_file::{StateFile, data_dir};
use crate::tls;

/// More cores than this gain nothing and cost memory.
const MOST_CORES: usize = 32;

/// Why the server does not run; the text is the line after `Error: `.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ServerError {
    /// A port.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// The control socket.
    #[error("listen unix {}: bind: {}", .path.display(), crate::system_error::text(.source))]
    Socket {
        /// Its path.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Threads, runtimes, signals.
    #[error("{}", crate::system_error::text(.0))]
    System(#[from] io::Error),
    /// TLS cannot be set up.
    #[error("tls: {0}")]
    Tls(#[from] rustls::Error),
}

/// Runs the server until it is told to stop. Logs go to standard output.
///
/// # Errors
/// When it cannot start.
pub(crate) fn run(args: RunArgs, env: &ProxyEnv) -> Result<(), ServerError> {
    let ports = (port(args.http_port)?, port(args.https_port)?);
    raise_descriptor_limit();
    let (log, writer) = log::start(io::stdout(), TimeZone::system(), args.debug)?;
    let outcome = run_logged(args, ports, env, log);
    writer.finish();
    outcome
}

fn run_logged(
    args: RunArgs,
    ports: (u16, u16),
    env: &ProxyEnv,
    log: LogSender,
) -> Result<(), ServerError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(4)
        .thread_keep_alive(std::time::Duration::from_secs(1))
        .build_local(tokio::runtime::LocalOptions::default())?;
    let outcome = runtime.block_on(serve(args, ports, env, log));
    runtime.shutdown_background();
    outcome
}

async fn serve(
    args: RunArgs,
    ports: (u16, u16),
    env: &ProxyEnv,
    log: LogSender,
) -> Result<(), ServerError> {
    let count = std::thread::available_parallelism()
        .map_or(1, usize::from)
        .min(MOST_CORES);
    let metrics_port = port(args.metrics_port)?;
    let mut plane = Plane::new(log.clone(), count, ports, env.tmp.clone());
    plane.metrics = (metrics_port != 0).then(|| Arc::new(Metrics::new(count)));
    let plane = Arc::new(plane);
    let provider = tls::provider();
    let acceptor = tls::acceptor(Arc::clone(&plane), Arc::clone(&provider))?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;

    let places = Places {
        data_dir: data_dir(env),
    };
    let mut operations = Operations {
        registry: Registry::new(Arc::clone(&plane), StateFile::new(places.state_file())).into(),
        plane: Arc::clone(&plane),
        cores: Cores {
            senders: Vec::new(),
        },
        provider,
        waiting: Waiting::default(),
    };
    operations.restore();

    serve_metrics(&plane, metrics_port)?;
    let http = listen(ports.0, count)?;
    let https = listen(ports.1, count)?;
    let path = env.socket();
    let socket =
        ControlSocket::open(path.clone()).map_err(|source| ServerError::Socket { path, source })?;
    let mut threads: Vec<CoreThread> = Vec::new();
    for (index, (http, https)) in http.into_iter().zip(https).enumerate() {
        let sockets = Sockets { http, https };
        threads.push(core_thread::start(
            index,
            Arc::clone(&plane),
            sockets,
            acceptor.clone(),
        )?);
    }
    operations.cores = Cores {
        senders: threads.iter().map(|thread| thread.orders.clone()).collect(),
    };
    let cores = operations.cores.clone();
    say_what_is_missing(args, &log);
    if let Some(line) = log.line(Level::Info, "Server started") {
        line.int("http", ports.0.into())
            .int("https", ports.1.into())
            .send();
    }

    let operations = Rc::new(operations);
    tokio::select! {
        () = socket.serve(operations) => {}
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    drop(socket);
    cores.order(Order::Finish);
    let mut cut_off = false;
    for core in threads {
        let ended = tokio::task::spawn_blocking(move || core.thread.join().unwrap_or(true)).await;
        if ended.unwrap_or(true) && !cut_off {
            cut_off = true;
            log.warn("Closing active connections", &[]);
        }
    }
    log.info("Server stopped", &[]);
    Ok(())
}

/// Opens the metrics port, if there is to be one.
fn serve_metrics(plane: &Plane, port: u16) -> Result<(), ServerError> {
    let Some(metrics) = &plane.metrics else {
        if let Some(line) = plane.log.line(Level::Debug, "Metrics server disabled") {
            line.send();
        }
        return Ok(());
    };
    let listener = tokio::net::TcpListener::from_std(listen_alone(port)?)?;
    tokio::task::spawn_local(metrics_server::serve(listener, Arc::clone(metrics)));
    let address = format!(":{port}");
    plane.log.info("Metrics enabled", &[("address", &address)]);
    Ok(())
}

/// Every connection takes two descriptors, and the limit a process starts with is often 1024. Not being allowed to
/// raise it is no reason not to run.
fn raise_descriptor_limit() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    let _ = setrlimit(Resource::Nofile, limit);
}

/// Nobody should believe that something runs which does not.
fn say_what_is_missing(args: RunArgs, log: &LogSender) {
    if args.http3 {
        log.warn("HTTP/3 is not available in this build", &[]);
    }
}
