//! Targets, clients and requests that misbehave.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use crate::support::{Link, Origin, Proxy, eventually, get, reply, request, send};

/// parity: proxy 126, 127, 129
#[test]
fn broken_targets_give_502_and_slow_ones_504() {
    let proxy = Proxy::start();
    let origin = Origin::start(|seen, stream| match seen.path() {
        "/eof" => false,
        "/garbage" => stream.write_all(b"hello?\r\n\r\n").is_ok(),
        "/upgrade" => stream
            .write_all(b"HTTP/1.1 101 Switch\r\nUpgrade: x\r\n\r\n")
            .is_ok(),
        "/cut" => {
            stream
                .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\npart")
                .unwrap();
            std::thread::sleep(Duration::from_millis(100));
            false
        }
        "/slow-body" => {
            stream
                .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n")
                .unwrap();
            std::thread::sleep(Duration::from_millis(900));
            stream.write_all(b"slow").is_ok()
        }
        "/ok" => reply(stream, "200 OK", &[], b"ok"),
        _ => {
            std::thread::sleep(Duration::from_secs(5));
            false
        }
    });
    proxy.deploy("web", &origin.address, &["--target-timeout=400ms"]);
    for path in ["/eof", "/garbage", "/upgrade"] {
        let answer = get(proxy.http, "a", path);
        assert_eq!(answer.status, 502, "{path}");
        assert!(answer.text().contains("502 — Bad Gateway"));
    }
    let begun = Instant::now();
    assert_eq!(get(proxy.http, "a", "/slow").status, 504);
    assert!(
        begun.elapsed() > Duration::from_millis(390)
            && begun.elapsed() < Duration::from_millis(4500)
    );
    // The limit is for the head only.
    assert_eq!(get(proxy.http, "a", "/slow-body").text(), "slow");
    let cut = get(proxy.http, "a", "/cut");
    assert_eq!(
        (cut.status, cut.text().as_str(), cut.complete),
        (200, "part", false)
    );
    assert_eq!(proxy.request_logged("/cut")["status"], 200);
    let errors = proxy.expect_logged("Error while proxying", 3);
    assert_eq!(errors[0]["target"], origin.address);
    assert_eq!(get(proxy.http, "a", "/ok").text(), "ok");
}

/// parity: proxy 126
#[test]
fn a_target_that_is_gone_gives_502() {
    let proxy = Proxy::start();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let health = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let _ = stream.read(&mut [0; 1024]);
        reply(&mut stream, "200 OK", &[], b"");
    });
    proxy.deploy("web", &address, &[]);
    health.join().unwrap();
    assert_eq!(get(proxy.http, "a", "/").status, 502);
}

/// A target whose connections die after the first request, without a word, when the second one arrives.
fn dying_on_reuse() -> Origin {
    Origin::start(|seen, stream| seen.earlier == 0 && reply(stream, "200 OK", &[], b"ok"))
}

/// parity: proxy 128
#[test]
fn a_stale_connection_is_retried_when_that_is_safe() {
    let proxy = Proxy::start();
    let origin = dying_on_reuse();
    proxy.deploy("web", &origin.address, &[]);
    // One client connection stays on one core, and so on one pool.
    let mut link = Link::open(proxy.http);
    let mut ask = |method: &str, headers: &str| {
        link.write(format!("{method} / HTTP/1.1\r\nHost: a\r\n{headers}\r\n"));
        link.try_read(method == "HEAD").unwrap().status
    };
    for method in ["GET", "GET", "GET", "HEAD", "OPTIONS"] {
        assert_eq!(ask(method, ""), 200, "{method}");
    }
    assert_eq!(ask("POST", "Idempotency-Key: 1\r\n"), 200);
    assert_eq!(ask("POST", ""), 502);
    assert_eq!(ask("GET", ""), 200);
    assert_eq!(ask("DELETE", ""), 502);
}

