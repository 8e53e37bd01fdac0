//! The schedule on simulated time.

use super::*;
use crate::test_authority::{DAY, NOW, host};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);
const CA: AuthorityId = AuthorityId(0);

/// A world where orders take five seconds: when each began, and with what outcome.
struct World {
    schedule: Schedule,
    now: Moment,
    fails: bool,
    advice: Option<RenewalInfo>,
    orders: Vec<(Duration, String, u32, bool)>,
    questions: Vec<Duration>,
}

impl World {
    fn new() -> Self {
        Self::with(ScheduleLimits::default(), None)
    }

    fn with(limits: ScheduleLimits, kept: Option<&str>) -> Self {
        let mut schedule = Schedule::new(limits, Dice::seeded(42));
        schedule.add_authority(CA, kept);
        Self {
            schedule,
            now: NOW,
            fails: false,
            advice: None,
            orders: Vec::new(),
            questions: Vec::new(),
        }
    }

    fn cover(&mut self, name: &str, demand: Demand) {
        self.schedule.cover(&host(name), CA, None, demand, self.now);
    }

    fn standing(&self, name: &str) -> Standing {
        self.schedule.standing(&host(name), self.now)
    }

    /// Lives on until `time` after the start.
    fn run_until(&mut self, time: Duration) {
        let end = NOW.plus(time);
        let mut under_way: Vec<(Moment, HostName)> = Vec::new();
        loop {
            for action in self.schedule.poll(self.now) {
                let elapsed = self.now.since(NOW);
                match action {
                    Action::Order {
                        host,
                        method,
                        replaces,
                        ..
                    } => {
                        let seen = (elapsed, host.to_string(), method, replaces);
                        self.orders.push(seen);
                        under_way.push((self.now.plus(Duration::from_secs(5)), host));
                    }
                    Action::AskRenewal { host, authority } => {
                        self.questions.push(elapsed);
                        let answer = self.advice.map(Ok);
                        self.schedule.advised(&host, authority, answer, self.now);
                    }
                }
            }
            let next = self
                .schedule
                .next_poll(self.now)
                .into_iter()
                .chain(under_way.first().map(|(at, _)| *at))
                .min();
            match next {
                Some(at) if at <= end => self.now = self.now.max(at),
                _ => break,
            }
            while under_way.first().is_some_and(|(at, _)| *at <= self.now) {
                let (_, host) = under_way.remove(0);
                self.finish(&host);
            }
        }
        self.now = end;
    }

    fn finish(&mut self, host: &HostName) {
        let failure = OrderFailure::Refused {
            reason: "no".to_owned(),
        };
        let outcome = if self.fails {
            Err(&failure)
        } else {
            Ok(Validity {
                not_before: self.now,
                not_after: self.now.plus(DAY * 90),
            })
        };
        self.schedule.ordered(host, CA, outcome, self.now);
    }

    fn order_times(&self) -> Vec<Duration> {
        self.orders.iter().map(|order| order.0).collect()
    }
}

#[test]
fn ordered_at_once_then_renewed_thirty_days_before_the_end() {
    let mut world = World::new();
    world.cover("a.example.com", Demand::Deployed);
    assert_eq!(world.standing("a.example.com"), Standing::Pending);
    world.run_until(MINUTE);
    assert_eq!(world.standing("a.example.com"), Standing::Ready);
    world.run_until(DAY * 200);
    let days: Vec<u64> = world
        .order_times()
        .iter()
        .map(|at| (at.as_secs() + 4 * 3600) / 86_400)
        .collect();
    assert_eq!(days, [0, 60, 120, 180]);
    assert!(
        world.orders.iter().all(|order| !order.3),
        "nothing replaced"
    );
}

#[test]
fn one_order_a_host_however_often_it_is_asked_for() {
    let mut world = World::new();
    for _ in 0..5 {
        world.cover("a.example.com", Demand::Deployed);
        let actions = world.schedule.poll(NOW);
        world.orders.extend(
            actions
                .into_iter()
                .map(|action| (Duration::ZERO, format!("{action:?}"), 0, false)),
        );
    }
    // Even when the host is given up and asked for again meanwhile.
    world.schedule.uncover(&host("a.example.com"));
    world.cover("a.example.com", Demand::Deployed);
    assert!(world.schedule.poll(NOW).is_empty());
    assert_eq!(world.orders.len(), 1);
}

