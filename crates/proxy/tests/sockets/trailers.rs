//! Trailers, of requests and of responses, over every version, streamed and buffered; as gRPC uses them.

use std::io::Write as _;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request};

use crate::http3::{redeploy, run, start};
use crate::support::{Http2, Http3, Origin, Reply, send};

const BUFFERED: &[&str] = &["--buffer-requests", "--buffer-responses"];

/// Answers as a gRPC server behind an HTTP/1 gateway would.
fn grpc() -> Origin {
    Origin::start(|seen, stream| {
        let chunks = match seen.path() {
            // Nothing but trailers.
            "/refuse" => "0\r\ngrpc-status: 5\r\ngrpc-message: gone\r\n\r\n",
            _ => {
                "5\r\nhello\r\n3\r\nyou\r\n0\r\ngrpc-status: 0\r\nx-sum: 42\r\nconnection: close\r\n\r\n"
            }
        };
        let head = "HTTP/1.1 200 OK\r\nContent-Type: application/grpc\r\nTransfer-Encoding: chunked\r\n\
                    Trailer: grpc-status, grpc-message, x-sum\r\n\r\n";
        stream
            .write_all(format!("{head}{chunks}").as_bytes())
            .is_ok()
    })
}

fn call(path: &str) -> Request<()> {
    Request::post(format!("https://a.com{path}"))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(())
        .unwrap()
}

fn of(reply: &Reply) -> Vec<(String, String)> {
    let mut all: Vec<_> = reply
        .trailers
        .iter()
        .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
        .collect();
    all.sort();
    all
}

fn pair(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

#[test]
fn item_d4_trailers_pass_over_http2_and_http3_streamed_and_buffered() {
    let origin = grpc();
    let proxy = start(&origin, &[]);
    let mut sent = HeaderMap::new();
    sent.insert("x-in", HeaderValue::from_static("7"));
    let pieces = [Bytes::from("abc"), Bytes::from("de")];
    for options in [&[][..], BUFFERED] {
        redeploy(&proxy, &origin, options);
        let replies = run(async {
            let http2 = Http2::open(proxy.https, "a.com").await;
            let http3 = Http3::open(proxy.https, "a.com").await;
            [
                (2, http2.post(call("/say"), &pieces, sent.clone()).await),
                (2, http2.post(call("/refuse"), &pieces, sent.clone()).await),
                (3, http3.post(call("/say"), &pieces, sent.clone()).await),
                (3, http3.post(call("/refuse"), &pieces, sent.clone()).await),
            ]
        });
        for (place, (version, reply)) in replies.iter().enumerate() {
            let what = format!("HTTP/{version} {options:?} {place}");
            assert_eq!(reply.status, 200, "{what}");
            assert_eq!(reply.headers["content-type"], "application/grpc");
            if place % 2 == 0 {
                assert_eq!(reply.text(), "helloyou", "{what}");
                assert_eq!(
                    of(reply),
                    [pair("grpc-status", "0"), pair("x-sum", "42")],
                    "{what}"
                );
            } else {
                assert_eq!(reply.text(), "", "{what}");
                assert_eq!(
                    of(reply),
                    [pair("grpc-message", "gone"), pair("grpc-status", "5")],
                    "{what}"
                );
            }
        }
    }
    let seen = origin.seen();
    assert_eq!(seen.len(), 8);
    for seen in seen {
        assert_eq!(seen.body, b"abcde");
        assert_eq!(seen.all("Te"), ["trailers"]);
        assert_eq!(seen.trailers, ["x-in: 7"]);
    }
}

#[test]
fn item_d4_trailers_pass_beside_a_declared_length() {
    let origin = grpc();
    let proxy = start(&origin, &[]);
    let mut sent = HeaderMap::new();
    sent.insert("x-in", HeaderValue::from_static("7"));
    run(async {
        let mut request = call("/say");
        request
            .headers_mut()
            .insert("content-length", HeaderValue::from_static("2"));
        request
            .headers_mut()
            .insert("trailer", HeaderValue::from_static("x-in"));
        let http3 = Http3::open(proxy.https, "a.com").await;
        http3
            .post(request.clone(), &[Bytes::from("hi")], sent.clone())
            .await;
        let http2 = Http2::open(proxy.https, "a.com").await;
        http2
            .post(request, &[Bytes::from("hi")], sent.clone())
            .await;
    });
    for seen in origin.seen() {
        assert_eq!((seen.body.as_slice(), seen.trailers.len()), (&b"hi"[..], 1));
        assert_eq!(seen.header("Content-Length"), None);
    }
}

#[test]
fn item_d4_trailers_pass_over_http1_when_buffered() {
    let origin = grpc();
    let proxy = start(&origin, &[&["--tls-redirect=false"], BUFFERED].concat());
    for (path, trailers) in [
        ("/say", vec!["grpc-status: 0", "x-sum: 42"]),
        ("/refuse", vec!["grpc-message: gone", "grpc-status: 5"]),
    ] {
        let answer = send(
            proxy.http,
            format!(
                "POST {path} HTTP/1.1\r\nHost: a.com\r\nTE: trailers\r\nTransfer-Encoding: chunked\r\nTrailer: X-In\r\n\r\n1\r\nx\r\n0\r\nX-In: 7\r\nHost: b\r\n\r\n"
            ),
        );
        let mut got: Vec<_> = answer
            .trailers
            .iter()
            .map(|line| line.to_ascii_lowercase())
            .collect();
        got.sort();
        assert_eq!(
            (answer.complete, got),
            (
                true,
                trailers.iter().map(|line| (*line).to_owned()).collect()
            )
        );
        assert_eq!(answer.header("Content-Length"), None);
    }
    for seen in origin.seen() {
        assert_eq!(seen.trailers, ["x-in: 7"]);
    }
}
