//! A target as every core sees it: its address, whether it is healthy, how many requests are in flight.
//!
//! Requests are counted per core, so that cores do not write to each other's cache lines. A request counts
//! itself first and looks at `retired` and the service's gate after; whoever drains sets those first and
//! counts after. So each request is either seen by the drain or sees it, whatever the timing.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use dhow_proxy_api::TargetAddress;

/// Names one target object; the same address deployed again is another target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct TargetId(u64);

static NEXT_ID: AtomicU64 = AtomicU64::new(1);

/// One upstream.
#[derive(Debug)]
pub(crate) struct Target {
    /// Its name among targets.
    pub(crate) id: TargetId,
    /// Where it listens.
    pub(crate) address: TargetAddress,
    healthy: AtomicBool,
    proven: AtomicBool,
    retired: AtomicBool,
    in_flight: Box<[Counter]>,
    upgraded: Box<[Counter]>,
}

/// On its own cache line.
#[derive(Debug, Default)]
#[repr(align(64))]
struct Counter(AtomicUsize);

impl Target {
    /// A target for `cores` cores.
    pub(crate) fn new(address: TargetAddress, healthy: bool, cores: usize) -> Self {
        Self {
            id: TargetId(NEXT_ID.fetch_add(1, Ordering::Relaxed)),
            address,
            healthy: AtomicBool::new(healthy),
            proven: AtomicBool::new(healthy),
            retired: AtomicBool::new(false),
            in_flight: counters(cores),
            upgraded: counters(cores),
        }
    }

    /// The last health check succeeded.
    pub(crate) fn is_healthy(&self) -> bool {
        self.healthy.load(Ordering::Relaxed)
    }

    /// Records a health check; `true` when that changed something.
    pub(crate) fn set_healthy(&self, healthy: bool) -> bool {
        if healthy {
            self.proven.store(true, Ordering::Relaxed);
        }
        self.healthy.swap(healthy, Ordering::Relaxed) != healthy
    }

    /// It was healthy once.
    pub(crate) fn is_proven(&self) -> bool {
        self.proven.load(Ordering::Relaxed)
    }

    /// Lets no new requests in, for ever.
    pub(crate) fn retire(&self) {
        self.retired.store(true, Ordering::SeqCst);
    }

    /// New requests must go elsewhere.
    pub(crate) fn is_retired(&self) -> bool {
        self.retired.load(Ordering::SeqCst)
    }

    /// Counts a request in on `core`. The caller then looks at [`Self::is_retired`] and its gate.
    pub(crate) fn enter(&self, core: usize) {
        add(&self.in_flight, core);
    }

    /// Counts it out again.
    pub(crate) fn leave(&self, core: usize) {
        subtract(&self.in_flight, core);
    }

    /// Counts a request that was in flight as an upgraded connection from now on.
    pub(crate) fn upgrade(&self, core: usize) {
        // At no moment is it counted nowhere.
        add(&self.upgraded, core);
        subtract(&self.in_flight, core);
    }

    /// Counts an upgraded connection out again.
    pub(crate) fn leave_upgraded(&self, core: usize) {
        subtract(&self.upgraded, core);
    }

    /// Requests in flight on all cores, without upgraded connections.
    pub(crate) fn in_flight(&self) -> usize {
        sum(&self.in_flight)
    }

    /// Upgraded connections on all cores.
    pub(crate) fn upgraded(&self) -> usize {
        sum(&self.upgraded)
    }
}

fn counters(cores: usize) -> Box<[Counter]> {
    (0..cores).map(|_| Counter::default()).collect()
}

fn add(counters: &[Counter], core: usize) {
    if let Some(counter) = counters.get(core) {
        counter.0.fetch_add(1, Ordering::SeqCst);
    }
}

fn subtract(counters: &[Counter], core: usize) {
    if let Some(counter) = counters.get(core) {
        counter.0.fetch_sub(1, Ordering::SeqCst);
    }
}

fn sum(counters: &[Counter]) -> usize {
    let counts = counters
        .iter()
        .map(|counter| counter.0.load(Ordering::SeqCst));
    counts.sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_over_cores() {
        let target = Target::new(TargetAddress::parse("web:80").unwrap(), false, 2);
        target.enter(0);
        target.enter(1);
        target.enter(7);
        assert_eq!(target.in_flight(), 2);
        target.leave(1);
        assert_eq!(target.in_flight(), 1);
        target.upgrade(0);
        assert_eq!((target.in_flight(), target.upgraded()), (0, 1));
        target.leave_upgraded(0);
        assert_eq!(target.upgraded(), 0);
        assert!(!target.is_proven());
        assert!(target.set_healthy(true) && !target.set_healthy(true));
        assert!(target.set_healthy(false) && target.is_proven());
        assert!(!target.is_retired());
        target.retire();
        assert!(target.is_retired());
    }
}
