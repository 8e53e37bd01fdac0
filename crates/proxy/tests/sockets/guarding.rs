//! Whom the proxy believes: trusted networks, and the PROXY protocol.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use crate::support::{Answer, Link, Origin, Proxy, eventually, get, request, send};

const CLAIMS: [(&str, &str); 4] = [
    ("X-Forwarded-For", "1.1.1.1, 203.0.113.9"),
    ("X-Forwarded-Proto", "https"),
    ("X-Forwarded-Host", "front.example"),
    ("Forwarded", "for=203.0.113.9"),
];

/// The forwarding headers that the target saw last.
fn seen(origin: &Origin) -> [Option<String>; 4] {
    let seen = origin.seen();
    let last = seen.last().expect("a request");
    CLAIMS.map(|(name, _)| last.header(name).map(str::to_owned))
}

fn headers(values: [Option<&str>; 4]) -> [Option<String>; 4] {
    values.map(|value| value.map(str::to_owned))
}

/// parity: proxy 106, 107, 112, 133
#[test]
fn only_trusted_proxies_are_believed() {
    let proxy = Proxy::start();
    let origin = Origin::named("web");
    let ask = |path: &str| {
        request(proxy.http, "GET", "a", path, &CLAIMS, b"");
        proxy.request_logged(path)["remote_addr"].clone()
    };
    let nobody = headers([Some("127.0.0.1"), Some("http"), Some("a"), None]);
    let everybody = headers([
        Some("1.1.1.1, 203.0.113.9, 127.0.0.1"),
        Some("https"),
        Some("front.example"),
        None,
    ]);

    proxy.deploy("web", &origin.address, &["--trusted-proxy=10.0.0.0/8"]);
    assert_eq!(ask("/others"), "127.0.0.1");
    assert_eq!(seen(&origin), nobody);

    proxy.deploy(
        "web",
        &origin.address,
        &["--trusted-proxy=127.0.0.0/8,10.0.0.0/8"],
    );
    // The address that the trusted proxy saw, not the one that its client made up.
    assert_eq!(ask("/ours"), "203.0.113.9");
    let mut believed = everybody.clone();
    believed[3] = Some("for=203.0.113.9, for=127.0.0.1".to_owned());
    assert_eq!(seen(&origin), believed);

    let off = ["--trusted-proxy=127.0.0.0/8", "--forward-headers=false"];
    proxy.deploy("web", &origin.address, &off);
    assert_eq!(ask("/off"), "127.0.0.1");
    assert_eq!(seen(&origin), nobody);

    // Without a list everything is as in kamal-proxy.
    proxy.deploy("web", &origin.address, &[]);
    assert_eq!(ask("/plain"), "1.1.1.1, 203.0.113.9");
    assert_eq!(seen(&origin), everybody);
}

/// parity: proxy 108
#[test]
fn the_client_ip_header_counts_from_trusted_proxies() {
    let proxy = Proxy::start();
    let origin = Origin::named("web");
    let claims = [("X-Real", "203.0.113.9"), ("X-Forwarded-For", "1.1.1.1")];
    let ask = |path: &str| {
        request(proxy.http, "GET", "a", path, &claims, b"");
        let seen = origin.seen();
        let chain = seen.last().unwrap().header("X-Forwarded-For");
        (
            chain.unwrap().to_owned(),
            proxy.request_logged(path)["remote_addr"].clone(),
        )
    };
    let header = "--client-ip-header=X-Real";
    proxy.deploy("web", &origin.address, &[header, "--trusted-proxy=::1"]);
    assert_eq!(ask("/no"), ("127.0.0.1".to_owned(), "127.0.0.1".into()));
    proxy.deploy(
        "web",
        &origin.address,
        &[header, "--trusted-proxy=127.0.0.1"],
    );
    assert_eq!(
        ask("/yes"),
        ("203.0.113.9, 127.0.0.1".to_owned(), "203.0.113.9".into())
    );
}

