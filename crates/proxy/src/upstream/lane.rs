//! One core's way to one target: idle connections, the requests in flight, and what ends them early.
//!
//! Deadlines are not timers. Each request in flight has an entry here, and the core's ticker looks through the
//! entries a few times a second; that costs nothing per request, and a timeout of seconds may be some
//! milliseconds late.

use std::cell::RefCell;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::{Duration, Instant};

use crate::cores::slots::Slots;
use crate::downstream::client::Handle;
use crate::services::pause::Gate;
use crate::services::rules::TargetRules;
use crate::services::target::Target;
use crate::upstream::{Addresses, Connection, Pool};

/// A core's own view of a target.
pub(crate) struct Lane {
    /// The target.
    pub(crate) target: Arc<Target>,
    /// How it is talked to.
    pub(crate) rules: Arc<TargetRules>,
    core: usize,
    pool: RefCell<Pool>,
    addresses: Addresses,
    waiting: RefCell<Slots<Waiting>>,
}

/// Why a request in flight is to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The target took too long.
    TimedOut,
    /// The target is drained and its time is up.
    Cancelled,
}

/// A request counted in on a target; counts it out when dropped.
pub(crate) struct InFlight {
    lane: Rc<Lane>,
    key: usize,
    upgraded: bool,
}

#[derive(Default)]
struct Waiting {
    deadline: Option<Instant>,
    verdict: Option<Verdict>,
    waker: Option<Waker>,
    client: Option<Rc<Handle>>,
    upgraded: bool,
}

impl Lane {
    pub(crate) fn new(target: Arc<Target>, rules: Arc<TargetRules>, core: usize) -> Self {
        let addresses = Addresses::new(target.address.host(), target.address.port());
        Self {
            target,
            rules,
            core,
            pool: RefCell::default(),
            addresses,
            waiting: RefCell::default(),
        }
    }

    /// An idle connection. `thorough` for requests that must not be sent twice.
    pub(crate) fn take(&self, thorough: bool) -> Option<Connection> {
        self.pool.borrow_mut().take(thorough)
    }

    /// Puts a connection back.
    pub(crate) fn put(&self, connection: Connection) {
        if !self.target.is_retired() {
            self.pool.borrow_mut().put(connection, Instant::now());
        }
    }

    /// Closes all idle connections.
    pub(crate) fn clear(&self) {
        self.pool.borrow_mut().clear();
    }

    /// A new connection.
    ///
    /// # Errors
    /// The resolver's or the last address's error.
    pub(crate) async fn connect(&self) -> io::Result<Connection> {
        let addresses = self.addresses.resolve().await?;
        match Connection::open(&addresses, self.rules.dial_timeout()).await {
            Ok(connection) => Ok(connection),
            Err(error) => {
                self.addresses.forget();
                Err(error)
            }
        }
    }

    /// Ends every request in flight; upgraded connections go on.
    pub(crate) fn cancel(&self) {
        for waiting in self.waiting.borrow_mut().iter_mut() {
            if !waiting.upgraded {
                waiting.end(Verdict::Cancelled);
            }
        }
    }

    /// Has upgraded connections end, each at some moment of `spread` after `now`; `fraction` gives random numbers below 1.
    pub(crate) fn close_upgrades(
        &self,
        now: Instant,
        spread: Duration,
        fraction: impl Fn() -> f64,
    ) {
        for waiting in self.waiting.borrow_mut().iter_mut() {
            if waiting.upgraded && waiting.deadline.is_none() {
                waiting.deadline = Some(now + spread.mul_f64(fraction()));
            }
        }
    }

    /// Closes the client connections of requests still in flight.
    pub(crate) fn cut(&self) {
        for waiting in self.waiting.borrow_mut().iter_mut() {
            if !waiting.upgraded
                && let Some(client) = &waiting.client
            {
                client.close();
            }
        }
    }

    /// Ends requests whose deadline has passed.
    pub(crate) fn sweep_deadlines(&self, now: Instant) {
        for waiting in self.waiting.borrow_mut().iter_mut() {
            if waiting.deadline.is_some_and(|deadline| deadline <= now) {
                waiting.end(Verdict::TimedOut);
            }
        }
    }

    /// Closes idle connections that are old or dead.
    pub(crate) fn sweep_pool(&self, now: Instant) {
        self.pool.borrow_mut().sweep(now);
    }

    /// Requests of this core in flight.
    pub(crate) fn in_flight(&self) -> usize {
        self.waiting.borrow().len()
    }

    /// Neither requests nor idle connections.
    pub(crate) fn is_quiet(&self) -> bool {
        self.in_flight() == 0 && self.pool.borrow().is_empty()
    }
}

impl InFlight {
    /// Counts a request in, unless the target takes no more or the gate has closed in between. `client` is the
    /// connection that may be closed to end it.
    pub(crate) fn enter(lane: &Rc<Lane>, gate: &Gate, client: Option<Rc<Handle>>) -> Option<Self> {
        lane.target.enter(lane.core);
        if lane.target.is_retired() || !gate.is_open() {
            lane.target.leave(lane.core);
            return None;
        }
        let key = lane.waiting.borrow_mut().insert(Waiting {
            client,
            ..Waiting::default()
        });
        Some(Self {
            lane: Rc::clone(lane),
            key,
            upgraded: false,
        })
    }

    /// The lane it travels on.
    pub(crate) fn lane(&self) -> &Rc<Lane> {
        &self.lane
    }

