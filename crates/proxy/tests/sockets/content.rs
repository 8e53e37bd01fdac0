//! What the proxy adds to answers: plain bodies for packed ones nobody asked for, types, dates.

use std::io::Write as _;

use crate::support::{Answer, Link, Origin, Proxy, get, reply, request, send};

fn pack(plain: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

/// parity: proxy 113
#[test]
fn gzip_is_asked_for_and_undone_in_the_clients_place() {
    let proxy = Proxy::start();
    let plain: Vec<u8> = (0..300_000_u32).map(|n| (n / 11) as u8).collect();
    let packed = pack(&plain);
    let origin = Origin::start(move |seen, stream| {
        let headers = [("Content-Encoding", "gzip"), ("Content-Type", "x/y")];
        match seen.path() {
            "/plain" => reply(stream, "200 OK", &[], b"plain"),
            "/cut" => reply(stream, "200 OK", &headers, &packed[..packed.len() / 2]),
            "/empty" => reply(stream, "200 OK", &headers, b""),
            "/chunked" => {
                let head = "HTTP/1.1 200 OK\r\nContent-Encoding: GZIP\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n";
                stream.write_all(head.as_bytes()).unwrap();
                for chunk in packed.chunks(777) {
                    write!(stream, "{:x}\r\n", chunk.len()).unwrap();
                    stream.write_all(chunk).unwrap();
                    stream.write_all(b"\r\n").unwrap();
                }
                stream.write_all(b"0\r\nX-Sum: 1\r\n\r\n").is_ok()
            }
            _ => reply(stream, "200 OK", &headers, &packed),
        }
    });
    for (round, options) in [&[][..], &["--buffer-responses", "--buffer-memory=1000"]]
        .iter()
        .enumerate()
    {
        proxy.deploy("web", &origin.address, options);
        let asked =
            |headers: &[(&str, &str)], method: &str, path: &str| -> (Answer, Option<String>) {
                let answer = request(proxy.http, method, "a", path, headers, b"");
                let seen = origin.seen().pop().unwrap();
                (answer, seen.header("Accept-Encoding").map(str::to_owned))
            };
        let (answer, accepted) = asked(&[], "GET", "/packed");
        assert_eq!(accepted.as_deref(), Some("gzip"));
        assert!(answer.complete && answer.body == plain, "round {round}");
        assert_eq!(answer.header("Content-Encoding"), None);
        assert_eq!(answer.header("Content-Type"), Some("x/y"));
        let (answer, _) = asked(&[], "GET", "/chunked");
        assert!(answer.complete && answer.body == plain);
        assert_eq!(asked(&[], "GET", "/plain").0.text(), "plain");
        let (answer, _) = asked(&[], "GET", "/empty");
        assert_eq!(
            (answer.status, answer.body.len(), answer.complete),
            (200, 0, true)
        );
        for (headers, sent) in [
            (&[("Accept-Encoding", "gzip")][..], Some("gzip")),
            (&[("Accept-Encoding", "br")], Some("br")),
            (&[("Range", "bytes=0-")], None),
        ] {
            let (answer, accepted) = asked(headers, "GET", "/packed");
            assert_eq!(accepted.as_deref(), sent);
            assert_eq!(answer.header("Content-Encoding"), Some("gzip"));
            assert!(answer.body == pack(&plain));
        }
        let (answer, accepted) = asked(&[], "HEAD", "/packed");
        assert_eq!(
            (accepted, answer.header("Content-Encoding")),
            (None, Some("gzip"))
        );
        // What ends too early is not passed off as whole.
        let mut link = Link::open(proxy.http);
        link.write("GET /cut HTTP/1.1\r\nHost: a\r\n\r\n");
        let answer = link.try_read(false);
        if round == 0 {
            assert!(answer.is_none_or(|answer| !answer.complete));
        } else {
            assert_eq!(answer.unwrap().status, 502);
        }
    }
}

/// parity: proxy 114
#[test]
fn missing_types_and_dates_are_added() {
    let proxy = Proxy::start();
    let origin = Origin::start(|seen, stream| {
        match seen.path() {
        "/html" => reply(stream, "200 OK", &[], b"<html><p>x"),
        "/stream" => stream
            .write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n\x89PNG\r\n4\r\n\r\n\x1a\n\r\n0\r\n\r\n")
            .is_ok(),
        "/packed" => reply(stream, "200 OK", &[("Content-Encoding", "br")], b"?"),
        "/typed" => reply(stream, "200 OK", &[("Content-Type", "own/type")], b"<html>"),
        "/dated" => reply(stream, "200 OK", &[("Date", "Thu, 01 Jan 1970 00:00:00 GMT")], b"x"),
        _ => reply(stream, "200 OK", &[], b""),
    }
    });
    for options in [&[][..], &["--buffer-responses"]] {
        proxy.deploy("web", &origin.address, options);
        for (path, kind) in [
            ("/html", Some("text/html; charset=utf-8")),
            ("/packed", None),
            ("/typed", Some("own/type")),
            ("/empty", None),
        ] {
            let answer = get(proxy.http, "a", path);
            assert_eq!(answer.header("Content-Type"), kind, "{path}");
            assert!(
                answer
                    .header("Date")
                    .is_some_and(|date| date.ends_with(" GMT"))
            );
        }
        let streamed = get(proxy.http, "a", "/stream");
        assert!(streamed.header("Content-Type").is_some());
        assert_eq!(streamed.body, b"\x89PNG\r\n\x1a\n");
        let dated = get(proxy.http, "a", "/dated");
        assert_eq!(dated.header("Date"), Some("Thu, 01 Jan 1970 00:00:00 GMT"));
        let head = send(proxy.http, "HEAD /html HTTP/1.0\r\nHost: a\r\n\r\n");
        assert_eq!(head.header("Content-Type"), None);
    }
    // The log tells what the target said.
    assert_eq!(proxy.request_logged("/html")["resp_content_type"], "");
    assert_eq!(
        proxy.request_logged("/typed")["resp_content_type"],
        "own/type"
    );
}
