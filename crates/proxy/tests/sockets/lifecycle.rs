//! Starting and stopping the server, and the command line around it.

use std::sync::Mutex;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use crate::support::{Link, Origin, Proxy, eventually, get, reply};

/// parity: proxy 19, 137
#[test]
fn in_flight_requests_finish_and_idle_connections_close() {
    for signal in ["TERM", "INT"] {
        let mut proxy = Proxy::start();
        let (go, wait) = channel::<()>();
        let wait = Mutex::new(wait);
        let origin = Origin::start(move |seen, stream| {
            if seen.path() == "/slow" {
                wait.lock().unwrap().recv().unwrap();
            }
            reply(stream, "200 OK", &[], b"done")
        });
        proxy.deploy("web", &origin.address, &[]);
        let port = proxy.http;
        let mut idle = Link::open(port);
        idle.write("GET /first HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_eq!(idle.read().text(), "done");
        let slow = std::thread::spawn(move || get(port, "a", "/slow"));
        eventually("it is in flight", || origin.seen().len() == 2);
        proxy.signal(signal);
        // All of this while nobody has let the request in flight go on.
        assert!(idle.try_read(false).is_none());
        eventually("nobody listens", || {
            std::net::TcpStream::connect(("127.0.0.1", port)).is_err()
        });
        go.send(()).unwrap();
        assert_eq!(slow.join().unwrap().text(), "done");
        assert_eq!(proxy.wait(), 0);
        assert!(!proxy.socket().exists());
        assert_eq!(proxy.request_logged("/slow")["status"], 200);
        proxy.expect_logged("Server stopped", 1);
        assert!(proxy.logged("Closing active connections").is_empty());
    }
}

/// parity: proxy 137
#[test]
fn what_does_not_finish_is_cut_off_after_ten_seconds() {
    let mut proxy = Proxy::start();
    let origin = Origin::start(|_, _| {
        std::thread::sleep(Duration::from_secs(30));
        false
    });
    proxy.deploy("web", &origin.address, &[]);
    let mut link = Link::open(proxy.http);
    link.write("GET /stuck HTTP/1.1\r\nHost: a\r\n\r\n");
    eventually("it is in flight", || origin.seen().len() == 1);
    let begun = Instant::now();
    assert_eq!(proxy.terminate(), 0);
    assert!(
        begun.elapsed() >= Duration::from_secs(10) && begun.elapsed() < Duration::from_secs(25)
    );
    proxy.expect_logged("Closing active connections", 1);
    assert!(link.try_read(false).is_none());
}

/// parity: proxy 18
#[test]
fn a_taken_port_and_an_impossible_one() {
    let proxy = Proxy::start();
    let mut other = Proxy::prepare();
    other.http = proxy.http;
    let run = |http: u16| other.run(&["run", &format!("--http-port={http}"), "--https-port=0"]);
    let outcome = run(proxy.http);
    assert_eq!(
        outcome.stderr,
        format!(
            "Error: listen tcp :{}: bind: address already in use\n",
            proxy.http
        )
    );
    assert_eq!(outcome.code, 1);
    other
        .run(&["run", "--http-port=99999"])
        .failed("listen tcp: address 99999: invalid port");
}

/// parity: proxy 22
#[test]
fn a_stale_socket_is_no_obstacle_and_a_dead_server_is_reported() {
    let mut proxy = Proxy::prepare();
    std::fs::write(proxy.socket(), "stale").unwrap();
    proxy.boot();
    assert_eq!(proxy.run(&["list"]).code, 0);
    proxy.signal("KILL");
    std::thread::sleep(Duration::from_millis(100));
    let message = format!(
        "dial unix {}: connect: connection refused",
        proxy.socket().display()
    );
    proxy.run(&["list"]).failed(&message);
    std::fs::remove_file(proxy.socket()).unwrap();
    let message = format!(
        "dial unix {}: connect: no such file or directory",
        proxy.socket().display()
    );
    proxy.run(&["list"]).failed(&message);
}

/// parity: proxy 1, 2, 4
#[test]
fn help_and_mistakes() {
    let proxy = Proxy::prepare();
    let help = proxy.run(&[]);
    assert_eq!((help.code, help.stderr.as_str()), (0, ""));
    assert!(help.stdout.contains("deploy"));
    assert_eq!(proxy.run(&["rollout"]).code, 0);
    proxy
        .run(&["deploy", "web"])
        .failed("required flag(s) \"target\" not set");
    assert_eq!(
        proxy
            .run(&["version"])
            .failed("unknown command \"version\" for \"kamal-proxy\""),
        ["Run 'kamal-proxy --help' for usage."]
    );
}

#[test]
fn connections_go_on_after_resting() {
    let proxy = Proxy::start();
    let origin = Origin::start(|seen, stream| reply(stream, "200 OK", &[], seen.path().as_bytes()));
    proxy.deploy("web", &origin.address, &[]);
    let (mut idle, mut halfway) = (Link::open(proxy.http), Link::open(proxy.http));
    for round in 0..2 {
        idle.write(format!("GET /idle{round} HTTP/1.1\r\nHost: a\r\n\r\n"));
        assert_eq!(idle.read().text(), format!("/idle{round}"));
        halfway.write(format!(
            "GET /one{round} HTTP/1.1\r\nHost: a\r\n\r\nGET /two{round} HT"
        ));
        assert_eq!(halfway.read().text(), format!("/one{round}"));
        std::thread::sleep(Duration::from_millis(2500));
        halfway.write("TP/1.1\r\nHost: a\r\n\r\n");
        assert_eq!(halfway.read().text(), format!("/two{round}"));
    }
}

#[test]
fn the_descriptor_limit_is_raised_to_what_is_allowed() {
    let proxy = Proxy::start();
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", proxy.pid())).unwrap();
    let line = limits
        .lines()
        .find(|line| line.starts_with("Max open files"))
        .unwrap();
    let columns: Vec<_> = line.split_whitespace().collect();
    assert_eq!(columns[3], columns[4], "{line}");
}
