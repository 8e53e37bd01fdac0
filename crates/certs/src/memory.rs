//! What went wrong with an authority, and how long to leave it alone: per host, and as a whole. Kept on disk, so that a proxy that
//! is restarted (or crashes) over and over does not ask more often than one that runs through.
//!
//! In: failures and successes with their time. Out: the earliest moment of the next attempt, and a JSON text.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::dice::Dice;
use crate::host_name::HostName;
use crate::moment::Moment;

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(86_400);

/// Before the next kind of challenge is tried, when the one before failed.
const OTHER_CHALLENGE: Duration = Duration::from_secs(5);
/// After all kinds failed; three times as long each further time, up to a day. With two kinds this makes four attempts in the
/// first hour: the largest authority stops answering at the fifth failure of a host in an hour.
const FIRST_WAIT: Duration = Duration::from_secs(300);
const MAX_FAILURES_AN_HOUR: usize = 4;
/// After a deploy by hand, an attempt may come this soon after the last failure.
const HASTENED_WAIT: Duration = Duration::from_secs(60);
/// While an authority cannot be reached; doubled each time, up to an hour.
const FIRST_HOLD: Duration = Duration::from_secs(30);
/// Without word from the authority about when its limit is over.
const RATE_LIMIT_WAIT: Duration = HOUR;
/// Failures of hosts that nobody wanted since are forgotten after this long.
const FORGET: Duration = Duration::from_secs(7 * 86_400);
/// How much of a reason is kept.
const MAX_REASON: usize = 500;

/// Why an order failed, as far as it matters for what comes next.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OrderFailure {
    /// The authority said no: a challenge failed, the name is not allowed.
    #[error("{reason}")]
    Refused {
        /// In the authority's words.
        reason: String,
    },
    /// Too many orders.
    #[error("{reason}")]
    RateLimited {
        /// In the authority's words.
        reason: String,
        /// How long to wait, if it said so.
        retry_after: Option<Duration>,
    },
    /// No answer, an error of its own, or no account: nothing to do with the host.
    #[error("{reason}")]
    Unavailable {
        /// What happened.
        reason: String,
        /// How long to wait, if it said so.
        retry_after: Option<Duration>,
    },
}

/// One authority's memory.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Memory {
    hosts: BTreeMap<String, Trouble>,
    hold: Hold,
    /// The mark of the limit on orders.
    pub(crate) orders: Moment,
}

/// What went wrong with a host.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Trouble {
    pub(crate) failures: u32,
    /// Times of the failures of the last hour.
    recent: Vec<Moment>,
    pub(crate) next: Moment,
    pub(crate) reason: String,
    /// Nothing hastens past a limit of the authority's.
    #[serde(default)]
    limited: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Hold {
    failures: u32,
    until: Moment,
    reason: String,
}

impl Memory {
    /// Reads what [`to_json`](Self::to_json) wrote. An entry that is damaged is left out, the others stay.
    pub(crate) fn from_json(text: &str) -> Self {
        let Ok(Value::Object(mut root)) = serde_json::from_str(text) else {
            return Self::default();
        };
        let hosts = match root.remove("hosts") {
            Some(Value::Object(hosts)) => hosts
                .into_iter()
                .filter_map(|(host, trouble)| Some((host, serde_json::from_value(trouble).ok()?)))
                .collect(),
            _ => BTreeMap::new(),
        };
        let hold = root.remove("hold").map(serde_json::from_value);
        let orders = root.remove("orders").map(serde_json::from_value);
        Self {
            hosts,
            hold: hold.and_then(Result::ok).unwrap_or_default(),
            orders: orders.and_then(Result::ok).unwrap_or_default(),
        }
    }

    pub(crate) fn to_json(&self) -> String {
        // Strings and numbers only: it has a form.
        serde_json::to_string(self).unwrap_or_default() + "\n"
    }

    pub(crate) fn trouble(&self, host: &HostName) -> Option<&Trouble> {
        self.hosts.get(host.as_str())
    }

    /// The earliest moment for the next attempt. `now` is there to see through a clock that was wrong when the failure was
    /// noted: nothing is ever put off by more than a day and a week respectively.
    pub(crate) fn not_before(&self, host: &HostName, now: Moment) -> Moment {
        let hold = self.hold.until.min(now.plus(DAY));
        let own = self
            .trouble(host)
            .map(|trouble| trouble.next.min(now.plus(DAY * 7)))
            .unwrap_or_default();
        hold.max(own)
    }

