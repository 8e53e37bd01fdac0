//! HTTP/3, held against aioquic: a client from another house. `bin/fetch-aioquic` brings it in.

use std::io::Write as _;
use std::path::Path;
use std::process::Command;

use crate::http3::{redeploy, start};
use crate::support::{Origin, Proxy, reply};

fn origin() -> Origin {
    Origin::start(|seen, stream| match seen.path() {
        "/trailers" => {
            let head =
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: grpc-status\r\n\r\n";
            let body = "5\r\nhello\r\n0\r\ngrpc-status: 0\r\n\r\n";
            stream.write_all(format!("{head}{body}").as_bytes()).is_ok()
        }
        path => reply(stream, "200 OK", &[("X-Path", path)], &seen.body),
    })
}

/// Runs a check of the script beside this file.
fn check(proxy: &Proxy, name: &str) {
    let crate_folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = crate_folder.parent().and_then(Path::parent).unwrap();
    let fetched = Command::new(root.join("bin/fetch-aioquic"))
        .output()
        .unwrap();
    assert!(
        fetched.status.success(),
        "bin/fetch-aioquic failed, and without aioquic there is no independent check of HTTP/3: {}",
        String::from_utf8_lossy(&fetched.stderr)
    );
    let outcome = Command::new(root.join("target/aioquic/bin/python"))
        .arg(crate_folder.join("tests/sockets/http3_peer.py"))
        .args([&proxy.https.to_string(), name])
        .output()
        .unwrap();
    assert!(
        outcome.status.success(),
        "{name}: {}{}",
        String::from_utf8_lossy(&outcome.stdout),
        String::from_utf8_lossy(&outcome.stderr)
    );
}

#[test]
fn item_61_an_independent_client_is_served_and_finds_http3_by_itself() {
    let origin = origin();
    let proxy = start(&origin, &[]);
    check(&proxy, "get");
    check(&proxy, "discovery");
    assert_eq!(proxy.request_logged("/echo")["proto"], "HTTP/3.0");
}

#[test]
fn an_independent_client_sends_and_gets_bodies() {
    let origin = origin();
    let proxy = start(&origin, &[]);
    check(&proxy, "bodies");
    redeploy(
        &proxy,
        &origin,
        &["--buffer-requests", "--buffer-responses"],
    );
    check(&proxy, "bodies");
    check(&proxy, "streams");
}

#[test]
fn item_d4_an_independent_client_sends_and_gets_trailers() {
    let origin = origin();
    let proxy = start(&origin, &[]);
    for options in [&[][..], &["--buffer-requests", "--buffer-responses"]] {
        redeploy(&proxy, &origin, options);
        check(&proxy, "trailers");
    }
    let seen = origin.seen();
    assert!(
        seen.iter()
            .filter(|seen| seen.path() == "/trailers")
            .all(|seen| seen.trailers == ["x-in: 7"])
    );
}

#[test]
fn a_client_may_change_its_address() {
    let origin = origin();
    let proxy = start(&origin, &[]);
    check(&proxy, "migration");
}

#[test]
fn item_61_an_independent_client_finds_nothing_without_the_flag() {
    let proxy = Proxy::start();
    let origin = origin();
    redeploy(&proxy, &origin, &[]);
    check(&proxy, "refused");
}
