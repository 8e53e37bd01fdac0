//! Rollouts, readers and writers, cookies below a prefix: who gets which target, and what clients keep.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::support::{Answer, Origin, Proxy, eventually, get, reply, request};

fn with_cookie(proxy: &Proxy, method: &str, cookie: &str) -> Answer {
    request(proxy.http, method, "a", "/", &[("Cookie", cookie)], b"")
}

fn cookies(answer: &Answer) -> Vec<String> {
    answer
        .headers
        .iter()
        .filter(|(name, _)| name == "Set-Cookie")
        .map(|(_, value)| value.clone())
        .collect()
}

/// parity: proxy 15, 16, 97-100
#[test]
fn a_rollout_from_deploy_to_stop() {
    let mut proxy = Proxy::start();
    let (active, next, later) = (
        Origin::named("active"),
        Origin::named("next"),
        Origin::named("later"),
    );
    for args in [
        &["rollout", "deploy", "web", "--target=web:80"][..],
        &["rollout", "set", "web", "--percent=5"],
        &["rollout", "stop", "web"],
        &["remove", "web"],
        &["resume", "web"],
    ] {
        proxy.run(args).failed("service not found");
    }
    proxy.deploy("web", &active.address, &[]);
    proxy
        .run(&["rollout", "set", "web", "--percent=5"])
        .failed("rollout target not set");
    proxy
        .run(&["rollout", "set", "web"])
        .failed("at least one of the flags in the group [percent list] is required");
    proxy
        .run(&["rollout", "deploy", "web", "--target=/"])
        .failed("/ :invalid host pattern");
    let deploy =
        |target: &str| proxy.run(&["rollout", "deploy", "web", &format!("--target={target}")]);
    deploy(&next.address).quiet();
    let by =
        |proxy: &Proxy, id: &str| with_cookie(proxy, "GET", &format!("kamal-rollout={id}")).text();
    assert_eq!(by(&proxy, "1"), "active");
    assert_eq!(next.probes().len(), 1);
    proxy
        .run(&["rollout", "set", "web", "--percent=50", "--list=20,x y"])
        .quiet();
    for (id, name) in [
        ("1", "next"),
        ("19", "next"),
        ("20", "next"),
        ("21", "active"),
        ("x y", "next"),
        ("", "active"),
    ] {
        assert_eq!(by(&proxy, id), name, "{id}");
    }
    assert_eq!(get(proxy.http, "a", "/").text(), "active");
    let state = proxy.state();
    assert_eq!(state[0]["rollout_targets"][0], next.address);
    assert_eq!(state[0]["rollout_readers"], serde_json::json!([]));
    assert_eq!(
        state[0]["rollout_controller"],
        serde_json::json!({"percentage": 50, "percentage_split_point": 2_147_483_647.5, "allowlist": ["20", "x y"]})
    );
    // The list shows active targets alone.
    assert!(!proxy.run(&["ls"]).stdout.contains(&next.address));
    // A later set replaces both halves of the earlier one.
    proxy
        .run(&["rollout", "set", "web", "--percent=100"])
        .quiet();
    assert_eq!(by(&proxy, "21"), "next");
    assert_eq!(
        proxy.state()[0]["rollout_controller"]["allowlist"],
        serde_json::Value::Null
    );
    // A deploy leaves the rollout alone, and so does a restart.
    proxy.deploy("web", &active.address, &[]);
    assert_eq!(by(&proxy, "21"), "next");
    assert_eq!(proxy.terminate(), 0);
    proxy.boot();
    assert_eq!(by(&proxy, "21"), "next");
    let unwell = format!("--target={}", "127.0.0.1:1");
    proxy
        .run(&[
            "rollout",
            "deploy",
            "web",
            &unwell,
            "--deploy-timeout=300ms",
        ])
        .failed("target failed to become healthy within configured timeout (300ms)");
    assert_eq!(by(&proxy, "21"), "next");
    proxy
        .run(&[
            "rollout",
            "deploy",
            "web",
            &format!("--target={}", later.address),
        ])
        .quiet();
    assert_eq!(by(&proxy, "21"), "later");
    proxy.run(&["rollout", "stop", "web"]).quiet();
    assert_eq!(by(&proxy, "21"), "active");
    assert_eq!(proxy.state()[0]["rollout_targets"][0], later.address);
    assert_eq!(
        proxy.state()[0]["rollout_controller"],
        serde_json::Value::Null
    );
    proxy.expect_logged("Deployed for rollout", 2);
    proxy.expect_logged("Set rollout split", 2);
    proxy.expect_logged("Stopped rollout", 1);
}

