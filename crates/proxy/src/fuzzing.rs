//! What is done with bytes in every run of a fuzzer, and what must hold whatever the bytes are: nothing panics, what
//! goes to a target is exactly one request, and how bytes are cut into reads makes no difference.
//!
//! In: bytes. Out: nothing, or a panic if a promise is broken. Only there with the feature `fuzzing`, for `fuzz/`, and
//! in tests, which run the kept corpora.

use bytes::{Bytes, BytesMut};
use dhow_proxy_api::{StateEntry, read_state, write_state};
use http::Method;
use http::header::{HeaderMap, HeaderName, HeaderValue};

use crate::request::affinity;
use crate::request::cookie::cookie;
use crate::request::cookie_scope::scope_cookies;
use crate::request::gunzip::Gunzip;
use crate::request::redirect;
use crate::request::request_path::upstream_path;
use crate::request::sniff::sniff;
use crate::request::upgrade::{connection_tokens, wanted_protocol};
use crate::services::rollout::{RolloutSlot, split};
use crate::services::router::{host_without_port, strip_prefix};
use crate::services::test_services::{service, table_of};
use crate::upstream::{
    BodyDecoder, Decoded, ForwardedHead, RequestFraming, ResponseHead, is_hop_by_hop,
    parse_response_head, write_request_head,
};

/// Services and a request: lines of `host prefix`, each a service; the last is `host path`.
pub fn routing(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let mut lines: Vec<(&str, &str)> = text
        .lines()
        .take(17)
        .map(|line| line.split_once(' ').unwrap_or((line, "")))
        .collect();
    let Some((host, path)) = lines.pop() else {
        return;
    };
    let services: Vec<_> = lines
        .iter()
        .enumerate()
        .map(|(number, (hosts, prefixes))| {
            let list = |text: &str| text.split(',').map(str::to_owned).collect::<Vec<_>>();
            let (hosts, prefixes) = (list(hosts), list(prefixes));
            let hosts: Vec<&str> = hosts.iter().map(String::as_str).collect();
            let prefixes: Vec<&str> = prefixes.iter().map(String::as_str).collect();
            let mut service = service(&number.to_string(), &hosts, &prefixes);
            service.options.tls_enabled = number % 2 == 0;
            service
        })
        .collect();
    let table = table_of(&services);
    let bare = host_without_port(host);
    let hit = table.find(bare, path).map(|hit| (hit.service, hit.prefix));
    let upper = bare.to_ascii_uppercase();
    let again = table
        .find(&upper, path)
        .map(|hit| (hit.service, hit.prefix));
    assert_eq!(hit, again, "letter case of {bare:?}");
    let _ = (table.default_tls_host(), table.find_root(bare));
    let Some((place, prefix)) = hit else { return };
    let found = table.services().get(place);
    let options = found.map(|service| &service.options);
    assert!(options.is_some_and(|options| options.path_prefixes.iter().any(|own| own == prefix)));
    let rest = strip_prefix(path, prefix);
    assert!(prefix == "/" || rest.starts_with('/'), "{path:?} {rest:?}");
    let sent = upstream_path(&rest, None);
    assert!(
        sent.iter().all(|byte| (0x21..0x7f).contains(byte)),
        "{sent:?}"
    );
    if let Some(location) =
        options.and_then(|options| redirect::location(options, bare, false, path))
    {
        let page = redirect::page(&location);
        assert!(!page.contains("<script"), "{page}");
    }
}

/// A request's head as a client sends it, after a byte of switches, on its way to a target.
pub fn headers(data: &[u8]) {
    let (switches, data) = data.split_first().unwrap_or((&0, data));
    let on = |bit: u8| switches & (1 << bit) != 0;
    let mut places = [httparse::EMPTY_HEADER; 64];
    let mut request = httparse::Request::new(&mut places);
    if !matches!(request.parse(data), Ok(httparse::Status::Complete(_))) {
        return;
    }
    let headers = header_map(request.headers);
    let tokens = connection_tokens(&headers);
    let upgrade = wanted_protocol(&headers, &tokens);
    let framing = match switches >> 6 {
        0 => RequestFraming::None,
        1 => RequestFraming::Chunked,
        length => RequestFraming::Length(length.into()),
    };
    let client_ip = HeaderName::from_static("x-client-ip");
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
            made_request_id: on(0).then_some(&b"id"[..]),
            received_millis: 1,
            target: "web:80",
            trust_forwarded: on(1),
            keep_forwarded: false,
            client_ip_header: on(2).then_some(&client_ip),
            connection_tokens: &tokens,
            upgrade: upgrade.filter(|_| on(3)),
            asks_for_gzip: on(4),
            framing,
        },
    );
    one_request(&out, framing, upgrade.is_some() && on(3), &tokens);

    let now = 1_700_000_000_000;
    let _ = affinity::has_written(&headers, now);
    let slot = RolloutSlot {
        set: None,
        split: Some(split(50, vec!["me".to_owned()])),
    };
    let _ = (slot.takes(&headers), cookie(&headers, "kamal-rollout"));
}

