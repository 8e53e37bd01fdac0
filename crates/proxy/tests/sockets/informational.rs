//! Informational responses (1xx), and requests whose clients wait to be asked for the body, over every version.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{HeaderMap, Request};

use crate::http3::{run, start};
use crate::support::{
    Answer, Http2, Http3, Link, Origin, Proxy, Reply, read_http2, read_http3, reply,
};

const BUFFERED: &[&str] = &["--buffer-requests", "--buffer-responses"];

/// Answers with a hint, another informational response, and 404.
fn hinting() -> Origin {
    Origin::start(|seen, stream| {
        let head = format!(
            "HTTP/1.1 103 Early Hints\r\nLink: <{}>\r\nConnection: x-hop\r\nX-Hop: 1\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n\
             HTTP/1.1 404 Nope\r\nContent-Length: 1\r\n\r\nn",
            seen.path()
        );
        stream.write_all(head.as_bytes()).is_ok()
    })
}

fn check(interim: &[(u16, Option<String>)], path: &str) {
    let wanted = [(103, Some(format!("<{path}>"))), (102, None)];
    assert_eq!(interim, wanted);
}

fn of_reply(reply: &Reply) -> Vec<(u16, Option<String>)> {
    let text = |headers: &HeaderMap| {
        assert!(!headers.contains_key("x-hop"));
        headers
            .get("link")
            .map(|value| value.to_str().unwrap().to_owned())
    };
    reply
        .interim
        .iter()
        .map(|(status, headers)| (status.as_u16(), text(headers)))
        .collect()
}

/// Reads informational responses and the final one.
fn read_all(link: &mut Link) -> (Vec<(u16, Option<String>)>, Answer) {
    let mut interim = Vec::new();
    loop {
        let answer = link.read();
        if answer.status >= 200 {
            return (interim, answer);
        }
        assert_eq!(answer.header("X-Hop"), None);
        interim.push((answer.status, answer.header("Link").map(str::to_owned)));
    }
}

#[test]
fn items_d1_and_d2_hints_reach_the_client_once_and_leave_the_answer_alone() {
    let origin = hinting();
    let proxy = start(&origin, &["--tls-redirect=false"]);
    for options in [&[][..], BUFFERED] {
        crate::http3::redeploy(
            &proxy,
            &origin,
            &[&["--tls-redirect=false"], options].concat(),
        );
        let mut link = Link::open(proxy.http);
        for path in ["/a", "/b"] {
            link.write(format!("GET {path} HTTP/1.1\r\nHost: a.com\r\n\r\n"));
            let (interim, answer) = read_all(&mut link);
            check(&interim, path);
            assert_eq!(
                (answer.status, answer.text().as_str(), answer.header("Link")),
                (404, "n", None)
            );
        }
        let (two, three) = run(async {
            let http2 = Http2::open(proxy.https, "a.com").await;
            let http3 = Http3::open(proxy.https, "a.com").await;
            (
                http2.get("https://a.com/two").await,
                http3.get("https://a.com/three").await,
            )
        });
        for (reply, path) in [(two, "/two"), (three, "/three")] {
            check(&of_reply(&reply), path);
            assert_eq!((reply.status.as_u16(), reply.text().as_str()), (404, "n"));
            assert_eq!(reply.headers.get("link"), None);
        }
    }
    // HTTP/1.0 knows nothing of the kind.
    let answer = crate::support::send(proxy.http, "GET /old HTTP/1.0\r\nHost: a.com\r\n\r\n");
    assert_eq!((answer.status, answer.text().as_str()), (404, "n"));
}

#[test]
fn hints_do_not_wait_for_the_answer() {
    let (go, wait) = channel::<()>();
    let wait = Mutex::new(wait);
    let origin = Origin::start(move |_, stream| {
        stream
            .write_all(b"HTTP/1.1 103 Early Hints\r\nLink: <a>\r\n\r\n")
            .unwrap();
        wait.lock().unwrap().recv().unwrap();
        reply(stream, "200 OK", &[], b"late")
    });
    let proxy = start(&origin, &["--tls-redirect=false", "--buffer-responses"]);
    let mut link = Link::open(proxy.http);
    link.write("GET / HTTP/1.1\r\nHost: a.com\r\n\r\n");
    assert_eq!(link.read().status, 103);
    go.send(()).unwrap();
    assert_eq!(link.read().text(), "late");
    run(async {
        let request = || Request::get("https://a.com/").body(()).unwrap();
        let http2 = Http2::open(proxy.https, "a.com").await;
        let (mut response, _) = http2.start(request(), true).await.unwrap();
        let hint = std::future::poll_fn(|cx| response.poll_informational(cx)).await;
        assert_eq!(hint.unwrap().unwrap().status(), 103);
        go.send(()).unwrap();
        assert_eq!(read_http2(response).await.unwrap().text(), "late");
        let http3 = Http3::open(proxy.https, "a.com").await;
        let mut stream = http3.start(request()).await;
        stream.finish().await.unwrap();
        assert_eq!(stream.recv_response().await.unwrap().status(), 103);
        go.send(()).unwrap();
        assert_eq!(read_http3(&mut stream).await.unwrap().text(), "late");
    });
}

