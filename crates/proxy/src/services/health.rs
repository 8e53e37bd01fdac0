//! Health checks: what a probe found, how often to probe, and the tasks that keep targets' health up to date.

use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::observe::log::LogSender;
use crate::services::balance::TargetSet;
use crate::services::probe::probe;
use crate::services::standing::Standing;
use crate::services::target::Target;

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
    /// Starts probing every target of `set` at once. A lone target is left alone once it is healthy, unless its options ask for
    /// more; several are probed for as long as they serve.
    pub(crate) fn start(set: Arc<TargetSet>, log: &LogSender) -> Self {
        let changed = Rc::new(Notify::new());
        let last = Rc::new(RefCell::new(vec![None; set.targets.len()]));
        let once = set.targets.len() == 1 && set.rules.options.dhow.fall == 0;
        let tasks = set
            .targets
            .iter()
            .enumerate()
            .filter(|(_, target)| !(once && target.is_healthy()))
            .map(|(place, target)| {
                let watch = Watch {
                    target: Arc::clone(target),
                    set: Arc::clone(&set),
                    place,
                    until_healthy: once,
                    changed: Rc::clone(&changed),
                    last: Rc::clone(&last),
                    log: log.clone(),
                };
                tokio::task::spawn_local(async move {
                    let target = Arc::clone(&watch.target);
                    let health = watch.set.rules.options.health_check_config.clone();
                    watch
                        .run(async || probe(&target.address, &health).await)
                        .await;
                })
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
    /// Checks by `check` for as long as there is reason to.
    async fn run(self, check: impl AsyncFn() -> Outcome) {
        let start = Instant::now();
        let options = &self.set.rules.options;
        let health = &options.health_check_config;
        let interval = health.interval.to_std();
        // From when on it serves.
        let watching = match options.dhow.watch_interval.to_std() {
            Duration::ZERO => interval,
            watching => watching,
        };
        let mut standing = Standing::new(&options.dhow, self.target.is_healthy());
        let mut logged: Option<(String, Instant)> = None;
        loop {
            let begun = Instant::now();
            let found = match tokio::time::timeout(health.timeout.to_std(), check()).await {
                Ok(found) => found,
                Err(_) => Outcome::TimedOut,
            };
            let good = found == Outcome::Healthy;
            if !good {
                self.log_failure(&found, interval, &mut logged);
            }
            let was = standing.word();
            let changed = standing.judge(good);
            if let Some(last) = self.last.borrow_mut().get_mut(self.place) {
                *last = Some(found);
            }
            self.target.set_healthy(standing.is_healthy());
            if changed {
                let is = standing.word();
                let target = self.target.address.as_str();
                self.log.info(
                    "Target health updated",
                    &[("target", target), ("state", is), ("was", was)],
                );
                if options.dhow.fall > 0 && self.set.is_down() {
                    self.log.warn(
                        "No target is healthy, requests go to them all the same",
                        &[("target", target)],
                    );
                }
                self.changed.notify_one();
            }
            if good && self.until_healthy {
                return;
            }
            let pause = if standing.is_adding() {
                pause_after(interval, Some(start.elapsed()))
            } else {
                pause_after(watching, None)
            };
            tokio::time::sleep_until(begun + pause).await;
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
        let url = crate::services::probe::url(&self.target.address, health);
        self.log
            .info("Healthcheck failed", &[("url", &url), ("error", &text)]);
        *logged = Some((text, Instant::now()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::log;
    use crate::services::balance::Role;
    use crate::services::rules::TargetRules;
    use dhow_proxy_api::{DhowOptions, GoDuration, HealthCheckOptions, TargetOptions};
    use jiff::tz::TimeZone;

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

    /// A target of a set of `names` whose checks give `answers` in turn, then the last one for ever.
    struct Watched {
        set: Arc<TargetSet>,
        checks: Rc<RefCell<Vec<Instant>>>,
        task: JoinHandle<()>,
        sink: Rc<Notify>,
    }

    fn watched(names: &[&str], dhow: DhowOptions, answers: &'static str) -> Watched {
        let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
        let second = GoDuration::from_secs(1);
        let options = TargetOptions {
            health_check_config: HealthCheckOptions {
                interval: second,
                timeout: GoDuration::from_millis(500),
                ..HealthCheckOptions::default()
            },
            dhow,
            ..TargetOptions::default()
        };
        let rules = TargetRules::new(options);
        let set = Arc::new(TargetSet::new(&names, &[], rules, true, 1).unwrap());
        let (log, _writer) = log::start(std::io::sink(), TimeZone::UTC, false).unwrap();
        let changed = Rc::new(Notify::new());
        let watch = Watch {
            target: Arc::clone(&set.targets[0]),
            set: Arc::clone(&set),
            place: 0,
            until_healthy: names.len() == 1 && set.rules.options.dhow.fall == 0,
            changed: Rc::clone(&changed),
            last: Rc::new(RefCell::new(vec![None; names.len()])),
            log,
        };
        let checks: Rc<RefCell<Vec<Instant>>> = Rc::default();
        let seen = Rc::clone(&checks);
        let task = tokio::task::spawn_local(watch.run(async move || {
            let turn = seen.borrow().len();
            seen.borrow_mut().push(Instant::now());
            let answer = answers.chars().nth(turn).or_else(|| answers.chars().last());
            match answer {
                Some('+') => Outcome::Healthy,
                Some('.') => std::future::pending().await,
                _ => Outcome::Failed("connection refused".to_owned()),
            }
        }));
        Watched {
            set,
            checks,
            task,
            sink: changed,
        }
    }

    fn fall_and_rise(fall: u32, rise: u32) -> DhowOptions {
        DhowOptions {
            fall,
            rise,
            ..DhowOptions::default()
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_serving_target_leaves_after_fall_and_comes_back_after_rise() {
        tokio::task::LocalSet::new()
            .run_until(async {
                let start = Instant::now();
                // The one check that takes too long counts as failed.
                let watched = watched(&["web-1", "web-2"], fall_and_rise(3, 2), "+--+-.-++");
                let target = &watched.set.targets[0];
                watched.sink.notified().await;
                assert!(!target.is_healthy());
                assert_eq!(start.elapsed().as_secs(), 6);
                assert!((0..4).all(|_| watched.set.pick(Role::Write) == Some(1)));
                watched.sink.notified().await;
                assert!(target.is_healthy());
                assert_eq!(start.elapsed().as_secs(), 8);
                assert!((0..4).any(|_| watched.set.pick(Role::Write) == Some(0)));
                watched.task.abort();
            })
            .await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_lone_target_is_watched_where_that_is_asked_for_and_serves_on() {
        tokio::task::LocalSet::new()
            .run_until(async {
                let dhow = DhowOptions {
                    watch_interval: GoDuration::from_secs(5),
                    ..fall_and_rise(2, 1)
                };
                let watched = watched(&["web-1"], dhow, "+---+");
                let start = Instant::now();
                watched.sink.notified().await;
                assert!(!watched.set.targets[0].is_healthy());
                assert_eq!(watched.set.pick(Role::Write), Some(0));
                assert_eq!(start.elapsed().as_secs(), 10);
                watched.sink.notified().await;
                assert!(watched.set.targets[0].is_healthy());
                assert_eq!(start.elapsed().as_secs(), 20);
                watched.task.abort();
            })
            .await;
    }

    /// parity: proxy 77
    #[tokio::test(start_paused = true)]
    async fn a_lone_target_is_left_alone_otherwise() {
        tokio::task::LocalSet::new()
            .run_until(async {
                let watched = watched(&["web-1"], DhowOptions::default(), "+");
                watched.task.await.unwrap();
                assert_eq!(watched.checks.borrow().len(), 1);
            })
            .await;
    }
}
