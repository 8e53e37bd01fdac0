//! Switching from one target to the next under load, and what becomes of requests in flight.

use std::io::Write as _;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::support::{Link, Origin, Proxy, eventually, get, reply};

/// parity: proxy 80
#[test]
fn no_request_fails_while_targets_are_switched() {
    let proxy = Proxy::start();
    let first = Origin::named("v0");
    proxy.deploy(
        "web",
        &first.address,
        &["--buffer-requests", "--buffer-responses"],
    );
    let done = Arc::new(AtomicBool::new(false));
    let answered = Arc::new(AtomicUsize::new(0));
    let port = proxy.http;
    let clients: Vec<_> = (0..8)
        .map(|number| {
            let (done, answered) = (done.clone(), answered.clone());
            std::thread::spawn(move || {
                let mut link = Link::open(port);
                let keep_alive = number % 2 == 0;
                let mut wrong = Vec::new();
                while !done.load(Ordering::SeqCst) {
                    if !keep_alive {
                        link = Link::open(port);
                    }
                    // Half of them send bodies, which may not be sent twice.
                    let request = if number % 4 < 2 {
                        "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
                    } else {
                        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi"
                    };
                    link.write(request);
                    match link.try_read(false) {
                        Some(answer)
                            if answer.status == 200
                                && answer.complete
                                && answer.body.starts_with(b"v") =>
                        {
                            answered.fetch_add(1, Ordering::SeqCst);
                        }
                        other => {
                            wrong.push(format!("{other:?}"));
                            link = Link::open(port);
                        }
                    }
                }
                wrong
            })
        })
        .collect();
    let mut old = first;
    for _ in 0..20 {
        let next = Origin::start(|_, stream| {
            std::thread::sleep(Duration::from_millis(2));
            reply(stream, "200 OK", &[], b"v+")
        });
        proxy.deploy(
            "web",
            &next.address,
            &["--buffer-requests", "--buffer-responses"],
        );
        // After the deploy has returned nothing may arrive at the old target any more.
        let before = old.seen().len();
        std::thread::sleep(Duration::from_millis(30));
        assert_eq!(old.seen().len(), before);
        old = next;
    }
    done.store(true, Ordering::SeqCst);
    let wrong: Vec<_> = clients
        .into_iter()
        .flat_map(|client| client.join().unwrap())
        .collect();
    assert!(
        wrong.is_empty(),
        "{} failed, e.g. {}",
        wrong.len(),
        wrong[0]
    );
    assert!(answered.load(Ordering::SeqCst) > 500, "{answered:?}");
}

/// A target that answers with its name, `/slow` only once it is let go on.
fn held(name: &'static str) -> (Origin, Sender<()>) {
    let (go, wait) = channel::<()>();
    let wait = Mutex::new(wait);
    let origin = Origin::start(move |seen, stream| {
        if seen.path() == "/slow" {
            wait.lock().unwrap().recv().unwrap();
        }
        reply(stream, "200 OK", &[], name.as_bytes())
    });
    (origin, go)
}

/// parity: proxy 80, 86, 140
#[test]
fn a_deploy_waits_for_requests_in_flight() {
    let proxy = Proxy::start();
    let (old, go) = held("old");
    let new = Origin::named("new");
    proxy.deploy("web", &old.address, &[]);
    let port = proxy.http;
    let slow = std::thread::spawn(move || get(port, "a", "/slow"));
    eventually("it is in flight", || old.seen().len() == 1);
    let target = format!("--target={}", new.address);
    let mut deploy = proxy.spawn(&["deploy", "web", &target, "--drain-timeout=1h"]);
    eventually("traffic has switched", || {
        get(port, "a", "/").text() == "new"
    });
    // One that did not wait would be over in a moment.
    std::thread::sleep(Duration::from_millis(500));
    assert!(deploy.try_wait().unwrap().is_none() && !slow.is_finished());
    go.send(()).unwrap();
    assert_eq!(slow.join().unwrap().text(), "old");
    assert!(deploy.wait_with_output().unwrap().status.success());
}

