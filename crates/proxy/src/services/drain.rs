//! Draining: waiting for requests in flight, and ending those that take too long.
//!
//! Upgraded connections (WebSockets) are a matter of their own. kamal-proxy cuts them when a drain begins, so nothing that waits
//! for a drain ever waits for them, and nothing does here. They live on, though, until the drain's time is up, and are then closed
//! one by one over a while, so that not all clients come back in the same instant.

use std::sync::Arc;
use std::time::Duration;

use dhow_proxy_api::GoDuration;
use tokio::time::{Instant, sleep};

use crate::cores::plane::{Cores, Order};
use crate::services::balance::TargetSet;

/// Requests that were cancelled get this long to let go, and once more after their clients were cut off.
const LET_GO: Duration = Duration::from_secs(1);
/// Between two looks at the counters.
const LOOK: Duration = Duration::from_millis(5);
/// The same where nobody waits for the outcome.
const LOOK_SELDOM: Duration = Duration::from_millis(50);
/// Upgraded connections are closed over this time unless told otherwise.
const SPREAD: Duration = Duration::from_secs(5);
/// No drain takes longer.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 3600);

/// Waits until nothing is in flight on `set`; after `timeout` what is left is ended. A client that does not read
/// its response does not notice, so in the end its connection is closed. `settled` lets a caller stop early when the reason for draining is gone. No new requests may be coming in.
pub(crate) async fn drain(
    set: &TargetSet,
    timeout: Duration,
    cores: &Cores,
    settled: impl Fn() -> bool,
) {
    if wait(set, timeout, &settled).await || settled() {
        return;
    }
    for order in [Order::Cancel, Order::Cut] {
        for target in &set.targets {
            cores.order(order(target.id));
        }
        if wait(set, LET_GO, &settled).await {
            return;
        }
    }
}

/// Takes targets out of service for good: nothing new comes in, what is in flight is drained, then every core
/// forgets them. Upgraded connections are left to a task of their own.
pub(crate) async fn retire(set: &Arc<TargetSet>, timeout: Duration, cores: &Cores) {
    let begun = Instant::now();
    for target in &set.targets {
        target.retire();
    }
    drain(set, timeout, cores, || false).await;
    if set.upgraded() == 0 {
        forget(set, cores);
        return;
    }
    let (set, cores) = (Arc::clone(set), cores.clone());
    tokio::task::spawn_local(async move {
        close_upgrades(&set, begun, timeout, &cores, || false).await;
        forget(&set, &cores);
    });
}

fn forget(set: &TargetSet, cores: &Cores) {
    for target in &set.targets {
        cores.order(Order::Retire(target.id));
    }
}

/// Closes what is left of upgraded connections after the time they have since `begun`, which is that of the drain unless the
/// targets' options say otherwise; returns when none is left. `settled` is as for [`drain`].
pub(crate) async fn close_upgrades(
    set: &TargetSet,
    begun: Instant,
    timeout: Duration,
    cores: &Cores,
    settled: impl Fn() -> bool,
) {
    let options = &set.rules.options.dhow;
    let live = options
        .websocket_drain_timeout
        .map_or(timeout, GoDuration::to_std);
    let spread = options
        .websocket_close_spread
        .map_or(SPREAD, GoDuration::to_std);
    let gone = || set.upgraded() == 0 || settled();
    if until(begun + live.min(LONGEST), LOOK_SELDOM, &gone).await {
        return;
    }
    for target in &set.targets {
        cores.order(Order::CloseUpgrades(target.id, spread));
    }
    let last = Instant::now() + spread.min(LONGEST) + LET_GO;
    until(last, LOOK_SELDOM, &gone).await;
}

async fn wait(set: &TargetSet, timeout: Duration, settled: &impl Fn() -> bool) -> bool {
    let deadline = Instant::now() + timeout.min(LONGEST);
    until(deadline, LOOK, &|| set.in_flight() == 0 || settled()).await
}

