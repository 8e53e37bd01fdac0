//! Certificates from a real authority: pebble, with its DNS server, on loopback. `bin/fetch-pebble` brings it in; without it these
//! tests fail.

#[expect(dead_code, reason = "shared with the tests of the certificates alone")]
#[path = "../../../certs/tests/pebble/server.rs"]
mod server;

use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, RootCertStore};
use tokio::runtime::Runtime;

use self::server::{KEY_ID, Pebble, Wanted};
use crate::support::{Link, Origin, Proxy, eventually_within, free_port, get, reply};
use crate::tls::{Tls, shake_hands};

/// An order, with the other kind of challenge tried first, on a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(120);

/// A proxy whose authority is a pebble.
struct World {
    runtime: Runtime,
    pebble: Pebble,
    proxy: Proxy,
}

/// Where the authority looks for answers.
#[derive(Clone, Copy)]
enum Looks {
    HttpOnly,
    TlsOnly,
}

impl World {
    fn new(looks: Looks, wanted: Wanted) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let mut proxy = Proxy::prepare();
        let (http, tls) = match looks {
            Looks::HttpOnly => (proxy.http, free_port()),
            Looks::TlsOnly => (free_port(), proxy.https),
        };
        let pebble = runtime.block_on(Pebble::start(http, tls, wanted));
        proxy.env = vec![
            ("ACME_DIRECTORY", pebble.directory()),
            ("ACME_CA_FILE", pebble.root_file().display().to_string()),
        ];
        Self {
            runtime,
            pebble,
            proxy,
        }
    }

    fn start(looks: Looks) -> Self {
        let mut world = Self::new(looks, Wanted::Nothing);
        world.proxy.boot();
        world
    }

    /// Waits until so many certificates were issued in all.
    fn issued(&self, count: usize) {
        eventually_within(PATIENCE, "a certificate is issued", || {
            self.proxy.logged("TLS certificate issued").len() >= count
        });
    }

    /// Trusts what the authority issues and nothing else.
    fn client(&self) -> Arc<ClientConfig> {
        let roots: RootCertStore = self.runtime.block_on(self.pebble.roots());
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        Arc::new(config)
    }

    fn visit(&self, name: &'static str) -> std::io::Result<Tls> {
        shake_hands(self.proxy.https, name, self.client())
    }

    /// What a browser sees: the certificate and the page.
    fn page(&self, name: &'static str) -> (CertificateDer<'static>, String) {
        let stream = self.visit(name).unwrap();
        let shown = stream.conn.peer_certificates().unwrap()[0].clone();
        let mut link = Link::over(stream);
        link.write(format!("GET / HTTP/1.1\r\nHost: {name}\r\n\r\n"));
        (shown.into_owned(), link.read().text())
    }
}

/// Issued without any client having come, served, and served again by the next process.
fn issued_ahead_and_kept(looks: Looks) {
    let mut world = World::start(looks);
    let origin = Origin::named("web");
    let flags = ["--tls", "--host=App.example.com", "--host=www.example.com"];
    world.proxy.deploy("web", &origin.address, &flags);
    world.issued(2);
    let first = world.page("app.example.com");
    assert_eq!(first.1, "web");
    assert_ne!(world.page("www.example.com").0, first.0);
    let error = world.visit("other.example.com").unwrap_err().to_string();
    assert!(error.contains("InternalError"), "{error}");
    assert_eq!(get(world.proxy.http, "app.example.com", "/").status, 301);

    let orders = world.pebble.orders();
    for _ in 0..2 {
        assert_eq!(world.proxy.terminate(), 0);
        world.proxy.boot();
        assert_eq!(world.page("app.example.com"), first);
    }
    let mut old = world.proxy.take_over(&[]);
    assert_eq!(world.page("app.example.com"), first);
    assert!(old.wait().unwrap().success());
    // Nor does a deploy of the same order anything.
    world.proxy.deploy("web", &origin.address, &flags);
    assert_eq!(world.page("app.example.com"), first);
    assert_eq!(world.pebble.orders(), orders);

    // A host that is given up is not served any more, and neither is one whose service is removed.
    world
        .proxy
        .deploy("web", &origin.address, &["--tls", "--host=www.example.com"]);
    assert!(world.visit("app.example.com").is_err());
    assert_eq!(world.page("www.example.com").1, "web");
    world.proxy.run(&["rm", "web"]).quiet();
    assert!(world.visit("www.example.com").is_err());
    assert_eq!(world.proxy.terminate(), 0);
}

#[test]
fn items_36_and_62_issued_by_http_01_and_kept_over_a_restart() {
    issued_ahead_and_kept(Looks::HttpOnly);
}

#[test]
fn items_36_and_63_issued_by_tls_alpn_01_and_kept_over_a_restart() {
    issued_ahead_and_kept(Looks::TlsOnly);
}

#[test]
fn item_65_challenges_are_answered_for_a_service_that_is_stopped() {
    let world = World::start(Looks::HttpOnly);
    let origin = Origin::named("web");
    world
        .proxy
        .deploy("web", &origin.address, &["--host=app.example.com"]);
    world.proxy.run(&["stop", "web"]).quiet();
    world
        .proxy
        .deploy("web", &origin.address, &["--tls", "--host=app.example.com"]);
    world.issued(1);
    let (_, page) = world.page("app.example.com");
    assert!(page.contains("503"), "{page}");
    world.proxy.run(&["resume", "web"]).quiet();
    assert_eq!(world.page("app.example.com").1, "web");
}

