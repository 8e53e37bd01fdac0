//! Deploying, routing, listing, removing, and what is left after a restart.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::support::{Origin, Proxy, eventually, get, reply, request};

/// parity: proxy 2, 3, 23, 37, 39, 40, 42, 43, 76, 80
#[test]
fn a_service_is_deployed_listed_replaced_and_removed() {
    let proxy = Proxy::start();
    let (one, two) = (Origin::named("one"), Origin::named("two"));
    assert_eq!(get(proxy.http, "a.com", "/").status, 404);
    assert!(!proxy.state_file().exists());
    proxy.deploy("web", &one.address, &["--host", "a.com"]);
    assert_eq!(get(proxy.http, "a.com", "/").text(), "one");
    assert_eq!(get(proxy.http, "a.com:8080", "/").text(), "one");
    assert_eq!(get(proxy.http, "b.com", "/").status, 404);
    let list = proxy.run(&["ls"]).stdout;
    assert!(list.contains(&format!("\u{1b}[1;34mweb\u{1b}[0m      \u{1b}[ma.com\u{1b}[0m  \u{1b}[m/\u{1b}[0m     \u{1b}[m{}", one.address)), "{list:?}");
    proxy.deploy("web", &two.address, &["--host", "b.com,c.com"]);
    assert_eq!(get(proxy.http, "c.com", "/").text(), "two");
    assert_eq!(get(proxy.http, "a.com", "/").status, 404);
    assert_eq!(proxy.state()[0]["active_targets"][0], two.address);
    proxy.run(&["rm", "web"]).quiet();
    assert_eq!(get(proxy.http, "b.com", "/").status, 404);
    proxy.run(&["remove", "web"]).failed("service not found");
    assert_eq!(proxy.state().as_array().unwrap().len(), 0);
}

/// parity: proxy 38, 41, 46-49, 53, D5, D6
#[test]
fn hosts_prefixes_and_stripping() {
    let proxy = Proxy::start();
    let echo =
        || Origin::start(|seen, stream| reply(stream, "200 OK", &[], seen.path().as_bytes()));
    let (all, app, api) = (echo(), echo(), echo());
    proxy.deploy("all", &all.address, &[]);
    proxy.deploy(
        "app",
        &app.address,
        &[
            "--host=*.example.com",
            "--path-prefix=/app",
            "--path-prefix=app/v2/",
        ],
    );
    proxy.deploy(
        "api",
        &api.address,
        &[
            "--host=*.example.com",
            "--path-prefix=/api",
            "--strip-path-prefix=false",
        ],
    );
    let path = |host: &str, path: &str| get(proxy.http, host, path).text();
    assert_eq!(path("x.com", "/a%41%2fb|?c;d=%x"), "/a%41%2fb%7C?c;d=%x");
    assert_eq!(path("w.example.com", "/app/show?x=1"), "/show?x=1");
    assert_eq!(path("w.example.com", "/app"), "/");
    assert_eq!(path("w.example.com", "/app/v2/a%2Fb"), "/a%2Fb");
    assert_eq!(path("W.EXAMPLE.com", "/api/x"), "/api/x");
    assert_eq!(get(proxy.http, "w.example.com", "/apiary").status, 404);
    assert_eq!(get(proxy.http, "w.example.com", "/").status, 404);
    assert_eq!(path("a.b.example.com", "/app/x"), "/app/x");
    assert_eq!(app.seen().len(), 3);
    // An absolute target goes before the Host header.
    let answer = crate::support::send(
        proxy.http,
        "GET http://w.example.com/app/abs HTTP/1.1\r\nHost: x.com\r\n\r\n",
    );
    assert_eq!(answer.text(), "/abs");
    assert_eq!(
        app.seen().last().unwrap().header("Host"),
        Some("w.example.com")
    );
}

