//! Switching protocols.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use crate::support::{Answer, Link, Origin, Proxy, eventually, get, reply};

/// Agrees to any upgrade and echoes from then on.
fn echoing() -> Origin {
    Origin::start(|seen, stream| {
        let Some(protocol) = seen.header("Upgrade") else {
            return reply(stream, "200 OK", &[], b"plain");
        };
        assert_eq!(seen.header("Connection"), Some("Upgrade"));
        let head = format!(
            "HTTP/1.1 101 Go\r\nConnection: Upgrade\r\nUpgrade: {protocol}\r\nSec-WebSocket-Accept: x\r\n\r\nearly"
        );
        stream.write_all(head.as_bytes()).unwrap();
        let mut buffer = [0; 4096];
        while let Ok(size @ 1..) = stream.read(&mut buffer) {
            stream.write_all(&buffer[..size]).unwrap();
        }
        false
    })
}

fn upgrade(port: u16, protocol: &str) -> (Link<TcpStream>, Answer) {
    let mut link = Link::open(port);
    link.write(format!("GET /socket HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: {protocol}\r\n\r\n"));
    let answer = link.read();
    (link, answer)
}

fn read(link: &mut Link<TcpStream>, size: usize) -> Vec<u8> {
    let mut bytes = vec![0; size];
    link.reader.read_exact(&mut bytes).unwrap();
    bytes
}

/// parity: proxy 121
#[test]
fn bytes_go_both_ways_buffered_or_not() {
    let proxy = Proxy::start();
    let origin = echoing();
    let tight = [
        "--buffer-requests",
        "--buffer-responses",
        "--max-request-body=2",
        "--max-response-body=2",
    ];
    for options in [&[][..], &tight] {
        proxy.deploy("web", &origin.address, options);
        for protocol in ["websocket", "other/1.0"] {
            let (mut link, answer) = upgrade(proxy.http, protocol);
            assert_eq!(answer.status, 101);
            assert_eq!(answer.header("Upgrade"), Some(protocol));
            assert_eq!(answer.header("Connection"), Some("Upgrade"));
            assert_eq!(answer.header("Sec-Websocket-Accept"), Some("x"));
            assert_eq!(read(&mut link, 5), b"early");
            for size in [1, 1000, 30_000] {
                let message = vec![b'm'; size];
                link.write(&message);
                assert_eq!(read(&mut link, size), message);
            }
        }
    }
    let line = proxy.request_logged("/socket");
    assert_eq!(
        (
            line["status"].as_i64(),
            line["resp_content_length"].as_i64()
        ),
        (Some(101), Some(0))
    );
    // The limits are for ordinary responses.
    assert_eq!(get(proxy.http, "a", "/").status, 500);
}

#[test]
fn closing_one_side_closes_the_other() {
    let proxy = Proxy::start();
    let (told, ended) = channel();
    let origin = Origin::start(move |seen, stream| {
        let head = "HTTP/1.1 101 Go\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nearly";
        stream.write_all(head.as_bytes()).unwrap();
        if seen.header("X-Stay").is_some() {
            let size = stream.read(&mut [0; 1]).unwrap_or(0);
            told.send(size).unwrap();
        }
        false
    });
    proxy.deploy("web", &origin.address, &[]);
    let open = |path: &str, more: &str| {
        let mut link = Link::open(proxy.http);
        link.write(format!(
            "GET {path} HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n{more}\r\n"
        ));
        assert_eq!(link.read().status, 101);
        assert_eq!(read(&mut link, 5), b"early");
        link
    };
    drop(open("/client", "X-Stay: 1\r\n"));
    assert_eq!(ended.recv().unwrap(), 0);
    assert_eq!(proxy.request_logged("/client")["status"], 101);
    let mut link = open("/target", "");
    assert_eq!(link.reader.read(&mut [0; 1]).unwrap_or(0), 0);
    drop(link);
    assert_eq!(proxy.request_logged("/target")["status"], 101);
}

/// parity: proxy 88, 140
#[test]
fn a_deploy_waits_for_no_upgrade_and_open_ones_get_the_drains_time() {
    let proxy = Proxy::start();
    let (old, new) = (echoing(), Origin::named("new"));
    proxy.deploy("web", &old.address, &["--websocket-close-spread=0s"]);
    let (mut link, _) = upgrade(proxy.http, "websocket");
    read(&mut link, 5);
    // Far longer than the test may take.
    proxy.deploy("web", &new.address, &["--drain-timeout=10m"]);
    assert_eq!(get(proxy.http, "a", "/").text(), "new");
    link.write("still here");
    assert_eq!(read(&mut link, 10), b"still here");

    proxy.deploy("web", &old.address, &["--websocket-close-spread=0s"]);
    let (mut short, _) = upgrade(proxy.http, "other/1.0");
    read(&mut short, 5);
    proxy.deploy("web", &new.address, &["--drain-timeout=100ms"]);
    assert_eq!(short.reader.read(&mut [0; 1]).unwrap_or(0), 0);
    link.write("and still");
    assert_eq!(read(&mut link, 9), b"and still");
}

