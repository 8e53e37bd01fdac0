//! Health after a deploy, and what becomes of requests that meet a target which is gone.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::support::{Origin, Proxy, eventually, get, reply, request};

/// A target that is well or not, as it is told.
fn moody(name: &'static str) -> (Origin, Arc<AtomicBool>) {
    let well = Arc::new(AtomicBool::new(true));
    let state = Arc::clone(&well);
    let origin = Origin::start_with_health(move |seen, stream| {
        let status = match seen.path() {
            "/up" if !state.load(Ordering::SeqCst) => "500 Unwell",
            _ => "200 OK",
        };
        reply(stream, status, &[], name.as_bytes())
    });
    (origin, well)
}

const OFTEN: [&str; 4] = [
    "--health-check-interval=20ms",
    "--health-check-fall=2",
    "--health-check-rise=2",
    "--health-check-timeout=30s",
];

/// Who answers a few requests.
fn answering(proxy: &Proxy) -> Vec<String> {
    let mut names: Vec<_> = (0..6)
        .map(|_| {
            let answer = get(proxy.http, "a", "/");
            assert_eq!(answer.status, 200);
            answer.text()
        })
        .collect();
    names.sort();
    names.dedup();
    names
}

#[test]
fn a_target_that_falls_leaves_and_comes_back_when_it_rises() {
    let proxy = Proxy::start();
    let ((one, one_well), (two, two_well)) = (moody("one"), moody("two"));
    let targets = format!("{},{}", one.address, two.address);
    proxy.deploy("web", &targets, &OFTEN);
    assert_eq!(answering(&proxy), ["one", "two"]);
    one_well.store(false, Ordering::SeqCst);
    eventually("one leaves", || answering(&proxy) == ["two"]);
    // Nobody is left: better the last ones than an outage.
    two_well.store(false, Ordering::SeqCst);
    eventually("they serve all the same", || {
        answering(&proxy) == ["one", "two"]
    });
    let down = "No target is healthy, requests go to them all the same";
    eventually("it is said", || !proxy.logged(down).is_empty());
    two_well.store(true, Ordering::SeqCst);
    eventually("two is back", || answering(&proxy) == ["two"]);
    one_well.store(true, Ordering::SeqCst);
    eventually("one is back", || answering(&proxy) == ["one", "two"]);
    let updates = proxy.logged("Target health updated");
    let of_one: Vec<_> = updates
        .iter()
        .filter(|line| line["target"] == one.address.as_str())
        .map(|line| {
            (
                line["was"].as_str().unwrap(),
                line["state"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        of_one,
        [
            ("adding", "healthy"),
            ("healthy", "unhealthy"),
            ("unhealthy", "healthy")
        ]
    );
}

/// parity: proxy 77
#[test]
fn a_lone_target_is_watched_on_request_across_restarts_and_never_given_up() {
    let mut proxy = Proxy::start();
    let (origin, well) = moody("web");
    proxy.deploy("web", &origin.address, &OFTEN);
    let probes = origin.probes().len();
    eventually("probing goes on", || origin.probes().len() > probes + 2);
    well.store(false, Ordering::SeqCst);
    eventually("its fall is told", || {
        proxy
            .logged("Target health updated")
            .iter()
            .any(|line| line["state"] == "unhealthy")
    });
    assert_eq!(answering(&proxy), ["web"]);
    assert_eq!(proxy.terminate(), 0);
    proxy.boot();
    let probes = origin.probes().len();
    eventually("probing goes on", || origin.probes().len() > probes + 2);
    assert_eq!(answering(&proxy), ["web"]);
}

/// Answers health checks and then is gone: the port is closed to everybody.
struct Vanishing {
    address: String,
    gone: Arc<AtomicBool>,
}

impl Vanishing {
    fn start() -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let gone = Arc::new(AtomicBool::new(false));
        let over = Arc::clone(&gone);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if over.load(Ordering::SeqCst) {
                    return;
                }
                let Ok(mut stream) = stream else { return };
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    let mut byte = [0];
                    match std::io::Read::read(&mut stream, &mut byte) {
                        Ok(1) => head.push(byte[0]),
                        _ => break,
                    }
                }
                reply(&mut stream, "200 OK", &[("Connection", "close")], b"up");
            }
        });
        Self { address, gone }
    }

    fn vanish(&self) {
        self.gone.store(true, Ordering::SeqCst);
        let _ = std::net::TcpStream::connect(&self.address);
        eventually("the port is closed", || {
            std::net::TcpStream::connect(&self.address).is_err()
        });
    }
}