/// parity: proxy 2, 25, 70, 78, 83, 131
#[test]
fn a_failing_deploy_changes_nothing_and_says_why() {
    let proxy = Proxy::start();
    let good = Origin::named("good");
    proxy.deploy("web", &good.address, &[]);
    let before = proxy.state();

    let broken = Origin::start_with_health(|_, stream| reply(stream, "500 Oops", &[], b"no"));
    let target = format!("--target={}", broken.address);
    let begun = Instant::now();
    let details = proxy
        .run(&["deploy", "web", &target, "--deploy-timeout", "1500ms"])
        .failed("target failed to become healthy within configured timeout (1.5s)");
    assert!(begun.elapsed() >= Duration::from_millis(1500));
    assert_eq!(
        details,
        [format!(
            "last health check of {}: unexpected status (500)",
            broken.address
        )]
    );
    assert_eq!(proxy.state(), before);
    assert_eq!(get(proxy.http, "x", "/").text(), "good");

    let moved = Origin::start_with_health(|seen, stream| match seen.path() {
        "/up" => reply(stream, "302 Found", &[("Location", "/login")], b""),
        _ => reply(stream, "403 No", &[], b""),
    });
    let target = format!("--target={}", moved.address);
    let details = proxy
        .run(&["deploy", "web", &target, "--deploy-timeout=300ms"])
        .failed("target failed to become healthy within configured timeout (300ms)");
    assert!(
        details[0].ends_with("unexpected status (403), redirected to `/login`"),
        "{details:?}"
    );

    let hanging = Origin::start_with_health(|_, _| {
        std::thread::sleep(Duration::from_secs(3));
        false
    });
    let target = format!("--target={}", hanging.address);
    let details = proxy
        .run(&[
            "deploy",
            "web",
            &target,
            "--deploy-timeout=600ms",
            "--health-check-timeout=200ms",
        ])
        .failed("target failed to become healthy within configured timeout (600ms)");
    assert!(details[0].ends_with("request timed out"), "{details:?}");

    let details = proxy
        .run(&[
            "deploy",
            "web",
            "--target=no-such-host.invalid",
            "--deploy-timeout=1s",
        ])
        .failed("target failed to become healthy within configured timeout (1s)");
    assert!(
        details[0].starts_with("last health check of no-such-host.invalid: "),
        "{details:?}"
    );

    proxy
        .run(&["deploy", "web", "--target=[::1]:80"])
        .failed("[::1]:80 :invalid host pattern");
    proxy
        .run(&["deploy", "web", "--target=web:80", "--error-pages=/nowhere"])
        .failed("unable to load error pages");
    assert_eq!(proxy.state(), before);
    assert_eq!(get(proxy.http, "x", "/").text(), "good");
}

/// parity: proxy 71, 73, 74, 77
#[test]
fn probes_look_as_they_should_and_stop_when_healthy() {
    let proxy = Proxy::start();
    let origin = Origin::named("web");
    proxy.deploy(
        "web",
        &origin.address,
        &[
            "--health-check-interval=100ms",
            "--health-check-host=health.local",
        ],
    );
    let probe = origin.probes()[0].clone();
    assert_eq!(probe.line, "GET /up HTTP/1.1");
    assert_eq!(probe.header("Host"), Some("health.local"));
    assert_eq!(probe.header("User-Agent"), Some("kamal-proxy"));
    std::thread::sleep(Duration::from_millis(400));
    assert_eq!(origin.probes().len(), 1);
    // Redirects are followed, and the final status counts.
    let redirecting = Origin::start_with_health(|seen, stream| match seen.path() {
        "/up" => reply(stream, "301 Moved", &[("Location", "/elsewhere")], b""),
        _ => reply(stream, "204 Yes", &[], b""),
    });
    proxy.deploy("web", &redirecting.address, &["--deploy-timeout=2s"]);
}

/// parity: proxy 70, 76
#[test]
fn a_slow_starter_is_found_soon_after_it_is_ready() {
    let proxy = Proxy::start();
    let ready_at = Instant::now() + Duration::from_millis(500);
    let origin = Origin::start_with_health(move |_, stream| {
        let status = if Instant::now() < ready_at {
            "503 Wait"
        } else {
            "200 OK"
        };
        reply(stream, status, &[], b"")
    });
    proxy.deploy("web", &origin.address, &["--health-check-interval=9s"]);
    assert!(
        ready_at.elapsed() < Duration::from_secs(7),
        "{:?}",
        ready_at.elapsed()
    );
}

/// parity: proxy 70, 77, 90
#[test]
fn several_targets_share_the_work_and_sick_ones_leave() {
    let proxy = Proxy::start();
    let sick = Arc::new(AtomicBool::new(false));
    let flag = sick.clone();
    let one = Origin::named("one");
    let two = Origin::start_with_health(move |_, stream| {
        let status = if flag.load(Ordering::SeqCst) {
            "500 Sick"
        } else {
            "200 OK"
        };
        reply(stream, status, &[], b"two")
    });
    proxy.deploy(
        "web",
        &format!("{},{}", one.address, two.address),
        &["--health-check-interval=100ms"],
    );
    let names: Vec<_> = (0..6).map(|_| get(proxy.http, "x", "/").text()).collect();
    assert_eq!(
        names.iter().filter(|name| *name == "one").count(),
        3,
        "{names:?}"
    );
    sick.store(true, Ordering::SeqCst);
    eventually("the sick target leaves", || {
        proxy.logged("Target health updated").len() == 3
    });
    assert!((0..6).all(|_| get(proxy.http, "x", "/").text() == "one"));
    sick.store(false, Ordering::SeqCst);
    eventually("it comes back", || {
        get(proxy.http, "x", "/").text() == "two"
    });
}

