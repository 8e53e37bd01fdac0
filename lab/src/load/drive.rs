//! The run: sends requests when they are due, whatever became of those before, and collects the outcomes.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior};

use super::connection::Connections;
use super::failure::Failure;
use super::request::{Bodies, Kind, check, request};
use super::summary::{Outcome, Report, Summary};
use super::target::Target;

/// More requests than this under way at one target are a sign that it answers none.
const MOST_UNANSWERED: u64 = 2000;
/// How often a slow request starts. As each takes 3 s, three are always under way.
const SLOW_EVERY: Duration = Duration::from_secs(1);

/// What to send.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Where to. Each gets the whole rate.
    pub targets: Vec<Target>,
    /// Requests a second to each target.
    pub rate: u32,
    /// How long a request may take.
    pub timeout: Duration,
}

/// Sends load until `stop` is ready, waits for the answers under way, and returns the account. `progress` is called once a second with the account of all so far.
pub async fn drive(
    plan: &Plan,
    stop: impl Future<Output = ()>,
    mut progress: impl FnMut(&Summary),
) -> Report {
    let start = Instant::now();
    let (outcomes, mut incoming) = mpsc::unbounded_channel::<(usize, Outcome)>();
    let bodies = Bodies::new();
    let connections: Vec<_> = plan
        .targets
        .iter()
        .map(|target| Arc::new(Connections::new(target.clone())))
        .collect();
    let senders: Vec<_> = connections
        .iter()
        .enumerate()
        .map(|(index, connections)| {
            let shooter = Shooter {
                index,
                connections: Arc::clone(connections),
                bodies: bodies.clone(),
                start,
                timeout: plan.timeout,
                unanswered: Arc::default(),
                outcomes: outcomes.clone(),
            };
            tokio::spawn(shooter.shoot(plan.rate.max(1)))
        })
        .collect();
    drop(outcomes);

    let mut all = Summary::new("all");
    let mut each: Vec<_> = plan
        .targets
        .iter()
        .map(|target| Summary::new(&target.url))
        .collect();
    let mut second = tokio::time::interval(Duration::from_secs(1));
    let mut stopped_after = None;
    tokio::pin!(stop);
    loop {
        tokio::select! {
            () = &mut stop, if stopped_after.is_none() => {
                stopped_after = Some(start.elapsed());
                senders.iter().for_each(tokio::task::JoinHandle::abort);
            }
            // Ends when the senders are gone and every request under way has told its outcome.
            received = incoming.recv() => match received {
                Some((index, outcome)) => {
                    all.add(&outcome);
                    if let Some(summary) = each.get_mut(index) {
                        summary.add(&outcome);
                    }
                }
                None => break,
            },
            _ = second.tick() => progress(&all),
        }
    }
    let ran = stopped_after.unwrap_or_else(|| start.elapsed());
    for (summary, connections) in each.iter_mut().zip(&connections) {
        summary.finish(ran, connections.opened());
    }
    all.finish(
        ran,
        connections
            .iter()
            .map(|connections| connections.opened())
            .sum(),
    );
    Report { all, targets: each }
}

/// Sends to one target.
#[derive(Clone)]
struct Shooter {
    index: usize,
    connections: Arc<Connections>,
    bodies: Bodies,
    start: Instant,
    timeout: Duration,
    unanswered: Arc<AtomicU64>,
    outcomes: mpsc::UnboundedSender<(usize, Outcome)>,
}

impl Shooter {
    async fn shoot(self, rate: u32) {
        let mut due = tokio::time::interval(Duration::from_secs(1) / rate);
        // A late request is still sent, and its lateness counts: it is due when it is due.
        due.set_missed_tick_behavior(MissedTickBehavior::Burst);
        let mut slow_due = tokio::time::interval(SLOW_EVERY);
        let mut number = 0_u64;
        loop {
            tokio::select! {
                at = due.tick() => {
                    let (kind, fresh) = turn(number);
                    self.launch(kind, fresh, number, at);
                    number += 1;
                }
                at = slow_due.tick() => self.launch(Kind::Slow, true, number, at),
            }
        }
    }

    fn launch(&self, kind: Kind, fresh: bool, number: u64, due: Instant) {
        let shooter = self.clone();
        if self.unanswered.fetch_add(1, Ordering::Relaxed) >= MOST_UNANSWERED {
            shooter.tell(kind, fresh, due, Err(Failure::Swamped));
            return;
        }
        tokio::spawn(async move {
            let (request, expected) = request(
                kind,
                number,
                &shooter.connections.target().host,
                &shooter.bodies,
            );
            let exchange = shooter.connections.exchange(request, fresh);
            let result = match tokio::time::timeout(shooter.timeout, exchange).await {
                Ok(answer) => answer.and_then(|body| check(&body, &expected)),
                Err(_) => Err(Failure::Timeout),
            };
            shooter.tell(kind, fresh, due, result);
        });
    }

