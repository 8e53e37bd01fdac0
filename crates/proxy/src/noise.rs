//! Noise against everything that reads bytes from outside on the request path: routing, header rewriting,
//! chunked bodies, packed bodies, the state file. The noise is the same in every run.

use bytes::{Bytes, BytesMut};
use dhow_proxy_api::read_state;
use http::header::{HeaderMap, HeaderName, HeaderValue, SET_COOKIE};

use crate::downstream::proxy_protocol::{LONGEST, Start, read_start};
use crate::request::cookie::cookie;
use crate::request::cookie_scope::scope_cookies;
use crate::request::gunzip::Gunzip;
use crate::request::request_path::upstream_path;
use crate::request::sniff::sniff;
use crate::services::router::{host_without_port, strip_prefix};
use crate::services::test_services::{service, table_of};
use crate::upstream::{BodyDecoder, Decoded, ForwardedHead, RequestFraming, write_request_head};

/// Numbers that look random (xorshift).
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 16).unwrap()
    }

    /// `valid` with up to eight changes, taken from `spice` where bytes are put in.
    fn spoil(&mut self, valid: &[u8], spice: &[u8]) -> Vec<u8> {
        let mut bytes = valid.to_vec();
        for _ in 0..self.next() % 9 {
            let place = self.next() % (bytes.len() + 1);
            match self.next() % 4 {
                0 if place < bytes.len() => bytes[place] = spice[self.next() % spice.len()],
                1 => bytes.truncate(place.max(1)),
                2 if place < bytes.len() => {
                    bytes.remove(place);
                }
                _ => bytes.insert(place, spice[self.next() % spice.len()]),
            }
        }
        bytes
    }

    fn text(&mut self, valid: &str, spice: &str) -> String {
        String::from_utf8_lossy(&self.spoil(valid.as_bytes(), spice.as_bytes())).into_owned()
    }
}

#[test]
fn routes_and_paths() {
    let mut noise = Noise(0x9e37_79b9_7f4a_7c15);
    let table = table_of(&[
        service("all", &[""], &["/"]),
        service("wild", &["*.example.com"], &["/app", "/app/v2"]),
        service("exact", &["a.example.com"], &["/é", "/"]),
    ]);
    for _ in 0..100_000 {
        let host = noise.text("a.example.com:80", ".:[]*A ");
        let path = noise.text("/app/v2/%2Fx/%C3%A9", "/%.2fFé?");
        if let Some(hit) = table.find(host_without_port(&host), &path) {
            assert!(hit.service < 3);
            let rest = strip_prefix(&path, hit.prefix);
            let sent = upstream_path(&rest, Some("q"));
            assert!(hit.prefix == "/" || rest.starts_with('/'), "{path} {rest}");
            assert!(
                !sent.iter().any(|byte| *byte <= b' ' || *byte >= 0x7f),
                "{path}"
            );
        }
    }
}

#[test]
fn rewritten_heads_stay_one_head() {
    let mut noise = Noise(0x1234_5678_9abc_def1);
    const NAMES: [&str; 12] = [
        "x-forwarded-for",
        "x-forwarded-proto",
        "x-forwarded-host",
        "x-kamal-target",
        "te",
        "trailer",
        "connection",
        "x-request-id",
        "x-request-start",
        "cookie",
        "upgrade",
        "x-other",
    ];
    for round in 0..30_000_usize {
        let mut headers = HeaderMap::new();
        for _ in 0..noise.next() % 8 {
            let name = NAMES[noise.next() % NAMES.len()];
            let value = noise.spoil(b"trailers, a=1; b", b"\r\n\0,;=: \xff");
            if let Ok(value) = HeaderValue::from_bytes(&value) {
                headers.append(HeaderName::from_static(name), value);
            }
        }
        let _ = cookie(&headers, "kamal-rollout");
        let mut out = Vec::new();
        write_request_head(
            &mut out,
            &ForwardedHead {
                method: "GET",
                path_and_query: b"/",
                headers: &headers,
                host: b"a",
                peer: "::1",
                scheme: "http",
                made_request_id: round.is_multiple_of(2).then_some(&b"id"[..]),
                received_millis: 1,
                target: "web:80",
                trust_forwarded: round.is_multiple_of(3),
                keep_forwarded: round.is_multiple_of(6),
                client_ip_header: None,
                connection_tokens: &["x-other".to_owned()],
                upgrade: None,
                asks_for_gzip: round.is_multiple_of(5),
                framing: RequestFraming::Length(3),
            },
        );
        let mut places = [httparse::EMPTY_HEADER; 64];
        let mut parsed = httparse::Request::new(&mut places);
        let length = parsed.parse(&out).unwrap().unwrap();
        assert_eq!(length, out.len());
        let count = |name: &str| {
            parsed
                .headers
                .iter()
                .filter(|header| header.name.eq_ignore_ascii_case(name))
                .count()
        };
        for once in [
            "host",
            "x-forwarded-for",
            "x-forwarded-proto",
            "x-kamal-target",
            "content-length",
        ] {
            assert_eq!(count(once), 1, "{once}");
        }
        assert_eq!(
            count("connection") + count("x-other") + count("transfer-encoding"),
            0
        );
    }
}

