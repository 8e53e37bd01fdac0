//! The account of a run: counted while it goes on, one JSON object at the end.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// How many failed requests are kept in full; all are counted.
const FAILURES_KEPT: usize = 50;

/// What became of one request.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// When it was due, since the start of the run.
    pub at: Duration,
    /// From when it was due to the end of its answer, so that a server's pause counts for all who waited.
    pub took: Duration,
    /// Whether it asked to be answered late. Its time says nothing and is left out of the latencies.
    pub slow: bool,
    /// What kind it was, for the list of failures.
    pub kind: String,
    /// The version that answered, or the reason of the failure.
    pub result: Result<String, String>,
}

/// What a run prints at its end.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Report {
    /// All targets together.
    pub all: Summary,
    /// Each target, in the order in which they were given.
    pub targets: Vec<Summary>,
}

/// What happened at one target, or at all of them.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct Summary {
    /// The target's URL; `all` for the sum.
    pub target: String,
    /// How long the run was, in seconds.
    pub seconds: f64,
    /// Requests sent. Each is in `succeeded` or in `failed`.
    pub sent: u64,
    /// Requests answered with 200 and the right body.
    pub succeeded: u64,
    /// All others.
    pub failed: u64,
    /// Of those sent, the ones that asked to be answered late.
    pub slow: u64,
    /// Connections opened.
    pub connections: u64,
    /// How often each reason of failure occurred.
    pub reasons: BTreeMap<String, u64>,
    /// Which versions answered, in the order in which they first did.
    pub versions: Vec<VersionSeen>,
    /// Latencies of the requests that were answered and were not slow ones.
    pub latency_ms: Latency,
    /// The first failed requests.
    pub failures: Vec<FailedRequest>,
    #[serde(skip)]
    times: Vec<Duration>,
}

/// A version and when it answered.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct VersionSeen {
    /// As the app told it.
    pub version: String,
    /// How many answers came from it.
    pub count: u64,
    /// When its first answer came, in milliseconds since the start.
    pub first_ms: u128,
    /// When its last answer came.
    pub last_ms: u128,
}

/// Latencies in milliseconds.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct Latency {
    /// Half of the requests took at most this.
    pub p50: f64,
    /// 99 of 100 took at most this.
    pub p99: f64,
    /// The longest.
    pub max: f64,
}

/// A request that failed.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct FailedRequest {
    /// When it was due, in milliseconds since the start.
    pub at_ms: u128,
    /// How long it took to fail, in milliseconds.
    pub took_ms: u128,
    /// What it was.
    pub kind: String,
    /// Why it failed.
    pub reason: String,
}

impl Summary {
    /// An empty account.
    pub fn new(target: &str) -> Self {
        Self {
            target: target.to_owned(),
            ..Self::default()
        }
    }

    /// Counts one request.
    pub fn add(&mut self, outcome: &Outcome) {
        self.sent += 1;
        self.slow += u64::from(outcome.slow);
        match &outcome.result {
            Ok(version) => {
                self.succeeded += 1;
                self.saw(version, (outcome.at + outcome.took).as_millis());
                if !outcome.slow {
                    self.times.push(outcome.took);
                }
            }
            Err(reason) => {
                self.failed += 1;
                *self.reasons.entry(reason.clone()).or_default() += 1;
                if self.failures.len() < FAILURES_KEPT {
                    self.failures.push(FailedRequest {
                        at_ms: outcome.at.as_millis(),
                        took_ms: outcome.took.as_millis(),
                        kind: outcome.kind.clone(),
                        reason: reason.clone(),
                    });
                }
            }
        }
    }

    /// Ends the account.
    pub fn finish(&mut self, ran: Duration, connections: u64) {
        self.seconds = ran.as_secs_f64();
        self.connections = connections;
        self.times.sort_unstable();
        let at = |share: f64| {
            let rank = (share * self.times.len() as f64).ceil() as usize;
            let time = self
                .times
                .get(rank.saturating_sub(1))
                .copied()
                .unwrap_or_default();
            time.as_secs_f64() * 1000.0
        };
        self.latency_ms = Latency {
            p50: at(0.5),
            p99: at(0.99),
            max: at(1.0),
        };
        self.versions.sort_by_key(|seen| seen.first_ms);
    }

    fn saw(&mut self, version: &str, at_ms: u128) {
        match self
            .versions
            .iter_mut()
            .find(|seen| seen.version == version)
        {
            Some(seen) => {
                seen.count += 1;
                seen.first_ms = seen.first_ms.min(at_ms);
                seen.last_ms = seen.last_ms.max(at_ms);
            }
            None => self.versions.push(VersionSeen {
                version: version.to_owned(),
                count: 1,
                first_ms: at_ms,
                last_ms: at_ms,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(at: u64, took: u64, result: Result<&str, &str>) -> Outcome {
        Outcome {
            at: Duration::from_millis(at),
            took: Duration::from_millis(took),
            slow: false,
            kind: "get".to_owned(),
            result: result.map(str::to_owned).map_err(str::to_owned),
        }
    }

    #[test]
    fn every_request_is_a_success_or_a_failure_with_a_reason() {
        let mut summary = Summary::new("all");
        summary.add(&outcome(0, 5, Ok("v2")));
        summary.add(&outcome(10, 5, Err("status 502")));
        summary.add(&outcome(20, 5, Err("status 502")));
        assert_eq!((summary.sent, summary.succeeded, summary.failed), (3, 1, 2));
        assert_eq!(summary.reasons["status 502"], 2);
        assert_eq!(summary.failures[1].at_ms, 20);
    }

    #[test]
    fn versions_are_told_by_when_they_first_answered_whatever_order_outcomes_come_in() {
        let mut summary = Summary::new("all");
        summary.add(&outcome(100, 1, Ok("new")));
        summary.add(&outcome(50, 1, Ok("old")));
        summary.add(&outcome(90, 1, Ok("new")));
        summary.finish(Duration::from_secs(1), 1);
        let seen: Vec<_> = summary
            .versions
            .iter()
            .map(|v| (v.version.as_str(), v.first_ms, v.last_ms))
            .collect();
        assert_eq!(seen, [("old", 51, 51), ("new", 91, 101)]);
    }

    #[test]
    fn percentiles_are_the_nearest_rank() {
        let mut summary = Summary::new("all");
        (1..=100).for_each(|ms| summary.add(&outcome(0, ms, Ok("v"))));
        summary.finish(Duration::from_secs(1), 1);
        let latency = summary.latency_ms;
        assert_eq!((latency.p50, latency.p99, latency.max), (50.0, 99.0, 100.0));
    }
}
