//! Switching targets under load over each version of HTTP: no request may fail.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Instant;

use bytes::Bytes;
use http::Request;

use crate::http3::{redeploy, run, start};
use crate::support::{Http2, Http3, Link, Origin, Proxy, read_http2, read_http3, reply};

/// Clients that ask at the same time.
const CLIENTS: usize = 8;

/// What the clients of one version do.
#[derive(Clone, Copy, Debug)]
enum Version {
    Http1,
    Http2,
    Http3,
}

/// What became of the requests.
#[derive(Default)]
struct Tally {
    done: AtomicBool,
    answered: AtomicUsize,
    failed: std::sync::Mutex<Vec<String>>,
}

impl Tally {
    fn count(&self, outcome: Result<(u16, Vec<u8>), String>) {
        match outcome {
            Ok((200, body)) if body.starts_with(b"v") => {
                self.answered.fetch_add(1, Ordering::SeqCst);
            }
            other => self.failed.lock().unwrap().push(format!("{other:?}")),
        }
    }

    fn goes_on(&self) -> bool {
        !self.done.load(Ordering::SeqCst)
    }
}

fn over_http1(port: u16, number: usize, tally: &Tally) {
    let mut link = Link::over(crate::tls::dial(port, Some("a.com")).unwrap());
    while tally.goes_on() {
        link.write(if number.is_multiple_of(2) {
            "GET / HTTP/1.1\r\nHost: a.com\r\n\r\n"
        } else {
            "POST / HTTP/1.1\r\nHost: a.com\r\nContent-Length: 2\r\n\r\nhi"
        });
        let outcome = link.try_read(false).filter(|answer| answer.complete);
        let failed = outcome.is_none();
        tally.count(
            outcome
                .map(|answer| (answer.status, answer.body))
                .ok_or_else(|| "no answer".into()),
        );
        if failed {
            link = Link::over(crate::tls::dial(port, Some("a.com")).unwrap());
        }
    }
}

fn request(number: usize) -> Request<()> {
    let method = if number.is_multiple_of(2) {
        "GET"
    } else {
        "POST"
    };
    Request::builder()
        .method(method)
        .uri("https://a.com/")
        .body(())
        .unwrap()
}

async fn over_http2(client: Http2, number: usize, tally: &Tally) {
    while tally.goes_on() {
        let outcome = async {
            let (response, mut body) = client
                .start(request(number), number.is_multiple_of(2))
                .await?;
            if !number.is_multiple_of(2) {
                body.send_data(Bytes::from("hi"), true)?;
            }
            read_http2(response).await
        };
        let outcome = outcome.await.map_err(|error| error.to_string());
        tally.count(outcome.map(|reply| (reply.status.as_u16(), reply.body)));
    }
}

async fn over_http3(client: Http3, number: usize, tally: &Tally) {
    while tally.goes_on() {
        let outcome = async {
            let mut stream = client.sender.clone().send_request(request(number)).await?;
            if !number.is_multiple_of(2) {
                stream.send_data(Bytes::from("hi")).await?;
            }
            stream.finish().await?;
            read_http3(&mut stream).await
        };
        let outcome = outcome
            .await
            .map_err(|error: h3::error::StreamError| error.to_string());
        tally.count(outcome.map(|reply| (reply.status.as_u16(), reply.body)));
    }
}

/// Half of the clients have a connection of their own, half share one.
fn load(version: Version, port: u16, tally: &Arc<Tally>) -> Vec<std::thread::JoinHandle<()>> {
    let many = |one: fn(u16, usize, &Tally)| {
        (0..CLIENTS)
            .map(|number| {
                let tally = tally.clone();
                std::thread::spawn(move || one(port, number, &tally))
            })
            .collect()
    };
    let tally = tally.clone();
    match version {
        Version::Http1 => many(over_http1),
        Version::Http2 => vec![std::thread::spawn(move || {
            run(async {
                let shared = Http2::open(port, "a.com").await;
                let mut clients = Vec::new();
                for number in 0..CLIENTS {
                    let client = if number < CLIENTS / 2 {
                        shared.clone()
                    } else {
                        Http2::open(port, "a.com").await
                    };
                    clients.push(over_http2(client, number, &tally));
                }
                futures_util::future::join_all(clients).await;
            });
        })],
        Version::Http3 => vec![std::thread::spawn(move || {
            run(async {
                let shared = Http3::open(port, "a.com").await;
                let mut clients = Vec::new();
                for number in 0..CLIENTS {
                    let client = if number < CLIENTS / 2 {
                        shared.clone()
                    } else {
                        Http3::open(port, "a.com").await
                    };
                    clients.push(over_http3(client, number, &tally));
                }
                futures_util::future::join_all(clients).await;
            });
        })],
    }
}

fn switch(version: Version, times: usize) {
    let named = |_: usize| Origin::start(|_, stream| reply(stream, "200 OK", &[], b"v+"));
    let mut old = named(0);
    let proxy: Proxy = start(&old, &["--buffer-requests", "--buffer-responses"]);
    let tally = Arc::new(Tally::default());
    let clients = load(version, proxy.https, &tally);
    let begun = Instant::now();
    for number in 1..=times {
        // Each version gets to answer before the next one comes.
        let before = tally.answered.load(Ordering::SeqCst);
        while tally.answered.load(Ordering::SeqCst) < before + CLIENTS
            && tally.failed.lock().unwrap().is_empty()
        {
            std::thread::yield_now();
        }
        let next = named(number);
        redeploy(&proxy, &next, &["--buffer-requests", "--buffer-responses"]);
        // What the deploy has drained hears of no further request.
        let heard = old.seen().len();
        old = next;
        assert!(heard > 0 || number == 1);
    }
    tally.done.store(true, Ordering::SeqCst);
    for client in clients {
        client.join().unwrap();
    }
    let failed = tally.failed.lock().unwrap();
    let answered = tally.answered.load(Ordering::SeqCst);
    assert!(
        failed.is_empty(),
        "{version:?}: {} of {answered} failed, e.g. {}",
        failed.len(),
        failed[0]
    );
    let seconds = begun.elapsed().as_secs_f64();
    let mut out = std::io::stderr();
    let _ = std::io::Write::write_fmt(
        &mut out,
        format_args!(
            "{version:?}: {times} switches, {answered} requests answered, 0 failed, {seconds:.1} s\n"
        ),
    );
}

#[test]
fn item_80_no_request_fails_while_targets_are_switched_over_http2() {
    switch(Version::Http2, 30);
}

#[test]
fn item_80_no_request_fails_while_targets_are_switched_over_http3() {
    switch(Version::Http3, 30);
}

#[test]
#[ignore = "takes minutes; bin/test --full runs it"]
fn item_80_a_thousand_switches_over_http1() {
    switch(Version::Http1, 1000);
}

#[test]
#[ignore = "takes minutes; bin/test --full runs it"]
fn item_80_a_thousand_switches_over_http2() {
    switch(Version::Http2, 1000);
}

#[test]
#[ignore = "takes minutes; bin/test --full runs it"]
fn item_80_a_thousand_switches_over_http3() {
    switch(Version::Http3, 1000);
}
