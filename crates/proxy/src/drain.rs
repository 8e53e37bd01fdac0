//! Draining: waiting for requests in flight, and ending those that take too long.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::balance::TargetSet;
use crate::plane::{Cores, Order};

/// Requests that were cancelled get this long to let go, and once more after their clients were cut off.
const LET_GO: Duration = Duration::from_secs(1);
/// Between two looks at the counters.
const LOOK: Duration = Duration::from_millis(5);

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
/// forgets them.
pub(crate) async fn retire(set: &TargetSet, timeout: Duration, cores: &Cores) {
    for target in &set.targets {
        target.retire();
    }
    drain(set, timeout, cores, || false).await;
    for target in &set.targets {
        cores.order(Order::Retire(target.id));
    }
}

async fn wait(set: &TargetSet, timeout: Duration, settled: &impl Fn() -> bool) -> bool {
    let deadline = Instant::now() + timeout.min(Duration::from_secs(365 * 24 * 3600));
    loop {
        if set.in_flight() == 0 || settled() {
            return true;
        }
        if Instant::now() >= deadline {
            return false;
        }
        sleep(LOOK.min(deadline - Instant::now())).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::TargetRules;
    use std::sync::Arc;
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
}
