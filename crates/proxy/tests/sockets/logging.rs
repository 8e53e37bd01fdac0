//! The access log.

use crate::support::{Origin, Proxy, get, reply, request};

/// parity: proxy 132, 133
#[test]
fn every_field_in_its_place() {
    let proxy = Proxy::start();
    let origin = Origin::start(|_, stream| {
        reply(
            stream,
            "201 Made",
            &[
                ("Content-Type", "text/plain"),
                ("Cache-Control", "no-store"),
                ("X-B", "1"),
                ("X-B", "2"),
            ],
            b"hello",
        )
    });
    proxy.deploy(
        "web",
        &origin.address,
        &[
            "--log-request-header=cache-control",
            "--log-request-header=X-Two",
            "--log-response-header=x-b",
            "--log-response-header=x-none",
        ],
    );
    let headers = [
        ("User-Agent", "te\"st"),
        ("Content-Type", "text/x"),
        ("X-Two", "a"),
        ("x-two", "b"),
        ("X-Forwarded-For", "9.9.9.9"),
        ("X-Request-Id", "abc"),
    ];
    request(
        proxy.http,
        "POST",
        "a.com:81",
        "/p%C3%A9?q=%20&r",
        &headers,
        b"1234",
    );
    let line = proxy.request_logged("/pé");
    let raw = proxy
        .log()
        .lines()
        .find(|line| line.contains("\"msg\":\"Request\""))
        .unwrap()
        .to_owned();
    let keys: Vec<_> = line.as_object().unwrap().keys().cloned().collect();
    assert_eq!(
        keys,
        [
            "time",
            "level",
            "msg",
            "host",
            "port",
            "path",
            "request_id",
            "status",
            "service",
            "target",
            "duration",
            "method",
            "req_content_length",
            "req_content_type",
            "resp_content_length",
            "resp_content_type",
            "client_addr",
            "client_port",
            "remote_addr",
            "user_agent",
            "proto",
            "scheme",
            "query",
            "req_cache_control",
            "req_x_two",
            "resp_x_b",
            "resp_x_none",
        ]
    );
    let expected = serde_json::json!({
        "level": "INFO", "msg": "Request", "host": "a.com:81", "port": proxy.http, "path": "/pé", "request_id": "abc",
        "status": 201, "service": "web", "target": origin.address, "method": "POST", "req_content_length": 4,
        "req_content_type": "text/x", "resp_content_length": 5, "resp_content_type": "text/plain",
        "client_addr": "127.0.0.1", "remote_addr": "9.9.9.9", "user_agent": "te\"st", "proto": "HTTP/1.1",
        "scheme": "http", "query": "q=%20&r", "req_cache_control": "", "req_x_two": "a,b", "resp_x_b": "1,2", "resp_x_none": "",
    });
    for (key, value) in expected.as_object().unwrap() {
        assert_eq!(&line[key], value, "{key}");
    }
    assert!(line["duration"].as_i64().unwrap() > 1000);
    assert!(line["client_port"].as_str().unwrap().parse::<u16>().is_ok());
    assert!(raw.starts_with("{\"time\":\"20"));
}

/// parity: proxy 132
#[test]
fn requests_nobody_serves_and_chunked_ones() {
    let proxy = Proxy::start();
    let origin = Origin::named("web");
    get(proxy.http, "a.com", "/nowhere");
    let line = proxy.request_logged("/nowhere");
    assert_eq!(
        (
            line["status"].as_i64(),
            line["service"].as_str(),
            line["target"].as_str()
        ),
        (Some(404), Some(""), Some(""))
    );
    assert_eq!(line["req_content_length"], 0);
    proxy.deploy("web", &origin.address, &["--log-request-header=x"]);
    proxy.run(&["stop", "web"]).quiet();
    get(proxy.http, "a.com", "/stopped");
    let line = proxy.request_logged("/stopped");
    assert_eq!(
        (line["status"].as_i64(), line["service"].as_str()),
        (Some(503), Some("web"))
    );
    // Header fields appear only when a target was chosen.
    assert!(line.get("req_x").is_none());
    proxy.run(&["resume", "web"]).quiet();
    crate::support::send(
        proxy.http,
        "POST /chunked HTTP/1.0\r\nContent-Length: 0\r\n\r\n",
    );
    let line = proxy.request_logged("/chunked");
    assert_eq!(
        (line["proto"].as_str(), line["host"].as_str()),
        (Some("HTTP/1.0"), Some(""))
    );
    crate::support::send(
        proxy.http,
        "POST /unknown HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    );
    assert_eq!(proxy.request_logged("/unknown")["req_content_length"], -1);
    proxy.expect_logged("Request", 4);
}
