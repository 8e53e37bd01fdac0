//! What a target receives and what the client gets back: headers, bodies, streaming.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::time::Duration;

use crate::support::{Link, Origin, Proxy, get, reply, request, send};

/// parity: proxy 96, 105-112
#[test]
fn headers_on_the_way_to_the_target() {
    let proxy = Proxy::start();
    let origin = Origin::named("web");
    proxy.deploy("web", &origin.address, &["--forward-headers=false"]);
    let answer = send(
        proxy.http,
        "GET /p?q HTTP/1.1\r\nHost: a.com:81\r\nX-Forwarded-For: 1.1.1.1\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: evil\r\n\
         Forwarded: for=1\r\nX-Kamal-Target: spoofed\r\nX-Custom: a\r\nx-custom: b\r\nConnection: keep-alive, X-Private\r\n\
         X-Private: 1\r\nKeep-Alive: 5\r\nCookie: a=1\r\nCookie: b=2\r\nTE: trailers\r\nX-Request-ID: mine\r\nX-Request-Start: t=9\r\n\r\n",
    );
    assert_eq!(answer.text(), "web");
    let seen = origin.seen().remove(0);
    assert_eq!(seen.line, "GET /p?q HTTP/1.1");
    assert_eq!(seen.all("Host"), ["a.com:81"]);
    assert_eq!(seen.all("X-Forwarded-For"), ["127.0.0.1"]);
    assert_eq!(seen.all("X-Forwarded-Proto"), ["http"]);
    assert_eq!(seen.all("X-Forwarded-Host"), ["a.com:81"]);
    assert_eq!(seen.all("X-Kamal-Target"), [origin.address.as_str()]);
    assert_eq!(seen.all("X-Custom"), ["a", "b"]);
    assert_eq!(seen.all("Cookie"), ["a=1", "b=2"]);
    let [id] = seen.all("X-Request-Id")[..] else {
        panic!("{seen:?}");
    };
    assert_eq!(id.len(), 36);
    assert_eq!(seen.all("Te"), ["trailers"]);
    let [start] = seen.all("X-Request-Start")[..] else {
        panic!("{seen:?}");
    };
    assert!(start.starts_with("t=1"), "{start}");
    for gone in [
        "Forwarded",
        "X-Private",
        "Keep-Alive",
        "Connection",
        "User-Agent",
        "Content-Length",
    ] {
        assert_eq!(seen.header(gone), None, "{gone}");
    }

    proxy.deploy(
        "web",
        &origin.address,
        &["--forward-headers", "--client-ip-header=cf-connecting-ip"],
    );
    request(
        proxy.http,
        "GET",
        "a",
        "/",
        &[
            ("X-Forwarded-For", "1.1.1.1"),
            ("X-Forwarded-Proto", "https"),
            ("X-Request-ID", "mine"),
            ("X-Request-Start", "t=9"),
        ],
        b"",
    );
    request(
        proxy.http,
        "GET",
        "a",
        "/",
        &[
            ("X-Forwarded-For", "1.1.1.1"),
            ("CF-Connecting-IP", "7.7.7.7"),
        ],
        b"",
    );
    let seen = origin.seen();
    assert_eq!(seen[1].all("X-Forwarded-For"), ["1.1.1.1, 127.0.0.1"]);
    assert_eq!(seen[1].all("X-Forwarded-Proto"), ["https"]);
    assert_eq!(seen[1].all("X-Request-Id"), ["mine"]);
    assert_eq!(seen[1].all("X-Request-Start"), ["t=9"]);
    assert_eq!(seen[2].all("X-Forwarded-For"), ["7.7.7.7, 127.0.0.1"]);
    assert_eq!(seen[2].header("X-Request-Id").unwrap().len(), 36);
}

/// parity: proxy 112, 114
#[test]
fn headers_on_the_way_back() {
    let proxy = Proxy::start();
    let origin = Origin::start(|_, stream| {
        let headers = [
            ("Connection", "keep-alive, X-Hop"),
            ("X-Hop", "1"),
            ("Keep-Alive", "timeout=5"),
            ("Set-Cookie", "a=1"),
            ("Set-Cookie", "b=2"),
            ("Server", "app"),
            ("Date", "Thu, 01 Jan 1970 00:00:00 GMT"),
        ];
        reply(stream, "599 Own Words", &headers, b"body")
    });
    proxy.deploy("web", &origin.address, &[]);
    let answer = get(proxy.http, "a", "/");
    assert_eq!(answer.line, "HTTP/1.1 599 status code 599");
    assert_eq!(answer.text(), "body");
    assert_eq!(answer.header("Date"), Some("Thu, 01 Jan 1970 00:00:00 GMT"));
    assert_eq!(answer.header("Server"), Some("app"));
    assert_eq!(
        answer
            .headers
            .iter()
            .filter(|(name, _)| name == "Set-Cookie")
            .count(),
        2
    );
    for gone in ["X-Hop", "Keep-Alive", "Via", "X-Request-Id"] {
        assert_eq!(answer.header(gone), None, "{gone}");
    }
}