/// parity: proxy 87, 100
#[test]
fn a_replaced_rollout_is_drained_and_a_pause_holds_it_too() {
    let proxy = Proxy::start();
    let active = Origin::named("active");
    let slow = Origin::start(|_, stream| {
        std::thread::sleep(std::time::Duration::from_secs(1));
        reply(stream, "200 OK", &[], b"slow")
    });
    proxy.deploy("web", &active.address, &[]);
    let target = format!("--target={}", slow.address);
    proxy.run(&["rollout", "deploy", "web", &target]).quiet();
    proxy.run(&["rollout", "set", "web", "--list=me"]).quiet();
    let port = proxy.http;
    let ask = move || {
        request(
            port,
            "GET",
            "a",
            "/",
            &[("Cookie", "kamal-rollout=me")],
            b"",
        )
    };
    let held = std::thread::spawn(ask);
    eventually("it is in flight", || slow.seen().len() == 1);
    let begun = std::time::Instant::now();
    proxy.run(&["rollout", "deploy", "web", &target]).quiet();
    assert!(begun.elapsed() > std::time::Duration::from_millis(500));
    assert_eq!(held.join().unwrap().text(), "slow");
    let held = std::thread::spawn(ask);
    eventually("the next is in flight", || slow.seen().len() == 2);
    let begun = std::time::Instant::now();
    proxy.run(&["stop", "web"]).quiet();
    assert!(begun.elapsed() > std::time::Duration::from_millis(500));
    assert_eq!(held.join().unwrap().text(), "slow");
    assert_eq!(ask().status, 503);
}

/// parity: proxy 84, 91, 93-95
#[test]
fn reads_go_to_readers_and_follow_a_write() {
    let proxy = Proxy::start();
    let sick = Arc::new(AtomicBool::new(false));
    let flag = sick.clone();
    let writer = Origin::start(|seen, stream| {
        let declined = seen.header("X-Decline").is_some();
        let headers: &[_] = if declined {
            &[("X-Writer-Affinity", "false")]
        } else {
            &[]
        };
        reply(stream, "200 OK", headers, b"writer")
    });
    let reader = Origin::start_with_health(move |_, stream| {
        let status = if flag.load(Ordering::SeqCst) {
            "500 Sick"
        } else {
            "200 OK"
        };
        reply(stream, status, &[], b"reader")
    });
    let readers = format!("--read-target={}", reader.address);
    let deploy = |more: &[&str]| {
        let mut args = vec!["--health-check-interval=100ms", readers.as_str()];
        args.extend(more);
        proxy.deploy("web", &writer.address, &args);
    };
    deploy(&["--writer-affinity-timeout=900ms"]);
    assert!(
        proxy
            .run(&["ls"])
            .stdout
            .contains(&format!("{},{}", writer.address, reader.address))
    );
    assert_eq!(proxy.state()[0]["active_readers"][0], reader.address);
    let ask = |method: &str| request(proxy.http, method, "a", "/", &[], b"");
    assert_eq!(ask("GET").text(), "reader");
    assert_eq!(cookies(&ask("GET")).len(), 0);
    assert_eq!(ask("DELETE").text(), "writer");
    let written = ask("POST");
    let cookie = cookies(&written).remove(0);
    let mut parts = cookie.split("; ");
    let pair = parts.next().unwrap().to_owned();
    let until: u64 = pair.strip_prefix("kamal-writer=").unwrap().parse().unwrap();
    let rest: Vec<_> = parts.collect();
    assert_eq!((rest[0], rest[2], rest.len()), ("Path=/", "HttpOnly", 3));
    assert!(rest[1].starts_with("Expires=") && rest[1].ends_with(" GMT"));
    assert!(until > 1_700_000_000_000);
    assert_eq!(with_cookie(&proxy, "GET", &pair).text(), "writer");
    eventually("it has run out", || {
        with_cookie(&proxy, "GET", &pair).text() == "reader"
    });
    for broken in ["kamal-writer=soon", "kamal-writer=1"] {
        assert_eq!(with_cookie(&proxy, "GET", broken).text(), "reader");
    }
    let declined = request(proxy.http, "POST", "a", "/", &[("X-Decline", "1")], b"");
    assert_eq!(
        (
            cookies(&declined).len(),
            declined.header("X-Writer-Affinity")
        ),
        (0, None)
    );

    sick.store(true, Ordering::SeqCst);
    eventually("reads go to the writer", || ask("GET").text() == "writer");
    sick.store(false, Ordering::SeqCst);
    eventually("the reader is back", || ask("GET").text() == "reader");

    deploy(&["--writer-affinity-timeout=0s"]);
    assert_eq!(cookies(&ask("POST")).len(), 0);
    proxy.deploy("web", &writer.address, &[]);
    assert_eq!(cookies(&ask("POST")).len(), 0);
}