#[test]
fn hints_of_pipelined_requests_stay_with_their_answers() {
    let proxy = Proxy::start();
    let large = "x".repeat(300_000);
    let body = large.clone();
    let origin = Origin::start(move |seen, stream| {
        let hint = format!(
            "HTTP/1.1 103 Early Hints\r\nLink: <{}>\r\n\r\n",
            seen.path()
        );
        stream.write_all(hint.as_bytes()).unwrap();
        reply(
            stream,
            "200 OK",
            &[("X-Path", seen.path())],
            body.as_bytes(),
        )
    });
    proxy.deploy("web", &origin.address, &[]);
    let mut link = Link::open(proxy.http);
    let requests: String = (0..20)
        .map(|n| format!("GET /{n} HTTP/1.1\r\nHost: a\r\n\r\n"))
        .collect();
    link.write(requests);
    let mut hints = 0;
    for number in 0..20 {
        let (interim, answer) = read_all(&mut link);
        assert_eq!(answer.header("X-Path"), Some(format!("/{number}").as_str()));
        assert!(answer.complete && answer.text() == large);
        for (_, hinted) in &interim {
            assert_eq!(hinted.as_deref(), Some(format!("</{number}>").as_str()));
        }
        hints += interim.len();
    }
    assert!(hints > 0);
}

/// What a target was told, as it was told: the head of a request, its body, the end of the connection.
#[derive(Debug, PartialEq)]
enum Told {
    Head,
    Body(String),
    End,
}

/// A target that does as it is told with each request: what to say to the head, then what to the body of four bytes.
/// With nothing to say to the head it reads the body at once.
fn scripted(script: &'static [(&'static str, &'static str)]) -> (String, Receiver<Told>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (sender, receiver) = channel();
    let script = Arc::new(Mutex::new(script.iter()));
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (sender, script) = (sender.clone(), script.clone());
            std::thread::spawn(move || play(stream.unwrap(), &sender, &script));
        }
    });
    (address, receiver)
}

fn play(
    mut stream: TcpStream,
    told: &Sender<Told>,
    script: &Mutex<std::slice::Iter<'static, (&'static str, &'static str)>>,
) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut any = false;
    loop {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if reader.read_line(&mut head).unwrap_or(0) == 0 {
                if any {
                    let _ = told.send(Told::End);
                }
                return;
            }
        }
        if head.starts_with("GET /up ") {
            reply(&mut stream, "200 OK", &[], b"up");
            continue;
        }
        any = true;
        let _ = told.send(Told::Head);
        let Some((first, then)) = script.lock().unwrap().next().copied() else {
            return;
        };
        stream.write_all(first.as_bytes()).unwrap();
        if then.is_empty() {
            continue;
        }
        let mut body = [0; 4];
        if reader.read_exact(&mut body).is_err() {
            let _ = told.send(Told::End);
            return;
        }
        let _ = told.send(Told::Body(String::from_utf8_lossy(&body).into_owned()));
        stream.write_all(then.as_bytes()).unwrap();
    }
}

const ASKING: &str =
    "POST / HTTP/1.1\r\nHost: a.com\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n";
const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const REFUSED: &str = "HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno";
const CONTINUE: &str = "HTTP/1.1 100 Continue\r\n\r\n";

#[test]
fn item_123_the_target_decides_whether_the_body_is_asked_for() {
    let (address, told) = scripted(&[(CONTINUE, OK), (REFUSED, "")]);
    let proxy = Proxy::start();
    proxy.deploy("web", &address, &[]);
    let mut link = Link::open(proxy.http);
    link.write(ASKING);
    assert_eq!(told.recv().unwrap(), Told::Head);
    assert_eq!(link.read().status, 100);
    link.write("body");
    assert_eq!(link.read().text(), "ok");
    assert_eq!(told.recv().unwrap(), Told::Body("body".into()));
    link.write(ASKING);
    assert_eq!(told.recv().unwrap(), Told::Head);
    // Not asked for the body, so neither the client's nor the target's connection goes on.
    let answer = link.read();
    assert_eq!((answer.status, answer.text().as_str()), (413, "no"));
    assert_eq!(
        answer
            .header("Connection")
            .map(str::to_lowercase)
            .as_deref(),
        Some("close")
    );
    assert!(link.line().is_none());
    assert_eq!(told.recv().unwrap(), Told::End);
}

