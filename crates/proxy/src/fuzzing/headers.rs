//! From a client's headers to a target's. In: a request's head.

use http::header::{HeaderMap, HeaderName, HeaderValue};

use crate::request::affinity;
use crate::request::cookie::cookie;
use crate::request::upgrade::{connection_tokens, wanted_protocol};
use crate::services::rollout::{RolloutSlot, split};
use crate::upstream::{ForwardedHead, RequestFraming, is_hop_by_hop, write_request_head};

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
            keep_request_start: on(5),
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