/// parity: proxy 95
#[test]
fn readers_never_take_writes() {
    let proxy = Proxy::start();
    let sick = Arc::new(AtomicBool::new(false));
    let flag = sick.clone();
    let writer = Origin::start_with_health(move |_, stream| {
        let status = if flag.load(Ordering::SeqCst) {
            "500 Sick"
        } else {
            "200 OK"
        };
        reply(stream, status, &[], b"writer")
    });
    let reader = Origin::named("reader");
    let readers = format!("--read-target={}", reader.address);
    proxy.deploy(
        "web",
        &writer.address,
        &["--health-check-interval=100ms", &readers],
    );
    sick.store(true, Ordering::SeqCst);
    eventually("the writer has left", || {
        proxy.logged("Target health updated").len() == 3
    });
    let answer = request(proxy.http, "POST", "a", "/", &[], b"x");
    assert_eq!((answer.status, cookies(&answer).len()), (503, 0));
    assert_eq!(get(proxy.http, "a", "/").text(), "reader");
    sick.store(false, Ordering::SeqCst);
    eventually("it is back", || {
        request(proxy.http, "POST", "a", "/", &[], b"x").text() == "writer"
    });
}

/// parity: proxy 92
#[test]
fn upgrades_go_to_writers_unless_readers_take_them() {
    let proxy = Proxy::start();
    let (writer, reader) = (Origin::named("writer"), Origin::named("reader"));
    let readers = format!("--read-target={}", reader.address);
    let ask = || {
        let headers = [("Connection", "Upgrade"), ("Upgrade", "WebSocket")];
        request(proxy.http, "GET", "a", "/", &headers, b"").text()
    };
    proxy.deploy("web", &writer.address, &[&readers]);
    assert_eq!(ask(), "writer");
    proxy.deploy(
        "web",
        &writer.address,
        &[&readers, "--read-target-websockets"],
    );
    assert_eq!(ask(), "reader");
}

/// parity: proxy 115
#[test]
fn cookies_stay_below_the_prefix_when_asked() {
    let proxy = Proxy::start();
    let origin = Origin::start(|_, stream| {
        let headers = [
            ("Set-Cookie", "a=1; Path=/; HttpOnly"),
            ("Set-Cookie", "b=2; Path=/deep; Domain=a.com"),
            ("Set-Cookie", "c=3; Path=/; Domain=other.com"),
        ];
        reply(stream, "200 OK", &headers, b"")
    });
    let set = |path: &str| cookies(&get(proxy.http, "a.com:80", path));
    let before = [
        "a=1; Path=/; HttpOnly",
        "b=2; Path=/deep; Domain=a.com",
        "c=3; Path=/; Domain=other.com",
    ];
    proxy.deploy("web", &origin.address, &["--path-prefix=/app"]);
    assert_eq!(set("/app/x"), before);
    let scoped = "--scope-cookie-paths";
    proxy.deploy(
        "web",
        &origin.address,
        &["--path-prefix=/app", "--path-prefix=/", scoped],
    );
    assert_eq!(set("/x"), before);
    assert_eq!(
        set("/app/x"),
        [
            "a=1; Path=/app; HttpOnly",
            "b=2; Path=/app/deep; Domain=a.com",
            "c=3; Path=/; Domain=other.com"
        ]
    );
    proxy.deploy(
        "web",
        &origin.address,
        &["--path-prefix=/app", "--strip-path-prefix=false", scoped],
    );
    assert_eq!(set("/app/x"), before);
}