#[test]
fn cookies_of_responses() {
    let mut noise = Noise(0xdead_beef_0bad_cafe);
    let valid = "a=\"1\"; Path=/x/; Domain=a.com; Expires=Thu, 01-Jan-1970 00:00:10 GMT; Max-Age=60; Secure; SameSite=Lax";
    for _ in 0..50_000 {
        let mut headers = HeaderMap::new();
        for _ in 0..=noise.next() % 3 {
            let value = noise.spoil(valid.as_bytes(), b";= \",-9\xff");
            if let Ok(value) = HeaderValue::from_bytes(&value) {
                headers.append(SET_COOKIE, value);
            }
        }
        let before = headers.get_all(SET_COOKIE).iter().count();
        scope_cookies(&mut headers, "/app", "a.com");
        assert_eq!(headers.get_all(SET_COOKIE).iter().count(), before);
    }
}

#[test]
fn chunks_and_packed_bodies() {
    let mut noise = Noise(0x0123_4567_89ab_cdef);
    let chunks = b"5;e=1\r\nhello\r\n00A\r\n0123456789\r\n0\r\nX-Sum: 1\r\n\r\n";
    let packed = [
        0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 0x4b, 4, 0, 0x43, 0xbe, 0xb7, 0xe8, 1, 0, 0, 0,
    ];
    for _ in 0..100_000 {
        let bytes = noise.spoil(chunks, b"\r\n0aF;:\0\xff");
        let (mut decoder, mut buffer) = (BodyDecoder::chunked(), BytesMut::new());
        let step = 1 + noise.next() % bytes.len().max(1);
        let mut body = 0;
        'pieces: for piece in bytes.chunks(step) {
            buffer.extend_from_slice(piece);
            loop {
                match decoder.decode(&mut buffer) {
                    Ok(Decoded::Data(data)) => body += data.len(),
                    Ok(Decoded::Trailers(_)) => {}
                    Ok(Decoded::NeedMore) => break,
                    Ok(Decoded::End) | Err(_) => break 'pieces,
                }
            }
        }
        assert!(body <= bytes.len());
        let bytes = noise.spoil(&packed, b"\0\x01\x03\x1f\x8b\xff");
        sniff(&bytes);
        let mut gunzip = Gunzip::default();
        gunzip.feed(Bytes::from(bytes));
        while let Ok(Some(_)) = gunzip.next() {}
        let _ = gunzip.finish();
    }
}

/// parity: proxy 33, D7
#[test]
fn state_files() {
    let mut noise = Noise(0xfeed_face_dead_beef);
    let valid = br#"[{"name":"a","options":{"hosts":["x"],"writer_affinity_timeout":1000},"active_targets":["w:80"],"pause_controller":null,"rollout_controller":{"percentage":5,"percentage_split_point":1.5,"allowlist":null}},{"name":"b"}]"#;
    let mut whole = 0;
    for _ in 0..50_000 {
        let bytes = noise.spoil(valid, b"{}[]\",:0-n\\\xff");
        // However damaged: an answer, and never more entries than could have been written.
        if let Ok(entries) = read_state(&bytes) {
            assert!(entries.len() <= bytes.len());
            whole += usize::from(entries.len() == 2);
        }
    }
    assert!(whole > 1000, "{whole}");
}

#[test]
fn proxy_headers() {
    let mut noise = Noise(0x0bad_cafe_1234_5678);
    let block = [
        &b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x11"[..],
        &[192, 0, 2, 7, 198, 51, 100, 1, 0xdc, 4, 1, 0xbb],
        &[1, 0, 2, b'h', b'2'],
    ]
    .concat();
    let seeds = [
        &b"PROXY TCP4 192.0.2.7 198.51.100.1 56324 443\r\nGET / "[..],
        b"PROXY TCP6 2001:db8::7 2001:db8::1 56324 443\r\n",
        b"PROXY UNKNOWN\r\n",
        &block,
    ];
    let mut headers = 0;
    for round in 0..100_000_usize {
        let bytes = noise.spoil(
            seeds[round % seeds.len()],
            b" \r\n\0\x01\x11\x20\x21:./019fP\xff",
        );
        // What is one stays one with and without what follows, and no more than its own bytes are used.
        if let Ok(Start::Header { length, source }) = read_start(&bytes) {
            headers += 1;
            assert!(length <= LONGEST);
            assert_eq!(
                read_start(&bytes[..length]),
                Ok(Start::Header { length, source })
            );
        }
    }
    assert!(headers > 1000, "{headers}");
}
