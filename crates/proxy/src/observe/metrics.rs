//! Request metrics under kamal-proxy's names: counters, durations, requests in flight. Each core counts for
//! itself; who asks for the numbers gets the sum. Nothing is counted unless a metrics port was asked for.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http::Method;

/// Upper bounds of the duration histogram in seconds.
const BUCKETS: [f64; 11] = [
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
];

/// Methods with a label of their own; the rest is `OTHER`, so that clients cannot make up series.
const METHODS: [&str; 9] = [
    "CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE",
];
const OTHER: &str = "OTHER";

/// One shard a core.
#[derive(Debug)]
pub(crate) struct Metrics {
    shards: Vec<Shard>,
}

/// What one core has counted. Only that core and a reader now and then want the lock.
#[derive(Debug, Default)]
pub(crate) struct Shard(Mutex<HashMap<Arc<str>, ServiceCounts>>);

#[derive(Clone, Debug, Default)]
struct ServiceCounts {
    /// A request may end on the core it began on only, so this never is negative in the sum.
    in_flight: i64,
    /// Set once a request was in flight; unrouted requests never are.
    entered: bool,
    series: HashMap<(&'static str, u16), Series>,
}

#[derive(Clone, Debug, Default)]
struct Series {
    /// Requests per bucket, the last for those above all bounds.
    buckets: [u64; BUCKETS.len() + 1],
    nanos: u128,
}

impl Metrics {
    pub(crate) fn new(cores: usize) -> Self {
        Self {
            shards: (0..cores).map(|_| Shard::default()).collect(),
        }
    }

    /// The shard of a core.
    pub(crate) fn shard(&self, core: usize) -> Option<&Shard> {
        self.shards.get(core)
    }

    /// Everything counted so far, in the text format of Prometheus (version 0.0.4).
    pub(crate) fn render(&self) -> String {
        let mut services: BTreeMap<Arc<str>, ServiceCounts> = BTreeMap::new();
        for shard in &self.shards {
            for (name, counts) in shard.lock().iter() {
                services.entry(Arc::clone(name)).or_default().add(counts);
            }
        }
        let mut lines: Vec<(String, &Series)> = Vec::new();
        for (name, counts) in &services {
            for ((method, status), series) in &counts.series {
                let labels = format!(
                    "method=\"{method}\",service=\"{}\",status=\"{status}\"",
                    escaped(name)
                );
                lines.push((labels, series));
            }
        }
        lines.sort_by(|a, b| a.0.cmp(&b.0));
        let mut out = String::new();
        head(
            &mut out,
            "http_in_flight_requests",
            "gauge",
            "Requests in flight.",
        );
        for (name, counts) in services.iter().filter(|(_, counts)| counts.entered) {
            let _ = writeln!(
                out,
                "kamal_proxy_http_in_flight_requests{{service=\"{}\"}} {}",
                escaped(name),
                counts.in_flight
            );
        }
        head(
            &mut out,
            "http_request_duration_seconds",
            "histogram",
            "Time from a request's head to the end of its response.",
        );
        for (labels, series) in &lines {
            series.render(&mut out, labels);
        }
        head(
            &mut out,
            "http_requests_total",
            "counter",
            "Requests answered.",
        );
        for (labels, series) in &lines {
            let _ = writeln!(
                out,
                "kamal_proxy_http_requests_total{{{labels}}} {}",
                series.count()
            );
        }
        out
    }
}

impl Shard {
    /// A request has reached its service.
    pub(crate) fn enter(&self, service: &Arc<str>) {
        self.with(service, |counts| {
            counts.in_flight += 1;
            counts.entered = true;
        });
    }

    /// A request that was counted in is done.
    pub(crate) fn leave(&self, service: &Arc<str>) {
        self.with(service, |counts| counts.in_flight -= 1);
    }

    /// A request was answered. `service` is empty for one that no service took.
    pub(crate) fn answered(&self, service: &Arc<str>, method: &Method, status: u16, nanos: u64) {
        let method = METHODS
            .into_iter()
            .find(|known| *known == method.as_str())
            .unwrap_or(OTHER);
        self.with(service, |counts| {
            let series = counts.series.entry((method, status)).or_default();
            series.observe(nanos);
        });
    }

