//! The thread of a core: its runtime, its listeners, and the orders it takes from the control thread.

use std::io;
use std::net::TcpListener;
use std::rc::Rc;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::Instant;

use crate::cores::core_state::CoreState;
use crate::cores::plane::{Order, Plane};
use crate::downstream::acceptor::{accept_http, accept_https};
use crate::downstream::http3::{Arrivals, accept_http3};
use crate::downstream::inquiry::{self, Inquiry};
use crate::tls::tls_config::Tls;

/// How long a core lets its clients go on once it accepts no more.
#[derive(Clone, Copy, Debug)]
struct Farewell {
    /// Idle connections may ask once more, and are told then.
    idle: Duration,
    /// Connections that switched protocols, for which there is no polite end.
    switched: Duration,
    /// Requests in flight.
    requests: Duration,
}

/// When the server stops, and nobody follows.
const STOP: Farewell = Farewell {
    idle: Duration::ZERO,
    switched: Duration::ZERO,
    requests: Duration::from_secs(10),
};

/// When another proxy has taken over: nothing waits for this one's end.
const HANDED_OVER: Farewell = Farewell {
    idle: Duration::from_secs(10),
    switched: Duration::from_secs(30),
    requests: Duration::from_secs(600),
};

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
    pub(crate) http: Vec<TcpListener>,
    /// HTTPS.
    pub(crate) https: Vec<TcpListener>,
    /// Requests of the proxy's own; one core takes them.
    pub(crate) inquiries: Option<UnboundedReceiver<Inquiry>>,
    /// Where its HTTP/3 connections come from, if there are any.
    pub(crate) http3: Option<Arrivals>,
}

/// Starts core number `index`.
///
/// # Errors
/// When the thread or its runtime cannot be made.
pub(crate) fn start(
    index: usize,
    plane: Arc<Plane>,
    sockets: Sockets,
    tls: Tls,
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
    tls: Tls,
    orders: UnboundedReceiver<Order>,
) -> io::Result<bool> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(4)
        .thread_keep_alive(Duration::from_secs(1))
        .build_local(tokio::runtime::LocalOptions::default())?;
    let core = Rc::new(CoreState::new(index, plane));
    let cut_off = runtime.block_on(serve(&core, sockets, tls, orders));
    // Ends every task that is left; their requests are logged as they go.
    runtime.shutdown_background();
    core.flush_log();
    cut_off
}

async fn serve(
    core: &Rc<CoreState>,
    sockets: Sockets,
    tls: Tls,
    mut orders: UnboundedReceiver<Order>,
) -> io::Result<bool> {
    let ticker = Rc::clone(core);
    tokio::task::spawn_local(async move { ticker.tick().await });
    if let Some(inquiries) = sockets.inquiries {
        tokio::task::spawn_local(inquiry::answer(Rc::clone(core), inquiries));
    }
    let mut accepting = Vec::new();
    if let Some(arrivals) = sockets.http3 {
        accepting.push(tokio::task::spawn_local(accept_http3(
            Rc::clone(core),
            arrivals,
        )));
    }
    for http in sockets.http {
        let http = tokio::net::TcpListener::from_std(http)?;
        accepting.push(tokio::task::spawn_local(accept_http(Rc::clone(core), http)));
    }
    for https in sockets.https {
        let https = tokio::net::TcpListener::from_std(https)?;
        let accept = accept_https(Rc::clone(core), https, tls.clone());
        accepting.push(tokio::task::spawn_local(accept));
    }
    let farewell = loop {
        match orders.recv().await {
            Some(Order::Finish) | None => break STOP,
            Some(Order::Leave) => break HANDED_OVER,
            Some(order) => core.obey(order),
        }
    };
    for task in accepting {
        task.abort();
        let _ = task.await;
    }
    Ok(part(core, farewell, &mut orders).await)
}

/// Lets clients finish; `true` when some were cut off.
async fn part(
    core: &CoreState,
    mut farewell: Farewell,
    orders: &mut UnboundedReceiver<Order>,
) -> bool {
    let mut begun = Instant::now();
    let mut finishing = false;
    core.clients.leave();
    loop {
        let since = begun.elapsed();
        if since >= farewell.idle && !finishing {
            finishing = true;
            core.clients.finish();
        }
        if core.clients.is_empty() && (since >= farewell.switched || core.in_flight() == 0) {
            return false;
        }
        if since >= farewell.requests {
            return true;
        }
        let look = if since < Duration::from_secs(1) {
            5
        } else {
            50
        };
        tokio::select! {
            () = tokio::time::sleep(Duration::from_millis(look)) => {}
            order = orders.recv() => match order {
                Some(Order::Finish) | None => {
                    farewell = STOP;
                    begun = Instant::now();
                }
                Some(order) => core.obey(order),
            },
        }
    }
}