/// parity: proxy 44, 45
#[test]
fn conflicts_are_found_after_health_and_the_owner_keeps_serving() {
    let proxy = Proxy::start();
    let (one, two) = (Origin::named("one"), Origin::named("two"));
    proxy.deploy("one", &one.address, &["--host=a.com"]);
    let target = format!("--target={}", two.address);
    proxy
        .run(&["deploy", "two", &target, "--host=b.com", "--host=a.com"])
        .failed("host settings conflict with another service");
    assert_eq!(get(proxy.http, "a.com", "/").text(), "one");
    proxy.deploy("two", &two.address, &["--host=a.com", "--path-prefix=/two"]);
    assert_eq!(get(proxy.http, "a.com", "/two").text(), "two");
}

#[test]
fn a_newer_deploy_supersedes_one_that_waits() {
    let proxy = Proxy::start();
    let good = Origin::named("good");
    let waiting = proxy.spawn(&[
        "deploy",
        "web",
        "--target=127.0.0.1:1",
        "--deploy-timeout=30s",
    ]);
    eventually("the first deploy waits", || {
        !proxy.logged("Healthcheck failed").is_empty()
    });
    proxy.deploy("web", &good.address, &[]);
    let output = waiting.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        String::from_utf8(output.stderr).unwrap(),
        "Error: superseded by a later deploy of the same service\n"
    );
    assert_eq!(get(proxy.http, "x", "/").text(), "good");

    let waiting = proxy.spawn(&["deploy", "web", "--target=127.0.0.1:1"]);
    eventually("it waits", || proxy.logged("Deploying").len() == 3);
    proxy.run(&["rm", "web"]).quiet();
    assert_eq!(waiting.wait_with_output().unwrap().status.code(), Some(1));
}

/// A target that is healthy once it is told to be.
fn waking() -> (Origin, Arc<AtomicBool>) {
    let ready = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&ready);
    let origin = Origin::start_with_health(move |_, stream| {
        let status = match flag.load(Ordering::SeqCst) {
            true => "200 OK",
            false => "503 Wait",
        };
        reply(stream, status, &[], b"web")
    });
    (origin, ready)
}

#[test]
fn a_killed_client_does_not_stop_its_deploy() {
    let proxy = Proxy::start();
    let (origin, ready) = waking();
    let mut client = proxy.spawn(&["deploy", "web", &format!("--target={}", origin.address)]);
    eventually("the deploy waits", || !proxy.logged("Deploying").is_empty());
    client.kill().unwrap();
    client.wait().unwrap();
    ready.store(true, Ordering::SeqCst);
    eventually("it is deployed", || {
        get(proxy.http, "x", "/").text() == "web"
    });
}

/// parity: proxy 79
#[test]
fn force_installs_at_once() {
    let proxy = Proxy::start();
    let (origin, ready) = waking();
    // It is not healthy before somebody says so.
    proxy.deploy("web", &origin.address, &["--force"]);
    let answer = get(proxy.http, "x", "/");
    assert_eq!(answer.status, 503);
    assert!(origin.seen().is_empty());
    ready.store(true, Ordering::SeqCst);
    eventually("it becomes healthy", || {
        get(proxy.http, "x", "/").text() == "web"
    });
}

/// parity: proxy 26, 27, 31, 34
#[test]
fn a_restart_restores_everything_without_waiting_for_health() {
    let mut proxy = Proxy::start();
    let origin = Origin::named("web");
    proxy.deploy(
        "web",
        &origin.address,
        &[
            "--host=a.com",
            "--path-prefix=/app",
            "--log-request-header=x-a",
        ],
    );
    proxy.deploy("stopped", &origin.address, &["--host=b.com"]);
    proxy
        .run(&["stop", "stopped", "--message=back <soon>"])
        .quiet();
    let state = proxy.state();
    assert_eq!(proxy.terminate(), 0);
    assert!(!proxy.socket().exists());
    let probes = origin.probes().len();
    proxy.boot();
    proxy.expect_logged("Restored saved state", 1);
    assert_eq!(get(proxy.http, "a.com", "/app/x").text(), "web");
    assert_eq!(origin.probes().len(), probes);
    let answer = get(proxy.http, "b.com", "/");
    assert_eq!(answer.status, 503);
    assert!(answer.text().contains("back &lt;soon&gt;"));
    proxy.run(&["resume", "stopped"]).quiet();
    assert_eq!(get(proxy.http, "b.com", "/").text(), "web");
    assert_eq!(state[0]["pause_controller"]["state"], 2);
    assert_eq!(proxy.state()[0]["pause_controller"]["state"], 0);
    assert_eq!(proxy.state()[1], state[1]);
}

