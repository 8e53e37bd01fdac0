//! A new proxy process in the old one's place: what clients, operators and the old process see of it.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::process::{Child, Command};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use crate::support::{
    Answer, Link, Origin, Proxy, eventually, free_port, get, program, reply, request,
};

fn exit_code(mut old: Child) -> i32 {
    old.wait().unwrap().code().unwrap()
}

/// Clients that ask without a pause, each in its own manner, and what they got.
#[derive(Default)]
struct Crowd {
    stop: AtomicBool,
    answered: AtomicUsize,
    failed: std::sync::Mutex<Vec<String>>,
}

impl Crowd {
    fn judge(&self, what: &str, answer: Option<&Answer>) {
        match answer {
            Some(answer) if answer.status == 200 && answer.complete => {
                self.answered.fetch_add(1, Ordering::Relaxed);
            }
            other => self
                .failed
                .lock()
                .unwrap()
                .push(format!("{what}: {other:?}")),
        }
    }

    /// One connection for as long as the proxy lets it live.
    fn keep_asking(&self, port: u16, body: usize) {
        let body = vec![b'x'; body];
        let head = match body.len() {
            0 => "GET /kept HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(),
            length => {
                format!("POST /posted HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n")
            }
        };
        while !self.stop.load(Ordering::Relaxed) {
            let mut link = Link::open(port);
            let mut open = true;
            while open && !self.stop.load(Ordering::Relaxed) {
                link.write([head.as_bytes(), &body].concat());
                let answer = link.try_read(false);
                self.judge("kept", answer.as_ref());
                open = answer.is_some_and(|answer| answer.header("Connection") != Some("close"));
            }
        }
    }

    fn connect_anew(&self, port: u16) {
        while !self.stop.load(Ordering::Relaxed) {
            let mut link = Link::open(port);
            link.write("GET /fresh HTTP/1.1\r\nHost: a\r\n\r\n");
            self.judge("fresh", link.try_read(false).as_ref());
        }
    }
}

#[test]
#[expect(
    clippy::print_stdout,
    reason = "the figures are the test's second result"
)]
fn a_hundred_restarts_under_load_lose_no_request() {
    let times = 100;
    let mut proxy = Proxy::start();
    let origin = Origin::start(|seen, stream| reply(stream, "200 OK", &[], &seen.body));
    proxy.deploy("web", &origin.address, &[]);
    let port = proxy.http;
    let crowd = Arc::new(Crowd::default());
    let member = |ask: fn(&Crowd, u16)| {
        let crowd = Arc::clone(&crowd);
        std::thread::spawn(move || ask(&crowd, port))
    };
    let members: Vec<_> = [
        member(|crowd, port| crowd.keep_asking(port, 0)),
        member(|crowd, port| crowd.keep_asking(port, 2_000)),
        member(Crowd::connect_anew),
        member(Crowd::connect_anew),
    ]
    .into();
    let mut old = Vec::new();
    for _ in 0..times {
        old.push(proxy.take_over(&[]));
        let before = crowd.answered.load(Ordering::Relaxed);
        eventually("requests are answered", || {
            crowd.answered.load(Ordering::Relaxed) > before + 20
        });
    }
    crowd.stop.store(true, Ordering::Relaxed);
    for member in members {
        member.join().unwrap();
    }
    let failed = crowd.failed.lock().unwrap();
    let answered = crowd.answered.load(Ordering::Relaxed);
    println!(
        "{times} restarts, {answered} requests answered, {} failed",
        failed.len()
    );
    assert!(failed.is_empty(), "{failed:?}");
    for old in old {
        assert_eq!(exit_code(old), 0);
    }
    assert!(proxy.socket().exists());
    proxy.expect_logged("Server stopped", times);
    assert_eq!(proxy.terminate(), 0);
    assert!(!proxy.socket().exists());
}