/// parity: proxy 86, 88
#[test]
fn a_deploy_still_waits_for_ordinary_requests_beside_upgrades() {
    let proxy = Proxy::start();
    let (enough, wait) = channel::<()>();
    let wait = std::sync::Mutex::new(wait);
    let old = Origin::start(move |seen, stream| {
        if seen.path() == "/socket" {
            let head = "HTTP/1.1 101 Go\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nearly";
            stream.write_all(head.as_bytes()).unwrap();
            let _ = stream.read(&mut [0; 1]);
            return false;
        }
        if seen.path() == "/slow" {
            let _ = wait.lock().unwrap().recv();
        }
        reply(stream, "200 OK", &[], b"slow")
    });
    let new = Origin::named("new");
    proxy.deploy("web", &old.address, &[]);
    let (mut socket, _) = upgrade(proxy.http, "websocket");
    read(&mut socket, 5);
    let mut slow = Link::open(proxy.http);
    slow.write("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n");
    eventually("it is on its way", || old.seen().len() == 2);
    let target = format!("--target={}", new.address);
    let mut deploy = proxy.spawn(&["deploy", "web", &target, "--drain-timeout=10m"]);
    eventually("traffic has switched", || {
        get(proxy.http, "a", "/").text() == "new"
    });
    assert!(deploy.try_wait().unwrap().is_none());
    enough.send(()).unwrap();
    assert_eq!(slow.read().text(), "slow");
    assert!(deploy.wait().unwrap().success());
    socket.write("x");
}

/// parity: proxy 88
#[test]
fn upgrades_end_one_by_one() {
    let proxy = Proxy::start();
    let (old, new) = (echoing(), Origin::named("new"));
    let options = [
        "--websocket-drain-timeout=0s",
        "--websocket-close-spread=2s",
    ];
    proxy.deploy("web", &old.address, &options);
    let links: Vec<_> = (0..12)
        .map(|_| {
            let (mut link, _) = upgrade(proxy.http, "websocket");
            read(&mut link, 5);
            link
        })
        .collect();
    proxy.deploy("web", &new.address, &[]);
    // That all twelve fall into the same tenth of the time happens once in 10^11 runs.
    let ends: Vec<Instant> = std::thread::scope(|scope| {
        let watchers: Vec<_> = links
            .into_iter()
            .map(|mut link| {
                scope.spawn(move || {
                    assert_eq!(link.reader.read(&mut [0; 1]).unwrap_or(0), 0);
                    Instant::now()
                })
            })
            .collect();
        watchers.into_iter().map(|w| w.join().unwrap()).collect()
    });
    let (first, last) = (ends.iter().min().unwrap(), ends.iter().max().unwrap());
    assert!(*last - *first > Duration::from_millis(200));
}

/// parity: proxy 88
#[test]
fn a_pause_waits_for_no_upgrade_and_resume_keeps_it() {
    let proxy = Proxy::start();
    let old = echoing();
    proxy.deploy("web", &old.address, &["--websocket-close-spread=0s"]);
    let (mut link, _) = upgrade(proxy.http, "websocket");
    read(&mut link, 5);
    proxy.run(&["pause", "web", "--drain-timeout=10m"]).quiet();
    proxy.run(&["resume", "web"]).quiet();
    link.write("still here");
    assert_eq!(read(&mut link, 10), b"still here");
    proxy.run(&["stop", "web", "--drain-timeout=300ms"]).quiet();
    assert_eq!(link.reader.read(&mut [0; 1]).unwrap_or(0), 0);
}

#[test]
fn a_refused_upgrade_is_an_ordinary_response() {
    let proxy = Proxy::start();
    let origin = Origin::start(|_, stream| reply(stream, "426 Upgrade Required", &[], b"no"));
    proxy.deploy("web", &origin.address, &[]);
    let (mut link, answer) = upgrade(proxy.http, "websocket");
    assert_eq!((answer.status, answer.text().as_str()), (426, "no"));
    link.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(link.read().status, 426);
}