    /// Notes a failure. `methods` is the number of kinds of challenge that can be tried in turn.
    pub(crate) fn failed(
        &mut self,
        host: &HostName,
        failure: &OrderFailure,
        methods: u32,
        now: Moment,
        dice: &mut Dice,
    ) {
        match failure {
            OrderFailure::Unavailable {
                reason,
                retry_after,
            } => self.hold(reason, *retry_after, now, dice),
            OrderFailure::Refused { reason } => {
                self.hold = Hold::default();
                let trouble = self.note(host, reason, now);
                let wait = match trouble.failures.checked_sub(methods) {
                    None => OTHER_CHALLENGE,
                    Some(rounds) => FIRST_WAIT
                        .saturating_mul(3_u32.saturating_pow(rounds))
                        .min(DAY),
                };
                trouble.next = now.plus(wait).plus(dice.up_to(wait / 5));
                trouble.limited = false;
            }
            OrderFailure::RateLimited {
                reason,
                retry_after,
            } => {
                self.hold = Hold::default();
                let wait = retry_after.unwrap_or(RATE_LIMIT_WAIT);
                let trouble = self.note(host, reason, now);
                trouble.next = now.plus(wait).plus(dice.up_to(HASTENED_WAIT));
                trouble.limited = true;
            }
        }
    }

    /// The host has its certificate.
    pub(crate) fn succeeded(&mut self, host: &HostName) {
        self.hosts.remove(host.as_str());
        self.hold = Hold::default();
    }

    /// Somebody deployed, perhaps having mended what was wrong: the next attempt may be sooner.
    pub(crate) fn hasten(&mut self, host: &HostName, now: Moment) {
        let Some(trouble) = self.hosts.get_mut(host.as_str()) else {
            return;
        };
        trouble.recent.retain(|at| now.since(*at) < HOUR);
        if !trouble.limited && trouble.recent.len() < MAX_FAILURES_AN_HOUR {
            let last = trouble.recent.last().copied().unwrap_or_default();
            trouble.next = trouble.next.min(now.max(last.plus(HASTENED_WAIT)));
        }
    }

    fn note(&mut self, host: &HostName, reason: &str, now: Moment) -> &mut Trouble {
        self.hosts
            .retain(|_, trouble| now.since(trouble.next) < FORGET);
        let trouble = self.hosts.entry(host.to_string()).or_default();
        trouble.failures = trouble.failures.saturating_add(1);
        trouble.recent.retain(|at| now.since(*at) < HOUR);
        trouble.recent.push(now);
        trouble.reason = reason.chars().take(MAX_REASON).collect();
        trouble
    }

