//! The targets of one slot of a service, and who gets the next request: round robin over those that are healthy,
//! writers and readers each among themselves.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use dhow_proxy_api::{InvalidTarget, TargetAddress};

use crate::services::rules::TargetRules;
use crate::services::target::Target;

/// Targets that were deployed together, with the options they were deployed with.
#[derive(Debug)]
pub(crate) struct TargetSet {
    /// Writers, then readers, in the order given.
    pub(crate) targets: Vec<Arc<Target>>,
    /// How they are talked to.
    pub(crate) rules: Arc<TargetRules>,
    writers: usize,
    writer_turn: AtomicUsize,
    reader_turn: AtomicUsize,
}

/// What a request does, which decides where it may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// Readers may take it.
    Read,
    /// Only writers may.
    Write,
}

impl TargetSet {
    /// A set of new targets (writers and readers), all `healthy` or none.
    ///
    /// # Errors
    /// The first address that is none.
    pub(crate) fn new(
        writers: &[String],
        readers: &[String],
        rules: TargetRules,
        healthy: bool,
        cores: usize,
    ) -> Result<Self, InvalidTarget> {
        let targets = writers
            .iter()
            .chain(readers)
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
            rules: Arc::new(rules),
            writers: writers.len(),
            writer_turn: AtomicUsize::new(0),
            reader_turn: AtomicUsize::new(0),
        })
    }

    /// The place in [`Self::targets`] of the one whose turn it is; `None` when there is none. Reads go to writers when no
    /// reader is healthy.
    ///
    /// Where targets that serve are watched and none is left, those that were healthy once get requests all the same: more is
    /// wrong then than a target (the check itself, a database that all of them ask), and an answer from half an app beats none.
    pub(crate) fn pick(&self, role: Role) -> Option<usize> {
        if let [only] = self.targets.as_slice()
            && self.writers == 1
        {
            return (only.is_healthy() || self.is_last_resort(only)).then_some(0);
        }
        let (writers, readers) = self.targets.split_at_checked(self.writers)?;
        let reader = (role == Role::Read)
            .then(|| next(readers, &self.reader_turn, Target::is_healthy))
            .flatten();
        match reader {
            Some(place) => Some(self.writers + place),
            None => next(writers, &self.writer_turn, Target::is_healthy).or_else(|| {
                next(writers, &self.writer_turn, |target| {
                    self.is_last_resort(target)
                })
            }),
        }
    }

    /// A healthy one to ask instead of the one at `place`: the next in the list, a reader for a read if there is one. Takes nobody's
    /// turn.
    pub(crate) fn pick_other(&self, role: Role, place: usize) -> Option<usize> {
        let count = self.targets.len();
        let others = || (1..count).filter_map(|step| (place + step).checked_rem(count));
        let may = |place: &usize| {
            let target = self.targets.get(*place);
            let takes = *place < self.writers || role == Role::Read;
            takes && target.is_some_and(|target| target.is_healthy())
        };
        others()
            .filter(may)
            .find(|place| role == Role::Write || *place >= self.writers)
            .or_else(|| others().find(may))
    }

    fn is_last_resort(&self, target: &Target) -> bool {
        self.rules.options.dhow.fall > 0 && target.is_proven()
    }

    /// There are targets for reads alone.
    pub(crate) fn has_readers(&self) -> bool {
        self.targets.len() > self.writers
    }

    /// Addresses of the writers as they were given.
    pub(crate) fn writers(&self) -> Vec<String> {
        addresses(self.targets.get(..self.writers))
    }

    /// Addresses of the readers as they were given.
    pub(crate) fn readers(&self) -> Vec<String> {
        addresses(self.targets.get(self.writers..))
    }

    /// Every target is healthy at this moment.
    pub(crate) fn all_healthy(&self) -> bool {
        self.targets.iter().all(|target| target.is_healthy())
    }

    /// No target is healthy.
    pub(crate) fn is_down(&self) -> bool {
        !self.targets.iter().any(|target| target.is_healthy())
    }

    /// Upgraded connections on all targets.
    pub(crate) fn upgraded(&self) -> usize {
        self.targets.iter().map(|target| target.upgraded()).sum()
    }

    /// Requests in flight on all targets.
    pub(crate) fn in_flight(&self) -> usize {
        self.targets.iter().map(|target| target.in_flight()).sum()
    }
}

fn next(
    targets: &[Arc<Target>],
    turn: &AtomicUsize,
    may: impl Fn(&Target) -> bool,
) -> Option<usize> {
    let healthy = || targets.iter().enumerate().filter(|(_, target)| may(target));
    let count = healthy().count();
    if count == 0 {
        return None;
    }
    let turn = turn.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
    // Health may change between the two passes; the first healthy one does then.
    let (place, _) = healthy()
        .nth(turn.checked_rem(count)?)
        .or_else(|| healthy().next())?;
    Some(place)
}