/// Health checks so rare that none comes during a test.
const SELDOM: &str = "--health-check-interval=1h";

/// parity: proxy 126
#[test]
fn a_request_that_reached_nobody_is_given_to_another_target() {
    let proxy = Proxy::start();
    let (gone, there) = (Vanishing::start(), Origin::named("there"));
    let targets = format!("{},{}", gone.address, there.address);
    proxy.deploy("web", &targets, &[SELDOM]);
    gone.vanish();
    // Nothing was sent, so that it may be anything, once.
    for method in ["GET", "POST", "PUT", "DELETE"] {
        for _ in 0..2 {
            let answer = request(proxy.http, method, "a", "/x", &[], b"body");
            assert_eq!((answer.status, answer.text().as_str()), (200, "there"));
        }
    }
    let seen = there.seen();
    assert_eq!(seen.len(), 8);
    assert!(seen.iter().all(|seen| seen.body == b"body"
        && seen.header("X-Kamal-Target") == Some(there.address.as_str())));
    assert_eq!(proxy.request_logged("/x")["target"], there.address.as_str());
    let tries = proxy.expect_logged("Trying another target", 4);
    assert_eq!(tries[0]["target"], gone.address.as_str());
    assert_eq!(tries[0]["other"], there.address.as_str());
}

/// parity: proxy 126, 128
#[test]
fn what_a_target_may_have_got_is_repeated_only_where_that_is_safe() {
    let proxy = Proxy::start();
    let got = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&got);
    // Takes requests and dies without a word.
    let dying = Origin::start(move |_, _| {
        count.fetch_add(1, Ordering::SeqCst);
        false
    });
    let there = Origin::named("there");
    let targets = format!("{},{}", dying.address, there.address);
    proxy.deploy("web", &targets, &[SELDOM]);
    for _ in 0..2 {
        assert_eq!(get(proxy.http, "a", "/").text(), "there");
    }
    assert_eq!(got.swap(0, Ordering::SeqCst), 1);
    // Neither with a body, of which a part is gone, nor without, when all of it could be sent again.
    for (turn, body) in [&b"once"[..], b""].into_iter().enumerate() {
        let statuses: Vec<_> = (0..2)
            .map(|_| request(proxy.http, "POST", "a", "/", &[], body).status)
            .collect();
        assert!(
            statuses.contains(&502) && statuses.contains(&200),
            "{statuses:?}"
        );
        assert_eq!(got.load(Ordering::SeqCst), turn + 1);
        let posts = there.seen();
        let posts = posts.iter().filter(|seen| seen.line.starts_with("POST"));
        assert_eq!(posts.count(), turn + 1);
    }
}

/// parity: proxy 126
#[test]
fn there_is_one_other_try_and_then_the_failure() {
    let proxy = Proxy::start();
    let (one, two) = (Vanishing::start(), Vanishing::start());
    let targets = format!("{},{}", one.address, two.address);
    proxy.deploy("web", &targets, &[SELDOM]);
    one.vanish();
    two.vanish();
    assert_eq!(get(proxy.http, "a", "/").status, 502);
    proxy.expect_logged("Trying another target", 1);
    proxy.expect_logged("Error while proxying", 1);
    // With nobody else there is nothing to try.
    let lone = Origin::start(|_, _| false);
    proxy.deploy("web", &lone.address, &[]);
    assert_eq!(get(proxy.http, "a", "/").status, 502);
    proxy.expect_logged("Trying another target", 1);
}
