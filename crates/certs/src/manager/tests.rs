//! The manager with a fake authority, on simulated time.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::SystemTime;

use super::*;
use crate::ask_url::Denial;
use crate::certificate::Certificate;
use crate::issuer::Pending;
use crate::memory::OrderFailure;
use crate::renewal::RenewalInfo;
use crate::test_authority::{NOW, TestAuthority, host, provider};

const SECOND: Duration = Duration::from_secs(1);
const PATIENCE: Duration = Duration::from_secs(600);

/// Issues after two seconds, or fails as told.
struct FakeIssuer {
    authority: TestAuthority,
    now: Clock,
    orders: Mutex<Vec<(String, u32)>>,
    failures: Mutex<VecDeque<Failure>>,
    under_way: AtomicUsize,
}

enum Failure {
    Refused,
    Panic,
}

impl Issuer for FakeIssuer {
    fn order<'a>(
        &'a self,
        host: &'a HostName,
        method: u32,
        _: Option<&'a Certificate>,
    ) -> Pending<'a, Result<Certificate, OrderFailure>> {
        Box::pin(async move {
            self.orders.lock().unwrap().push((host.to_string(), method));
            self.under_way.fetch_add(1, Ordering::SeqCst);
            tokio::time::sleep(SECOND * 2).await;
            self.under_way.fetch_sub(1, Ordering::SeqCst);
            let failure = self.failures.lock().unwrap().pop_front();
            match failure {
                None => {
                    let now = Moment::from((self.now)());
                    Ok(self.authority.certificate_from(host.as_str(), now))
                }
                Some(Failure::Refused) => Err(OrderFailure::Refused {
                    reason: "connection refused".to_owned(),
                }),
                Some(Failure::Panic) => panic!("an order that panics"),
            }
        })
    }

    fn renewal_info<'a>(
        &'a self,
        _: &'a Certificate,
    ) -> Pending<'a, Option<Result<RenewalInfo, OrderFailure>>> {
        Box::pin(async { None })
    }
}

struct World {
    cache: tempfile::TempDir,
    issuer: Arc<FakeIssuer>,
    events: Arc<Mutex<Vec<String>>>,
    manager: Manager,
}

/// Wall-clock time that goes with tokio's simulated one.
fn clock() -> Clock {
    let start = tokio::time::Instant::now();
    let base = SystemTime::UNIX_EPOCH + Duration::from_millis(NOW.millis());
    Arc::new(move || base + start.elapsed())
}

fn start(issuer: &Arc<FakeIssuer>, events: &Arc<Mutex<Vec<String>>>) -> Manager {
    let issuer = Arc::clone(issuer);
    let events = Arc::clone(events);
    Manager::start(Surroundings {
        now: Arc::clone(&issuer.now),
        dice: Dice::seeded(5),
        provider: Arc::new(provider()),
        issuers: Box::new(move |_, _| Arc::clone(&issuer) as Arc<dyn Issuer>),
        challenges: Challenges::default(),
        report: Box::new(move |event| events.lock().unwrap().push(line(&event))),
        limits: ScheduleLimits::default(),
        gate: GateLimits::default(),
    })
}

fn line(event: &Event) -> String {
    match event {
        Event::Issued { host, .. } => format!("issued {host}"),
        Event::Failed { host, reason, .. } => format!("failed {host}: {reason}"),
        Event::OnDemandDenied { host, denial } => denial.message(host),
        Event::OnDemandLimited { host } => format!("limited {host}"),
        Event::NotKept { what, error } => format!("not kept {what}: {error}"),
    }
}

impl World {
    fn new() -> Self {
        let issuer = Arc::new(FakeIssuer {
            authority: TestAuthority::new(),
            now: clock(),
            orders: Mutex::default(),
            failures: Mutex::default(),
            under_way: AtomicUsize::new(0),
        });
        let events = Arc::default();
        Self {
            cache: tempfile::tempdir().unwrap(),
            manager: start(&issuer, &events),
            issuer,
            events,
        }
    }

    /// The same cache and authority, another process.
    fn restart(&mut self) {
        self.manager = start(&self.issuer, &self.events);
    }

    fn coverage(&self, hosts: &[&str]) -> Coverage {
        Coverage {
            cache: self.cache.path().to_owned(),
            directory_url: String::new(),
            hosts: hosts.iter().map(|name| host(name)).collect(),
            ask: None,
            deployed: true,
        }
    }

    fn cover(&self, hosts: &[&str]) {
        self.manager.cover("app", self.coverage(hosts));
    }