#[test]
fn an_external_account_and_a_directory_of_its_own() {
    let mut world = World::new(Looks::TlsOnly, Wanted::ExternalAccount);
    let key = world.proxy.path("hmac");
    std::fs::write(&key, server::HMAC_KEY_TEXT).unwrap();
    world.proxy.env.extend([
        ("ACME_EAB_KID", KEY_ID.to_owned()),
        ("ACME_EAB_HMAC_KEY_FILE", key.display().to_string()),
        ("ACME_EMAIL", "ops@example.com".to_owned()),
    ]);
    world.proxy.boot();
    let origin = Origin::named("web");
    let directory = format!("--tls-acme-directory={}", world.pebble.directory());
    let flags = ["--tls", "--host=app.example.com", &directory];
    world.proxy.deploy("web", &origin.address, &flags);
    world.issued(1);
    assert_eq!(world.page("app.example.com").1, "web");
    let options = &world.proxy.state()[0]["options"];
    assert_eq!(options["acme_directory"], world.pebble.directory());
    assert!(!world.proxy.log().contains(server::HMAC_KEY_TEXT));
}

/// Allows names that begin with `shop`, at `/allowed`.
fn judge() -> Origin {
    Origin::start(|seen, stream| {
        if !seen.path().starts_with("/allowed") {
            return reply(stream, "200 OK", &[], b"web");
        }
        if seen.path().contains("host=shop") {
            reply(stream, "200 OK", &[], b"")
        } else {
            let body = format!("inner secret {}", "x".repeat(1000));
            reply(stream, "403 Forbidden", &[], body.as_bytes())
        }
    })
}

#[test]
fn items_28_and_66_on_demand_asks_the_service_itself() {
    let mut world = World::start(Looks::TlsOnly);
    let origin = judge();
    let flags = ["--tls", "--tls-on-demand-url=/allowed?by=proxy"];
    world.proxy.deploy("any", &origin.address, &flags);
    let (shown, page) = world.page("shop1.example.com");
    assert_eq!(page, "web");
    assert_eq!(world.page("shop1.example.com").0, shown);
    assert!(world.visit("other.example.com").is_err());

    let asked: Vec<_> = origin
        .seen()
        .into_iter()
        .filter(|seen| seen.path().starts_with("/allowed"))
        .collect();
    let lines: Vec<_> = asked.iter().map(|seen| seen.path()).collect();
    assert_eq!(
        lines,
        [
            "/allowed?by=proxy&host=shop1.example.com",
            "/allowed?by=proxy&host=other.example.com"
        ]
    );
    assert_eq!(asked[0].all("Host"), ["shop1.example.com"]);
    assert_eq!(asked[0].all("X-Forwarded-Proto"), ["http"]);
    let denied = world
        .proxy
        .expect_logged("TLS on-demand check denied host", 1);
    assert_eq!(
        (denied[0]["host"].as_str(), denied[0]["status"].as_u64()),
        (Some("other.example.com"), Some(403))
    );
    assert_eq!(denied[0]["body"].as_str().unwrap().len(), 256);

    // The policy is there after a restart: for names that are known, and for new ones.
    assert_eq!(world.proxy.terminate(), 0);
    world.proxy.boot();
    assert_eq!(world.page("shop1.example.com").0, shown);
    assert!(world.visit("another.example.com").is_err());
    assert_eq!(world.page("shop2.example.com").1, "web");
    let orders = world.pebble.orders();
    // A service that is stopped allows nobody.
    world.proxy.run(&["stop", "any"]).quiet();
    assert!(world.visit("shop3.example.com").is_err());
    assert_eq!(world.pebble.orders(), orders);
    assert_eq!(world.proxy.terminate(), 0);
}

#[test]
fn items_67_and_d13_on_demand_asks_another_server_once_and_shows_nothing_of_it() {
    let world = World::start(Looks::TlsOnly);
    let (origin, other) = (Origin::named("web"), judge());
    let redirects =
        Origin::start(|_, stream| reply(stream, "302 Found", &[("Location", "/")], b""));
    let url = format!("--tls-on-demand-url=http://{}/allowed", redirects.address);
    world.proxy.deploy("any", &origin.address, &["--tls", &url]);
    assert!(world.visit("shop1.example.com").is_err());
    let denied = world
        .proxy
        .expect_logged("TLS on-demand check denied host", 1);
    assert_eq!(denied[0]["status"], 302);

    let url = format!("--tls-on-demand-url=http://{}/allowed", other.address);
    world.proxy.deploy("any", &origin.address, &["--tls", &url]);
    assert_eq!(world.page("shop2.example.com").1, "web");
    for _ in 0..5 {
        let error = world.visit("other.example.com").unwrap_err().to_string();
        assert!(error.contains("InternalError"), "{error}");
        let path = "/.well-known/acme-challenge/token";
        let answer = get(world.proxy.http, "third.example.com", path);
        assert_eq!(answer.status, 404);
        assert!(!answer.text().contains("inner secret"));
    }
    let asked: Vec<_> = other.seen();
    assert_eq!(asked.len(), 2, "{asked:?}");
    assert_eq!(asked[1].path(), "/allowed?host=other.example.com");
    assert_eq!(asked[1].all("host"), [other.address.as_str()]);
}