#[test]
fn a_server_wide_list_counts_for_services_without_their_own_and_outlives_a_restart() {
    let mut proxy = Proxy::prepare();
    proxy.boot_with(&["--trusted-proxy=10.0.0.0/8"]);
    let origin = Origin::named("web");
    let ask = |proxy: &Proxy| {
        request(proxy.http, "GET", "a", "/", &CLAIMS, b"");
        seen(&origin)[0].clone().unwrap()
    };
    proxy.deploy("web", &origin.address, &[]);
    assert_eq!(ask(&proxy), "127.0.0.1");
    proxy.deploy("web", &origin.address, &["--trusted-proxy=127.0.0.1"]);
    assert_eq!(ask(&proxy), "1.1.1.1, 203.0.113.9, 127.0.0.1");
    let stored = proxy.state();
    assert_eq!(
        stored[0]["target_options"]["dhow"]["trusted_proxies"][0],
        "127.0.0.1/32"
    );
    assert_eq!(proxy.terminate(), 0);
    proxy.boot_with(&["--trusted-proxy=10.0.0.0/8"]);
    assert_eq!(ask(&proxy), "1.1.1.1, 203.0.113.9, 127.0.0.1");
}

/// parity: proxy 24
#[test]
fn nothing_of_dhows_own_is_stored_unless_it_is_used() {
    let proxy = Proxy::start();
    let origin = Origin::named("web");
    proxy.deploy("web", &origin.address, &[]);
    assert_eq!(proxy.state()[0]["target_options"].get("dhow"), None);
}

const LINE: &[u8] = b"PROXY TCP4 203.0.113.9 198.51.100.1 56324 80\r\n";

/// A block for IPv6 with an addition.
fn block() -> Vec<u8> {
    let mut bytes = b"\r\n\r\n\0\r\nQUIT\n\x21\x21\0\x29".to_vec();
    for address in ["2001:db8::9", "2001:db8::1"] {
        bytes.extend(address.parse::<std::net::Ipv6Addr>().unwrap().octets());
    }
    bytes.extend([0xdc, 4, 0, 80, 1, 0, 2, b'h', b'2']);
    bytes
}

/// Sends a header and a request; `None` when the connection is closed without an answer.
fn introduced(port: u16, header: &[u8], path: &str) -> Option<Answer> {
    let mut link = Link::open(port);
    let request = format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n");
    let _ = link
        .reader
        .get_mut()
        .write_all(&[header, request.as_bytes()].concat());
    link.try_read(false)
}

