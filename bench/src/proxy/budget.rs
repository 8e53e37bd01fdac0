//! What the proxy has to keep to, and whether it does.

use super::results::{Results, Row, Slice};
use super::scenario::{PLAIN, What};

/// MiB that an idle proxy may hold.
const IDLE_MIB: f64 = 10.0;
/// KiB that a connection may hold that was used and idles.
const CONNECTION_KIB: f64 = 6.0;
/// The most that its p99 may be of kamal-proxy's at the same rate.
const P99_SHARE: f64 = 1.0 / 3.0;

/// A budget and what came out.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// What is limited.
    pub what: String,
    /// By how much.
    pub budget: f64,
    /// What was measured.
    pub measured: f64,
}

impl Verdict {
    /// Whether the budget is kept.
    #[must_use]
    pub fn met(&self) -> bool {
        self.measured <= self.budget
    }
}

/// The budgets of the first proxy that can be judged with what was measured.
#[must_use]
pub fn verdicts(results: &Results) -> Vec<Verdict> {
    let mut all = Vec::new();
    let Some(ours) = results.rows.first() else {
        return all;
    };
    let other = |name: &str| results.rows.iter().skip(1).find(|row| row.name == name);
    if let Some(nginx) = other("nginx") {
        let small = |scenario: &&(usize, _)| {
            let (_, what): &(usize, What) = scenario;
            matches!(
                what,
                What::Http {
                    host: PLAIN,
                    path: "/",
                    body: 0
                }
            )
        };
        let whats = results
            .scenarios
            .iter()
            .map(|scenario| scenario.what)
            .enumerate();
        if let Some((number, _)) = { whats }.find(|one| small(&one)) {
            let micros = |row: &Row| Some(row.sample(number, Slice::micros)?.median());
            if let (Some(budget), Some(measured)) = (micros(nginx), micros(ours)) {
                all.push(Verdict {
                    what: "CPU µs per request, small body, access log on: not more than nginx"
                        .to_owned(),
                    budget,
                    measured,
                });
            }
        }
    }
    if let Some(Ok(held)) = &ours.held {
        all.push(Verdict {
            what: "MiB, idle".to_owned(),
            budget: IDLE_MIB,
            measured: held.idle_kib as f64 / 1024.0,
        });
        all.push(Verdict {
            what: "KiB per connection, idle after a request".to_owned(),
            budget: CONNECTION_KIB,
            measured: held.each_kib(),
        });
    }
    if let (Ok(ours), Some(Ok(theirs))) =
        (&ours.steady, other("kamal-proxy").map(|row| &row.steady))
    {
        all.push(Verdict {
            what: format!(
                "p99 in ms at {:.0} requests/s: a third of kamal-proxy's",
                ours.rate
            ),
            budget: theirs.same.p99 * P99_SHARE,
            measured: ours.same.p99,
        });
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proxy::{Held, scenarios};
    use std::time::Duration;

    fn row(name: &str, micros: u64, held_kib: u64) -> Row {
        let slice = Slice {
            done: 1000,
            wall: Duration::from_secs(1),
            cpu: Duration::from_micros(micros * 1000),
            core: Duration::from_secs(1),
        };
        Row {
            name: name.to_owned(),
            slices: vec![Ok(vec![slice])],
            steady: Err("not measured".to_owned()),
            held: Some(Ok(Held {
                idle_kib: 5 << 10,
                held_kib,
                connections: 1024,
            })),
        }
    }

    #[test]
    fn missed_and_met() {
        let results = Results {
            scenarios: scenarios().into_iter().take(1).collect(),
            rows: vec![row("dhow", 15, 15 << 10), row("nginx", 14, 0)],
            direct: row("no proxy", 0, 0),
        };
        let met: Vec<_> = verdicts(&results).iter().map(Verdict::met).collect();
        assert_eq!(met, [false, true, false]);
    }
}