    /// Both sides have switched protocols: no drain waits for it from now on, and nothing but [`Lane::close_upgrades`] ends it.
    pub(crate) fn upgrade(&mut self) {
        if self.upgraded {
            return;
        }
        self.upgraded = true;
        self.lane.target.upgrade(self.lane.core);
        if let Some(waiting) = self.lane.waiting.borrow_mut().get_mut(self.key) {
            waiting.upgraded = true;
            waiting.deadline = None;
        }
    }

    /// Sets when the target must have answered; `None` gives it all the time.
    pub(crate) fn set_deadline(&self, deadline: Option<Instant>) {
        if let Some(waiting) = self.lane.waiting.borrow_mut().get_mut(self.key) {
            waiting.deadline = deadline;
        }
    }

    /// Whether the request is to end now.
    pub(crate) fn verdict(&self) -> Option<Verdict> {
        self.lane.waiting.borrow_mut().get_mut(self.key)?.verdict
    }

    /// Has the task woken when a verdict comes. Call before returning `Pending`.
    pub(crate) fn watch(&self, cx: &Context<'_>) {
        if let Some(waiting) = self.lane.waiting.borrow_mut().get_mut(self.key)
            && waiting
                .waker
                .as_ref()
                .is_none_or(|waker| !waker.will_wake(cx.waker()))
        {
            waiting.waker = Some(cx.waker().clone());
        }
    }

    /// Waits for the verdict.
    pub(crate) async fn ended(&self) -> Verdict {
        std::future::poll_fn(|cx| match self.verdict() {
            Some(verdict) => std::task::Poll::Ready(verdict),
            None => {
                self.watch(cx);
                std::task::Poll::Pending
            }
        })
        .await
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.lane.waiting.borrow_mut().remove(self.key);
        if self.upgraded {
            self.lane.target.leave_upgraded(self.lane.core);
        } else {
            self.lane.target.leave(self.lane.core);
        }
    }
}

impl Waiting {
    fn end(&mut self, verdict: Verdict) {
        if self.verdict.is_none() {
            self.verdict = Some(verdict);
            if let Some(waker) = self.waker.take() {
                waker.wake();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dhow_proxy_api::{GoDuration, PauseState, TargetAddress};

    fn lane() -> (Rc<Lane>, Gate) {
        let target = Arc::new(Target::new(
            TargetAddress::parse("web:80").unwrap(),
            true,
            1,
        ));
        (
            Rc::new(Lane::new(target, Arc::default(), 0)),
            Gate::new(PauseState::default()),
        )
    }

    #[test]
    fn requests_are_counted_and_refused_after_retirement() {
        let (lane, gate) = lane();
        let first = InFlight::enter(&lane, &gate, None).unwrap();
        assert_eq!(lane.target.in_flight(), 1);
        lane.target.retire();
        assert!(InFlight::enter(&lane, &gate, None).is_none());
        assert_eq!(lane.target.in_flight(), 1);
        drop(first);
        assert_eq!(lane.target.in_flight(), 0);
        assert!(lane.is_quiet());
    }

    #[test]
    fn a_closed_gate_lets_nothing_in() {
        let (lane, gate) = lane();
        gate.pause(GoDuration::from_secs(1));
        assert!(InFlight::enter(&lane, &gate, None).is_none());
        gate.resume();
        assert!(InFlight::enter(&lane, &gate, None).is_some());
    }

    #[test]
    fn deadlines_and_cancellation() {
        let (lane, gate) = lane();
        let (a, b) = (
            InFlight::enter(&lane, &gate, None).unwrap(),
            InFlight::enter(&lane, &gate, None).unwrap(),
        );
        let now = Instant::now();
        a.set_deadline(Some(now + Duration::from_millis(5)));
        lane.sweep_deadlines(now);
        assert_eq!(a.verdict(), None);
        lane.sweep_deadlines(now + Duration::from_millis(5));
        assert_eq!((a.verdict(), b.verdict()), (Some(Verdict::TimedOut), None));
        lane.cancel();
        assert_eq!(
            (a.verdict(), b.verdict()),
            (Some(Verdict::TimedOut), Some(Verdict::Cancelled))
        );
    }

    /// parity: proxy 88
    #[test]
    fn upgraded_connections_end_one_by_one_and_by_themselves() {
        let (lane, gate) = lane();
        let mut tunnels: Vec<_> = (0..4)
            .map(|_| InFlight::enter(&lane, &gate, None).unwrap())
            .collect();
        let ordinary = InFlight::enter(&lane, &gate, None).unwrap();
        for tunnel in &mut tunnels {
            tunnel.upgrade();
        }
        assert_eq!((lane.target.in_flight(), lane.target.upgraded()), (1, 4));
        lane.cancel();
        assert_eq!(ordinary.verdict(), Some(Verdict::Cancelled));
        assert!(tunnels.iter().all(|tunnel| tunnel.verdict().is_none()));
        let (now, turn) = (Instant::now(), std::cell::Cell::new(0));
        lane.close_upgrades(now, Duration::from_secs(4), || {
            turn.set(turn.get() + 1);
            f64::from(turn.get()) / 4.0
        });
        for passed in 0..=4 {
            lane.sweep_deadlines(now + Duration::from_secs(passed));
            let ended = tunnels.iter().filter(|tunnel| tunnel.verdict().is_some());
            assert_eq!(ended.count() as u64, passed);
        }
        tunnels.clear();
        assert_eq!(lane.target.upgraded(), 0);
    }
}
