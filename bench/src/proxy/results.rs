//! What came out.

use std::time::Duration;

use super::scenario::Scenario;
use crate::sample::Sample;

/// One measurement under as much load as goes through.
#[derive(Clone, Copy, Debug, Default)]
pub struct Slice {
    /// Requests, handshakes, messages.
    pub done: u64,
    /// How long it took.
    pub wall: Duration,
    /// The proxy's processor time.
    pub cpu: Duration,
    /// Everybody's on the proxy's core, the proxy's included.
    pub core: Duration,
}

impl Slice {
    /// Microseconds of the proxy's processor time for each.
    #[must_use]
    pub fn micros(&self) -> f64 {
        self.cpu.as_secs_f64() * 1e6 / self.done.max(1) as f64
    }

    /// How many a second.
    #[must_use]
    pub fn rate(&self) -> f64 {
        self.done as f64 / self.wall.as_secs_f64().max(1e-9)
    }

    /// The share of its core that the proxy used, of 1.
    #[must_use]
    pub fn busy(&self) -> f64 {
        self.cpu.as_secs_f64() / self.wall.as_secs_f64().max(1e-9)
    }

    /// The share that others used, of 1.
    #[must_use]
    pub fn others(&self) -> f64 {
        self.core.saturating_sub(self.cpu).as_secs_f64() / self.wall.as_secs_f64().max(1e-9)
    }
}

/// Times of requests at a fixed rate, in milliseconds.
#[derive(Clone, Copy, Debug, Default)]
pub struct Latencies {
    /// How many there were.
    pub count: usize,
    /// Half took at most this.
    pub p50: f64,
    /// 99 of 100.
    pub p99: f64,
    /// 999 of 1,000.
    pub p999: f64,
}

impl Latencies {
    /// Nearest ranks.
    #[must_use]
    pub fn of(took: &mut [Duration]) -> Self {
        took.sort_unstable();
        let at = |share: f64| {
            let rank = (share * took.len() as f64).ceil() as usize;
            let time = took.get(rank.saturating_sub(1)).copied();
            time.unwrap_or_default().as_secs_f64() * 1000.0
        };
        Self {
            count: took.len(),
            p50: at(0.5),
            p99: at(0.99),
            p999: at(0.999),
        }
    }
}

/// Latencies of one proxy: at the rate that all were given, and at one of its own.
#[derive(Clone, Copy, Debug)]
pub struct Steady {
    /// Requests a second, the same for all.
    pub rate: f64,
    /// At that rate.
    pub same: Latencies,
    /// 70 % of what it can do.
    pub own_rate: f64,
    /// At that one.
    pub own: Latencies,
}

/// Memory of one proxy, all its processes.
#[derive(Clone, Copy, Debug)]
pub struct Held {
    /// Just started, in KiB.
    pub idle_kib: u64,
    /// With the connections, in KiB.
    pub held_kib: u64,
    /// How many.
    pub connections: usize,
}

impl Held {
    /// KiB for each connection.
    #[must_use]
    pub fn each_kib(&self) -> f64 {
        self.held_kib.saturating_sub(self.idle_kib) as f64 / self.connections.max(1) as f64
    }
}

/// Everything about one proxy. What it can't do is told instead.
#[derive(Debug)]
pub struct Row {
    /// Its name.
    pub name: String,
    /// For each scenario one slice a round, or why there is none.
    pub slices: Vec<Result<Vec<Slice>, String>>,
    /// Latencies.
    pub steady: Result<Steady, String>,
    /// Memory. None of what runs without a proxy.
    pub held: Option<Result<Held, String>>,
}

impl Row {
    /// A figure of every round of a scenario.
    #[must_use]
    pub fn sample(&self, scenario: usize, figure: impl Fn(&Slice) -> f64) -> Option<Sample> {
        let slices = self.slices.get(scenario)?.as_ref().ok()?;
        (!slices.is_empty()).then(|| slices.iter().map(figure).collect())
    }
}

/// The whole run.
#[derive(Debug)]
pub struct Results {
    /// What was measured.
    pub scenarios: Vec<Scenario>,
    /// The proxies.
    pub rows: Vec<Row>,
    /// The load straight at the origin, which shows what it could give.
    pub direct: Row,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures() {
        let slice = Slice {
            done: 1000,
            wall: Duration::from_secs(2),
            cpu: Duration::from_millis(20),
            core: Duration::from_millis(220),
        };
        assert!((slice.micros() - 20.0).abs() < 1e-9);
        assert!((slice.rate() - 500.0).abs() < 1e-9);
        assert!((slice.busy() - 0.01).abs() < 1e-9 && (slice.others() - 0.1).abs() < 1e-9);
        let mut took: Vec<_> = (1..=1000).rev().map(Duration::from_millis).collect();
        let latencies = Latencies::of(&mut took);
        assert_eq!(
            (latencies.p50, latencies.p99, latencies.p999),
            (500.0, 990.0, 999.0)
        );
        let held = Held {
            idle_kib: 1000,
            held_kib: 5000,
            connections: 1000,
        };
        assert!((held.each_kib() - 4.0).abs() < 1e-9);
    }
}
