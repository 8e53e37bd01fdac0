//! What the control thread and all cores share: the routing table, the log, a few settings. Cores only read;
//! the control thread alone replaces the table.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use arc_swap::ArcSwap;
use dhow_proxy_api::EdgeArgs;
use tokio::sync::mpsc::UnboundedSender;

use crate::downstream::inquiry::Inquiries;
use crate::downstream::seats::Seats;
use crate::observe::log::LogSender;
use crate::observe::metrics::Metrics;
use crate::services::router::Table;
use crate::services::target::TargetId;
use crate::tls::certificates::Certificates;

/// Shared by every thread of a running server.
pub(crate) struct Plane {
    table: ArcSwap<Table>,
    version: AtomicU64,
    /// Where log lines go.
    pub(crate) log: LogSender,
    /// Where requests are counted; nowhere unless a metrics port was asked for.
    pub(crate) metrics: Option<Arc<Metrics>>,
    /// Automatic certificates; none in a server that is not running.
    pub(crate) certificates: Option<Certificates>,
    /// The way of requests of the proxy's own, once cores serve.
    pub(crate) inquiries: OnceLock<Inquiries>,
    /// HTTP/3 is served on the HTTPS port, and clients may be told.
    pub(crate) http3: AtomicBool,
    /// Number of cores that serve.
    pub(crate) cores: usize,
    /// The port configured for HTTP.
    pub(crate) http_port: u16,
    /// The port configured for HTTPS.
    pub(crate) https_port: u16,
    /// Folder for temporary files.
    pub(crate) tmp: PathBuf,
    /// How client connections are dealt with.
    pub(crate) edge: EdgeArgs,
    /// Client connections there are.
    pub(crate) seats: Seats,
}

/// Orders to a core.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Order {
    /// End every request in flight on this target.
    Cancel(TargetId),
    /// Close the client connections of requests still in flight on this target.
    Cut(TargetId),
    /// Close upgraded connections to this target, each at some moment within this time.
    CloseUpgrades(TargetId, Duration),
    /// Forget this target and close its idle connections.
    Retire(TargetId),
    /// Stop accepting, finish what is in flight, then end.
    Finish,
    /// The same without haste: somebody else accepts, so that clients can be let go politely.
    Leave,
}

/// The control thread's line to all cores.
#[derive(Clone)]
pub(crate) struct Cores {
    /// One sender a core.
    pub(crate) senders: Vec<UnboundedSender<Order>>,
}

impl Plane {
    pub(crate) fn new(log: LogSender, cores: usize, ports: (u16, u16), tmp: PathBuf) -> Self {
        Self {
            table: ArcSwap::from_pointee(Table::default()),
            version: AtomicU64::new(1),
            log,
            metrics: None,
            certificates: None,
            inquiries: OnceLock::new(),
            http3: AtomicBool::new(false),
            cores,
            http_port: ports.0,
            https_port: ports.1,
            tmp,
            edge: EdgeArgs::default(),
            seats: Seats::default(),
        }
    }

    /// The current table.
    pub(crate) fn table(&self) -> Arc<Table> {
        self.table.load_full()
    }

    /// Changes with every new table; reading it is cheap as long as nothing changes.
    pub(crate) fn version(&self) -> u64 {
        self.version.load(Ordering::SeqCst)
    }

    /// Puts a new table in force for every request that is not yet counted in on a target.
    pub(crate) fn publish(&self, table: Table) {
        self.table.store(Arc::new(table));
        self.version.fetch_add(1, Ordering::SeqCst);
    }
}

impl Cores {
    /// Gives every core the same order.
    pub(crate) fn order(&self, order: Order) {
        for sender in &self.senders {
            let _ = sender.send(order);
        }
    }
}