fn addresses(targets: Option<&[Arc<Target>]>) -> Vec<String> {
    targets
        .unwrap_or_default()
        .iter()
        .map(|target| target.address.to_string())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use dhow_proxy_api::{DhowOptions, TargetOptions};

    fn set(names: &[&str]) -> TargetSet {
        let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
        TargetSet::new(&names, &[], TargetRules::default(), true, 1).unwrap()
    }

    /// parity: proxy 90
    #[test]
    fn everyone_gets_a_turn_and_the_unhealthy_none() {
        let set = set(&["web-1", "web-2", "web-3"]);
        let turns: Vec<_> = (0..6).filter_map(|_| set.pick(Role::Write)).collect();
        assert_eq!(turns, [1, 2, 0, 1, 2, 0]);
        set.targets[1].set_healthy(false);
        assert!((0..10).all(|_| set.pick(Role::Write).is_some_and(|place| place != 1)));
        assert!(!set.all_healthy());
        for target in &set.targets {
            target.set_healthy(false);
        }
        assert_eq!(set.pick(Role::Write), None);
    }

    #[test]
    fn one_target() {
        let set = set(&["web-1"]);
        assert_eq!(
            (set.pick(Role::Write), set.pick(Role::Write)),
            (Some(0), Some(0))
        );
        set.targets[0].set_healthy(false);
        assert_eq!(set.pick(Role::Write), None);
        assert_eq!(
            TargetSet::new(&["/".into()], &[], TargetRules::default(), true, 1)
                .unwrap_err()
                .to_string(),
            "/ :invalid host pattern"
        );
    }

    /// parity: proxy 84, 91, 95
    #[test]
    fn reads_go_to_readers_while_one_is_healthy() {
        let writers = ["w1".to_owned(), "w2".to_owned()];
        let readers = ["r1".to_owned(), "r2".to_owned()];
        let set = TargetSet::new(&writers, &readers, TargetRules::default(), true, 1).unwrap();
        assert!(set.has_readers());
        assert_eq!(
            (set.writers(), set.readers()),
            (writers.into(), readers.into())
        );
        let picks = |role| [set.pick(role).unwrap(), set.pick(role).unwrap()];
        let (mut reads, mut writes) = (picks(Role::Read), picks(Role::Write));
        reads.sort_unstable();
        writes.sort_unstable();
        assert_eq!((reads, writes), ([2, 3], [0, 1]));
        set.targets[2].set_healthy(false);
        assert!((0..4).all(|_| set.pick(Role::Read) == Some(3)));
        set.targets[3].set_healthy(false);
        assert!((0..4).all(|_| set.pick(Role::Read).unwrap() < 2));
        set.targets[3].set_healthy(true);
        set.targets[0].set_healthy(false);
        set.targets[1].set_healthy(false);
        assert_eq!(set.pick(Role::Write), None);
        assert_eq!(set.pick(Role::Read), Some(3));
    }

    #[test]
    fn another_target_is_another() {
        let lone = set(&["web-1"]);
        assert_eq!(lone.pick_other(Role::Read, 0), None);
        let set = set(&["web-1", "web-2", "web-3"]);
        assert_eq!(set.pick_other(Role::Write, 1), Some(2));
        assert_eq!(set.pick_other(Role::Write, 2), Some(0));
        set.targets[1].set_healthy(false);
        assert_eq!(set.pick_other(Role::Write, 0), Some(2));
        set.targets[2].set_healthy(false);
        assert_eq!(set.pick_other(Role::Write, 0), None);

        let names = |names: &[&str]| {
            names
                .iter()
                .map(|name| (*name).to_owned())
                .collect::<Vec<_>>()
        };
        let (writers, readers) = (names(&["w1", "w2"]), names(&["r1", "r2"]));
        let set = TargetSet::new(&writers, &readers, TargetRules::default(), true, 1).unwrap();
        assert_eq!(set.pick_other(Role::Read, 2), Some(3));
        assert_eq!(set.pick_other(Role::Read, 1), Some(2));
        assert_eq!(set.pick_other(Role::Write, 0), Some(1));
        set.targets[3].set_healthy(false);
        assert_eq!(set.pick_other(Role::Read, 2), Some(0));
        set.targets[1].set_healthy(false);
        assert_eq!(set.pick_other(Role::Write, 0), None);
    }

    #[test]
    fn where_targets_are_watched_the_last_ones_serve_on() {
        let watched = TargetOptions {
            dhow: DhowOptions {
                fall: 3,
                ..DhowOptions::default()
            },
            ..TargetOptions::default()
        };
        let new = |names: &[&str], healthy| {
            let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
            let rules = TargetRules::new(watched.clone());
            TargetSet::new(&names, &[], rules, healthy, 1).unwrap()
        };
        let set = new(&["web-1", "web-2"], true);
        set.targets[0].set_healthy(false);
        assert!((0..4).all(|_| set.pick(Role::Write) == Some(1)));
        set.targets[1].set_healthy(false);
        let mut turns: Vec<_> = (0..4).filter_map(|_| set.pick(Role::Write)).collect();
        turns.sort_unstable();
        assert_eq!(turns, [0, 0, 1, 1]);
        set.targets[0].set_healthy(true);
        assert!((0..4).all(|_| set.pick(Role::Write) == Some(0)));

        let lone = new(&["web-1"], true);
        lone.targets[0].set_healthy(false);
        assert_eq!(lone.pick(Role::Write), Some(0));
        // What never was healthy is no last resort.
        assert_eq!(new(&["web-1", "web-2"], false).pick(Role::Write), None);
    }
}