/// Waits until `done`, looking every so often; `false` when the deadline comes first.
async fn until(deadline: Instant, look: Duration, done: &impl Fn() -> bool) -> bool {
    loop {
        if done() {
            return true;
        }
        if Instant::now() >= deadline {
            return false;
        }
        sleep(look.min(deadline - Instant::now())).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::services::rules::TargetRules;
    use dhow_proxy_api::{DhowOptions, TargetOptions};
    use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

    fn set_up() -> (Arc<TargetSet>, Cores, UnboundedReceiver<Order>) {
        let set = TargetSet::new(
            &["web-1".into(), "web-2".into()],
            &[],
            TargetRules::default(),
            true,
            1,
        )
        .unwrap();
        let (sender, receiver) = unbounded_channel();
        (
            Arc::new(set),
            Cores {
                senders: vec![sender],
            },
            receiver,
        )
    }

    /// parity: proxy 85
    #[tokio::test(start_paused = true)]
    async fn an_idle_set_drains_at_once() {
        let (set, cores, mut orders) = set_up();
        let start = Instant::now();
        retire(&set, Duration::from_secs(30), &cores).await;
        assert_eq!(start.elapsed(), Duration::ZERO);
        assert!(set.targets.iter().all(|target| target.is_retired()));
        assert!(matches!(orders.try_recv(), Ok(Order::Retire(_))));
    }

    /// parity: proxy 86
    #[tokio::test(start_paused = true)]
    async fn it_waits_for_requests_and_no_longer() {
        let (set, cores, mut orders) = set_up();
        set.targets[1].enter(0);
        let drained = tokio::spawn({
            let (set, cores) = (set.clone(), cores.clone());
            async move {
                let start = Instant::now();
                retire(&set, Duration::from_secs(30), &cores).await;
                start.elapsed()
            }
        });
        sleep(Duration::from_secs(3)).await;
        assert!(!drained.is_finished());
        set.targets[1].leave(0);
        let took = drained.await.unwrap();
        assert!(took < Duration::from_millis(3100), "{took:?}");
        assert!(matches!(orders.try_recv(), Ok(Order::Retire(_))));
    }

    /// parity: proxy 87
    #[tokio::test(start_paused = true)]
    async fn what_does_not_end_is_cancelled() {
        let (set, cores, mut orders) = set_up();
        set.targets[0].enter(0);
        let start = Instant::now();
        retire(&set, Duration::from_secs(30), &cores).await;
        assert_eq!(start.elapsed(), Duration::from_secs(32));
        assert!(matches!(orders.try_recv(), Ok(Order::Cancel(id)) if id == set.targets[0].id));
    }

    #[tokio::test(start_paused = true)]
    async fn a_settled_drain_stops_early_and_cancels_nobody() {
        let (set, cores, mut orders) = set_up();
        set.targets[0].enter(0);
        let start = Instant::now();
        drain(&set, Duration::from_secs(30), &cores, || {
            start.elapsed() > Duration::from_secs(2)
        })
        .await;
        assert!(start.elapsed() < Duration::from_secs(3));
        assert!(orders.try_recv().is_err());
    }

    /// Runs with tasks of its own, on simulated time.
    async fn locally<T>(work: impl Future<Output = T>) -> T {
        tokio::task::LocalSet::new().run_until(work).await
    }

    /// parity: proxy 88, 140
    #[tokio::test(start_paused = true)]
    async fn upgraded_connections_hold_nobody_up_and_get_the_drains_time() {
        locally(async {
            let (set, cores, mut orders) = set_up();
            set.targets[0].enter(0);
            set.targets[0].upgrade(0);
            let start = Instant::now();
            retire(&set, Duration::from_secs(30), &cores).await;
            assert_eq!(start.elapsed(), Duration::ZERO);
            sleep(Duration::from_secs(29)).await;
            assert!(orders.try_recv().is_err());
            let order = orders.recv().await.unwrap();
            assert_eq!(start.elapsed(), Duration::from_secs(30));
            assert!(
                matches!(order, Order::CloseUpgrades(id, SPREAD) if id == set.targets[0].id),
                "{order:?}"
            );
            assert!(matches!(
                orders.recv().await.unwrap(),
                Order::CloseUpgrades(..)
            ));
            sleep(Duration::from_secs(2)).await;
            set.targets[0].leave_upgraded(0);
            let order = orders.recv().await.unwrap();
            assert!(matches!(order, Order::Retire(id) if id == set.targets[0].id));
            assert!(start.elapsed() < Duration::from_millis(32_100));
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn upgraded_connections_get_the_time_that_their_options_give_them() {
        locally(async {
            let options = TargetOptions {
                dhow: DhowOptions {
                    websocket_drain_timeout: Some(GoDuration::from_secs(100)),
                    websocket_close_spread: Some(GoDuration::from_secs(20)),
                    ..DhowOptions::default()
                },
                ..TargetOptions::default()
            };
            let rules = TargetRules::new(options);
            let set = Arc::new(TargetSet::new(&["web-1".into()], &[], rules, true, 1).unwrap());
            let (sender, mut orders) = unbounded_channel();
            let cores = Cores {
                senders: vec![sender],
            };
            set.targets[0].enter(0);
            set.targets[0].upgrade(0);
            let start = Instant::now();
            retire(&set, Duration::from_secs(30), &cores).await;
            let spread = Duration::from_secs(20);
            let order = orders.recv().await.unwrap();
            assert_eq!(start.elapsed(), Duration::from_secs(100));
            assert!(matches!(order, Order::CloseUpgrades(_, given) if given == spread));
            // One that never lets go is forgotten in the end.
            assert!(matches!(orders.recv().await.unwrap(), Order::Retire(_)));
            assert_eq!(start.elapsed(), Duration::from_secs(121));
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn who_resumes_keeps_upgraded_connections() {
        let (set, cores, mut orders) = set_up();
        set.targets[1].enter(0);
        set.targets[1].upgrade(0);
        let start = Instant::now();
        let resumed = || start.elapsed() > Duration::from_secs(2);
        close_upgrades(&set, start, Duration::from_secs(30), &cores, resumed).await;
        assert!(start.elapsed() < Duration::from_secs(3));
        assert!(orders.try_recv().is_err());
    }
}