#[test]
fn every_kind_of_body_gets_through() {
    let proxy = Proxy::start();
    let origin = Origin::start(|seen, stream| {
        let big = vec![b'x'; 300_000];
        match seen.path() {
            "/echo" => reply(stream, "200 OK", &[], &seen.body),
            "/big" => reply(stream, "200 OK", &[], &big),
            "/chunked" => stream
                .write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n5\r\nhello\r\n6;x=y\r\n world\r\n0\r\nX-Sum: 42\r\n\r\n")
                .is_ok(),
            "/until-eof" => {
                stream.write_all(b"HTTP/1.1 200 OK\r\n\r\nuntil the end").unwrap();
                false
            }
            "/old" => {
                stream.write_all(b"HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nold").unwrap();
                false
            }
            "/204" => stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").is_ok(),
            _ => stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n").is_ok(),
        }
    });
    for options in [
        &[][..],
        &[
            "--buffer-requests",
            "--buffer-responses",
            "--buffer-memory=1000",
        ],
    ] {
        proxy.deploy("web", &origin.address, options);
        let port = proxy.http;
        assert_eq!(get(port, "a", "/big").body.len(), 300_000);
        let answer = get(port, "a", "/chunked");
        assert_eq!(
            (answer.text().as_str(), answer.complete),
            ("hello world", true)
        );
        assert_eq!(get(port, "a", "/until-eof").text(), "until the end");
        assert_eq!(get(port, "a", "/old").text(), "old");
        assert_eq!(get(port, "a", "/204").status, 204);
        let answer = request(port, "HEAD", "a", "/head", &[], b"");
        assert_eq!(
            (answer.status, answer.header("Content-Length")),
            (200, Some("9"))
        );

        let body: Vec<u8> = (0..200_000_u32).map(|n| n as u8).collect();
        assert_eq!(request(port, "POST", "a", "/echo", &[], &body).body, body);
        assert_eq!(
            origin.seen().last().unwrap().all("Content-Length"),
            ["200000"]
        );
        let chunked = "PUT /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";
        assert_eq!(send(port, chunked).text(), "abcde");
        assert_eq!(
            origin.seen().last().unwrap().all("Transfer-Encoding"),
            ["chunked"]
        );
        request(port, "POST", "a", "/echo", &[], b"");
        assert_eq!(origin.seen().last().unwrap().all("Content-Length"), ["0"]);
        request(port, "DELETE", "a", "/echo", &[], b"");
        assert_eq!(origin.seen().last().unwrap().header("Content-Length"), None);
        assert_eq!(
            request(port, "BREW", "a", "/echo", &[], b"pot").text(),
            "pot"
        );
    }
}

/// parity: proxy D4
#[test]
fn trailers_go_both_ways_when_streaming() {
    let proxy = Proxy::start();
    let origin = Origin::start(|_, stream| {
        stream
            .write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n1\r\na\r\n0\r\nX-Sum: 42\r\n\r\n")
            .is_ok()
    });
    proxy.deploy("web", &origin.address, &[]);
    let answer = send(
        proxy.http,
        "POST / HTTP/1.1\r\nHost: a\r\nTE: trailers\r\nTransfer-Encoding: chunked\r\nTrailer: X-In\r\n\r\n1\r\nx\r\n0\r\nX-In: 7\r\n\r\n",
    );
    assert_eq!(
        answer
            .trailers
            .iter()
            .map(|line| line.to_ascii_lowercase())
            .collect::<Vec<_>>(),
        ["x-sum: 42"]
    );
    let seen = origin.seen().remove(0);
    assert_eq!(
        seen.trailers
            .iter()
            .map(|line| line.to_ascii_lowercase())
            .collect::<Vec<_>>(),
        ["x-in: 7"]
    );
}

