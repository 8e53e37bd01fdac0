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
    retired: AtomicBool,
    in_flight: Box<[Counter]>,
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
            retired: AtomicBool::new(false),
            in_flight: (0..cores).map(|_| Counter::default()).collect(),
        }
    }

    /// The last health check succeeded.
    pub(crate) fn is_healthy(&self) -> bool {
        self.healthy.load(Ordering::Relaxed)
    }

    /// Records a health check; `true` when that changed something.
    pub(crate) fn set_healthy(&self, healthy: bool) -> bool {
        self.healthy.swap(healthy, Ordering::Relaxed) != healthy
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
        if let Some(counter) = self.in_flight.get(core) {
            counter.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    /// Counts it out again.
    pub(crate) fn leave(&self, core: usize) {
        if let Some(counter) = self.in_flight.get(core) {
            counter.0.fetch_sub(1, Ordering::SeqCst);
        }
    }

    /// Requests in flight on all cores.
    pub(crate) fn in_flight(&self) -> usize {
        self.in_flight
            .iter()
            .map(|counter| counter.0.load(Ordering::SeqCst))
            .sum()
    }
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
        assert!(target.set_healthy(true) && !target.set_healthy(true));
        assert!(!target.is_retired());
        target.retire();
        assert!(target.is_retired());
    }
}
