//! Whether to ask the application about a name that a client made up: names just denied are not asked about again, one name is
//! asked about once at a time, and all together not too often. Anybody can send any name, so this is what keeps a flood of
//! handshakes away from the application and from the authority.
//!
//! In: names with the time, and the application's answers. Out: a verdict. Bounded in memory.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::time::Duration;

use crate::host_name::HostName;
use crate::moment::Moment;
use crate::rate::Rate;

/// Bounds on questions to the application.
#[derive(Clone, Copy, Debug)]
pub struct GateLimits {
    /// Questions in all.
    pub questions: Rate,
    /// Questions under way at one time.
    pub concurrent: usize,
    /// For how long a denial is remembered.
    pub remember: Duration,
    /// How many denials are remembered.
    pub max_remembered: usize,
}

impl Default for GateLimits {
    fn default() -> Self {
        Self {
            questions: Rate {
                count: 120,
                per: Duration::from_secs(60),
            },
            concurrent: 16,
            remember: Duration::from_secs(60),
            max_remembered: 10_000,
        }
    }
}

/// What to do about a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Ask, then tell [`Gate::answered`].
    Ask,
    /// It is being asked about.
    Asking,
    /// Denied a short while ago.
    Denied,
    /// Too many questions; not now.
    Limited,
}

/// The gate.
#[derive(Debug)]
pub struct Gate {
    limits: GateLimits,
    mark: Moment,
    asking: BTreeSet<HostName>,
    denied: HashMap<HostName, Moment>,
    /// Denials by age, so that the oldest make room.
    order: VecDeque<(Moment, HostName)>,
}

impl Gate {
    /// An open gate.
    #[must_use]
    pub fn new(limits: GateLimits) -> Self {
        Self {
            limits,
            mark: Moment::default(),
            asking: BTreeSet::new(),
            denied: HashMap::new(),
            order: VecDeque::new(),
        }
    }

    /// A client named `host`, which has no certificate.
    pub fn knock(&mut self, host: &HostName, now: Moment) -> Verdict {
        self.forget(now);
        if self.asking.contains(host) {
            return Verdict::Asking;
        }
        if self.denied.contains_key(host) {
            return Verdict::Denied;
        }
        if self.asking.len() >= self.limits.concurrent
            || self.limits.questions.next(self.mark, 0) > now
        {
            return Verdict::Limited;
        }
        self.mark = self.limits.questions.spend(self.mark, now);
        self.asking.insert(host.clone());
        Verdict::Ask
    }

    /// The application has answered about `host`, or could not.
    pub fn answered(&mut self, host: &HostName, allowed: bool, now: Moment) {
        self.asking.remove(host);
        if !allowed && self.denied.insert(host.clone(), now).is_none() {
            self.order.push_back((now, host.clone()));
        }
        self.forget(now);
    }

    fn forget(&mut self, now: Moment) {
        while let Some((since, host)) = self.order.front() {
            let old = now.since(*since) >= self.limits.remember;
            if !old && self.order.len() <= self.limits.max_remembered {
                return;
            }
            self.denied.remove(host);
            self.order.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_authority::{NOW, host};

    const SECOND: Duration = Duration::from_secs(1);

    fn gate(count: u32, concurrent: usize, max_remembered: usize) -> Gate {
        Gate::new(GateLimits {
            questions: Rate {
                count,
                per: Duration::from_secs(60),
            },
            concurrent,
            remember: Duration::from_secs(60),
            max_remembered,
        })
    }

    #[test]
    fn one_question_a_name_and_denials_are_remembered() {
        let mut gate = gate(100, 100, 100);
        let name = host("a.example.com");
        assert_eq!(gate.knock(&name, NOW), Verdict::Ask);
        assert_eq!(gate.knock(&name, NOW), Verdict::Asking);
        gate.answered(&name, false, NOW);
        assert_eq!(gate.knock(&name, NOW.plus(SECOND * 59)), Verdict::Denied);
        assert_eq!(gate.knock(&name, NOW.plus(SECOND * 60)), Verdict::Ask);
        gate.answered(&name, true, NOW);
        assert_eq!(gate.knock(&name, NOW.plus(SECOND * 61)), Verdict::Ask);
    }

    #[test]
    fn a_flood_of_names_is_cut_off() {
        let mut gate = gate(10, 100, 100);
        let asked = (0..1000)
            .filter(|number| {
                let name = host(&format!("a{number}.example.com"));
                let verdict = gate.knock(&name, NOW);
                gate.answered(&name, false, NOW);
                verdict == Verdict::Ask
            })
            .count();
        assert_eq!(asked, 10);
        let later = NOW.plus(SECOND * 6);
        assert_eq!(gate.knock(&host("b.example.com"), later), Verdict::Ask);
    }

    #[test]
    fn slow_answers_hold_up_only_so_many() {
        let mut gate = gate(100, 2, 100);
        assert_eq!(gate.knock(&host("a.example.com"), NOW), Verdict::Ask);
        assert_eq!(gate.knock(&host("b.example.com"), NOW), Verdict::Ask);
        assert_eq!(gate.knock(&host("c.example.com"), NOW), Verdict::Limited);
        gate.answered(&host("a.example.com"), true, NOW);
        assert_eq!(gate.knock(&host("c.example.com"), NOW), Verdict::Ask);
    }

    #[test]
    fn memory_is_bounded() {
        let mut gate = gate(1000, 1000, 5);
        for number in 0..100 {
            let name = host(&format!("a{number}.example.com"));
            assert_eq!(gate.knock(&name, NOW), Verdict::Ask);
            gate.answered(&name, false, NOW);
        }
        assert_eq!((gate.denied.len(), gate.order.len()), (5, 5));
        assert_eq!(gate.knock(&host("a99.example.com"), NOW), Verdict::Denied);
        assert_eq!(gate.knock(&host("a1.example.com"), NOW), Verdict::Ask);
    }
}