    /// Takes any host that `allowed` names; counts questions.
    fn cover_on_demand(&self, allowed: &'static [&'static str]) -> Arc<AtomicUsize> {
        let questions = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&questions);
        let ask: Ask = Arc::new(move |host| {
            count.fetch_add(1, Ordering::SeqCst);
            Box::pin(async move {
                tokio::time::sleep(SECOND).await;
                if allowed.contains(&host.as_str()) {
                    return Ok(());
                }
                Err(Denial::Status {
                    status: 404,
                    body: "who?".to_owned(),
                })
            })
        });
        let coverage = Coverage {
            ask: Some(ask),
            ..self.coverage(&[])
        };
        self.manager.cover("any", coverage);
        questions
    }

    fn orders(&self) -> usize {
        self.issuer.orders.lock().unwrap().len()
    }

    fn serves(&self, name: &str) -> bool {
        self.manager.resolver().contains(&host(name))
    }

    fn events(&self) -> Vec<String> {
        std::mem::take(&mut *self.events.lock().unwrap())
    }
}

#[tokio::test(start_paused = true)]
async fn ordered_ahead_of_the_first_client_kept_and_served() {
    let world = World::new();
    world.cover(&["a.example.com", "b.example.com"]);
    assert!(!world.serves("a.example.com"));
    tokio::time::sleep(SECOND * 3).await;
    assert!(world.serves("a.example.com") && world.serves("b.example.com"));
    let store = CertStore::new(world.cache.path(), "");
    assert!(store.contains(&host("a.example.com")));
    assert!(world.events().contains(&"issued a.example.com".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn item_36_a_cached_certificate_is_served_without_the_authority() {
    let world = World::new();
    let store = CertStore::new(world.cache.path(), "");
    let cached = world.issuer.authority.certificate("a.example.com");
    store.save(&host("a.example.com"), &cached).unwrap();
    world.cover(&["a.example.com"]);
    // At once: no client comes before it.
    assert!(world.serves("a.example.com"));
    tokio::time::sleep(SECOND * 86_400).await;
    assert_eq!(world.orders(), 0);
}

#[tokio::test(start_paused = true)]
async fn clients_that_come_meanwhile_wait_for_the_one_order() {
    let world = Arc::new(World::new());
    world.cover(&["a.example.com"]);
    let clients: Vec<_> = (0..50)
        .map(|_| {
            let world = Arc::clone(&world);
            tokio::spawn(async move { world.manager.prepare("A.example.com.", PATIENCE).await })
        })
        .collect();
    for client in clients {
        assert!(client.await.unwrap());
    }
    assert_eq!(world.orders(), 1);
    assert!(!world.manager.prepare("other.example.com", PATIENCE).await);
    assert!(!world.manager.prepare("not a host", PATIENCE).await);
}

#[tokio::test(start_paused = true)]
async fn a_failure_fails_clients_at_once_until_the_next_attempt() {
    let world = World::new();
    world
        .issuer
        .failures
        .lock()
        .unwrap()
        .extend([Failure::Refused, Failure::Refused]);
    world.cover(&["a.example.com"]);
    assert!(!world.manager.prepare("a.example.com", PATIENCE).await);
    let before = tokio::time::Instant::now();
    assert!(!world.manager.prepare("a.example.com", PATIENCE).await);
    assert_eq!(before.elapsed(), Duration::ZERO);
    // Both kinds of challenge were tried, in turn.
    let orders = world.issuer.orders.lock().unwrap().clone();
    assert_eq!(
        orders,
        [
            ("a.example.com".to_owned(), 0),
            ("a.example.com".to_owned(), 1)
        ]
    );
    tokio::time::sleep(SECOND * 400).await;
    assert!(world.serves("a.example.com"));
}

#[tokio::test(start_paused = true)]
async fn back_off_is_remembered_by_the_next_process() {
    let mut world = World::new();
    world
        .issuer
        .failures
        .lock()
        .unwrap()
        .extend([Failure::Refused, Failure::Refused]);
    world.cover(&["a.example.com"]);
    assert!(!world.manager.prepare("a.example.com", PATIENCE).await);
    assert_eq!(world.orders(), 2);
    let restored = |world: &World| Coverage {
        deployed: false,
        ..world.coverage(&["a.example.com"])
    };
    for _ in 0..5 {
        world.restart();
        world.manager.cover("app", restored(&world));
        tokio::time::sleep(SECOND * 10).await;
    }
    assert_eq!(world.orders(), 2);
    // Without what is on disk, it asks at once.
    let memory = CertStore::new(world.cache.path(), "")
        .folder()
        .join("dhow+memory");
    std::fs::remove_file(memory).unwrap();
    world.restart();
    world.manager.cover("app", restored(&world));
    tokio::time::sleep(SECOND * 10).await;
    assert_eq!(world.orders(), 3);
}

#[tokio::test(start_paused = true)]
async fn an_order_that_panics_has_failed() {
    let world = World::new();
    world
        .issuer
        .failures
        .lock()
        .unwrap()
        .push_back(Failure::Panic);
    world.cover(&["a.example.com"]);
    assert!(world.manager.prepare("a.example.com", PATIENCE).await);
    assert_eq!(world.orders(), 2);
}

#[tokio::test(start_paused = true)]
async fn renewed_in_time_and_served_without_a_gap() {
    let world = World::new();
    world.cover(&["a.example.com"]);
    assert!(world.manager.prepare("a.example.com", PATIENCE).await);
    let schemes = [rustls::SignatureScheme::ECDSA_NISTP256_SHA256];
    let shown = |world: &World| {
        let found = world.manager.resolver().find("a.example.com", &schemes);
        found.unwrap().cert[0].clone()
    };
    let first = shown(&world);
    tokio::time::sleep(SECOND * 86_400 * 59).await;
    assert_eq!(shown(&world), first);
    tokio::time::sleep(SECOND * 86_400 * 2).await;
    assert_ne!(shown(&world), first);
    assert_eq!(world.orders(), 2);
}

#[tokio::test(start_paused = true)]
async fn item_d19_renewal_starts_with_the_server_and_not_with_a_client() {
    let mut world = World::new();
    world.cover(&["a.example.com"]);
    assert!(world.manager.prepare("a.example.com", PATIENCE).await);
    tokio::time::sleep(SECOND * 86_400 * 50).await;
    world.restart();
    let restored = Coverage {
        deployed: false,
        ..world.coverage(&["a.example.com"])
    };
    world.manager.cover("app", restored);
    assert_eq!(world.orders(), 1);
    // Nobody comes, and a third of the lifetime before its end the next one is there.
    tokio::time::sleep(SECOND * 86_400 * 11).await;
    assert_eq!(world.orders(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_retired_manager_serves_on_and_orders_nothing() {
    let world = World::new();
    world.cover(&["a.example.com"]);
    assert!(world.manager.prepare("a.example.com", PATIENCE).await);
    world.manager.retire();
    tokio::time::sleep(SECOND * 86_400 * 70).await;
    assert!(world.serves("a.example.com"));
    assert_eq!(world.orders(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_redeploy_lets_hosts_go_and_another_service_keeps_them() {
    let world = World::new();
    world.cover(&["a.example.com", "b.example.com"]);
    world
        .manager
        .cover("other", world.coverage(&["b.example.com"]));
    tokio::time::sleep(SECOND * 3).await;
    world.cover(&[]);
    assert!(!world.serves("a.example.com"));
    assert!(world.serves("b.example.com"));
    world.manager.uncover("other");
    assert!(!world.serves("b.example.com"));
    // Back again: from the cache.
    world.cover(&["a.example.com"]);
    assert!(world.serves("a.example.com"));
    assert_eq!(world.orders(), 2);
}

#[tokio::test(start_paused = true)]
async fn on_demand_asks_once_then_orders() {
    let world = Arc::new(World::new());
    let questions = world.cover_on_demand(&["a.example.com"]);
    let clients: Vec<_> = (0..20)
        .map(|_| {
            let world = Arc::clone(&world);
            tokio::spawn(async move { world.manager.prepare("a.example.com", PATIENCE).await })
        })
        .collect();
    for client in clients {
        assert!(client.await.unwrap());
    }
    assert_eq!((questions.load(Ordering::SeqCst), world.orders()), (1, 1));
    world.manager.uncover("any");
    assert!(!world.serves("a.example.com"));
}

#[tokio::test(start_paused = true)]
async fn on_demand_certificates_of_another_authority_are_not_served_on() {
    let world = World::new();
    world.cover_on_demand(&["a.example.com"]);
    assert!(world.manager.prepare("a.example.com", PATIENCE).await);
    // Tried out with one authority, then meant seriously with another.
    let ask: Ask = Arc::new(|_| Box::pin(async { Ok(()) }));
    let coverage = Coverage {
        ask: Some(ask),
        directory_url: "https://ca.example.com/dir".to_owned(),
        ..world.coverage(&[])
    };
    world.manager.cover("any", coverage);
    assert!(!world.serves("a.example.com"));
    assert!(world.manager.prepare("a.example.com", PATIENCE).await);
    assert_eq!(world.orders(), 2);
}

#[tokio::test(start_paused = true)]
async fn item_d13_on_demand_denials_are_remembered_and_floods_cut_off() {
    let world = Arc::new(World::new());
    let questions = world.cover_on_demand(&[]);
    for _ in 0..5 {
        assert!(!world.manager.prepare("no.example.com", PATIENCE).await);
    }
    assert_eq!(questions.load(Ordering::SeqCst), 1);
    assert_eq!(
        world.events(),
        ["no.example.com is not allowed to get a certificate (status: 404, body: \"who?\")"]
    );
    let flood: Vec<_> = (0..500)
        .map(|number| {
            let world = Arc::clone(&world);
            let name = format!("n{number}.example.com");
            tokio::spawn(async move { world.manager.prepare(&name, PATIENCE).await })
        })
        .collect();
    for visit in flood {
        assert!(!visit.await.unwrap());
    }
    let asked = questions.load(Ordering::SeqCst);
    assert!((2..=20).contains(&asked), "{asked}");
    assert!(
        world
            .events()
            .iter()
            .any(|event| event.starts_with("limited n"))
    );
    assert_eq!(world.orders(), 0);
}

#[tokio::test(start_paused = true)]
async fn item_68_a_host_in_the_cache_is_not_asked_about() {
    let world = World::new();
    let store = CertStore::new(world.cache.path(), "");
    let names = [
        "valid.example.com",
        "expired.example.com",
        "rsa.example.com",
    ];
    let cached = world.issuer.authority.certificate(names[0]);
    store.save(&host(names[0]), &cached).unwrap();
    std::fs::write(store.folder().join(names[1]), "expired").unwrap();
    std::fs::write(store.folder().join("rsa.example.com+rsa"), "old").unwrap();
    let questions = world.cover_on_demand(&[]);
    assert!(world.manager.prepare("valid.example.com.", PATIENCE).await);
    assert_eq!(world.orders(), 0);
    assert!(world.manager.prepare(names[1], PATIENCE).await);
    assert!(world.manager.prepare(names[2], PATIENCE).await);
    assert_eq!((questions.load(Ordering::SeqCst), world.orders()), (0, 2));
}

#[tokio::test(start_paused = true)]
async fn item_65_http_challenges() {
    let world = World::new();
    let answer = |host: &str, token: &str| world.manager.http_challenge(host, token);
    assert_eq!(answer("a.example.com", "x"), HttpChallenge::HostNotAllowed);
    world.cover(&["a.example.com"]);
    for name in ["a.example.com", "A.example.com:80", "a.example.com."] {
        assert_eq!(answer(name, "x"), HttpChallenge::UnknownToken);
        assert_eq!(answer(name, "../x"), HttpChallenge::UnknownToken);
    }
    assert_eq!(answer("b.example.com", "x"), HttpChallenge::HostNotAllowed);
    assert_eq!(answer("", "x"), HttpChallenge::HostNotAllowed);
    // An order of another proxy on the same cache.
    let store = CertStore::new(world.cache.path(), "");
    store.save_http_answer("tok", "tok.thumb").unwrap();
    let found = HttpChallenge::Answer("tok.thumb".to_owned());
    assert_eq!(answer("a.example.com", "tok"), found);
    assert_eq!(
        answer("b.example.com", "tok"),
        HttpChallenge::HostNotAllowed
    );
    // Any host may be a candidate on demand, and asking for a token asks no application.
    let questions = world.cover_on_demand(&[]);
    assert_eq!(answer("b.example.com", "x"), HttpChallenge::UnknownToken);
    assert_eq!(questions.load(Ordering::SeqCst), 0);
}

#[tokio::test(start_paused = true)]
async fn a_cache_that_cannot_be_written_is_told_and_does_not_stop_serving() {
    let world = World::new();
    let blocked = world.cache.path().join("file");
    std::fs::write(&blocked, "").unwrap();
    let coverage = Coverage {
        cache: blocked,
        ..world.coverage(&["a.example.com"])
    };
    world.manager.cover("app", coverage);
    assert!(world.manager.prepare("a.example.com", PATIENCE).await);
    assert!(
        world
            .events()
            .iter()
            .any(|event| event.starts_with("not kept the certificate for a.example.com: "))
    );
}
