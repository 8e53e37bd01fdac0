//! Certificates from a real ACME authority: pebble, with its DNS server, on loopback. `bin/fetch-pebble` brings it in; without it
//! these tests fail.

mod front;
mod server;

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use dhow_certs::{
    AcmeIssuer, AcmeSettings, Ask, CertStore, ChallengeKind, Challenges, Clock, Coverage, Denial,
    Dice, Event, ExternalAccount, Fetcher, GateLimits, HostName, Issuer, KeyKind, Manager, Moment,
    ScheduleLimits, Surroundings,
};
use http::HeaderValue;
use rustls::crypto::CryptoProvider;

use crate::front::Front;
use crate::server::{Pebble, Wanted};

const PATIENCE: Duration = Duration::from_secs(60);
const DAY: u64 = 86_400;

/// A proxy's worth of certificates: a manager with its listeners and a clock that can be set forward.
struct World {
    pebble: Pebble,
    front: Front,
    cache: tempfile::TempDir,
    ahead: Arc<AtomicU64>,
    events: Arc<Mutex<Vec<String>>>,
    kinds: Vec<ChallengeKind>,
    external: Option<ExternalAccount>,
    contact: Vec<String>,
    manager: Option<Arc<Manager>>,
}

impl World {
    async fn new(kinds: &[ChallengeKind], wanted: Wanted) -> Self {
        let front = Front::listen().await;
        let pebble = Pebble::start(front.http_port, front.tls_port, wanted).await;
        Self {
            pebble,
            front,
            cache: tempfile::tempdir().unwrap(),
            ahead: Arc::default(),
            events: Arc::default(),
            kinds: kinds.to_vec(),
            external: None,
            contact: Vec::new(),
            manager: None,
        }
    }

    /// A new process on the same cache, at the same address.
    fn start(&mut self) -> Arc<Manager> {
        let settings = AcmeSettings {
            contact: self.contact.clone(),
            external_account: self.external.clone(),
            challenges: self.kinds.clone(),
            fetcher: Fetcher::new(vec![self.pebble.root()], provider()).unwrap(),
            user_agent: HeaderValue::from_static("dhow-tests"),
        };
        let challenges = Challenges::default();
        let ahead = Arc::clone(&self.ahead);
        let now: Clock =
            Arc::new(move || SystemTime::now() + Duration::from_secs(ahead.load(Ordering::SeqCst)));
        let events = Arc::clone(&self.events);
        let (up, clock) = (challenges.clone(), Arc::clone(&now));
        let manager = Arc::new(Manager::start(Surroundings {
            now,
            dice: Dice::seeded(1),
            provider: provider(),
            issuers: Box::new(move |url, store| -> Arc<dyn Issuer> {
                Arc::new(AcmeIssuer::new(
                    settings.clone(),
                    url,
                    store.clone(),
                    up.clone(),
                    provider(),
                    Arc::clone(&clock),
                ))
            }),
            challenges,
            report: Box::new(move |event| events.lock().unwrap().push(line(&event))),
            limits: ScheduleLimits {
                methods: u32::try_from(self.kinds.len()).unwrap(),
                ..ScheduleLimits::default()
            },
            gate: GateLimits::default(),
        }));
        self.front.serve(Arc::clone(&manager));
        self.manager = Some(Arc::clone(&manager));
        manager
    }

    fn coverage(&self, hosts: &[&str], deployed: bool) -> Coverage {
        Coverage {
            cache: self.cache.path().to_owned(),
            directory_url: self.pebble.directory(),
            hosts: hosts.iter().map(|name| host(name)).collect(),
            ask: None,
            deployed,
        }
    }

    /// Takes any host, if `allows` says so.
    fn on_demand(&self, allows: fn(&str) -> bool) -> Coverage {
        let ask: Ask = Arc::new(move |host| {
            let answer = if allows(host.as_str()) {
                Ok(())
            } else {
                Err(Denial::NoAnswer("not one of ours".to_owned()))
            };
            Box::pin(async { answer })
        });
        Coverage {
            ask: Some(ask),
            ..self.coverage(&[], true)
        }
    }

    /// Deploys and waits for the outcome.
    async fn deploy(&mut self, name: &str) -> bool {
        let manager = match &self.manager {
            Some(manager) => Arc::clone(manager),
            None => self.start(),
        };
        manager.cover("app", self.coverage(&[name], true));
        manager.prepare(name, PATIENCE).await
    }

