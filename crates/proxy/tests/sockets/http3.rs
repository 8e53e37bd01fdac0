//! HTTP/3, held against quinn's and h3's client.

use std::io::Write as _;
use std::net::UdpSocket;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request};

use crate::support::{
    Http2, Http3, Link, Origin, Proxy, connect_error, eventually, get, read_http2, read_http3,
    reply,
};
use crate::tls::{deploy, dial, get_tls};

/// A proxy that serves HTTP/3 for `a.com`, with this target.
pub(crate) fn start(origin: &Origin, more: &[&str]) -> Proxy {
    let mut proxy = Proxy::prepare();
    proxy.boot_with(&["--http3"]);
    redeploy(&proxy, origin, more);
    proxy
}

pub(crate) fn redeploy(proxy: &Proxy, origin: &Origin, more: &[&str]) {
    deploy(
        proxy,
        "web",
        &origin.address,
        &[&["--host=a.com"], more].concat(),
    );
}

pub(crate) fn run<F: Future>(future: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let output = runtime.block_on(future);
    runtime.shutdown_background();
    output
}

/// An echo that also tells what it saw.
fn echo() -> Origin {
    Origin::start(|seen, stream| reply(stream, "200 OK", &[("X-Path", seen.path())], &seen.body))
}

#[test]
fn item_61_http3_is_served_when_asked_for_and_advertised_over_tls_only() {
    let origin = echo();
    let proxy = start(&origin, &[]);
    let answer = run(async {
        Http3::open(proxy.https, "a.com")
            .await
            .get("https://a.com/x?y=1")
            .await
    });
    assert_eq!(answer.status, 200);
    assert_eq!(answer.headers["x-path"], "/x?y=1");
    assert!(answer.headers.contains_key("date"));
    assert_eq!(answer.headers.get("alt-svc"), None);
    let seen = origin.seen().remove(0);
    assert_eq!(seen.all("Host"), ["a.com"]);
    assert_eq!(seen.all("X-Forwarded-Proto"), ["https"]);
    assert_eq!(seen.all("X-Forwarded-For"), ["127.0.0.1"]);
    let line = proxy.request_logged("/x");
    for (key, value) in [
        ("proto", "HTTP/3.0"),
        ("scheme", "https"),
        ("host", "a.com"),
        ("client_addr", "127.0.0.1"),
    ] {
        assert_eq!(line[key], value, "{key}");
    }
    assert_eq!(line["port"], proxy.https);

    let told = format!("h3=\":{}\"; ma=2592000", proxy.https);
    let host = format!("a.com:{}", proxy.https);
    let over_tls = |path: &str, host: &str| {
        let mut link = Link::over(dial(proxy.https, Some("a.com")).unwrap());
        link.write(format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n"));
        link.read()
    };
    assert_eq!(over_tls("/", &host).header("Alt-Svc"), Some(told.as_str()));
    // Errors say it as well.
    let answer = over_tls("/", &format!("unknown:{}", proxy.https));
    assert_eq!(
        (answer.status, answer.header("Alt-Svc")),
        (404, Some(told.as_str()))
    );
    let answer = run(async {
        Http2::open(proxy.https, "a.com")
            .await
            .get(&format!("https://{host}/"))
            .await
    });
    assert_eq!(answer.headers["alt-svc"], told);
    // The redirect on the plain port does not.
    let answer = get(proxy.http, "a.com", "/");
    assert_eq!((answer.status, answer.header("Alt-Svc")), (301, None));
}

#[test]
fn item_61_without_the_flag_there_is_no_http3() {
    let origin = echo();
    let proxy = Proxy::start();
    redeploy(&proxy, &origin, &[]);
    let socket = UdpSocket::bind(("0.0.0.0", proxy.https));
    assert!(socket.is_ok(), "the UDP port is taken: {socket:?}");
    drop(socket);
    assert_eq!(
        get_tls(proxy.https, Some("a.com"), "a.com", "/").header("Alt-Svc"),
        None
    );
    let answer = run(async {
        Http2::open(proxy.https, "a.com")
            .await
            .get("https://a.com/")
            .await
    });
    assert_eq!(answer.headers.get("alt-svc"), None);
}

#[test]
fn item_18_a_udp_port_in_use_is_told() {
    let mut proxy = Proxy::prepare();
    let _taken = UdpSocket::bind(("0.0.0.0", proxy.https)).unwrap();
    let (http, https) = (proxy.http.to_string(), proxy.https.to_string());
    let outcome = proxy.run(&[
        "run",
        "--http3",
        "--http-port",
        &http,
        "--https-port",
        &https,
    ]);
    let message = format!("Error: listen udp :{https}: bind: address already in use\n");
    assert_eq!((outcome.code, outcome.stderr), (1, message));
    // Without HTTP/3 the port is nobody's business.
    proxy.boot();
}

#[test]
fn item_62_names_nobody_serves_get_no_connection_over_quic() {
    let origin = echo();
    let proxy = start(&origin, &[]);
    let error = run(connect_error(proxy.https, "b.com"));
    assert!(
        matches!(error, quinn::ConnectionError::ConnectionClosed(_)),
        "{error:?}"
    );
    eventually("it is logged", || {
        proxy.log().contains("http: QUIC handshake error from")
    });
}

#[test]
fn large_bodies_go_both_ways_streamed_and_buffered() {
    let origin = echo();
    let proxy = start(&origin, &[]);
    let body: Vec<u8> = (0..1_500_000_u32).map(|n| (n / 3) as u8).collect();
    for options in [
        &[][..],
        &[
            "--buffer-requests",
            "--buffer-responses",
            "--buffer-memory=1000",
        ],
    ] {
        redeploy(&proxy, &origin, options);
        for declared in [true, false] {
            let mut request = Request::post("https://a.com/echo").body(()).unwrap();
            if declared {
                request
                    .headers_mut()
                    .insert("content-length", HeaderValue::from(body.len()));
            }
            let pieces: Vec<_> = body.chunks(100_003).map(Bytes::copy_from_slice).collect();
            let answer = run(async {
                let client = Http3::open(proxy.https, "a.com").await;
                client.post(request, &pieces, HeaderMap::new()).await
            });
            assert_eq!(answer.status, 200);
            assert!(answer.body == body, "{} bytes", answer.body.len());
            let seen = origin.seen().pop().unwrap();
            assert_eq!(seen.header("Content-Length").is_some(), declared);
        }
    }
}

#[test]
fn requests_without_a_body_have_none_at_the_target() {
    let origin = echo();
    let proxy = start(&origin, &[]);
    run(async {
        let client = Http3::open(proxy.https, "a.com").await;
        for method in ["GET", "DELETE", "POST"] {
            let request = Request::builder()
                .method(method)
                .uri("https://a.com/")
                .body(())
                .unwrap();
            let mut stream = client.start(request).await;
            // The end comes a moment after the head.
            stream.finish().await.unwrap();
            assert_eq!(read_http3(&mut stream).await.unwrap().status, 200);
        }
    });
    for seen in origin.seen() {
        let framed = (
            seen.header("Content-Length"),
            seen.header("Transfer-Encoding"),
        );
        if seen.line.starts_with("POST") {
            assert!(seen.body.is_empty());
        } else {
            assert_eq!(framed, (None, None), "{}", seen.line);
        }
    }
}

#[test]
fn head_keeps_the_length_and_has_no_body() {
    let origin = Origin::start(|_, stream| {
        stream
            .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n")
            .is_ok()
    });
    let proxy = start(&origin, &[]);
    let replies = run(async {
        let request = || Request::head("https://a.com/").body(()).unwrap();
        let http3 = Http3::open(proxy.https, "a.com").await;
        let mut stream = http3.start(request()).await;
        stream.finish().await.unwrap();
        let three = read_http3(&mut stream).await.unwrap();
        let http2 = Http2::open(proxy.https, "a.com").await;
        let (response, _stream) = http2.start(request(), true).await.unwrap();
        [read_http2(response).await.unwrap(), three]
    });
    for reply in replies {
        assert_eq!((reply.status.as_u16(), reply.body.len()), (200, 0));
        assert_eq!(reply.headers["content-length"], "9");
    }
}

#[test]
fn many_requests_share_a_connection() {
    let origin = Origin::start(|seen, stream| {
        std::thread::sleep(Duration::from_millis(20));
        reply(stream, "200 OK", &[], seen.path().as_bytes())
    });
    let proxy = start(&origin, &[]);
    run(async {
        let client = Http3::open(proxy.https, "a.com").await;
        let mut requests = tokio::task::JoinSet::new();
        for number in 0..300 {
            let client = client.clone();
            requests.spawn(async move {
                let answer = client.get(&format!("https://a.com/{number}")).await;
                assert_eq!(answer.text(), format!("/{number}"));
            });
        }
        requests.join_all().await;
    });
    assert_eq!(origin.seen().len(), 300);
}

#[test]
fn item_d16_there_is_no_early_data() {
    let origin = echo();
    let proxy = start(&origin, &[]);
    run(async {
        let first = Http3::open(proxy.https, "a.com").await;
        first.get("https://a.com/").await;
        // The ticket for the next time comes along with the answer at the latest.
        let connecting = first
            .endpoint
            .connect(([127, 0, 0, 1], proxy.https).into(), "a.com")
            .unwrap();
        assert!(connecting.into_0rtt().is_err(), "0-RTT was offered");
        let again = Http3::try_open_at(first.endpoint.clone(), proxy.https, "a.com").await;
        assert_eq!(again.unwrap().get("https://a.com/").await.status, 200);
    });
}

#[test]
fn a_body_that_is_not_as_long_as_declared_is_no_second_request() {
    let origin = echo();
    let proxy = start(&origin, &[]);
    run(async {
        let client = Http3::open(proxy.https, "a.com").await;
        for (declared, sent) in [
            ("5", "hello GET /smuggled HTTP/1.1\r\nHost: a.com\r\n\r\n"),
            ("50", "short"),
            ("0", "x"),
        ] {
            let request = Request::post("https://a.com/")
                .header("content-length", declared)
                .body(())
                .unwrap();
            let mut stream = client.start(request).await;
            // The proxy may have given up on the body before all of it was sent.
            let _ = stream.send_data(Bytes::from(sent)).await;
            let _ = stream.finish().await;
            let answer = read_http3(&mut stream).await;
            if declared != "0" {
                assert!(
                    answer.is_err() || answer.as_ref().unwrap().status == 400,
                    "{answer:?}"
                );
            }
        }
        let request = Request::get("https://a.com/")
            .header("content-length", "1")
            .header("content-length", "2");
        let mut stream = client.start(request.body(()).unwrap()).await;
        assert_eq!(read_http3(&mut stream).await.unwrap().status, 400);
        for (name, value) in [
            ("connection", "close"),
            ("transfer-encoding", "chunked"),
            ("te", "gzip"),
        ] {
            let request = Request::get("https://a.com/").header(name, value);
            let mut stream = client.start(request.body(()).unwrap()).await;
            assert!(read_http3(&mut stream).await.is_err(), "{name}");
        }
        // The connection is none the worse for it.
        assert_eq!(client.get("https://a.com/fine").await.status, 200);
    });
    assert!(origin.seen().iter().all(|seen| seen.path() != "/smuggled"));
}

#[test]
fn item_124_a_head_that_is_too_large_is_refused() {
    let origin = echo();
    let proxy = start(&origin, &[]);
    run(async {
        let client = Http3::open(proxy.https, "a.com").await;
        let request = Request::get("https://a.com/").header("x-large", "x".repeat(300_000));
        let mut stream = client.start(request.body(()).unwrap()).await;
        stream.finish().await.unwrap();
        assert_eq!(read_http3(&mut stream).await.unwrap().status, 200);
        let request = Request::get("https://a.com/").header("x-large", "x".repeat(2_000_000));
        let outcome = client
            .sender
            .clone()
            .send_request(request.body(()).unwrap())
            .await;
        if let Ok(mut stream) = outcome {
            let answer = read_http3(&mut stream).await;
            assert!(
                answer.is_err() || answer.as_ref().unwrap().status == 431,
                "{answer:?}"
            );
        }
    });
    assert_eq!(origin.seen().len(), 1);
}

#[test]
fn item_126_a_client_that_takes_its_request_back_is_logged_with_499() {
    let origin = Origin::start(|_, stream| {
        std::thread::sleep(Duration::from_secs(2));
        reply(stream, "200 OK", &[], b"late")
    });
    let proxy = start(&origin, &[]);
    run(async {
        let client = Http3::open(proxy.https, "a.com").await;
        let mut stream = client
            .start(Request::get("https://a.com/gone").body(()).unwrap())
            .await;
        stream.finish().await.unwrap();
        while origin.seen().is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        stream.stop_sending(h3::error::Code::H3_REQUEST_CANCELLED);
        tokio::task::spawn_blocking(move || {
            assert_eq!(proxy.request_logged("/gone")["status"], 499);
        })
        .await
        .unwrap();
    });
}

#[test]
fn a_client_that_asks_and_takes_back_without_end_is_shown_the_door() {
    let origin = Origin::start(|_, stream| {
        std::thread::sleep(Duration::from_secs(1));
        reply(stream, "200 OK", &[], b"late")
    });
    let proxy = start(&origin, &[]);
    run(async {
        let client = Http3::open(proxy.https, "a.com").await;
        let mut sent = 0;
        let reason = loop {
            if let Some(reason) = client.quic.close_reason() {
                break reason;
            }
            assert!(sent < 100_000, "nobody minds");
            sent += 1;
            let request = Request::get("https://a.com/").body(()).unwrap();
            let Ok(mut stream) = client.sender.clone().send_request(request).await else {
                continue;
            };
            stream.stop_sending(h3::error::Code::H3_REQUEST_CANCELLED);
            stream.stop_stream(h3::error::Code::H3_REQUEST_CANCELLED);
        };
        let quinn::ConnectionError::ApplicationClosed(close) = reason else {
            panic!("{reason:?}");
        };
        assert_eq!(
            close.error_code.into_inner(),
            h3::error::Code::H3_EXCESSIVE_LOAD.value()
        );
    });
}

#[test]
fn item_137_shutting_down_finishes_what_is_in_flight_and_says_goodbye() {
    let release = Arc::new(AtomicBool::new(false));
    let released = release.clone();
    let origin = Origin::start(move |_, stream| {
        while !released.load(Ordering::SeqCst) {
            std::thread::sleep(Duration::from_millis(5));
        }
        reply(stream, "200 OK", &[], b"finished")
    });
    let mut proxy = start(&origin, &[]);
    run(async {
        let client = Http3::open(proxy.https, "a.com").await;
        let idle = Http3::open(proxy.https, "a.com").await;
        let mut stream = client
            .start(Request::get("https://a.com/slow").body(()).unwrap())
            .await;
        stream.finish().await.unwrap();
        while origin.seen().is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        proxy.signal("TERM");
        // A connection without requests goes at once, in good order.
        let reason = idle.quic.closed().await;
        let quinn::ConnectionError::ApplicationClosed(close) = reason else {
            panic!("{reason:?}");
        };
        assert_eq!(
            close.error_code.into_inner(),
            h3::error::Code::H3_NO_ERROR.value()
        );
        assert!(client.quic.close_reason().is_none());
        release.store(true, Ordering::SeqCst);
        assert_eq!(read_http3(&mut stream).await.unwrap().text(), "finished");
        client.quic.closed().await;
    });
    assert_eq!(proxy.wait(), 0);
    assert!(proxy.logged("Closing active connections").is_empty());
}

#[test]
fn item_89_a_client_that_does_not_read_cannot_hold_a_drain_over_http2_or_http3() {
    for version in [2, 3] {
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
        let proxy = start(&old, &[]);
        run(async {
            let request = Request::get("https://a.com/huge").body(()).unwrap();
            let http3 = Http3::open(proxy.https, "a.com").await;
            let http2 = Http2::open(proxy.https, "a.com").await;
            let (mut stream3, mut stream2) = (None, None);
            if version == 3 {
                let mut stream = http3.start(request).await;
                stream.finish().await.unwrap();
                stream.recv_response().await.unwrap();
                stream3 = Some(stream);
            } else {
                let (response, _) = http2.start(request, true).await.unwrap();
                stream2 = Some(response.await.unwrap());
            }
            redeploy(&proxy, &new, &["--drain-timeout=300ms"]);
            eventually("the target is let go", || gone.load(Ordering::SeqCst));
            drop((stream2, stream3));
        });
        assert_eq!(proxy.request_logged("/huge")["status"], 200);
    }
}

#[test]
fn after_a_takeover_the_old_proxy_finishes_and_the_new_one_serves() {
    let release = Arc::new(AtomicBool::new(false));
    let released = release.clone();
    let origin = Origin::start(move |seen, stream| {
        while seen.path() == "/slow" && !released.load(Ordering::SeqCst) {
            std::thread::sleep(Duration::from_millis(5));
        }
        reply(stream, "200 OK", &[], b"finished")
    });
    let mut proxy = start(&origin, &[]);
    run(async {
        let client = Http3::open(proxy.https, "a.com").await;
        let request = Request::get("https://a.com/slow").body(()).unwrap();
        let mut stream = client.start(request).await;
        stream.finish().await.unwrap();
        while origin.seen().is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let mut old = proxy.take_over(&["--http3"]);
        eventually("the old one accepts no more", || {
            !proxy.logged("Handed over to a new proxy").is_empty()
        });
        // As long as the old proxy has the port, nobody is told of HTTP/3.
        let answer = get_tls(proxy.https, Some("a.com"), "a.com", "/");
        assert_eq!((answer.status, answer.header("Alt-Svc")), (200, None));
        release.store(true, Ordering::SeqCst);
        assert_eq!(read_http3(&mut stream).await.unwrap().text(), "finished");
        client.quic.closed().await;
        assert!(old.wait().unwrap().success());
        let told = || {
            let answer = get_tls(proxy.https, Some("a.com"), "a.com", "/");
            answer.header("Alt-Svc").is_some()
        };
        eventually("the new proxy has the port", told);
        let again = Http3::open(proxy.https, "a.com").await;
        assert_eq!(again.get("https://a.com/").await.text(), "finished");
    });
}