/// The head must be one request, with one framing, and nothing that spoke of the client's connection.
fn one_request(out: &[u8], framing: RequestFraming, upgraded: bool, tokens: &[String]) {
    let mut places = [httparse::EMPTY_HEADER; 96];
    let mut parsed = httparse::Request::new(&mut places);
    let Ok(httparse::Status::Complete(length)) = parsed.parse(out) else {
        panic!("no request: {:?}", String::from_utf8_lossy(out));
    };
    assert_eq!(length, out.len(), "more than one head");
    let headers = parsed.headers;
    let count = |name: &str| {
        headers
            .iter()
            .filter(|h| h.name.eq_ignore_ascii_case(name))
            .count()
    };
    for once in [
        "host",
        "x-forwarded-for",
        "x-forwarded-proto",
        "x-forwarded-host",
        "x-kamal-target",
    ] {
        assert_eq!(count(once), 1, "{once}");
    }
    let expected = match framing {
        RequestFraming::None => (0, 0),
        RequestFraming::Length(_) => (1, 0),
        RequestFraming::Chunked => (0, 1),
    };
    assert_eq!(
        (count("content-length"), count("transfer-encoding")),
        expected
    );
    assert_eq!(count("connection"), usize::from(upgraded));
    assert_eq!(count("upgrade"), usize::from(upgraded));
    for own in [
        "keep-alive",
        "proxy-connection",
        "proxy-authorization",
        "forwarded",
    ] {
        assert_eq!(count(own), 0, "{own}");
    }
    // What the proxy sets itself may bear a name that the client listed.
    let set = |name: &str| {
        name.starts_with("x-")
            || matches!(
                name,
                "host" | "accept-encoding" | "te" | "trailer" | "content-length"
            )
            || is_hop_by_hop(name)
    };
    for token in tokens.iter().filter(|token| !set(token)) {
        assert_eq!(count(token), 0, "{token}");
    }
}

fn header_map(parsed: &[httparse::Header<'_>]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for header in parsed {
        if let (Ok(name), Ok(value)) = (
            HeaderName::from_bytes(header.name.as_bytes()),
            HeaderValue::from_bytes(header.value),
        ) {
            headers.append(name, value);
        }
    }
    headers
}

/// A response of a target, after a byte that says the method and how it is cut into reads.
pub fn response(data: &[u8]) {
    let (switches, data) = data.split_first().unwrap_or((&0, data));
    let method = if switches & 1 == 0 {
        Method::GET
    } else {
        Method::HEAD
    };
    let whole = read_response(data, data.len().max(1), &method);
    let pieces = read_response(data, usize::from(switches >> 1).max(1), &method);
    // Cut into pieces, an error may show earlier, before the data in front of it was given out.
    match (&whole, &pieces) {
        (Ok(whole), Ok(pieces)) => assert_eq!(whole, pieces),
        (Err(_), Err(_)) => {}
        (whole, pieces) => panic!("{whole:?} in one, {pieces:?} in pieces"),
    }
}

/// Status, headers, body, trailers and whether the body ended.
type Read = Option<(u16, usize, Vec<u8>, usize, bool)>;

fn read_response(data: &[u8], step: usize, method: &Method) -> Result<Read, String> {
    let mut buffer = BytesMut::new();
    let mut head: Option<ResponseHead> = None;
    let (mut body, mut trailers, mut ended) = (Vec::new(), 0, false);
    for piece in data.chunks(step) {
        buffer.extend_from_slice(piece);
        if head.is_none() {
            let parsed = parse_response_head(&mut buffer, method);
            head = parsed.map_err(|error| error.to_string())?;
            if let Some(head) = &mut head {
                for name in ["connection", "transfer-encoding", "keep-alive", "upgrade"] {
                    assert!(!head.headers.contains_key(name), "{name}");
                }
                let cookies = head.headers.get_all("set-cookie").iter().count();
                scope_cookies(&mut head.headers, "/app", "a.com");
                assert_eq!(head.headers.get_all("set-cookie").iter().count(), cookies);
            }
        }
        let Some(head) = &mut head else { continue };
        while !ended {
            match head
                .body
                .decode(&mut buffer)
                .map_err(|error| error.to_string())?
            {
                Decoded::Data(data) => body.extend_from_slice(&data),
                Decoded::Trailers(map) => trailers = map.len(),
                Decoded::End => ended = true,
                Decoded::NeedMore => break,
            }
        }
    }
    assert!(body.len() <= data.len());
    Ok(head.map(|head| {
        (
            head.status.as_u16(),
            head.headers.len(),
            body,
            trailers,
            ended,
        )
    }))
}