    /// Sets the clock forward, and has the manager notice.
    fn advance(&self, seconds: u64, name: &str) {
        self.ahead.fetch_add(seconds, Ordering::SeqCst);
        if let Some(manager) = &self.manager {
            manager.cover("app", self.coverage(&[name], false));
        }
    }

    fn store(&self) -> CertStore {
        CertStore::new(self.cache.path(), &self.pebble.directory())
    }

    fn kept(&self, name: &str) -> String {
        std::fs::read_to_string(self.store().folder().join(name)).unwrap()
    }

    fn events(&self) -> Vec<String> {
        self.events.lock().unwrap().clone()
    }

    fn issued(&self) -> usize {
        self.events()
            .iter()
            .filter(|event| event.starts_with("issued "))
            .count()
    }

    /// Waits until `issued` certificates were issued in all.
    async fn wait_for(&self, issued: usize) {
        for _ in 0..600 {
            if self.issued() >= issued {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("not {issued} certificates: {:?}", self.events());
    }

    /// Names left in the cache that belong to an order under way.
    fn leftovers(&self) -> Vec<String> {
        std::fs::read_dir(self.store().folder())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| {
                name.ends_with("+token") || name.ends_with("+http-01") || name.starts_with('.')
            })
            .collect()
    }
}

fn line(event: &Event) -> String {
    match event {
        Event::Issued { host, .. } => format!("issued {host}"),
        Event::Failed { host, reason, .. } => format!("failed {host}: {reason}"),
        other => format!("{other:?}"),
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

fn host(name: &str) -> HostName {
    HostName::parse(name).unwrap()
}

fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

/// Orders by one kind of challenge, checks what clients see and what is kept, and starts again from the cache.
async fn first_certificate(kind: ChallengeKind) {
    let mut world = World::new(&[kind], Wanted::Nothing).await;
    assert!(
        world.deploy("App.example.com").await,
        "{:?}",
        world.events()
    );
    let roots = world.pebble.roots().await;
    let shown = world.front.visit("app.example.com", &roots).await.unwrap();
    assert!(world.front.visit("www.example.com", &roots).await.is_err());

    let kept = world.kept("app.example.com");
    let labels: Vec<&str> = kept
        .lines()
        .filter(|line| line.starts_with("-----BEGIN"))
        .collect();
    assert_eq!(labels[0], "-----BEGIN EC PRIVATE KEY-----");
    assert!(labels.len() >= 3, "a key, a leaf and who vouches for it");
    let account = world.kept("acme_account+key");
    assert!(account.starts_with("-----BEGIN EC PRIVATE KEY-----\n"));
    let folder = world.store().folder().to_owned();
    assert_eq!(mode(&folder), 0o700);
    assert_eq!(mode(&folder.join("app.example.com")), 0o600);
    assert_eq!(mode(&folder.join("acme_account+key")), 0o600);
    assert!(world.leftovers().is_empty(), "{:?}", world.leftovers());

    world.start();
    assert!(world.deploy("app.example.com").await);
    assert_eq!(
        world.front.visit("app.example.com", &roots).await.unwrap(),
        shown
    );
    assert_eq!(world.issued(), 1, "nothing is ordered for what is kept");
    // Another host, with the account that is there.
    assert!(
        world.deploy("two.example.com").await,
        "{:?}",
        world.events()
    );
    assert_eq!(world.kept("acme_account+key"), account);
}

#[tokio::test(flavor = "multi_thread")]
async fn by_http_01() {
    first_certificate(ChallengeKind::Http01).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn by_tls_alpn_01() {
    first_certificate(ChallengeKind::TlsAlpn01).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_other_challenge_when_the_first_fails() {
    let kinds = [ChallengeKind::TlsAlpn01, ChallengeKind::Http01];
    let mut world = World::new(&kinds, Wanted::Nothing).await;
    world.front.refuse_tls(true);
    assert!(
        world.deploy("app.example.com").await,
        "{:?}",
        world.events()
    );
    let events = world.events();
    assert!(
        events[0].starts_with("failed app.example.com: "),
        "{events:?}"
    );
    assert_eq!(events[1], "issued app.example.com");
}

#[tokio::test(flavor = "multi_thread")]
async fn on_demand_within_the_first_handshake() {
    let mut world = World::new(&[ChallengeKind::TlsAlpn01], Wanted::Nothing).await;
    let manager = world.start();
    manager.cover("any", world.on_demand(|name| name == "shop.example.com"));
    let roots = world.pebble.roots().await;
    assert!(
        world
            .front
            .visit("other.example.com", &roots)
            .await
            .is_err()
    );
    let first = world.front.visit("shop.example.com", &roots).await.unwrap();
    let again = world.front.visit("shop.example.com", &roots).await.unwrap();
    assert_eq!(first, again);
    assert_eq!(world.pebble.orders(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn answered_by_another_proxy_on_the_same_cache() {
    for kind in [ChallengeKind::Http01, ChallengeKind::TlsAlpn01] {
        let mut world = World::new(&[kind], Wanted::Nothing).await;
        let orders = world.start();
        // The challenge arrives at one that has no order of its own.
        let answers = world.start();
        answers.cover("any", world.on_demand(|_| false));
        orders.cover("app", world.coverage(&["app.example.com"], true));
        let done = orders.prepare("app.example.com", PATIENCE).await;
        assert!(done, "{kind:?}: {:?}", world.events());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn with_an_external_account() {
    let mut world = World::new(&[ChallengeKind::Http01], Wanted::ExternalAccount).await;
    assert!(!world.deploy("app.example.com").await);
    let events = world.events();
    assert!(events[0].contains("externalAccountRequired"), "{events:?}");

    world.external = Some(ExternalAccount {
        key_id: server::KEY_ID.to_owned(),
        hmac_key: server::HMAC_KEY.to_vec().into(),
    });
    world.contact = vec!["mailto:ops@example.com".to_owned()];
    // The authority is left alone for a while after a failure, over a restart too.
    world.start();
    assert!(!world.deploy("app.example.com").await);
    world.advance(3600, "app.example.com");
    assert!(
        world.deploy("app.example.com").await,
        "{:?}",
        world.events()
    );
    let account = world.kept("acme_account+key");
    // The account is found again by its key.
    world.start();
    assert!(
        world.deploy("two.example.com").await,
        "{:?}",
        world.events()
    );
    assert_eq!(world.kept("acme_account+key"), account);
}

#[tokio::test(flavor = "multi_thread")]
async fn renewed_when_the_authority_says_so() {
    let mut world = World::new(&[ChallengeKind::Http01], Wanted::Nothing).await;
    assert!(
        world.deploy("app.example.com").await,
        "{:?}",
        world.events()
    );
    let roots = world.pebble.roots().await;
    let first = world.front.visit("app.example.com", &roots).await.unwrap();
    // Long past its first question, with a window that lies well ahead: nothing happens.
    world.advance(3600 * 2, "app.example.com");
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(world.issued(), 1);

    let leaf = world.kept("app.example.com");
    let leaf = &leaf[leaf.find("-----BEGIN CERT").unwrap()..];
    let leaf = &leaf[..leaf.find("-----END CERTIFICATE-----\n").unwrap() + 26];
    world.pebble.revoke_soon(leaf).await;
    world.advance(DAY * 2, "app.example.com");
    world.wait_for(2).await;
    let second = world.front.visit("app.example.com", &roots).await.unwrap();
    assert_ne!(first, second);
    let kept = world.store().load(
        &host("app.example.com"),
        KeyKind::Ecdsa,
        Moment::from(SystemTime::now()),
        &provider(),
    );
    assert_eq!(kept.unwrap().leaf(), Some(&second));
    let log = world.pebble.log();
    assert!(log.contains("\" is a replacement of \""), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failing_challenge_is_not_tried_over_and_over() {
    let mut world = World::new(&[ChallengeKind::Http01], Wanted::Nothing).await;
    world.front.refuse_http(true);
    assert!(!world.deploy("app.example.com").await);
    let events = world.events();
    assert_eq!(events.len(), 1, "{events:?}");
    assert!(
        events[0].starts_with("failed app.example.com: "),
        "{events:?}"
    );
    assert!(
        events[0].contains("urn:ietf:params:acme:error:"),
        "{events:?}"
    );
    assert!(world.kept("dhow+memory").contains("app.example.com"));
    assert!(world.leftovers().is_empty(), "{:?}", world.leftovers());

    // Restarts ask no more often.
    let orders = world.pebble.orders();
    for _ in 0..3 {
        let manager = world.start();
        manager.cover("app", world.coverage(&["app.example.com"], false));
        assert!(!manager.prepare("app.example.com", PATIENCE).await);
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    assert_eq!(world.pebble.orders(), orders);

    // Mended and deployed again: a minute after the failure is soon enough.
    world.front.refuse_http(false);
    world.ahead.fetch_add(61, Ordering::SeqCst);
    assert!(
        world.deploy("app.example.com").await,
        "{:?}",
        world.events()
    );
    assert_eq!(world.pebble.orders(), orders + 1);
    assert!(!world.kept("dhow+memory").contains("app.example.com"));
}