#[test]
fn a_large_body_streams_through_without_being_kept() {
    let proxy = Proxy::start();
    let origin = Origin::start(|seen, stream| {
        if seen.path() == "/down" {
            stream
                .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 200000000\r\n\r\n")
                .unwrap();
            let piece = vec![b'x'; 1 << 20];
            let mut left = 200_000_000_usize;
            while left > 0 {
                let size = left.min(piece.len());
                if stream.write_all(&piece[..size]).is_err() {
                    return false;
                }
                left -= size;
            }
            return true;
        }
        reply(
            stream,
            "200 OK",
            &[],
            seen.body.len().to_string().as_bytes(),
        )
    });
    proxy.deploy("web", &origin.address, &[]);
    assert_eq!(get(proxy.http, "a", "/down").body.len(), 200_000_000);
    let body = vec![b'y'; 50_000_000];
    assert_eq!(
        request(proxy.http, "POST", "a", "/up-load", &[], &body).text(),
        "50000000"
    );
    let status = std::fs::read_to_string(format!("/proc/{}/status", proxy.pid())).unwrap();
    let peak = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .unwrap()
        .trim()
        .split(' ')
        .next()
        .unwrap();
    assert!(peak.parse::<u64>().unwrap() < 60_000, "peak {peak} kB");
}

#[test]
fn the_targets_connection_carries_on_after_a_long_body() {
    let proxy = Proxy::start();
    let long = vec![b'x'; 300 << 10];
    let origin = Origin::start(move |_, stream| reply(stream, "200 OK", &[], &long));
    proxy.deploy("web", &origin.address, &[]);
    let mut link = Link::open(proxy.http);
    for _ in 0..3 {
        link.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_eq!(link.read().body.len(), 300 << 10);
    }
    let earlier: Vec<_> = origin.seen().iter().map(|seen| seen.earlier).collect();
    assert_eq!(earlier, [0, 1, 2]);
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let proxy = Proxy::start();
    let origin = Origin::start(|seen, stream| reply(stream, "200 OK", &[], seen.path().as_bytes()));
    proxy.deploy("web", &origin.address, &[]);
    let mut link = Link::open(proxy.http);
    link.write("GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\nGET /3 HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(
        [link.read().text(), link.read().text(), link.read().text()],
        ["/1", "/2", "/3"]
    );
    // One connection to the target served them all.
    assert_eq!(origin.seen().last().unwrap().earlier, 2);
}

#[test]
fn an_answer_before_the_end_of_the_request_is_passed_on() {
    let proxy = Proxy::start();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("127.0.0.1:{}", listener.local_addr().unwrap().port());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let size = stream.read(&mut [0; 1024]).unwrap();
            let answer = if size < 250 { "200 OK" } else { "403 No" };
            let _ = stream
                .write_all(format!("HTTP/1.1 {answer}\r\nContent-Length: 2\r\n\r\nno").as_bytes());
            std::thread::sleep(Duration::from_millis(300));
        }
    });
    proxy.deploy("web", &address, &[]);
    let mut link = Link::open(proxy.http);
    let padding = "p".repeat(300);
    link.write(format!("POST / HTTP/1.1\r\nHost: a\r\nX-Pad: {padding}\r\nContent-Length: 1000000\r\n\r\nonly the start"));
    let answer = link.read();
    assert_eq!((answer.status, answer.text().as_str()), (403, "no"));
}

#[test]
fn items_d1_and_d2_hints_before_an_answer_leave_no_trace_in_it() {
    const HINTS: &str = "HTTP/1.1 103 Early Hints\r\nLink: </hint>\r\nSet-Cookie: hint=1\r\n\r\n";
    let proxy = Proxy::start();
    let origin = Origin::start(|_, stream| {
        let answer = "HTTP/1.1 404 Nope\r\nContent-Length: 4\r\nX-Own: 1\r\n\r\nnope";
        write!(stream, "{HINTS}{HINTS}{answer}").is_ok()
    });
    let readers = format!("--read-target={}", origin.address);
    for more in [&[][..], &["--buffer-responses"]] {
        let mut args = vec![&*readers];
        args.extend(more);
        proxy.deploy("web", &origin.address, &args);
        // A write, which is marked by a cookie.
        let mut link = Link::open(proxy.http);
        link.write("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody");
        for _ in 0..2 {
            let hint = link.read();
            assert_eq!((hint.status, hint.header("Link")), (103, Some("</hint>")));
        }
        let answer = link.read();
        assert_eq!((answer.status, answer.text().as_str()), (404, "nope"));
        assert!(answer.line.contains(" 404 "), "{}", answer.line);
        let all = |name: &str| {
            let headers = answer.headers.iter().filter(|(key, _)| key == name);
            headers.map(|(_, value)| value.clone()).collect::<Vec<_>>()
        };
        assert_eq!(all("X-Own"), ["1"]);
        assert!(all("Link").is_empty(), "{:?}", answer.headers);
        let cookies = all("Set-Cookie");
        assert_eq!(cookies.len(), 1, "{cookies:?}");
        assert!(cookies[0].starts_with("kamal-writer="), "{cookies:?}");
    }
}