    fn hold(&mut self, reason: &str, retry_after: Option<Duration>, now: Moment, dice: &mut Dice) {
        // Orders under way together fail together: that is one failure.
        if self.hold.until > now && retry_after.is_none() {
            return;
        }
        let own = FIRST_HOLD
            .saturating_mul(2_u32.saturating_pow(self.hold.failures))
            .min(HOUR);
        let wait = retry_after.map_or(own, |asked| asked.max(own));
        self.hold = Hold {
            failures: self.hold.failures.saturating_add(1),
            until: now.plus(wait).plus(dice.up_to(wait / 5)),
            reason: reason.chars().take(MAX_REASON).collect(),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_authority::{NOW, host};

    fn refused() -> OrderFailure {
        OrderFailure::Refused {
            reason: "connection refused".to_owned(),
        }
    }

    fn unavailable(retry_after: Option<Duration>) -> OrderFailure {
        OrderFailure::Unavailable {
            reason: "no answer".to_owned(),
            retry_after,
        }
    }

    /// Minutes from the start at which attempts are made that all fail.
    fn attempts(methods: u32, count: usize) -> Vec<u64> {
        let mut memory = Memory::default();
        let mut dice = Dice::seeded(0);
        let name = host("app.example.com");
        let mut now = NOW;
        (0..count)
            .map(|_| {
                let at = now.since(NOW).as_secs() / 60;
                memory.failed(&name, &refused(), methods, now, &mut dice);
                now = memory.not_before(&name, now);
                at
            })
            .collect()
    }

    #[test]
    fn waits_grow_and_stay_below_the_authority_s_limit() {
        for methods in [1, 2] {
            let times = attempts(methods, 12);
            let first_hour = times.iter().filter(|at| **at < 60).count();
            assert!(first_hour <= MAX_FAILURES_AN_HOUR, "{times:?}");
            assert!(times[11] - times[10] <= 24 * 60 * 6 / 5, "{times:?}");
            assert!(times[11] - times[10] >= 24 * 60, "{times:?}");
        }
        // The other kind of challenge is tried at once.
        assert_eq!(attempts(2, 2), [0, 0]);
    }

    #[test]
    fn a_limit_is_waited_out_to_the_second() {
        let mut memory = Memory::default();
        let name = host("app.example.com");
        let failure = OrderFailure::RateLimited {
            reason: "too many certificates".to_owned(),
            retry_after: Some(HOUR * 5),
        };
        memory.failed(&name, &failure, 2, NOW, &mut Dice::seeded(1));
        assert!(memory.not_before(&name, NOW) >= NOW.plus(HOUR * 5));
        memory.hasten(&name, NOW.plus(HOUR));
        assert!(memory.not_before(&name, NOW) >= NOW.plus(HOUR * 5));
        assert_eq!(memory.not_before(&host("b.example.com"), NOW).millis(), 0);
    }

    #[test]
    fn an_authority_out_of_reach_is_left_alone_as_a_whole() {
        let mut memory = Memory::default();
        let mut dice = Dice::seeded(1);
        let (one, other) = (host("a.example.com"), host("b.example.com"));
        memory.failed(&one, &unavailable(None), 2, NOW, &mut dice);
        let first = memory.not_before(&other, NOW);
        assert!(first >= NOW.plus(FIRST_HOLD));
        // A second order that was under way says nothing new.
        memory.failed(&other, &unavailable(None), 2, NOW, &mut dice);
        assert_eq!(memory.not_before(&other, NOW), first);
        memory.failed(&one, &unavailable(None), 2, first, &mut dice);
        assert!(memory.not_before(&other, first) >= first.plus(FIRST_HOLD * 2));
        let asked = unavailable(Some(HOUR * 2));
        memory.failed(&one, &asked, 2, first, &mut dice);
        assert!(memory.not_before(&one, first) >= first.plus(HOUR * 2));
        assert!(memory.trouble(&one).is_none(), "no fault of the host's");
        memory.succeeded(&one);
        assert_eq!(memory.not_before(&one, first).millis(), 0);
    }

    #[test]
    fn a_deploy_hastens_but_not_past_the_limit() {
        let name = host("app.example.com");
        let mut memory = Memory::default();
        let mut dice = Dice::seeded(1);
        let mut now = NOW;
        for _ in 0..3 {
            memory.failed(&name, &refused(), 1, now, &mut dice);
            now = now.plus(Duration::from_secs(1));
        }
        assert!(memory.not_before(&name, now) > now.plus(HOUR / 2));
        memory.hasten(&name, now);
        assert!(memory.not_before(&name, now) <= now.plus(HASTENED_WAIT));
        memory.failed(&name, &refused(), 1, now, &mut dice);
        let planned = memory.not_before(&name, now);
        memory.hasten(&name, now);
        assert_eq!(memory.not_before(&name, now), planned);
    }

    #[test]
    fn it_survives_on_disk() {
        let mut memory = Memory {
            orders: NOW,
            ..Memory::default()
        };
        let mut dice = Dice::seeded(1);
        memory.failed(&host("a.example.com"), &refused(), 2, NOW, &mut dice);
        memory.failed(
            &host("a.example.com"),
            &unavailable(None),
            2,
            NOW,
            &mut dice,
        );
        assert_eq!(Memory::from_json(&memory.to_json()), memory);
    }

    #[test]
    fn a_damaged_entry_costs_that_entry() {
        let text = r#"{"hosts":{"a.example.com":{"failures":"x"},
            "b.example.com":{"failures":2,"recent":[],"next":5,"reason":"r"}},"hold":7,"orders":9,"later":1}"#;
        let memory = Memory::from_json(text);
        assert!(memory.trouble(&host("a.example.com")).is_none());
        assert_eq!(memory.trouble(&host("b.example.com")).unwrap().failures, 2);
        assert_eq!(memory.orders.millis(), 9);
        for nonsense in ["", "[]", "{", "\0"] {
            assert_eq!(Memory::from_json(nonsense), Memory::default());
        }
    }

    #[test]
    fn a_clock_that_was_wrong_does_not_stop_it_for_years() {
        let name = host("app.example.com");
        let mut memory = Memory::default();
        let year = DAY * 365;
        let mut dice = Dice::seeded(1);
        memory.failed(&name, &refused(), 1, NOW.plus(year), &mut dice);
        assert!(memory.not_before(&name, NOW) <= NOW.plus(DAY * 7));
    }
}
