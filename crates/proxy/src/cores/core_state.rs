//! One core: everything its requests touch, owned by its thread alone. It mirrors the shared routing table so
//! that a request follows plain pointers, gathers log lines, and has one slow clock for all timeouts.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use crate::cores::clock::WallClock;
use crate::cores::plane::{Order, Plane};
use crate::downstream::client::Clients;
use crate::observe::access_log::AccessLog;
use crate::observe::metrics::Shard;
use crate::request::request_id::RequestIds;
use crate::services::balance::TargetSet;
use crate::services::router::Table;
use crate::services::service::Service;
use crate::services::target::TargetId;
use crate::upstream::lane::Lane;

/// A core's state.
pub(crate) struct CoreState {
    /// Its number, from 0.
    pub(crate) index: usize,
    /// What it shares with the others.
    pub(crate) plane: Arc<Plane>,
    /// Ids for requests that bring none.
    pub(crate) ids: RequestIds,
    /// Wall-clock time.
    pub(crate) clock: WallClock,
    /// Open client connections.
    pub(crate) clients: Clients,
    mirror: RefCell<Rc<Mirror>>,
    lanes: RefCell<HashMap<TargetId, Rc<Lane>>>,
    log: RefCell<AccessLog>,
    ticker: Ticker,
}

/// The routing table with this core's lanes beside it.
pub(crate) struct Mirror {
    version: u64,
    /// The shared table.
    pub(crate) table: Arc<Table>,
    /// In the order of the table's services.
    pub(crate) services: Vec<Rc<LocalService>>,
}

/// A service with this core's lanes to its targets, in their order.
pub(crate) struct LocalService {
    /// The service.
    pub(crate) service: Arc<Service>,
    /// One lane an active target.
    pub(crate) active: Vec<Rc<Lane>>,
    /// One lane a target of the rollout slot.
    pub(crate) rollout: Vec<Rc<Lane>>,
}

/// How often the ticker runs: often while requests are in flight or log lines wait, seldom while connections
/// merely idle, not at all without any.
#[derive(Default)]
struct Ticker {
    busy: Cell<bool>,
    wake: Notify,
}

const BUSY_TICK: Duration = Duration::from_millis(40);
const IDLE_TICK: Duration = Duration::from_secs(1);

impl CoreState {
    pub(crate) fn new(index: usize, plane: Arc<Plane>) -> Self {
        let mirror = Mirror {
            version: 0,
            table: Arc::default(),
            services: Vec::new(),
        };
        Self {
            index,
            ids: RequestIds::new(),
            clock: WallClock::new(),
            clients: Clients::new((&plane.edge).into()),
            mirror: RefCell::new(Rc::new(mirror)),
            lanes: RefCell::default(),
            log: RefCell::new(AccessLog::new(plane.log.clone())),
            ticker: Ticker::default(),
            plane,
        }
    }

    /// The current table as this core sees it.
    pub(crate) fn mirror(&self) -> Rc<Mirror> {
        let version = self.plane.version();
        let mirror = Rc::clone(&self.mirror.borrow());
        if mirror.version == version {
            mirror
        } else {
            self.rebuild(version)
        }
    }

    /// Where this core counts its requests; nowhere unless metrics were asked for.
    pub(crate) fn shard(&self) -> Option<&Shard> {
        self.plane.metrics.as_ref()?.shard(self.index)
    }

    /// Lends the access log, and sees to it that the line gets written soon.
    pub(crate) fn with_log(&self, write: impl FnOnce(&mut AccessLog)) {
        write(&mut self.log.borrow_mut());
        self.stir();
    }

    /// Has the ticker run at its fast pace.
    pub(crate) fn stir(&self) {
        if !self.ticker.busy.get() {
            self.ticker.busy.set(true);
            self.ticker.wake.notify_one();
        }
    }

    /// Carries out an order that concerns targets.
    pub(crate) fn obey(&self, order: Order) {
        match order {
            Order::Cancel(id) => {
                if let Some(lane) = self.lanes.borrow().get(&id) {
                    lane.cancel();
                }
            }
            Order::Cut(id) => {
                if let Some(lane) = self.lanes.borrow().get(&id) {
                    lane.cut();
                }
            }
            Order::Retire(id) => {
                // The mirror may still hold the lane: a core without requests never looks at the table.
                let lane = self.lanes.borrow_mut().remove(&id);
                if let Some(lane) = lane {
                    lane.clear();
                }
                self.mirror();
            }
            Order::CloseUpgrades(id, spread) => {
                if let Some(lane) = self.lanes.borrow().get(&id) {
                    lane.close_upgrades(Instant::now(), spread, || self.ids.fraction());
                }
                self.stir();
            }
            Order::Finish | Order::Leave => {}
        }
    }

    /// Runs the ticker for ever.
    pub(crate) async fn tick(&self) {
        let mut last_slow = Instant::now();
        loop {
            let pace = if self.ticker.busy.get() {
                Some(BUSY_TICK)
            } else if self.clients.is_empty()
                && self.lanes.borrow().values().all(|lane| lane.is_quiet())
            {
                None
            } else {
                Some(IDLE_TICK)
            };
            match pace {
                Some(pace) => {
                    let _ = tokio::time::timeout(pace, self.ticker.wake.notified()).await;
                    if pace == IDLE_TICK && self.ticker.busy.get() {
                        continue;
                    }
                }
                None => self.ticker.wake.notified().await,
            }
            let now = Instant::now();
            let lines = self.log.borrow_mut().flush();
            let mut in_flight = 0;
            for lane in self.lanes.borrow().values() {
                lane.sweep_deadlines(now);
                in_flight += lane.in_flight();
            }
            self.ticker.busy.set(lines || in_flight > 0);
            if now.duration_since(last_slow) >= IDLE_TICK {
                last_slow = now;
                self.clock.resync();
                self.clients.sweep(now);
                for lane in self.lanes.borrow().values() {
                    lane.sweep_pool(now);
                }
            }
        }
    }

    /// Requests in flight on this core's lanes, switched connections among them.
    pub(crate) fn in_flight(&self) -> usize {
        let lanes = self.lanes.borrow();
        lanes.values().map(|lane| lane.in_flight()).sum()
    }

    /// Sends what the log still holds.
    pub(crate) fn flush_log(&self) {
        self.log.borrow_mut().flush_all();
    }

    fn rebuild(&self, version: u64) -> Rc<Mirror> {
        let table = self.plane.table();
        let mut lanes = self.lanes.borrow_mut();
        let services = table
            .services()
            .iter()
            .map(|service| {
                let mut lanes_of = |set: &TargetSet| -> Vec<Rc<Lane>> {
                    let lanes = set.targets.iter().map(|target| {
                        let lane = lanes.entry(target.id).or_insert_with(|| {
                            let rules = Arc::clone(&set.rules);
                            Rc::new(Lane::new(Arc::clone(target), rules, self.index))
                        });
                        Rc::clone(lane)
                    });
                    lanes.collect()
                };
                let rollout = service.rollout.set.as_deref();
                Rc::new(LocalService {
                    active: lanes_of(&service.active),
                    rollout: rollout.map(&mut lanes_of).unwrap_or_default(),
                    service: Arc::clone(service),
                })
            })
            .collect();
        let mirror = Rc::new(Mirror {
            version,
            table,
            services,
        });
        *self.mirror.borrow_mut() = Rc::clone(&mirror);
        mirror
    }
}
