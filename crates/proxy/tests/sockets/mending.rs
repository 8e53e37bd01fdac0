//! Faults of kamal-proxy that are mended here.

use std::time::Duration;

use crate::support::{Origin, Proxy, get, reply, request};

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
    proxy.deploy("web", &origin.address, &absurd);
    assert_eq!(
        request(proxy.http, "POST", "a", "/", &[], b"body").text(),
        "body"
    );
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
