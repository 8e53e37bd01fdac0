//! Buffering of requests and responses: memory, disk, limits.

use std::io::{BufRead as _, ErrorKind, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::support::{Link, Origin, Proxy, eventually, get, reply, request, send};

#[test]
fn the_target_sees_a_buffered_request_only_when_it_is_whole() {
    let proxy = Proxy::start();
    let origin = Origin::start(|seen, stream| reply(stream, "200 OK", &[], &seen.body));
    proxy.deploy("web", &origin.address, &["--buffer-requests"]);
    let connections = origin.connections();
    let mut link = Link::open(proxy.http);
    link.write("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\nabc");
    std::thread::sleep(Duration::from_millis(200));
    assert_eq!(origin.connections(), connections);
    link.write("def");
    assert_eq!(link.read().text(), "abcdef");
}

/// parity: proxy 116
#[test]
fn what_does_not_fit_in_memory_goes_to_disk_and_comes_back() {
    let proxy = Proxy::start();
    let origin = Origin::start(|seen, stream| reply(stream, "200 OK", &[], &seen.body));
    proxy.deploy(
        "web",
        &origin.address,
        &[
            "--buffer-requests",
            "--buffer-responses",
            "--buffer-memory=1000",
            "--max-request-body=5000000",
            "--max-response-body=5000000",
        ],
    );
    let body: Vec<u8> = (0..3_000_000_u32).map(|n| (n / 7) as u8).collect();
    assert!(request(proxy.http, "POST", "a", "/", &[], &body).body == body);
    assert_eq!(std::fs::read_dir(proxy.path("tmp")).unwrap().count(), 0);
}

/// parity: proxy 81, 117
#[test]
fn requests_over_the_limit_get_413() {
    let proxy = Proxy::start();
    let origin = Origin::start(|seen, stream| reply(stream, "200 OK", &[], &seen.body));
    proxy.deploy(
        "web",
        &origin.address,
        &["--buffer-requests", "--max-request-body=10"],
    );
    assert_eq!(
        request(proxy.http, "POST", "a", "/", &[], b"0123456789").text(),
        "0123456789"
    );
    let answer = request(proxy.http, "POST", "a", "/", &[], b"0123456789+");
    assert_eq!(answer.status, 413);
    assert!(answer.text().contains("413 — Content Too Large"));
    let chunked = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nabcdef\r\n6\r\nabcdef\r\n0\r\n\r\n";
    assert_eq!(send(proxy.http, chunked).status, 413);
    // Also for a client that sends everything before it reads.
    let large = vec![b'x'; 5_000_000];
    assert_eq!(
        request(proxy.http, "POST", "a", "/", &[], &large).status,
        413
    );
    assert_eq!(origin.seen().len(), 1);
    // Without buffering there is no limit.
    proxy.deploy(
        "web",
        &origin.address,
        &["--buffer-requests=false", "--max-request-body=10"],
    );
    assert_eq!(
        request(proxy.http, "POST", "a", "/", &[], b"0123456789+").status,
        200
    );
}

/// parity: proxy 117
#[test]
fn responses_over_the_limit_get_500() {
    let proxy = Proxy::start();
    let origin = Origin::start(|seen, stream| {
        match seen.path() {
        "/fits" => reply(stream, "201 Made", &[("X-A", "b")], b"0123456789"),
        "/until_the_end" => {
            stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n0123456789+").unwrap();
            false
        }
        "/chunked" => stream
            .write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nabcdef\r\n6\r\nabcdef\r\n0\r\n\r\n")
            .is_ok(),
        _ => reply(stream, "200 OK", &[("X-A", "b")], b"0123456789+"),
    }
    });
    proxy.deploy(
        "web",
        &origin.address,
        &["--buffer-responses", "--max-response-body=10"],
    );
    let fits = get(proxy.http, "a", "/fits");
    assert_eq!(
        (fits.status, fits.text().as_str(), fits.header("X-A")),
        (201, "0123456789", Some("b"))
    );
    for path in ["/long", "/until_the_end"] {
        let answer = get(proxy.http, "a", path);
        assert_eq!(
            (answer.status, answer.text().as_str()),
            (500, "<h1>500 Internal Server Error</h1>")
        );
        assert_eq!(answer.header("X-A"), None);
    }
    proxy.expect_logged("Response exceeded max response limit", 2);
    // What is not buffered has no limit.
    assert_eq!(get(proxy.http, "a", "/chunked").text(), "abcdefabcdef");
}

/// An application that writes half of its answer, and the other half when it is let go on (`/half`) or never (`/broken`).
fn halves(
    head: &'static str,
    first: &'static str,
    second: &'static str,
) -> (Origin, Arc<AtomicBool>) {
    let go = Arc::new(AtomicBool::new(false));
    let origin = Origin::start({
        let go = Arc::clone(&go);
        move |seen, stream| {
            stream.write_all(head.as_bytes()).unwrap();
            stream.write_all(first.as_bytes()).unwrap();
            if seen.path() == "/broken" {
                return false;
            }
            while !go.load(Ordering::SeqCst) {
                std::thread::sleep(Duration::from_millis(5));
            }
            stream.write_all(second.as_bytes()).is_ok()
        }
    });
    (origin, go)
}

/// parity: proxy 118, D15
#[test]
fn a_buffered_response_comes_whole_or_as_an_error() {
    let proxy = Proxy::start();
    let (origin, go) = halves(
        "HTTP/1.1 201 Made\r\nContent-Length: 6\r\n\r\n",
        "abc",
        "def",
    );
    proxy.deploy("web", &origin.address, &["--buffer-responses"]);
    let mut link = Link::open(proxy.http);
    link.write("GET /half HTTP/1.1\r\nHost: a\r\n\r\n");
    eventually("the target is asked", || !origin.seen().is_empty());
    let wait = Some(Duration::from_millis(200));
    link.reader.get_ref().set_read_timeout(wait).unwrap();
    let early = link.reader.fill_buf().map(<[u8]>::len);
    assert!(early.is_err_and(|error| error.kind() == ErrorKind::WouldBlock));
    link.reader.get_ref().set_read_timeout(None).unwrap();
    go.store(true, Ordering::SeqCst);
    let answer = link.read();
    assert_eq!(
        (
            answer.status,
            answer.text().as_str(),
            answer.header("Content-Length")
        ),
        (201, "abcdef", Some("6"))
    );
    // A target that breaks off has given the client nothing yet, so it can still be told properly.
    assert_eq!(get(proxy.http, "a", "/broken").status, 502);
}

/// parity: proxy 119, 120, D3
#[test]
fn what_streams_arrives_piece_by_piece_buffered_or_not() {
    let proxy = Proxy::start();
    for (head, first, second) in [
        (
            "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nContent-Length: 18\r\n\r\n",
            "data: x\n\n",
            "data: y\n\n",
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n",
            "9\r\ndata: x\n\n\r\n",
            "9\r\ndata: y\n\n\r\n0\r\n\r\n",
        ),
    ] {
        let (origin, go) = halves(head, first, second);
        for options in [&[][..], &["--buffer-responses", "--max-response-body=2"]] {
            go.store(false, Ordering::SeqCst);
            proxy.deploy("web", &origin.address, options);
            let mut link = Link::open(proxy.http);
            link.write("GET /half HTTP/1.1\r\nHost: a\r\n\r\n");
            // The second half is not even written before the first has arrived.
            while link.line().unwrap() != "data: x" {}
            go.store(true, Ordering::SeqCst);
            while link.line().unwrap() != "data: y" {}
        }
    }
}
