//! Buffering of requests and responses: memory, disk, limits.

use std::io::Write as _;
use std::time::Duration;

use crate::support::{Link, Origin, Proxy, get, reply, request, send};

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
    for path in ["/long", "/chunked"] {
        let answer = get(proxy.http, "a", path);
        assert_eq!(
            (answer.status, answer.text().as_str()),
            (500, "<h1>500 Internal Server Error</h1>")
        );
        assert_eq!(answer.header("X-A"), None);
    }
    proxy.expect_logged("Response exceeded max response limit", 2);
}

/// parity: proxy 118, 120, D15
#[test]
fn a_buffered_response_comes_whole_with_its_length() {
    let proxy = Proxy::start();
    let origin = Origin::start(|seen, stream| {
        let _ =
            stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
        std::thread::sleep(Duration::from_millis(300));
        if seen.path() == "/broken" {
            return false;
        }
        stream.write_all(b"3\r\ndef\r\n0\r\n\r\n").is_ok()
    });
    proxy.deploy("web", &origin.address, &["--buffer-responses"]);
    let answer = get(proxy.http, "a", "/");
    assert_eq!(
        (answer.text().as_str(), answer.header("Content-Length")),
        ("abcdef", Some("6"))
    );
    // A target that breaks off has given the client nothing yet, so it can still be told properly.
    let answer = get(proxy.http, "a", "/broken");
    assert_eq!(answer.status, 502);
}