/// Chunks, and the same bytes as a packed body, after a byte that says how they are cut.
pub fn chunks(data: &[u8]) {
    let (step, data) = data.split_first().unwrap_or((&1, data));
    let whole = decode_chunks(data, data.len().max(1));
    let pieces = decode_chunks(data, usize::from(*step).max(1));
    assert_eq!(whole.1, pieces.1, "the end");
    assert_eq!(whole.0, pieces.0, "the body");
    let _ = sniff(data);
    let mut gunzip = Gunzip::default();
    for piece in data.chunks(usize::from(*step).max(1)) {
        gunzip.feed(Bytes::copy_from_slice(piece));
        while let Ok(Some(_)) = gunzip.next() {}
    }
    let _ = gunzip.finish();
}

/// The body so far, and whether it ended, or how not.
fn decode_chunks(data: &[u8], step: usize) -> (Vec<u8>, &'static str) {
    let (mut decoder, mut buffer) = (BodyDecoder::chunked(), BytesMut::new());
    let mut body = Vec::new();
    for piece in data.chunks(step) {
        buffer.extend_from_slice(piece);
        loop {
            match decoder.decode(&mut buffer) {
                Ok(Decoded::Data(data)) => body.extend_from_slice(&data),
                Ok(Decoded::Trailers(_)) => {}
                Ok(Decoded::NeedMore) => break,
                Ok(Decoded::End) => return (body, "ended"),
                Err(_) => return (body, "malformed"),
            }
        }
    }
    (body, "unfinished")
}

/// A state file: what was read is what is read after it was written.
pub fn state(data: &[u8]) {
    let Ok(entries) = read_state(data) else {
        return;
    };
    assert!(entries.len() <= data.len());
    let services: Vec<_> = entries
        .into_iter()
        .filter_map(|entry| match entry {
            StateEntry::Service(service) => Some(*service),
            StateEntry::Damaged { .. } => None,
        })
        .collect();
    let Ok(written) = write_state(&services) else {
        return;
    };
    let Ok(again) = read_state(&written) else {
        panic!(
            "what was written cannot be read: {:?}",
            String::from_utf8_lossy(&written)
        );
    };
    let again: Vec<_> = again
        .into_iter()
        .filter_map(|entry| match entry {
            StateEntry::Service(service) => Some(*service),
            StateEntry::Damaged { .. } => None,
        })
        .collect();
    assert_eq!(services.len(), again.len());
    assert_eq!(write_state(&again).ok(), Some(written));
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    type Target = (&'static str, fn(&[u8]));

    const TARGETS: [Target; 5] = [
        ("routing", routing),
        ("headers", headers),
        ("response", response),
        ("chunks", chunks),
        ("state", state),
    ];

    /// So many damaged texts each, the same in every run.
    const DAMAGED: usize = 4_000;

    fn corpus(target: &str) -> Vec<Vec<u8>> {
        let file = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../../fuzz/corpus")
            .join(format!("{target}.jsonl"));
        let lines = std::fs::read_to_string(&file)
            .unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let texts: Vec<Vec<u8>> = lines
            .lines()
            .map(|line| serde_json::from_str::<String>(line).unwrap().into_bytes())
            .collect();
        assert!(!texts.is_empty(), "{} in {target}", texts.len());
        texts
    }

    #[test]
    fn corpora_are_survived() {
        for (name, target) in TARGETS {
            for data in corpus(name) {
                target(&data);
            }
        }
    }

    #[test]
    fn damaged_corpora_are_survived() {
        for (name, target) in TARGETS {
            let corpus = corpus(name);
            let mut numbers = Numbers(0x9E37_79B9_7F4A_7C15);
            for _ in 0..DAMAGED {
                let one = &corpus[numbers.below(corpus.len())];
                let other = &corpus[numbers.below(corpus.len())];
                target(&damaged(one, other, &mut numbers));
            }
        }
    }

    /// Takes out, doubles, flips, and puts in pieces of another text.
    fn damaged(one: &[u8], other: &[u8], numbers: &mut Numbers) -> Vec<u8> {
        let mut data = one.to_vec();
        for _ in 0..=numbers.below(5) {
            let at = numbers.below(data.len() + 1);
            let end = (at + 1 + numbers.below(24)).min(data.len()).max(at);
            match numbers.below(4) {
                0 => drop(data.drain(at..end)),
                1 => {
                    let piece = data[at..end].to_vec();
                    data.splice(at..at, piece);
                }
                2 => {
                    let from = numbers.below(other.len() + 1);
                    let to = (from + numbers.below(40)).min(other.len());
                    data.splice(at..at, other[from..to.max(from)].iter().copied());
                }
                _ => {
                    if let Some(byte) = data.get_mut(at) {
                        *byte ^= 1 << numbers.below(8);
                    }
                }
            }
        }
        data
    }

    /// A small generator of repeatable numbers (xorshift).
    struct Numbers(u64);

    impl Numbers {
        fn below(&mut self, end: usize) -> usize {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            usize::try_from(self.0 % u64::try_from(end.max(1)).unwrap()).unwrap()
        }
    }
}