#[test]
fn a_certificate_from_the_cache_is_not_ordered_again() {
    let mut world = World::new();
    let validity = Validity {
        not_before: NOW.minus(DAY * 10),
        not_after: NOW.plus(DAY * 80),
    };
    let name = host("a.example.com");
    world
        .schedule
        .cover(&name, CA, Some(validity), Demand::Restored, NOW);
    world.run_until(DAY * 49);
    assert!(world.orders.is_empty());
    world.run_until(DAY * 51);
    assert_eq!(world.orders.len(), 1);
}

#[test]
fn item_d19_redeploys_keep_one_plan() {
    let mut world = World::new();
    world.cover("a.example.com", Demand::Deployed);
    world.run_until(HOUR);
    let name = host("a.example.com");
    let held = world.schedule.hosts[&name].held.as_ref().unwrap();
    let (validity, renew_at) = (held.validity, held.renew_at);
    for _ in 0..10 {
        let now = world.now;
        world
            .schedule
            .cover(&name, CA, Some(validity), Demand::Deployed, now);
    }
    let held = world.schedule.hosts[&name].held.as_ref().unwrap();
    assert_eq!(held.renew_at, renew_at);
    world.run_until(DAY * 61);
    assert_eq!(world.orders.len(), 2);
}

#[test]
fn failures_take_turns_over_challenges_and_back_off() {
    let mut world = World::new();
    world.fails = true;
    world.cover("a.example.com", Demand::Deployed);
    world.run_until(HOUR);
    let methods: Vec<u32> = world.orders.iter().map(|order| order.2).collect();
    assert_eq!(methods, [0, 1, 0, 1]);
    assert_eq!(world.standing("a.example.com"), Standing::Waiting);
    let name = host("a.example.com");
    assert!(world.schedule.next_order(&name, world.now).unwrap() > world.now);
    let kept = world.schedule.take_unsaved().pop().unwrap().1;
    assert!(kept.contains(r#""reason":"no""#), "{kept}");
    world.fails = false;
    world.run_until(DAY);
    assert_eq!(world.orders.len(), 5);
    assert_eq!(world.standing("a.example.com"), Standing::Ready);
}

#[test]
fn back_off_outlives_a_restart() {
    let mut world = World::new();
    world.fails = true;
    world.cover("a.example.com", Demand::Deployed);
    world.run_until(HOUR);
    let kept = world.schedule.take_unsaved().pop().unwrap().1;
    assert!(world.schedule.take_unsaved().is_empty());

    let mut restarted = World::with(ScheduleLimits::default(), Some(&kept));
    restarted.now = world.now;
    restarted.cover("a.example.com", Demand::Restored);
    assert!(restarted.schedule.poll(restarted.now).is_empty());
    assert_eq!(
        restarted.schedule.next_poll(restarted.now),
        world.schedule.next_poll(world.now)
    );
    // A world that forgets would order at once.
    let mut forgetful = World::new();
    forgetful.cover("a.example.com", Demand::Restored);
    assert_eq!(forgetful.schedule.poll(NOW).len(), 1);
}

#[test]
fn a_failing_renewal_keeps_the_certificate_and_backs_off() {
    let mut world = World::new();
    world.cover("a.example.com", Demand::Deployed);
    world.run_until(DAY);
    world.fails = true;
    world.run_until(DAY * 70);
    let tries = world.orders.len() - 1;
    assert!((10..25).contains(&tries), "{tries} in ten days");
    assert_eq!(world.standing("a.example.com"), Standing::Ready);
}

#[test]
fn the_authority_s_window_is_followed() {
    let mut world = World::new();
    let start = NOW.plus(DAY * 20);
    world.advice = Some(RenewalInfo {
        window: Window {
            start,
            end: start.plus(DAY),
        },
        ask_again: HOUR * 6,
    });
    world.cover("a.example.com", Demand::Deployed);
    world.run_until(DAY * 19);
    assert_eq!(world.orders.len(), 1);
    assert!((70..80).contains(&world.questions.len()), "every six hours");
    // The certificate is to be revoked: the window moves to the past.
    world.advice = Some(RenewalInfo {
        window: Window {
            start: NOW.minus(DAY),
            end: NOW,
        },
        ask_again: HOUR * 6,
    });
    let before = world.now.since(NOW);
    // The new certificate's window is a normal one again after the order.
    for _ in 0..8 {
        let until = world.now.since(NOW) + HOUR;
        world.run_until(until);
        if world.orders.len() == 2 {
            break;
        }
    }
    let (at, _, _, replaces) = world.orders[1].clone();
    assert!(at - before <= HOUR * 7);
    assert!(replaces, "the authority is told which one it replaces");
}

#[test]
fn certificates_that_are_due_at_once_are_not_ordered_in_a_loop() {
    let mut world = World::new();
    // The authority wants every certificate renewed yesterday.
    world.advice = Some(RenewalInfo {
        window: Window {
            start: NOW.minus(DAY * 2),
            end: NOW.minus(DAY),
        },
        ask_again: HOUR,
    });
    world.cover("a.example.com", Demand::Deployed);
    world.run_until(DAY);
    assert!(
        (2..=24).contains(&world.orders.len()),
        "{}",
        world.orders.len()
    );
}

#[test]
fn an_authority_without_renewal_information_is_asked_once() {
    let mut world = World::new();
    world.cover("a.example.com", Demand::Deployed);
    world.run_until(DAY * 30);
    assert_eq!(world.questions.len(), 1);
}

#[test]
fn few_orders_at_a_time_and_declared_hosts_first() {
    let mut world = World::new();
    for number in 0..10 {
        world.cover(&format!("a{number}.example.com"), Demand::OnDemand);
    }
    world.cover("z.example.com", Demand::Deployed);
    let actions = world.schedule.poll(NOW);
    assert_eq!(actions.len(), 4);
    assert!(matches!(&actions[0], Action::Order { host, .. } if host.as_str() == "z.example.com"));
}

#[test]
fn made_up_names_leave_half_of_the_limit_to_declared_ones() {
    let limits = ScheduleLimits {
        orders: Rate {
            count: 8,
            per: HOUR,
        },
        ..ScheduleLimits::default()
    };
    let mut world = World::with(limits, None);
    for number in 0..20 {
        world.cover(&format!("a{number}.example.com"), Demand::OnDemand);
    }
    world.run_until(MINUTE);
    assert_eq!(world.orders.len(), 4);
    for number in 0..4 {
        world.cover(&format!("z{number}.example.com"), Demand::Deployed);
    }
    world.run_until(MINUTE * 2);
    assert_eq!(world.orders.len(), 8);
    assert!(
        world.orders[4..]
            .iter()
            .all(|order| order.1.starts_with('z'))
    );
    // All get theirs in the end.
    world.run_until(HOUR * 12);
    assert_eq!(world.orders.len(), 24);
}

#[test]
fn a_host_that_moves_to_another_authority_is_ordered_there() {
    let mut world = World::new();
    let name = host("a.example.com");
    world.cover("a.example.com", Demand::Deployed);
    world.run_until(MINUTE);
    let other = AuthorityId(1);
    world.schedule.add_authority(other, None);
    world
        .schedule
        .cover(&name, other, None, Demand::Deployed, world.now);
    let actions = world.schedule.poll(world.now);
    assert!(
        matches!(&actions[..], [Action::Order { authority, .. }] if *authority == other),
        "{actions:?}"
    );
}

#[test]
fn an_uncovered_host_is_left_alone() {
    let mut world = World::new();
    world.cover("a.example.com", Demand::Deployed);
    world.run_until(MINUTE);
    world.schedule.uncover(&host("a.example.com"));
    world.run_until(DAY * 100);
    assert_eq!(world.orders.len(), 1);
    assert_eq!(world.standing("a.example.com"), Standing::Unknown);
}
