//! The targets of one slot of a service, and who gets the next request: round robin over those that are healthy.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use dhow_proxy_api::{InvalidTarget, TargetAddress};

use crate::rules::TargetRules;
use crate::target::Target;

/// Targets that were deployed together, with the options they were deployed with.
#[derive(Debug)]
pub(crate) struct TargetSet {
    /// Writers, in the order given.
    pub(crate) targets: Vec<Arc<Target>>,
    /// How they are talked to.
    pub(crate) rules: TargetRules,
    turn: AtomicUsize,
}

impl TargetSet {
    /// A set of new targets, all `healthy` or none.
    ///
    /// # Errors
    /// The first address that is none.
    pub(crate) fn new(
        addresses: &[String],
        rules: TargetRules,
        healthy: bool,
        cores: usize,
    ) -> Result<Self, InvalidTarget> {
        let targets = addresses
            .iter()
            .map(|address| {
                Ok(Arc::new(Target::new(
                    TargetAddress::parse(address)?,
                    healthy,
                    cores,
                )))
            })
            .collect::<Result<_, InvalidTarget>>()?;
        Ok(Self {
            targets,
            rules,
            turn: AtomicUsize::new(0),
        })
    }

    /// The place in [`Self::targets`] of the one whose turn it is; `None` when none is healthy.
    pub(crate) fn pick(&self) -> Option<usize> {
        if let [only] = self.targets.as_slice() {
            return only.is_healthy().then_some(0);
        }
        let healthy = || {
            self.targets
                .iter()
                .enumerate()
                .filter(|(_, target)| target.is_healthy())
        };
        let count = healthy().count();
        let turn = self.turn.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
        // Health may change between the two passes; the first healthy one does then.
        let (place, _) = healthy()
            .nth(turn.checked_rem(count)?)
            .or_else(|| healthy().next())?;
        Some(place)
    }

    /// Addresses as they were given.
    pub(crate) fn addresses(&self) -> Vec<String> {
        self.targets
            .iter()
            .map(|target| target.address.to_string())
            .collect()
    }

    /// Every target is healthy at this moment.
    pub(crate) fn all_healthy(&self) -> bool {
        self.targets.iter().all(|target| target.is_healthy())
    }

    /// Requests in flight on all targets.
    pub(crate) fn in_flight(&self) -> usize {
        self.targets.iter().map(|target| target.in_flight()).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(names: &[&str]) -> TargetSet {
        let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
        TargetSet::new(&names, TargetRules::default(), true, 1).unwrap()
    }

    /// parity: proxy 90
    #[test]
    fn everyone_gets_a_turn_and_the_unhealthy_none() {
        let set = set(&["web-1", "web-2", "web-3"]);
        let turns: Vec<_> = (0..6).filter_map(|_| set.pick()).collect();
        assert_eq!(turns, [1, 2, 0, 1, 2, 0]);
        set.targets[1].set_healthy(false);
        assert!((0..10).all(|_| set.pick().is_some_and(|place| place != 1)));
        assert!(!set.all_healthy());
        for target in &set.targets {
            target.set_healthy(false);
        }
        assert_eq!(set.pick(), None);
    }

    #[test]
    fn one_target() {
        let set = set(&["web-1"]);
        assert_eq!((set.pick(), set.pick()), (Some(0), Some(0)));
        set.targets[0].set_healthy(false);
        assert_eq!(set.pick(), None);
        assert_eq!(
            TargetSet::new(&["/".into()], TargetRules::default(), true, 1)
                .unwrap_err()
                .to_string(),
            "/ :invalid host pattern"
        );
    }
}
