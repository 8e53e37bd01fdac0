//! The metrics port.

use std::io::Read as _;

use crate::support::{Answer, Link, Origin, Proxy, eventually, free_port, get, reply, request};

fn scrape(port: u16, headers: &[(&str, &str)]) -> Answer {
    request(port, "GET", "metrics", "/any/path", headers, b"")
}

fn has(port: u16, line: &str) -> bool {
    scrape(port, &[]).text().lines().any(|found| found == line)
}

/// parity: proxy 134-136
#[test]
fn requests_are_counted_by_method_service_and_status() {
    let port = free_port();
    let mut proxy = Proxy::prepare();
    proxy.boot_with(&[&format!("--metrics-port={port}")]);
    let origin = Origin::start(|seen, stream| match seen.path() {
        "/slow" => {
            std::thread::sleep(std::time::Duration::from_millis(600));
            reply(stream, "200 OK", &[], b"slow")
        }
        _ => reply(stream, "201 Made", &[], b"made"),
    });
    proxy.deploy(
        "web",
        &origin.address,
        &[
            "--host=a.com",
            "--path-prefix=/app",
            "--exclude-metrics-path=/ping",
            "--exclude-metrics-path=/p q",
        ],
    );
    for path in [
        "/app/a",
        "/app/b?x",
        "/app/ping",
        "/app/p%20q",
        "/app/ping/x",
    ] {
        assert_eq!(get(proxy.http, "a.com", path).status, 201);
    }
    request(proxy.http, "BREW", "a.com", "/app/x", &[], b"");
    get(proxy.http, "b.com", "/nobody");
    let labels = r#"method="GET",service="web",status="201""#;
    eventually("they are counted", || {
        has(
            port,
            &format!("kamal_proxy_http_requests_total{{{labels}}} 3"),
        )
    });
    for line in [
        r#"kamal_proxy_http_requests_total{method="OTHER",service="web",status="201"} 1"#,
        r#"kamal_proxy_http_requests_total{method="GET",service="",status="404"} 1"#,
        r#"kamal_proxy_http_in_flight_requests{service="web"} 0"#,
        &format!("kamal_proxy_http_request_duration_seconds_bucket{{{labels},le=\"+Inf\"}} 3"),
        &format!("kamal_proxy_http_request_duration_seconds_count{{{labels}}} 3"),
        "# TYPE kamal_proxy_http_request_duration_seconds histogram",
    ] {
        assert!(has(port, line), "{line}");
    }
    // Excluded paths are logged all the same.
    assert_eq!(proxy.request_logged("/app/ping")["status"], 201);

    let http = proxy.http;
    let slow = std::thread::spawn(move || get(http, "a.com", "/app/slow"));
    eventually("it shows as in flight", || {
        has(
            port,
            r#"kamal_proxy_http_in_flight_requests{service="web"} 1"#,
        )
    });
    slow.join().unwrap();
    let slow = r#"kamal_proxy_http_request_duration_seconds_bucket{method="GET",service="web",status="200",le="#;
    eventually("it is over", || has(port, &format!("{slow}\"1\"}} 1")));
    assert!(has(port, &format!("{slow}\"0.5\"}} 0")));
    assert!(has(
        port,
        r#"kamal_proxy_http_in_flight_requests{service="web"} 0"#
    ));

    let plain = scrape(port, &[]);
    assert_eq!(
        plain.header("Content-Type"),
        Some("text/plain; version=0.0.4; charset=utf-8; escaping=underscores")
    );
    assert!(plain.text().contains("\nprocess_resident_memory_bytes "));
    let packed = scrape(port, &[("Accept-Encoding", "gzip")]);
    let mut text = String::new();
    flate2::read::GzDecoder::new(&packed.body[..])
        .read_to_string(&mut text)
        .unwrap();
    assert!(text.contains("kamal_proxy_http_requests_total{"));
    let line = proxy.expect_logged("Metrics enabled", 1).remove(0);
    assert_eq!(line["address"], format!(":{port}"));
}

/// parity: proxy 136
#[test]
fn without_the_flag_nothing_listens() {
    let proxy = Proxy::start();
    let listening = std::fs::read_to_string(format!("/proc/{}/net/tcp6", proxy.pid())).unwrap();
    let inodes: Vec<String> = std::fs::read_dir(format!("/proc/{}/fd", proxy.pid()))
        .unwrap()
        .filter_map(|entry| std::fs::read_link(entry.unwrap().path()).ok())
        .map(|link| link.display().to_string())
        .collect();
    let own = |line: &&str| {
        let fields: Vec<_> = line.split_whitespace().collect();
        fields[3] == "0A" && inodes.contains(&format!("socket:[{}]", fields[9]))
    };
    let ports: std::collections::BTreeSet<u16> = listening
        .lines()
        .skip(1)
        .filter(own)
        .map(|line| {
            let address = line.split_whitespace().nth(1).unwrap();
            u16::from_str_radix(address.rsplit_once(':').unwrap().1, 16).unwrap()
        })
        .collect();
    assert_eq!(ports, [proxy.http, proxy.https].into());
    let mut taken = Proxy::prepare();
    taken.http = free_port();
    let flag = format!("--metrics-port={}", proxy.http);
    let outcome = taken.run(&["run", "--http-port=0", "--https-port=0", &flag]);
    let message = format!(
        "Error: listen tcp :{}: bind: address already in use\n",
        proxy.http
    );
    assert_eq!((outcome.code, outcome.stderr), (1, message));
    let mut link = Link::open(proxy.http);
    link.write("GET / HTTP/1.0\r\n\r\n");
    assert_eq!(link.read().status, 404);
}