/// parity: proxy D14
#[test]
fn a_connection_the_target_closed_while_idle_is_not_used() {
    let proxy = Proxy::start();
    let origin = Origin::start(|_, stream| {
        reply(stream, "200 OK", &[], b"ok");
        false
    });
    proxy.deploy("web", &origin.address, &[]);
    let mut link = Link::open(proxy.http);
    for _ in 0..20 {
        link.write("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx");
        assert_eq!(link.read().status, 200);
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// parity: proxy 126, D15
#[test]
fn a_client_that_leaves_is_logged_as_499_and_its_request_ends() {
    let proxy = Proxy::start();
    let origin = Origin::start(|_, stream| {
        // Ends as soon as the proxy closes the connection.
        let _ = stream.read(&mut [0; 1]);
        false
    });
    for options in [&[][..], &["--buffer-requests", "--buffer-responses"]] {
        let path = format!("/gone-{}", options.len());
        proxy.deploy("web", &origin.address, options);
        let mut link = Link::open(proxy.http);
        link.write(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n"));
        eventually("it has arrived", || {
            origin.seen().iter().any(|seen| seen.path() == path)
        });
        drop(link);
        let line = proxy.request_logged(&path);
        assert_eq!(
            (line["status"].as_i64(), line["target"].as_str()),
            (Some(499), Some(origin.address.as_str()))
        );
        // Nothing is in flight any more, so draining takes no time.
        let begun = Instant::now();
        proxy.deploy("web", &origin.address, options);
        assert!(begun.elapsed() < Duration::from_secs(15));
    }
    let mut link = Link::open(proxy.http);
    link.write("POST /half HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhalf");
    std::thread::sleep(Duration::from_millis(100));
    drop(link);
    assert_eq!(proxy.request_logged("/half")["status"], 499);
}

/// parity: proxy 52, 122, 124, 125
#[test]
fn malformed_requests_are_refused() {
    let proxy = Proxy::start();
    let origin = Origin::start(|seen, stream| reply(stream, "200 OK", &[], &seen.body));
    for options in [&[][..], &["--buffer-requests"]] {
        proxy.deploy("web", &origin.address, options);
        let answer = send(
            proxy.http,
            "POST /bad-chunk HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        );
        assert_eq!(
            (answer.status, answer.text().as_str()),
            (400, "<h1>400 Bad Request</h1>")
        );
    }
    let count = origin.seen().len();
    for (request, status) in [
        ("GET / HTTP/1.1\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a\r\nBad Name: x\r\n\r\n", 400),
        (
            "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
            400,
        ),
        ("GET / HTTP/1.1\r\nHost: a\r\nExpect: wonders\r\n\r\n", 417),
        ("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", 200),
        ("nonsense\r\n\r\n", 400),
    ] {
        assert_eq!(send(proxy.http, request).status, status, "{request:?}");
    }
    let huge = format!(
        "GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n",
        "x".repeat(1_100_000)
    );
    let mut stream = TcpStream::connect(("127.0.0.1", proxy.http)).unwrap();
    let _ = stream.write_all(huge.as_bytes());
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 431");
    assert_eq!(origin.seen().len(), count);
    // A body whose length and encoding disagree is read as chunks, and the length does not go on.
    let both = "POST /both HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
    assert_eq!(send(proxy.http, both).text(), "hello");
    assert_eq!(origin.seen().last().unwrap().header("Content-Length"), None);
}

/// parity: proxy 129-131
#[test]
fn custom_error_pages() {
    let proxy = Proxy::start();
    let origin = Origin::start(|seen, stream| match seen.path() {
        "/own" => reply(stream, "502 Own", &[], b"the app's own page"),
        _ => false,
    });
    let pages = proxy.path("pages");
    std::fs::create_dir(&pages).unwrap();
    std::fs::write(
        pages.join("502.html"),
        "<p>custom {{ if .Message }}x{{ else }}page{{ end }}</p>",
    )
    .unwrap();
    let option = format!("--error-pages={}", pages.display());
    proxy.deploy("web", &origin.address, &["--host=a.com", &option]);
    let answer = get(proxy.http, "a.com", "/");
    assert_eq!(
        (answer.status, answer.text().as_str()),
        (502, "<p>custom page</p>")
    );
    assert_eq!(
        answer.header("Content-Type"),
        Some("text/html; charset=utf-8")
    );
    assert_eq!(
        get(proxy.http, "a.com", "/own").text(),
        "the app's own page"
    );
    assert!(
        get(proxy.http, "b.com", "/")
            .text()
            .contains("404 — Not Found")
    );
    std::fs::write(pages.join("503.html"), "{{ .Wrong }}").unwrap();
    let target = format!("--target={}", origin.address);
    proxy
        .run(&["deploy", "web", &target, "--host=a.com", &option])
        .failed("unable to load error pages");
    assert_eq!(
        request(proxy.http, "GET", "a.com", "/", &[], b"").text(),
        "<p>custom page</p>"
    );
}