/// parity: proxy 29, 33, D7
#[test]
fn damaged_state_costs_only_what_is_damaged() {
    let mut proxy = Proxy::prepare();
    let origin = Origin::named("web");
    std::fs::create_dir_all(proxy.state_file().parent().unwrap()).unwrap();
    let state = format!(
        r#"[{{"name":"bad","active_targets":["["]}},{{"name":5}},
            {{"name":"tls","options":{{"hosts":["t.com"],"tls_enabled":true,"tls_certificate_path":"/no","tls_private_key_path":"/no","error_page_path":"/no"}},"active_targets":["{0}"]}},
            {{"name":"web","active_target":"{0}","hosts":["a.com"]}},{{"name":"torn""#,
        origin.address
    );
    std::fs::write(proxy.state_file(), state).unwrap();
    proxy.boot();
    assert_eq!(get(proxy.http, "a.com", "/").text(), "web");
    assert_eq!(get(proxy.http, "t.com", "/").text(), "web");
    proxy.expect_logged("Skipped a damaged state entry", 2);
    proxy.expect_logged("Failed to restore service", 1);
    // What could not be restored is not lost by the next save.
    proxy.run(&["resume", "web"]).quiet();
    let names: Vec<_> = proxy
        .state()
        .as_array()
        .unwrap()
        .iter()
        .map(|s| s["name"].clone())
        .collect();
    assert_eq!(names, ["tls", "web", "bad"]);
}

/// parity: proxy 60
#[test]
fn item_60_wildcards_get_no_certificate_of_an_authority() {
    let proxy = Proxy::start();
    let origin = Origin::named("web");
    let target = format!("--target={}", origin.address);
    proxy
        .run(&["deploy", "web", &target, "--tls", "--host=*.a.com"])
        .failed("automatic TLS does not support wildcards");
    assert!(!proxy.state_file().exists());
}

/// parity: proxy 56, 57
#[test]
fn canonical_hosts_redirect() {
    let proxy = Proxy::start();
    let origin = Origin::named("web");
    proxy.deploy(
        "web",
        &origin.address,
        &["--host=a.com", "--host=www.a.com", "--canonical-host=a.com"],
    );
    let answer = get(proxy.http, "www.a.com:81", "/x%20y?z");
    assert_eq!(answer.status, 301);
    assert_eq!(answer.header("Location"), Some("http://a.com/x%20y?z"));
    assert_eq!(answer.header("Connection"), Some("close"));
    assert_eq!(
        answer.text(),
        "<a href=\"http://a.com/x%20y?z\">Moved Permanently</a>.\n\n"
    );
    assert!(
        request(proxy.http, "POST", "www.a.com", "/", &[], b"")
            .body
            .is_empty()
    );
    assert_eq!(get(proxy.http, "a.com", "/").text(), "web");
}

/// The command line would not let these through.
#[test]
fn item_12_the_server_refuses_bad_options_that_a_client_let_through() {
    use std::io::{BufRead as _, Write as _};
    let proxy = Proxy::start();
    let origin = Origin::named("web");
    proxy.deploy("web", &origin.address, &[]);
    let before = proxy.state();
    let mut options = before[0]["options"].clone();
    let ask = |options: &serde_json::Value| {
        let stream = std::os::unix::net::UnixStream::connect(proxy.socket()).unwrap();
        let mut stream = std::io::BufReader::new(stream);
        let message = serde_json::json!({
            "version": 1,
            "command": "deploy",
            "args": {
                "service": "web",
                "targets": [origin.address],
                "read_targets": [],
                "options": options,
                "target_options": before[0]["target_options"],
                "deploy_timeout": 5_000_000_000_i64,
                "drain_timeout": 5_000_000_000_i64,
                "force": false,
            },
        });
        writeln!(stream.get_mut(), "{message}").unwrap();
        let mut line = String::new();
        stream.read_line(&mut line).unwrap();
        line
    };
    assert_eq!(ask(&options), "{\"reply\":\"done\"}\n");
    options["tls_enabled"] = true.into();
    let refused = ask(&options);
    assert!(refused.contains("service options invalid: "), "{refused}");
    options["hosts"] = serde_json::json!(["a.com"]);
    options["path_prefixes"] = serde_json::json!(["/sub"]);
    let refused = ask(&options);
    assert!(refused.contains("service options invalid: "), "{refused}");
    options["tls_enabled"] = false.into();
    options["canonical_host"] = "b.com".into();
    let refused = ask(&options);
    assert!(refused.contains("service options invalid: "), "{refused}");
    assert_eq!(proxy.state(), before);
    assert_eq!(get(proxy.http, "a", "/").text(), "web");
}