#[test]
fn what_the_old_proxy_has_begun_it_finishes_and_idle_clients_are_told() {
    let mut proxy = Proxy::start();
    let go = Arc::new(AtomicBool::new(false));
    let origin = Origin::start({
        let go = Arc::clone(&go);
        move |seen, stream| {
            while seen.path() == "/slow" && !go.load(Ordering::SeqCst) {
                std::thread::sleep(Duration::from_millis(5));
            }
            reply(stream, "200 OK", &[], seen.path().as_bytes())
        }
    });
    proxy.deploy("web", &origin.address, &[]);
    let port = proxy.http;
    let mut idle = Link::open(port);
    idle.write("GET /first HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(idle.read().header("Connection"), None);
    let slow = std::thread::spawn(move || get(port, "a", "/slow"));
    eventually("it is in flight", || {
        origin.seen().iter().any(|seen| seen.path() == "/slow")
    });
    let mut old = proxy.take_over(&[]);
    proxy.expect_logged("Handed over to a new proxy", 1);
    assert_eq!(get(port, "a", "/new").text(), "/new");
    // A connection of the old one goes on for one request, and hears that it was the last.
    idle.write("GET /second HTTP/1.1\r\nHost: a\r\n\r\n");
    let second = idle.read();
    assert_eq!((second.status, second.text().as_str()), (200, "/second"));
    assert_eq!(second.header("Connection"), Some("close"));
    assert!(idle.try_read(false).is_none());
    assert_eq!(old.try_wait().unwrap(), None);
    go.store(true, Ordering::SeqCst);
    let slow = slow.join().unwrap();
    assert_eq!((slow.status, slow.text().as_str()), (200, "/slow"));
    assert_eq!(exit_code(old), 0);
    assert_eq!(proxy.run(&["list"]).code, 0);
}

#[test]
fn switched_connections_stay_with_the_old_proxy_for_a_while() {
    let mut proxy = Proxy::start();
    let origin = Origin::start(|_, stream| {
        stream
            .write_all(
                b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n",
            )
            .unwrap();
        let mut byte = [0];
        while stream.read(&mut byte).is_ok_and(|size| size == 1) {
            stream.write_all(&byte).unwrap();
        }
        false
    });
    proxy.deploy("web", &origin.address, &[]);
    let mut link = Link::open(proxy.http);
    link.write("GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n");
    assert_eq!(link.read().status, 101);
    let mut old = proxy.take_over(&[]);
    proxy.expect_logged("Handed over to a new proxy", 1);
    for _ in 0..20 {
        link.write("x");
        let mut byte = [0];
        link.reader.read_exact(&mut byte).unwrap();
        assert_eq!(&byte, b"x");
        assert_eq!(old.try_wait().unwrap(), None);
    }
    drop(link);
    assert_eq!(exit_code(old), 0);
}

#[test]
fn requests_held_by_a_pause_are_let_go_by_a_resume_that_the_new_proxy_gets() {
    let mut proxy = Proxy::start();
    let origin = Origin::named("one");
    proxy.deploy("web", &origin.address, &[]);
    proxy.run(&["pause", "web"]).quiet();
    let port = proxy.http;
    let held: Vec<_> = (0..3)
        .map(|_| std::thread::spawn(move || get(port, "a", "/held")))
        .collect();
    // The kernel has them; whether the old or the new proxy takes them makes no difference.
    let old = proxy.take_over(&[]);
    assert!(proxy.run(&["list"]).stdout.contains("paused"));
    proxy.run(&["resume", "web"]).quiet();
    for held in held {
        assert_eq!(held.join().unwrap().text(), "one");
    }
    assert_eq!(exit_code(old), 0);
    assert_eq!(proxy.state()[0]["pause_controller"]["state"], 0);
}

#[test]
fn without_a_proxy_to_take_over_from_it_just_starts() {
    let mut proxy = Proxy::prepare();
    std::fs::write(proxy.socket(), "stale").unwrap();
    proxy.boot_with(&["--takeover"]);
    assert_eq!(proxy.run(&["list"]).code, 0);
    assert!(proxy.logged("Took over from the proxy before").is_empty());
}

#[test]
fn metrics_go_along_and_another_port_is_opened_anew() {
    let metrics = free_port().to_string();
    let mut proxy = Proxy::prepare();
    proxy.boot_with(&["--metrics-port", &metrics]);
    let origin = Origin::named("one");
    proxy.deploy("web", &origin.address, &[]);
    let first = exit_code(proxy.take_over(&["--metrics-port", &metrics]));
    assert_eq!(first, 0);
    let port: u16 = metrics.parse().unwrap();
    assert_eq!(get(port, "a", "/metrics").status, 200);
    let before = proxy.http;
    proxy.http = free_port();
    assert_eq!(exit_code(proxy.take_over(&[])), 0);
    assert_eq!(get(proxy.http, "a", "/").text(), "one");
    eventually("nobody listens on the old ports", || {
        [before, port]
            .iter()
            .all(|port| std::net::TcpStream::connect(("127.0.0.1", *port)).is_err())
    });
}

/// Asks for the sockets as a new proxy would, up to a moment.
fn ask(proxy: &Proxy, moment: &str) -> BufReader<UnixStream> {
    let stream = UnixStream::connect(proxy.socket()).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(30)))
        .unwrap();
    let mut stream = BufReader::new(stream);
    stream
        .get_mut()
        .write_all(b"{\"version\":1,\"command\":\"take_over\"}\n")
        .unwrap();
    let mut line = String::new();
    if moment == "asked" {
        return stream;
    }
    stream.read_line(&mut line).unwrap();
    assert!(line.starts_with(r#"{"handover":"sockets","#), "{line}");
    if moment == "offered" {
        return stream;
    }
    let said = match moment {
        "nonsense" => &b"{\"handover\":\"go\"}\n"[..],
        _ => b"{\"handover\":\"ready\"}\n",
    };
    stream.get_mut().write_all(said).unwrap();
    if moment == "told to go" {
        line.clear();
        stream.read_line(&mut line).unwrap();
        assert_eq!(line, "{\"handover\":\"go\"}\n");
    }
    stream
}

#[test]
fn a_takeover_that_fails_at_any_moment_leaves_the_old_proxy_as_it_was() {
    let mut proxy = Proxy::start();
    let (one, two) = (Origin::named("one"), Origin::named("two"));
    let mut now = &one;
    proxy.deploy("web", &one.address, &[]);
    for moment in ["asked", "offered", "nonsense", "ready", "told to go"] {
        let asking = ask(&proxy, moment);
        let port = proxy.http;
        assert_eq!(get(port, "a", "/").status, 200);
        // A command that comes meanwhile is neither lost nor refused.
        now = if std::ptr::eq(now, &one) { &two } else { &one };
        let target = format!("--target={}", now.address);
        let deploy = proxy.spawn(&["deploy", "web", &target]);
        drop(asking);
        let output = deploy.wait_with_output().unwrap();
        assert!(output.status.success(), "{moment}: {output:?}");
        let word = if std::ptr::eq(now, &one) {
            "one"
        } else {
            "two"
        };
        assert_eq!(get(port, "a", "/").text(), word);
    }
    eventually("it is logged", || {
        proxy.logged("Takeover failed").len() >= 4
    });
    // A real one after all that.
    assert_eq!(exit_code(proxy.take_over(&[])), 0);
    assert_eq!(get(proxy.http, "a", "/").status, 200);
}

#[test]
fn a_new_proxy_that_cannot_start_leaves_the_old_one_as_it_was() {
    let proxy = Proxy::start();
    let origin = Origin::named("one");
    proxy.deploy("web", &origin.address, &[]);
    let taken = std::net::TcpListener::bind("[::]:0").unwrap();
    let taken = taken.local_addr().unwrap().port().to_string();
    let (http, https) = (proxy.http.to_string(), proxy.https.to_string());
    let run = |more: &[&str]| {
        let mut args = vec!["run", "--http-port", &http, "--https-port", &https];
        args.extend(more);
        proxy.run(&args)
    };
    let outcome = run(&["--takeover", "--metrics-port", &taken]);
    let expected = format!("Error: listen tcp :{taken}: bind: address already in use\n");
    assert_eq!((outcome.code, outcome.stderr), (1, expected));
    // Without being asked for, nothing is taken over.
    assert_eq!(run(&[]).code, 1);
    assert_eq!(
        request(proxy.http, "POST", "a", "/", &[], b"body").text(),
        "one"
    );
    assert_eq!(proxy.run(&["list"]).code, 0);
    proxy.deploy("web", &origin.address, &[]);
}

#[test]
fn a_server_becomes_another_program_and_stays_the_same_process() {
    let mut proxy = Proxy::start();
    let origin = Origin::named("one");
    proxy.deploy("web", &origin.address, &[]);
    let (process, port) = (proxy.pid(), proxy.http);
    let crowd = Arc::new(Crowd::default());
    let member = std::thread::spawn({
        let crowd = Arc::clone(&crowd);
        move || crowd.keep_asking(port, 0)
    });
    for round in 1..=2 {
        proxy.run(&["upgrade"]).quiet();
        // Once by the child, once by the process that became the same program.
        eventually("both took over", || {
            proxy.logged("Took over from the proxy before").len() == 2 * round
        });
        eventually("the child has ended, and is forgotten", || {
            let children = format!("/proc/{process}/task/{process}/children");
            std::fs::read_to_string(children).unwrap().is_empty()
        });
        assert_eq!(proxy.pid(), process);
        proxy.deploy("web", &origin.address, &[]);
    }
    crowd.stop.store(true, Ordering::Relaxed);
    member.join().unwrap();
    assert!(crowd.failed.lock().unwrap().is_empty());
    assert_eq!(proxy.terminate(), 0);
    assert!(!proxy.socket().exists());
    assert_eq!(proxy.stderr(), "");
}

/// Each server still waits for a client of its own when the next upgrade comes.
#[test]
fn upgrades_that_overlap_leave_one_server_in_the_first_ones_process() {
    let mut proxy = Proxy::start();
    let held = Arc::new(AtomicUsize::new(0));
    let origin = Origin::start({
        let held = Arc::clone(&held);
        move |seen, stream| {
            let number = seen.path().trim_start_matches('/').parse().unwrap_or(0);
            while number > held.load(Ordering::SeqCst) {
                std::thread::sleep(Duration::from_millis(5));
            }
            reply(stream, "200 OK", &[], b"one")
        }
    });
    proxy.deploy("web", &origin.address, &[]);
    let (process, port) = (proxy.pid(), proxy.http);
    let mut waiting = Vec::new();
    for number in 1..=2 {
        let path = format!("/{number}");
        waiting.push(std::thread::spawn({
            let path = path.clone();
            move || get(port, "a", &path).text()
        }));
        eventually("it is in flight", || {
            origin.seen().iter().any(|seen| seen.path() == path)
        });
        proxy.run(&["upgrade"]).quiet();
    }
    // The first process goes on first, then the one that stood in for it.
    for (number, client) in (1..).zip(waiting) {
        held.store(number, Ordering::SeqCst);
        assert_eq!(client.join().unwrap(), "one");
        proxy.expect_logged("Server stopped", if number == 1 { 2 } else { 3 });
        assert_eq!(get(port, "a", "/").text(), "one");
    }
    proxy.expect_logged("Took over from the proxy before", 3);
    assert_eq!(proxy.pid(), process);
    proxy.deploy("web", &origin.address, &[]);
    assert_eq!(proxy.terminate(), 0);
    assert!(!proxy.socket().exists());
}

#[test]
fn an_upgrade_that_fails_leaves_the_server_as_it_was() {
    let mut proxy = Proxy::start();
    let origin = Origin::named("one");
    proxy.deploy("web", &origin.address, &[]);
    let ask = |program: &str| {
        let mut stream = BufReader::new(UnixStream::connect(proxy.socket()).unwrap());
        let message = format!(
            "{{\"version\":1,\"command\":\"upgrade\",\"args\":{{\"program\":{program:?}}}}}\n"
        );
        stream.get_mut().write_all(message.as_bytes()).unwrap();
        let mut line = String::new();
        stream.read_line(&mut line).unwrap();
        line
    };
    for (program, reason) in [
        ("/nowhere", "upgrade: no such file or directory"),
        (
            "/bin/false",
            "upgrade: the new proxy could not take over; see the log",
        ),
    ] {
        let line = ask(program);
        assert!(line.contains(reason), "{line}");
        assert_eq!(get(proxy.http, "a", "/").text(), "one");
    }
    proxy.run(&["upgrade"]).quiet();
    assert_eq!(get(proxy.http, "a", "/").text(), "one");
    eventually("both took over", || {
        proxy.logged("Took over from the proxy before").len() == 2
    });
    assert_eq!(proxy.terminate(), 0);
}

#[test]
fn a_program_that_installs_itself_is_where_the_next_start_looks_or_it_was_never_there() {
    use std::os::unix::fs::MetadataExt as _;

    let mut proxy = Proxy::start();
    let origin = Origin::named("one");
    proxy.deploy("web", &origin.address, &[]);
    let folder = tempfile::tempdir().unwrap();
    let (place, staged) = (
        folder.path().join("kamal-proxy"),
        folder.path().join("new/kamal-proxy"),
    );
    std::fs::write(&place, "the program before").unwrap();
    let install = |proxy: &Proxy| {
        std::fs::create_dir_all(staged.parent().unwrap()).unwrap();
        // A file that this process wrote may still be open in a child of another test, and then can't be run.
        let copy = Command::new("cp").args([&program(), &staged]).status();
        assert!(copy.unwrap().success());
        let inode = std::fs::metadata(&staged).unwrap().ino();
        let place = format!("--install={}", place.display());
        (proxy.run_copy(&staged, &["upgrade", &place]), inode)
    };
    let (outcome, inode) = install(&proxy);
    outcome.quiet();
    assert_eq!(std::fs::metadata(&place).unwrap().ino(), inode);
    assert!(!staged.exists());
    eventually("both took over", || {
        proxy.logged("Took over from the proxy before").len() == 2
    });
    let runs = std::fs::metadata(format!("/proc/{}/exe", proxy.pid()));
    assert_eq!(runs.unwrap().ino(), inode);
    assert_eq!(get(proxy.http, "a", "/").text(), "one");
    assert_eq!(proxy.terminate(), 0);

    let (outcome, _) = install(&proxy);
    assert_eq!(outcome.code, 1, "nobody to become it");
    assert_eq!(std::fs::metadata(&place).unwrap().ino(), inode);
    assert!(!staged.exists());
}