/// parity: proxy 87, 89
#[test]
fn requests_that_outlast_the_drain_get_504_or_are_cut() {
    let proxy = Proxy::start();
    let old = Origin::start(|seen, stream| {
        if seen.path() == "/half" {
            stream
                .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
                .unwrap();
        }
        std::thread::sleep(Duration::from_secs(20));
        false
    });
    let new = Origin::named("new");
    proxy.deploy("web", &old.address, &[]);
    let port = proxy.http;
    let silent = std::thread::spawn(move || get(port, "a", "/silent"));
    let half = std::thread::spawn(move || get(port, "a", "/half"));
    eventually("both are in flight", || old.seen().len() == 2);
    let begun = Instant::now();
    proxy.deploy("web", &new.address, &["--drain-timeout=500ms"]);
    let took = begun.elapsed();
    assert!(
        took >= Duration::from_millis(500) && took < Duration::from_secs(2),
        "{took:?}"
    );
    let silent = silent.join().unwrap();
    assert_eq!(silent.status, 504);
    assert!(silent.text().contains("504 — Gateway Timeout"));
    let half = half.join().unwrap();
    assert_eq!(
        (half.status, half.text().as_str(), half.complete),
        (200, "half", false)
    );
    proxy.expect_logged("Request cancelled due to draining", 1);
    assert_eq!(proxy.request_logged("/silent")["status"], 504);
    assert_eq!(proxy.request_logged("/half")["status"], 200);
}

#[test]
fn deploying_the_same_address_again_drains_the_old_requests() {
    let proxy = Proxy::start();
    let origin = Origin::start(|seen, stream| {
        if seen.path() == "/slow" {
            std::thread::sleep(Duration::from_millis(600));
        }
        reply(stream, "200 OK", &[], b"web")
    });
    proxy.deploy("web", &origin.address, &[]);
    let port = proxy.http;
    let slow = std::thread::spawn(move || get(port, "a", "/slow"));
    eventually("it is in flight", || origin.seen().len() == 1);
    proxy.deploy("web", &origin.address, &[]);
    assert_eq!(slow.join().unwrap().text(), "web");
    assert_eq!(get(port, "a", "/").text(), "web");
}

/// parity: proxy 43
#[test]
fn removing_lets_requests_finish() {
    let proxy = Proxy::start();
    let (origin, go) = held("web");
    proxy.deploy("web", &origin.address, &[]);
    let port = proxy.http;
    let slow = std::thread::spawn(move || get(port, "a", "/slow"));
    eventually("it is in flight", || origin.seen().len() == 1);
    // It does not wait for them: nobody has let this one go on.
    proxy.run(&["remove", "web"]).quiet();
    assert_eq!(get(port, "a", "/").status, 404);
    go.send(()).unwrap();
    assert_eq!(slow.join().unwrap().text(), "web");
}

#[test]
fn a_client_that_does_not_read_cannot_hold_a_drain() {
    let proxy = Proxy::start();
    let gone = Arc::new(AtomicBool::new(false));
    let flag = gone.clone();
    let old = Origin::start(move |_, stream| {
        stream
            .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
            .unwrap();
        let piece = vec![b'x'; 1 << 20];
        while stream.write_all(&piece).is_ok() {}
        flag.store(true, Ordering::SeqCst);
        false
    });
    let new = Origin::named("new");
    proxy.deploy("web", &old.address, &[]);
    let mut link = Link::open(proxy.http);
    link.write("GET /huge HTTP/1.1\r\nHost: a\r\n\r\n");
    std::thread::sleep(Duration::from_millis(500));
    let begun = Instant::now();
    proxy.deploy("web", &new.address, &["--drain-timeout=300ms"]);
    assert!(
        begun.elapsed() < Duration::from_secs(15),
        "{:?}",
        begun.elapsed()
    );
    eventually("the target is let go", || gone.load(Ordering::SeqCst));
    assert_eq!(proxy.request_logged("/huge")["status"], 200);
}
