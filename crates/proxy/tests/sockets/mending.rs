//! Faults of kamal-proxy that are mended here.

use std::time::Duration;

use crate::support::{Origin, Proxy, eventually, get, reply, request};

/// parity: proxy D9
#[test]
fn absurd_intervals_and_sizes_do_no_harm() {
    let proxy = Proxy::start();
    let origin = Origin::start(|seen, stream| reply(stream, "200 OK", &[], &seen.body));
    let absurd = [
        "--health-check-interval=0s",
        "--buffer-requests",
        "--buffer-responses",
        "--buffer-memory=-5",
    ];
    let echoes = || {
        let answer = request(proxy.http, "POST", "a", "/", &[], b"body");
        assert_eq!(answer.text(), "body");
    };
    proxy.deploy("web", &origin.address, &absurd);
    echoes();
    // Two are probed for as long as they serve.
    let targets = format!("{0},{0}", origin.address);
    proxy.deploy("web", &targets, &absurd);
    let probes = origin.probes().len();
    eventually("probing goes on", || origin.probes().len() > probes + 2);
    echoes();
}

/// parity: proxy D9
#[test]
fn a_pause_state_of_null_does_no_harm() {
    let mut proxy = Proxy::start();
    let origin = Origin::named("web");
    proxy.deploy("web", &origin.address, &[]);
    assert_eq!(proxy.terminate(), 0);
    let mut state = proxy.state();
    state[0]["pause_controller"] = serde_json::Value::Null;
    let interval = &mut state[0]["target_options"]["health_check_config"]["interval"];
    assert_eq!(*interval, 1_000_000_000_i64);
    *interval = 0.into();
    std::fs::write(proxy.state_file(), state.to_string()).unwrap();
    proxy.boot();
    assert_eq!(get(proxy.http, "a", "/").text(), "web");
    let listed = proxy.run(&["ls"]);
    assert!(listed.stdout.contains("running"), "{listed:?}");
    proxy.run(&["pause", "web"]).quiet();
    proxy.run(&["resume", "web"]).quiet();
    assert_eq!(get(proxy.http, "a", "/").text(), "web");
}

#[test]
fn item_d7_a_state_that_cannot_be_written_is_told_and_costs_nothing_else() {
    let proxy = Proxy::start();
    let origin = Origin::named("web");
    proxy.deploy("one", &origin.address, &["--host=one.com"]);
    let folder = proxy.state_file().parent().unwrap().to_owned();
    let away = proxy.path("away");
    std::fs::rename(&folder, &away).unwrap();
    // Nothing can be written below what is no folder.
    std::fs::write(&folder, "").unwrap();
    proxy.deploy("two", &origin.address, &["--host=two.com"]);
    let told = proxy.expect_logged("Unable to save state", 1);
    assert_eq!(told[0]["level"], "ERROR");
    for host in ["one.com", "two.com"] {
        assert_eq!(get(proxy.http, host, "/").text(), "web");
    }
    // The next one that can be written has everything.
    std::fs::remove_file(&folder).unwrap();
    std::fs::rename(&away, &folder).unwrap();
    assert_eq!(proxy.state().as_array().unwrap().len(), 1);
    proxy.run(&["resume", "one"]).quiet();
    assert_eq!(proxy.state().as_array().unwrap().len(), 2);
}

#[test]
fn items_33_and_d7_what_is_no_state_is_put_aside_and_not_overwritten() {
    let mut proxy = Proxy::prepare();
    let file = proxy.state_file();
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::write(&file, "{\"not\": \"a state\"}").unwrap();
    proxy.boot();
    proxy.expect_logged("Failed to decode saved state", 1);
    let origin = Origin::named("web");
    proxy.deploy("web", &origin.address, &[]);
    assert_eq!(get(proxy.http, "a", "/").text(), "web");
    assert_eq!(proxy.state()[0]["name"], "web");
    let aside = std::fs::read_to_string(file.with_extension("state.damaged")).unwrap();
    assert_eq!(aside, "{\"not\": \"a state\"}");
}

/// parity: proxy D10
#[test]
fn a_refused_deploy_leaves_no_probes_behind() {
    let proxy = Proxy::start();
    let (owner, one, two) = (Origin::named("o"), Origin::named("1"), Origin::named("2"));
    proxy.deploy("owner", &owner.address, &["--host=a.com"]);
    let targets = format!("--target={},{}", one.address, two.address);
    proxy
        .run(&[
            "deploy",
            "other",
            &targets,
            "--host=a.com",
            "--health-check-interval=50ms",
        ])
        .failed("host settings conflict with another service");
    std::thread::sleep(Duration::from_millis(100));
    let probes = one.probes().len() + two.probes().len();
    // Both had to be healthy before the conflict was found.
    assert!(probes >= 2, "{probes}");
    std::thread::sleep(Duration::from_millis(400));
    assert_eq!(one.probes().len() + two.probes().len(), probes);
}

/// parity: proxy 133, D17
#[test]
fn the_logged_address_and_id_are_trusted_ones() {
    let proxy = Proxy::start();
    let origin = Origin::named("web");
    let ask = |path: &str| {
        let headers = [
            ("X-Forwarded-For", "9.9.9.9"),
            ("X-Real", "7.7.7.7"),
            ("X-Request-ID", "mine"),
        ];
        request(proxy.http, "GET", "a", path, &headers, b"");
        let line = proxy.request_logged(path);
        let address = line["remote_addr"].as_str().unwrap().to_owned();
        (address, line["request_id"] == "mine")
    };
    let (own, forwarded, named) = ("127.0.0.1", "9.9.9.9", "7.7.7.7");
    assert_eq!(ask("/unrouted"), (own.to_owned(), false));
    proxy.deploy("web", &origin.address, &["--forward-headers=false"]);
    assert_eq!(ask("/untrusted"), (own.to_owned(), false));
    proxy.deploy("web", &origin.address, &[]);
    assert_eq!(ask("/trusted"), (forwarded.to_owned(), true));
    let option = ["--forward-headers=false", "--client-ip-header=X-Real"];
    proxy.deploy("web", &origin.address, &option);
    assert_eq!(ask("/named"), (named.to_owned(), false));
    let option = ["--forward-headers=false", "--trusted-proxy=127.0.0.0/8"];
    proxy.deploy("web", &origin.address, &option);
    assert_eq!(ask("/listed"), (own.to_owned(), true));
    let option = ["--forward-headers", "--trusted-proxy=10.0.0.0/8"];
    proxy.deploy("web", &origin.address, &option);
    assert_eq!(ask("/not-listed"), (own.to_owned(), false));
    assert_eq!(get(proxy.http, "a", "/").status, 200);
}