    fn with(&self, service: &Arc<str>, change: impl FnOnce(&mut ServiceCounts)) {
        let mut services = self.lock();
        if let Some(counts) = services.get_mut(service) {
            change(counts);
        } else {
            change(services.entry(Arc::clone(service)).or_default());
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Arc<str>, ServiceCounts>> {
        // Numbers have no invariants that a panic could break.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ServiceCounts {
    fn add(&mut self, other: &Self) {
        self.in_flight += other.in_flight;
        self.entered |= other.entered;
        for (key, series) in &other.series {
            let sum = self.series.entry(*key).or_default();
            for (mine, theirs) in sum.buckets.iter_mut().zip(series.buckets) {
                *mine += theirs;
            }
            sum.nanos += series.nanos;
        }
    }
}

impl Series {
    fn observe(&mut self, nanos: u64) {
        let seconds = seconds(nanos.into());
        let place = BUCKETS.partition_point(|bound| *bound < seconds);
        if let Some(bucket) = self.buckets.get_mut(place) {
            *bucket += 1;
        }
        self.nanos += u128::from(nanos);
    }

    fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }

    fn render(&self, out: &mut String, labels: &str) {
        const NAME: &str = "kamal_proxy_http_request_duration_seconds";
        let mut sum = 0;
        for (bound, count) in BUCKETS.iter().zip(self.buckets) {
            sum += count;
            let _ = writeln!(out, "{NAME}_bucket{{{labels},le=\"{bound}\"}} {sum}");
        }
        let count = self.count();
        let _ = writeln!(out, "{NAME}_bucket{{{labels},le=\"+Inf\"}} {count}");
        let _ = writeln!(out, "{NAME}_sum{{{labels}}} {}", seconds(self.nanos));
        let _ = writeln!(out, "{NAME}_count{{{labels}}} {count}");
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a duration to be shown, exact to a millionth of itself and better"
)]
fn seconds(nanos: u128) -> f64 {
    nanos as f64 / 1e9
}

fn head(out: &mut String, name: &str, kind: &str, help: &str) {
    let _ = writeln!(
        out,
        "# HELP kamal_proxy_{name} {help}\n# TYPE kamal_proxy_{name} {kind}"
    );
}

/// A label's value: backslash, quote and line end are escaped.
fn escaped(value: &str) -> String {
    value
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// parity: proxy 134
    #[test]
    fn the_sum_of_all_cores_in_kamal_proxys_terms() {
        let metrics = Metrics::new(2);
        let web: Arc<str> = Arc::from("we\"b");
        let (one, two) = (metrics.shard(0).unwrap(), metrics.shard(1).unwrap());
        for shard in [one, two] {
            shard.enter(&web);
            shard.answered(&web, &Method::GET, 200, 5_000_000);
        }
        one.answered(&web, &Method::GET, 200, 30_000_000_000);
        two.leave(&web);
        two.answered(
            &Arc::from(""),
            &Method::from_bytes(b"BREW").unwrap(),
            404,
            20_000_000,
        );
        // Of the other request's buckets the two around its 20 ms say enough.
        let text: Vec<_> = metrics
            .render()
            .lines()
            .filter(|line| {
                !line.contains("_bucket{method=\"OTHER\"")
                    || ["\"0.01\"", "\"0.025\""].iter().any(|le| line.contains(le))
            })
            .map(str::to_owned)
            .collect();
        insta::assert_snapshot!(text.join("\n"), @r#"
        # HELP kamal_proxy_http_in_flight_requests Requests in flight.
        # TYPE kamal_proxy_http_in_flight_requests gauge
        kamal_proxy_http_in_flight_requests{service="we\"b"} 1
        # HELP kamal_proxy_http_request_duration_seconds Time from a request's head to the end of its response.
        # TYPE kamal_proxy_http_request_duration_seconds histogram
        kamal_proxy_http_request_duration_seconds_bucket{method="GET",service="we\"b",status="200",le="0.005"} 2
        kamal_proxy_http_request_duration_seconds_bucket{method="GET",service="we\"b",status="200",le="0.01"} 2
        kamal_proxy_http_request_duration_seconds_bucket{method="GET",service="we\"b",status="200",le="0.025"} 2
        kamal_proxy_http_request_duration_seconds_bucket{method="GET",service="we\"b",status="200",le="0.05"} 2
        kamal_proxy_http_request_duration_seconds_bucket{method="GET",service="we\"b",status="200",le="0.1"} 2
        kamal_proxy_http_request_duration_seconds_bucket{method="GET",service="we\"b",status="200",le="0.25"} 2
        kamal_proxy_http_request_duration_seconds_bucket{method="GET",service="we\"b",status="200",le="0.5"} 2
        kamal_proxy_http_request_duration_seconds_bucket{method="GET",service="we\"b",status="200",le="1"} 2
        kamal_proxy_http_request_duration_seconds_bucket{method="GET",service="we\"b",status="200",le="2.5"} 2
        kamal_proxy_http_request_duration_seconds_bucket{method="GET",service="we\"b",status="200",le="5"} 2
        kamal_proxy_http_request_duration_seconds_bucket{method="GET",service="we\"b",status="200",le="10"} 2
        kamal_proxy_http_request_duration_seconds_bucket{method="GET",service="we\"b",status="200",le="+Inf"} 3
        kamal_proxy_http_request_duration_seconds_sum{method="GET",service="we\"b",status="200"} 30.01
        kamal_proxy_http_request_duration_seconds_count{method="GET",service="we\"b",status="200"} 3
        kamal_proxy_http_request_duration_seconds_bucket{method="OTHER",service="",status="404",le="0.01"} 0
        kamal_proxy_http_request_duration_seconds_bucket{method="OTHER",service="",status="404",le="0.025"} 1
        kamal_proxy_http_request_duration_seconds_sum{method="OTHER",service="",status="404"} 0.02
        kamal_proxy_http_request_duration_seconds_count{method="OTHER",service="",status="404"} 1
        # HELP kamal_proxy_http_requests_total Requests answered.
        # TYPE kamal_proxy_http_requests_total counter
        kamal_proxy_http_requests_total{method="GET",service="we\"b",status="200"} 3
        kamal_proxy_http_requests_total{method="OTHER",service="",status="404"} 1
        "#);
        assert!(metrics.shard(2).is_none());
    }
}
