//! The thread of a core: its runtime, its listeners, and the orders it takes from the control thread.

use std::io;
use std::net::TcpListener;
use std::rc::Rc;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::Instant;
use tokio_rustls::TlsAcceptor;

use crate::acceptor::{accept_http, accept_https};
use crate::core::Core;
use crate::plane::{Order, Plane};

/// Requests in flight get this long when the server stops.
pub(crate) const FINISH_TIME: Duration = Duration::from_secs(10);

/// A running core. The thread returns whether requests were cut off at the end.
pub(crate) struct CoreThread {
    /// Orders to it.
    pub(crate) orders: UnboundedSender<Order>,
    /// The thread.
    pub(crate) thread: JoinHandle<bool>,
}

/// What a core listens on.
pub(crate) struct Sockets {
    /// Plain HTTP.
    pub(crate) http: TcpListener,
    /// HTTPS.
    pub(crate) https: TcpListener,
}

/// Starts core number `index`.
///
/// # Errors
/// When the thread or its runtime cannot be made.
pub(crate) fn start(
    index: usize,
    plane: Arc<Plane>,
    sockets: Sockets,
    tls: TlsAcceptor,
) -> io::Result<CoreThread> {
    let (orders, receiver) = unbounded_channel();
    let thread = std::thread::Builder::new()
        .name(format!("core-{index}"))
        .spawn(move || run(index, plane, sockets, tls, receiver).unwrap_or(true))?;
    Ok(CoreThread { orders, thread })
}

fn run(
    index: usize,
    plane: Arc<Plane>,
    sockets: Sockets,
    tls: TlsAcceptor,
    orders: UnboundedReceiver<Order>,
) -> io::Result<bool> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(4)
        .thread_keep_alive(Duration::from_secs(1))
        .build_local(tokio::runtime::LocalOptions::default())?;
    let core = Rc::new(Core::new(index, plane));
    let cut_off = runtime.block_on(serve(&core, sockets, tls, orders));
    // Ends every task that is left; their requests are logged as they go.
    runtime.shutdown_background();
    core.flush_log();
    cut_off
}

async fn serve(
    core: &Rc<Core>,
    sockets: Sockets,
    tls: TlsAcceptor,
    mut orders: UnboundedReceiver<Order>,
) -> io::Result<bool> {
    let http = tokio::net::TcpListener::from_std(sockets.http)?;
    let https = tokio::net::TcpListener::from_std(sockets.https)?;
    let ticker = Rc::clone(core);
    tokio::task::spawn_local(async move { ticker.tick().await });
    let accepting = [
        tokio::task::spawn_local(accept_http(Rc::clone(core), http)),
        tokio::task::spawn_local(accept_https(Rc::clone(core), https, tls)),
    ];
    while let Some(order) = orders.recv().await {
        match order {
            Order::Finish => break,
            order => core.obey(order),
        }
    }
    for task in accepting {
        task.abort();
        let _ = task.await;
    }
    core.clients.finish();
    let deadline = Instant::now() + FINISH_TIME;
    while !core.clients.is_empty() {
        tokio::select! {
            () = tokio::time::sleep(Duration::from_millis(5)) => {}
            order = orders.recv() => if let Some(order) = order { core.obey(order) },
        }
        if Instant::now() >= deadline {
            return Ok(true);
        }
    }
    Ok(false)
}