    fn tell(&self, kind: Kind, fresh: bool, due: Instant, result: Result<String, Failure>) {
        self.unanswered.fetch_sub(1, Ordering::Relaxed);
        let connection = if fresh { "fresh" } else { "kept" };
        let outcome = Outcome {
            at: due.saturating_duration_since(self.start),
            took: due.elapsed(),
            slow: kind == Kind::Slow,
            kind: format!("{kind:?} on a {connection} connection").to_lowercase(),
            result: result.map_err(|failure| failure.to_string()),
        };
        // The receiver outlives all senders.
        let _ = self.outcomes.send((self.index, outcome));
    }
}

/// What the `number`th request is: every fifth a POST, and of both kinds half on a fresh connection.
fn turn(number: u64) -> (Kind, bool) {
    let kind = if number.is_multiple_of(5) {
        Kind::Post
    } else {
        Kind::Get
    };
    (kind, number % 2 == 1)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use tokio::net::TcpListener;

    use super::*;
    use crate::app::{App, Behavior, Identity, serve};

    async fn app(version: &str) -> Target {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let target = format!("http://{}", listener.local_addr().unwrap())
            .parse()
            .unwrap();
        let identity = Identity {
            version: version.into(),
            container: String::new(),
            host: String::new(),
        };
        let app = App {
            identity,
            behavior: Behavior::Healthy,
            environment: HashMap::new(),
        };
        tokio::spawn(serve(app, listener, std::future::pending()));
        target
    }

    fn plan(targets: Vec<Target>) -> Plan {
        Plan {
            targets,
            rate: 100,
            timeout: Duration::from_secs(5),
        }
    }

    #[test]
    fn a_tenth_is_a_post_on_a_fresh_connection_and_a_tenth_on_a_kept_one() {
        let count = |kind, fresh| {
            (0..1000)
                .filter(|number| turn(*number) == (kind, fresh))
                .count()
        };
        assert_eq!(
            (count(Kind::Post, true), count(Kind::Post, false)),
            (100, 100)
        );
        assert_eq!(
            (count(Kind::Get, true), count(Kind::Get, false)),
            (400, 400)
        );
    }

    #[tokio::test]
    async fn a_healthy_app_loses_nothing_and_the_slow_request_under_way_at_the_end_is_waited_for() {
        let targets = vec![app("v1").await, app("v2").await];
        let Report { all, targets: each } = drive(
            &plan(targets),
            tokio::time::sleep(Duration::from_millis(500)),
            |_| {},
        )
        .await;
        assert_eq!((all.failed, all.reasons.len()), (0, 0), "{all:?}");
        assert!(all.sent >= 80 && all.succeeded == all.sent, "{all:?}");
        assert_eq!(all.slow, 2);
        assert_eq!(each[1].versions[0].version, "v2");
        assert_eq!(all.versions.len(), 2);
        assert!(all.connections < all.sent, "connections are kept: {all:?}");
    }

    #[tokio::test]
    async fn a_port_nobody_listens_on_fails_every_request() {
        let nobody = {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            format!("http://{}", listener.local_addr().unwrap())
                .parse()
                .unwrap()
        };
        let Report { all, .. } = drive(
            &plan(vec![nobody]),
            tokio::time::sleep(Duration::from_millis(200)),
            |_| {},
        )
        .await;
        assert!(all.sent > 0 && all.failed == all.sent, "{all:?}");
        assert_eq!(
            all.reasons.keys().collect::<Vec<_>>(),
            ["connect: connection refused"]
        );
    }

    #[tokio::test]
    async fn a_connection_cut_during_the_answer_is_a_failure_and_is_not_tried_again() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let target = format!("http://{}", listener.local_addr().unwrap())
            .parse()
            .unwrap();
        let accepted = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&accepted);
        tokio::spawn(async move {
            use tokio::io::{AsyncReadExt, AsyncWriteExt};
            while let Ok((mut stream, _)) = listener.accept().await {
                counter.fetch_add(1, Ordering::Relaxed);
                tokio::spawn(async move {
                    let _ = stream.read(&mut [0; 1024]).await;
                    let _ = stream
                        .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{\"vers")
                        .await;
                });
            }
        });
        let Report { all, .. } = drive(
            &plan(vec![target]),
            tokio::time::sleep(Duration::from_millis(300)),
            |_| {},
        )
        .await;
        assert!(all.sent > 0 && all.failed == all.sent, "{all:?}");
        assert_eq!(accepted.load(Ordering::Relaxed), all.sent);
    }
}
