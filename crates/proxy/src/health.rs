//! Health checks: what a probe found, how often to probe, and the tasks that keep targets' health up to date.

use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::balance::TargetSet;
use crate::log::LogSender;
use crate::probe::probe;
use crate::target::Target;

/// What a probe found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// A status from 200 to 299.
    Healthy,
    /// Another status, after the redirects listed.
    Status {
        /// The final status.
        status: u16,
        /// Where it was sent before.
        redirects: Vec<String>,
    },
    /// No answer in time.
    TimedOut,
    /// A connection or protocol error.
    Failed(String),
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Healthy => f.write_str("healthy"),
            Self::Status { status, redirects } => {
                write!(f, "unexpected status ({status})")?;
                for place in redirects {
                    write!(f, ", redirected to `{place}`")?;
                }
                Ok(())
            }
            Self::TimedOut => f.write_str("request timed out"),
            Self::Failed(reason) => f.write_str(reason),
        }
    }
}

/// Running health checks of a set; they end when this is dropped.
pub(crate) struct Probes {
    set: Arc<TargetSet>,
    changed: Rc<Notify>,
    last: Rc<RefCell<Vec<Option<Outcome>>>>,
    tasks: Vec<JoinHandle<()>>,
}

/// A probe that failed is repeated sooner at first, so that a deploy does not wait for the rest of an interval.
const SOONEST: Duration = Duration::from_millis(50);

impl Probes {
    /// Starts probing every target of `set` at once. A lone target is left alone once it is healthy; several are
    /// probed for as long as they serve.
    pub(crate) fn start(set: Arc<TargetSet>, log: &LogSender) -> Self {
        let changed = Rc::new(Notify::new());
        let last = Rc::new(RefCell::new(vec![None; set.targets.len()]));
        let lone = set.targets.len() == 1;
        let tasks = set
            .targets
            .iter()
            .enumerate()
            .filter(|(_, target)| !(lone && target.is_healthy()))
            .map(|(place, target)| {
                let watch = Watch {
                    target: Arc::clone(target),
                    set: Arc::clone(&set),
                    place,
                    until_healthy: lone,
                    changed: Rc::clone(&changed),
                    last: Rc::clone(&last),
                    log: log.clone(),
                };
                tokio::task::spawn_local(watch.run())
            })
            .collect();
        Self {
            set,
            changed,
            last,
            tasks,
        }
    }

    /// Waits until all targets are healthy at the same time.
    pub(crate) async fn all_healthy(&self) {
        while !self.set.all_healthy() {
            self.changed.notified().await;
        }
    }

    /// One line for every target that is not healthy: what its last probe found.
    pub(crate) fn explain(&self) -> Vec<String> {
        let last = self.last.borrow();
        self.set
            .targets
            .iter()
            .zip(last.iter())
            .filter(|(target, _)| !target.is_healthy())
            .map(|(target, outcome)| match outcome {
                Some(outcome) => format!("last health check of {}: {outcome}", target.address),
                None => format!("last health check of {}: no answer yet", target.address),
            })
            .collect()
    }
}

impl Drop for Probes {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

/// How long after the start of a probe the next one starts. `waiting_for` is how long the target has been waited
/// for, if it never was healthy: a tenth of it, so that waiting lasts at most a tenth longer than needed.
pub(crate) fn pause_after(interval: Duration, waiting_for: Option<Duration>) -> Duration {
    let interval = interval.max(SOONEST);
    match waiting_for {
        Some(waited) => (waited / 10).clamp(SOONEST, interval),
        None => interval,
    }
}

struct Watch {
    target: Arc<Target>,
    set: Arc<TargetSet>,
    place: usize,
    until_healthy: bool,
    changed: Rc<Notify>,
    last: Rc<RefCell<Vec<Option<Outcome>>>>,
    log: LogSender,
}

impl Watch {
    async fn run(self) {
        let start = Instant::now();
        let health = &self.set.rules.options.health_check_config;
        let interval = health.interval.to_std();
        let mut was = if self.target.is_healthy() {
            "healthy"
        } else {
            "adding"
        };
        let mut logged: Option<(String, Instant)> = None;
        loop {
            let begun = Instant::now();
            let found = match tokio::time::timeout(
                health.timeout.to_std(),
                probe(&self.target.address, health),
            )
            .await
            {
                Ok(found) => found,
                Err(_) => Outcome::TimedOut,
            };
            let healthy = found == Outcome::Healthy;
            if !healthy {
                self.log_failure(&found, interval, &mut logged);
            }
            let is = match (healthy, was) {
                (true, _) => "healthy",
                (false, "adding") => "adding",
                (false, _) => "unhealthy",
            };
            if let Some(last) = self.last.borrow_mut().get_mut(self.place) {
                *last = Some(found);
            }
            self.target.set_healthy(healthy);
            if is != was {
                let target = self.target.address.as_str();
                self.log.info(
                    "Target health updated",
                    &[("target", target), ("state", is), ("was", was)],
                );
                was = is;
                self.changed.notify_one();
            }
            if healthy && self.until_healthy {
                return;
            }
            let waiting_for = (was == "adding").then(|| start.elapsed());
            tokio::time::sleep_until(begun + pause_after(interval, waiting_for)).await;
        }
    }

    /// The same failure again is logged once an interval.
    fn log_failure(
        &self,
        found: &Outcome,
        interval: Duration,
        logged: &mut Option<(String, Instant)>,
    ) {
        let text = found.to_string();
        if logged
            .as_ref()
            .is_some_and(|(before, at)| *before == text && at.elapsed() < interval)
        {
            return;
        }
        let health = &self.set.rules.options.health_check_config;
        let url = crate::probe::url(&self.target.address, health);
        self.log
            .info("Healthcheck failed", &[("url", &url), ("error", &text)]);
        *logged = Some((text, Instant::now()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// parity: proxy D9
    #[test]
    fn probes_come_sooner_at_first() {
        let second = Duration::from_secs(1);
        let millis = Duration::from_millis;
        assert_eq!(pause_after(second, Some(Duration::ZERO)), millis(50));
        assert_eq!(pause_after(second, Some(millis(800))), millis(80));
        assert_eq!(pause_after(second, Some(second * 60)), second);
        assert_eq!(pause_after(second, None), second);
        assert_eq!(pause_after(Duration::ZERO, None), millis(50));
    }

    #[test]
    fn outcomes_say_what_happened() {
        let redirected = Outcome::Status {
            status: 404,
            redirects: vec!["/login".into()],
        };
        assert_eq!(
            redirected.to_string(),
            "unexpected status (404), redirected to `/login`"
        );
        assert_eq!(Outcome::TimedOut.to_string(), "request timed out");
    }
}
