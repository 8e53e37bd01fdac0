//! Pause, stop and resume.

use std::sync::Mutex;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use crate::support::{Link, Origin, Proxy, eventually, get, reply, request};

/// parity: proxy 34, 82, 101, 103
#[test]
fn paused_requests_wait_and_go_on() {
    let proxy = Proxy::start();
    let origin = Origin::named("web");
    proxy.deploy("web", &origin.address, &["--path-prefix=/app"]);
    proxy.run(&["pause", "web"]).quiet();
    assert!(proxy.run(&["ls"]).stdout.contains("paused"));
    assert_eq!(
        proxy.state()[0]["pause_controller"]["fail_after"],
        30_000_000_000_i64
    );
    let port = proxy.http;
    let held = std::thread::spawn(move || get(port, "a", "/app/x"));
    std::thread::sleep(Duration::from_millis(200));
    assert!(!held.is_finished() && origin.seen().is_empty());
    // Health checks are answered meanwhile, on the stripped path, for GET and HEAD alone.
    let answer = get(port, "a", "/app/up?x");
    assert_eq!((answer.status, answer.body.len()), (200, 0));
    assert_eq!(request(port, "HEAD", "a", "/app/up", &[], b"").status, 200);
    let next = Origin::named("next");
    proxy.deploy("web", &next.address, &["--path-prefix=/app"]);
    assert!(!held.is_finished());
    proxy.run(&["resume", "web"]).quiet();
    assert_eq!(held.join().unwrap().text(), "next");
    assert_eq!(proxy.state()[0]["pause_controller"]["state"], 0);
}

/// parity: proxy 102, 104
#[test]
fn a_pause_that_lasts_too_long_gives_504() {
    let proxy = Proxy::start();
    let origin = Origin::named("web");
    proxy.deploy("web", &origin.address, &[]);
    proxy.run(&["pause", "web", "--max-pause=300ms"]).quiet();
    let begun = Instant::now();
    assert_eq!(get(proxy.http, "a", "/").status, 504);
    assert!(begun.elapsed() >= Duration::from_millis(300));
    proxy.expect_logged("Rejecting request due to expired pause", 1);
    proxy.run(&["pause", "web", "--max-pause=0s"]).quiet();
    assert_eq!(get(proxy.http, "a", "/").status, 504);
}

/// parity: proxy 101, 102
#[test]
fn stopped_services_say_so() {
    let proxy = Proxy::start();
    let origin = Origin::named("web");
    proxy.deploy("web", &origin.address, &[]);
    proxy.run(&["pause", "web"]).quiet();
    let port = proxy.http;
    let held = std::thread::spawn(move || get(port, "a", "/held"));
    std::thread::sleep(Duration::from_millis(100));
    proxy
        .run(&["stop", "web", "--message", "back at <5>"])
        .quiet();
    for answer in [held.join().unwrap(), get(port, "a", "/")] {
        assert_eq!(answer.status, 503);
        assert!(answer.text().contains("back at &lt;5&gt;"));
    }
    proxy.run(&["stop", "web"]).quiet();
    assert!(
        get(port, "a", "/")
            .text()
            .contains("not available right now")
    );
    assert!(origin.seen().is_empty());
    for command in ["pause", "stop", "resume"] {
        proxy.run(&[command, "nobody"]).failed("service not found");
    }
}

/// parity: proxy D11
#[test]
fn pausing_and_stopping_wait_for_requests_and_resuming_ends_the_wait() {
    let proxy = Proxy::start();
    let (go, wait) = channel::<()>();
    let wait = Mutex::new(wait);
    let origin = Origin::start(move |seen, stream| {
        if seen.path() == "/slow" {
            wait.lock().unwrap().recv().unwrap();
        }
        reply(stream, "200 OK", &[], b"web")
    });
    proxy.deploy("web", &origin.address, &[]);
    let port = proxy.http;
    for command in ["pause", "stop"] {
        let before = origin.seen().len();
        let slow = std::thread::spawn(move || get(port, "a", "/slow"));
        eventually("it is in flight", || origin.seen().len() > before);
        let draining = proxy.spawn(&[command, "web", "--drain-timeout=1h"]);
        eventually("new requests are not let in", || {
            let listed = proxy.run(&["ls"]).stdout;
            listed.contains("paused") || listed.contains("stopped")
        });
        proxy.run(&["resume", "web"]).quiet();
        // Nobody has let the request in flight go on yet.
        assert_eq!(get(port, "a", "/").text(), "web", "{command}");
        assert!(draining.wait_with_output().unwrap().status.success());
        go.send(()).unwrap();
        assert_eq!(slow.join().unwrap().text(), "web", "{command}");
    }
}

/// parity: proxy 87
#[test]
fn stopping_cuts_what_outlasts_the_drain() {
    let proxy = Proxy::start();
    let origin = Origin::start(|_, _| {
        std::thread::sleep(Duration::from_secs(10));
        false
    });
    proxy.deploy("web", &origin.address, &[]);
    let port = proxy.http;
    let slow = std::thread::spawn(move || get(port, "a", "/slow"));
    eventually("it is in flight", || origin.seen().len() == 1);
    proxy.run(&["stop", "web", "--drain-timeout=300ms"]).quiet();
    assert_eq!(slow.join().unwrap().status, 504);
}

#[test]
fn item_d18_a_held_request_ends_with_its_client() {
    let proxy = Proxy::start();
    let origin = Origin::named("web");
    proxy.deploy("web", &origin.address, &[]);
    proxy.run(&["pause", "web"]).quiet();
    let mut link = Link::open(proxy.http);
    link.write("GET /held HTTP/1.1\r\nHost: a\r\n\r\n");
    let mut staying = Link::open(proxy.http);
    staying.write("GET /staying HTTP/1.1\r\nHost: a\r\n\r\n");
    drop(link);
    // Long before the pause is over, and nobody but the client has done anything.
    assert_eq!(proxy.request_logged("/held")["status"], 499);
    assert!(
        proxy
            .logged("Request")
            .iter()
            .all(|line| line["path"] != "/staying")
    );
    proxy.run(&["resume", "web"]).quiet();
    assert_eq!(staying.read().text(), "web");
    assert_eq!(origin.seen().len(), 1);
}