#[test]
fn a_proxy_header_names_the_client() {
    let mut proxy = Proxy::prepare();
    proxy.boot_with(&["--proxy-protocol=required", "--trusted-proxy=127.0.0.0/8"]);
    let origin = Origin::named("web");
    proxy.deploy("web", &origin.address, &[]);
    for (header, path, address, port) in [
        (LINE, "/line", "203.0.113.9", "56324"),
        (&block(), "/block", "2001:db8::9", "56324"),
    ] {
        let answer = introduced(proxy.http, header, path).expect("an answer");
        assert_eq!(answer.text(), "web");
        let line = proxy.request_logged(path);
        assert_eq!(line["client_addr"], address);
        assert_eq!(line["client_port"], port);
        assert_eq!(line["remote_addr"], address);
        assert_eq!(seen(&origin)[0].as_deref(), Some(address));
    }
    // A health check of the balancer's own, and one that knows nothing.
    for (header, path) in [
        (&b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0"[..], "/local"),
        (b"PROXY UNKNOWN\r\n", "/unknown"),
    ] {
        assert!(introduced(proxy.http, header, path).is_some());
        assert_eq!(proxy.request_logged(path)["client_addr"], "127.0.0.1");
    }
    // In pieces, and more than one request.
    let mut link = Link::open(proxy.http);
    for byte in LINE {
        link.write([*byte]);
    }
    for path in ["/first", "/second"] {
        link.write(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n"));
        assert_eq!(link.read().text(), "web");
        assert_eq!(proxy.request_logged(path)["client_addr"], "203.0.113.9");
    }
}

#[test]
fn without_a_required_header_nothing_is_answered() {
    let mut proxy = Proxy::prepare();
    proxy.boot_with(&["--proxy-protocol=required", "--trusted-proxy=127.0.0.0/8"]);
    let origin = Origin::named("web");
    proxy.deploy("web", &origin.address, &[]);
    for (header, why) in [
        (&b""[..], "no PROXY header"),
        (
            b"PROXY TCP4 nonsense\r\n",
            "malformed PROXY header: addresses or ports",
        ),
        (
            b"\r\n\r\n\0\r\nQUIT\n\x31\x11\0\x0c",
            "malformed PROXY header: unknown version",
        ),
    ] {
        assert!(introduced(proxy.http, header, "/").is_none(), "{header:?}");
        eventually(why, || {
            proxy.log().contains("PROXY protocol error from 127.0.0.1:")
                && proxy.log().contains(why)
        });
    }
    assert!(origin.seen().is_empty());
    // Nor over TLS, where the header comes before the handshake.
    let mut stream = TcpStream::connect(("127.0.0.1", proxy.https)).unwrap();
    stream.write_all(b"\x16\x03\x01").unwrap();
    assert_eq!(stream.read(&mut [0; 1]).unwrap_or(0), 0);
}

#[test]
fn an_optional_header_counts_from_trusted_networks_alone() {
    for (networks, status, address) in [
        ("--trusted-proxy=127.0.0.0/8", 200, "203.0.113.9"),
        // Not looked for: what HTTP makes of it is a bad request.
        ("--trusted-proxy=10.0.0.0/8", 400, ""),
    ] {
        let mut proxy = Proxy::prepare();
        proxy.boot_with(&["--proxy-protocol=optional", networks]);
        let origin = Origin::named("web");
        proxy.deploy("web", &origin.address, &[]);
        let answer = introduced(proxy.http, LINE, "/with").expect("an answer");
        assert_eq!(answer.status, status, "{networks}");
        if status == 200 {
            assert_eq!(proxy.request_logged("/with")["client_addr"], address);
        }
        // Methods that begin like a header are none.
        for method in ["GET", "POST", "PROPFIND", "PUT"] {
            let request = format!("{method} /{method} HTTP/1.1\r\nHost: a\r\n\r\n");
            assert_eq!(send(proxy.http, request).text(), "web");
            let line = proxy.request_logged(&format!("/{method}"));
            assert_eq!(line["client_addr"], "127.0.0.1");
        }
    }
}

#[test]
fn off_means_that_a_header_is_no_http() {
    let proxy = Proxy::start();
    let origin = Origin::named("web");
    proxy.deploy("web", &origin.address, &[]);
    assert_eq!(introduced(proxy.http, LINE, "/").unwrap().status, 400);
}

#[test]
fn connections_over_the_limit_wait_their_turn() {
    let mut proxy = Proxy::prepare();
    proxy.boot_with(&["--max-connections=1"]);
    let origin = Origin::named("web");
    proxy.deploy("web", &origin.address, &[]);
    let mut first = Link::open(proxy.http);
    first.write("GET /first HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(first.read().text(), "web");
    let mut second = Link::open(proxy.http);
    second.write("GET /second HTTP/1.1\r\nHost: a\r\n\r\n");
    second
        .reader
        .get_ref()
        .set_read_timeout(Some(std::time::Duration::from_millis(300)))
        .unwrap();
    assert!(second.reader.get_ref().peek(&mut [0; 1]).is_err());
    drop(first);
    second
        .reader
        .get_ref()
        .set_read_timeout(Some(std::time::Duration::from_secs(30)))
        .unwrap();
    assert_eq!(second.read().text(), "web");
    drop(second);
    assert_eq!(get(proxy.http, "a", "/").status, 200);
}