#[test]
fn item_123_a_target_that_says_nothing_gets_the_body_after_a_while() {
    let (address, told) = scripted(&[("", OK)]);
    let proxy = Proxy::start();
    proxy.deploy("web", &address, &[]);
    let mut link = Link::open(proxy.http);
    link.write(ASKING);
    assert_eq!(link.read().status, 100);
    link.write("body");
    assert_eq!(link.read().text(), "ok");
    assert_eq!(told.recv().unwrap(), Told::Head);
    assert_eq!(told.recv().unwrap(), Told::Body("body".into()));
}

#[test]
fn item_123_a_buffered_body_is_asked_for_before_the_target_is() {
    let (address, told) = scripted(&[("", OK)]);
    let proxy = Proxy::start();
    proxy.deploy("web", &address, &["--buffer-requests"]);
    let mut link = Link::open(proxy.http);
    link.write(ASKING);
    assert_eq!(link.read().status, 100);
    assert!(told.try_recv().is_err());
    link.write("body");
    assert_eq!(link.read().text(), "ok");
}

#[test]
fn the_body_is_not_asked_for_when_there_is_no_target() {
    let proxy = Proxy::start();
    let gone = crate::support::free_port();
    proxy.deploy("web", &format!("127.0.0.1:{gone}"), &["--force"]);
    let mut link = Link::open(proxy.http);
    link.write(ASKING);
    let answer = link.read();
    assert_eq!(answer.status, 503);
}

#[test]
fn item_123_bodies_are_asked_for_over_http2_and_http3_too() {
    let (address, _told) = scripted(&[
        (CONTINUE, OK),
        (REFUSED, ""),
        (CONTINUE, OK),
        (REFUSED, ""),
        ("", OK),
        ("", OK),
    ]);
    let mut proxy = Proxy::prepare();
    proxy.boot_with(&["--http3"]);
    crate::tls::deploy(&proxy, "web", &address, &["--host=a.com"]);
    let request = || {
        Request::post("https://a.com/")
            .header("expect", "100-continue")
            .header("content-length", "4")
            .body(())
            .unwrap()
    };
    run(async {
        let http2 = Http2::open(proxy.https, "a.com").await;
        let (mut response, mut body) = http2.start(request(), false).await.unwrap();
        let asked = std::future::poll_fn(|cx| response.poll_informational(cx)).await;
        assert_eq!(asked.unwrap().unwrap().status(), 100);
        body.send_data(Bytes::from("body"), true).unwrap();
        assert_eq!(read_http2(response).await.unwrap().text(), "ok");
        let (response, _body) = http2.start(request(), false).await.unwrap();
        let answer = read_http2(response).await.unwrap();
        assert_eq!((answer.status.as_u16(), answer.interim.len()), (413, 0));

        let http3 = Http3::open(proxy.https, "a.com").await;
        let mut stream = http3.start(request()).await;
        assert_eq!(stream.recv_response().await.unwrap().status(), 100);
        stream.send_data(Bytes::from("body")).await.unwrap();
        stream.finish().await.unwrap();
        assert_eq!(read_http3(&mut stream).await.unwrap().text(), "ok");
        let mut stream = http3.start(request()).await;
        let answer = read_http3(&mut stream).await.unwrap();
        assert_eq!((answer.status.as_u16(), answer.interim.len()), (413, 0));
        drop(stream);

        crate::tls::deploy(
            &proxy,
            "web",
            &address,
            &["--host=a.com", "--buffer-requests"],
        );
        let (mut response, mut body) = http2.start(request(), false).await.unwrap();
        let asked = std::future::poll_fn(|cx| response.poll_informational(cx)).await;
        assert_eq!(asked.unwrap().unwrap().status(), 100);
        body.send_data(Bytes::from("body"), true).unwrap();
        assert_eq!(read_http2(response).await.unwrap().text(), "ok");
        let mut stream = http3.start(request()).await;
        assert_eq!(stream.recv_response().await.unwrap().status(), 100);
        stream.send_data(Bytes::from("body")).await.unwrap();
        stream.finish().await.unwrap();
        assert_eq!(read_http3(&mut stream).await.unwrap().text(), "ok");
    });
}
