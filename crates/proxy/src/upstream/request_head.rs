//! The request head a target receives: the client's headers in canonical case without hop-by-hop ones, the
//! forwarding headers set by kamal-proxy's rules, and the framing.

use http::header::{HeaderMap, HeaderName, HeaderValue};

use super::is_hop_by_hop;

/// How the request's body is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RequestFraming {
    /// There is none, and nothing is said about it.
    None,
    /// So many bytes.
    Length(u64),
    /// Chunks.
    Chunked,
}

/// Everything that goes into the head beside the client's headers.
pub(crate) struct ForwardedHead<'a> {
    /// Method token.
    pub(crate) method: &'a str,
    /// Path and query as sent.
    pub(crate) path_and_query: &'a [u8],
    /// The client's headers.
    pub(crate) headers: &'a HeaderMap,
    /// `Host`, verbatim.
    pub(crate) host: &'a [u8],
    /// The peer's address, without port.
    pub(crate) peer: &'a str,
    /// `http` or `https`.
    pub(crate) scheme: &'a str,
    /// `X-Request-Id`, unless the client's own is kept.
    pub(crate) made_request_id: Option<&'a [u8]>,
    /// `X-Request-Start` in milliseconds since 1970.
    pub(crate) received_millis: u64,
    /// The target's address.
    pub(crate) target: &'a str,
    /// Forwarding headers of the client are trusted.
    pub(crate) trust_forwarded: bool,
    /// `Forwarded` is as well.
    pub(crate) keep_forwarded: bool,
    /// The client's `X-Request-Start` is kept.
    pub(crate) keep_request_start: bool,
    /// The header that stands for the inbound `X-Forwarded-For`.
    pub(crate) client_ip_header: Option<&'a HeaderName>,
    /// Names in the client's `Connection`.
    pub(crate) connection_tokens: &'a [String],
    /// The protocol the client wants to switch to.
    pub(crate) upgrade: Option<&'a HeaderValue>,
    /// gzip is asked for in the client's place.
    pub(crate) asks_for_gzip: bool,
    /// The body.
    pub(crate) framing: RequestFraming,
}

/// Appends the head with its empty line to `out`.
pub(crate) fn write_request_head(out: &mut Vec<u8>, head: &ForwardedHead<'_>) {
    out.extend_from_slice(head.method.as_bytes());
    out.push(b' ');
    out.extend_from_slice(head.path_and_query);
    out.extend_from_slice(b" HTTP/1.1\r\nHost: ");
    out.extend_from_slice(head.host);
    out.extend_from_slice(b"\r\n");

    let mut trailers_welcome = false;
    let mut request_start_given = false;
    for (name, value) in head.headers {
        match name.as_str() {
            "host" | "content-length" | "forwarded" | "x-forwarded-for" | "x-forwarded-proto"
            | "x-forwarded-host" | "x-kamal-target" => {}
            "te" => trailers_welcome |= has_token(value, "trailers"),
            "trailer" => {
                if head.framing == RequestFraming::Chunked {
                    push_header(out, name.as_str(), value.as_bytes());
                }
            }
            name if is_hop_by_hop(name) => {}
            "x-request-id" if head.made_request_id.is_some() => {}
            "x-request-start" if !head.keep_request_start => {}
            "x-request-start" if value.is_empty() && !request_start_given => {}
            name => {
                if head.connection_tokens.iter().any(|token| token == name) {
                    continue;
                }
                request_start_given |= name == "x-request-start";
                push_header(out, name, value.as_bytes());
            }
        }
    }
    push_forwarding(out, head);
    if !request_start_given {
        out.extend_from_slice(b"X-Request-Start: t=");
        crate::observe::log::push_int(out, i64::try_from(head.received_millis).unwrap_or(i64::MAX));
        out.extend_from_slice(b"\r\n");
    }
    if let Some(id) = head.made_request_id {
        push_line(out, b"X-Request-Id: ", id);
    }
    if head.asks_for_gzip {
        out.extend_from_slice(b"Accept-Encoding: gzip\r\n");
    }
    if trailers_welcome {
        out.extend_from_slice(b"Te: trailers\r\n");
    }
    if let Some(protocol) = head.upgrade {
        push_line(
            out,
            b"Connection: Upgrade\r\nUpgrade: ",
            protocol.as_bytes(),
        );
    }
    match head.framing {
        RequestFraming::None => {}
        RequestFraming::Length(length) => {
            out.extend_from_slice(b"Content-Length: ");
            crate::observe::log::push_int(out, i64::try_from(length).unwrap_or(i64::MAX));
            out.extend_from_slice(b"\r\n");
        }
        RequestFraming::Chunked => out.extend_from_slice(b"Transfer-Encoding: chunked\r\n"),
    }
    out.extend_from_slice(b"\r\n");
}

fn push_forwarding(out: &mut Vec<u8>, head: &ForwardedHead<'_>) {
    out.extend_from_slice(b"X-Forwarded-For: ");
    if head.trust_forwarded {
        let stand_in = head
            .client_ip_header
            .and_then(|name| head.headers.get(name));
        match stand_in {
            Some(value) => push_joined(out, std::iter::once(value)),
            None => push_joined(out, head.headers.get_all("x-forwarded-for").iter()),
        }
    }
    out.extend_from_slice(head.peer.as_bytes());
    out.extend_from_slice(b"\r\n");
    let trusted = |name: &str| {
        head.headers
            .get(name)
            .filter(|value| head.trust_forwarded && !value.is_empty())
            .map(HeaderValue::as_bytes)
    };
    push_line(
        out,
        b"X-Forwarded-Proto: ",
        trusted("x-forwarded-proto").unwrap_or(head.scheme.as_bytes()),
    );
    push_line(
        out,
        b"X-Forwarded-Host: ",
        trusted("x-forwarded-host").unwrap_or(head.host),
    );
    if head.keep_forwarded && head.headers.contains_key("forwarded") {
        out.extend_from_slice(b"Forwarded: ");
        push_joined(out, head.headers.get_all("forwarded").iter());
        // RFC 7239, 6: an IPv6 address stands in brackets, and what is no token in quotes.
        let quoted = if head.peer.contains(':') {
            format!("for=\"[{}]\"\r\n", head.peer)
        } else {
            format!("for={}\r\n", head.peer)
        };
        out.extend_from_slice(quoted.as_bytes());
    }
    out.extend_from_slice(b"X-Kamal-Target: ");
    if head.trust_forwarded {
        push_joined(out, head.headers.get("x-kamal-target").into_iter());
    }
    out.extend_from_slice(head.target.as_bytes());
    out.extend_from_slice(b"\r\n");
}

/// Each value followed by a comma: what is prepended to our own.
fn push_joined<'v>(out: &mut Vec<u8>, values: impl Iterator<Item = &'v HeaderValue>) {
    for value in values {
        out.extend_from_slice(value.as_bytes());
        out.extend_from_slice(b", ");
    }
}

fn push_line(out: &mut Vec<u8>, start: &[u8], value: &[u8]) {
    out.extend_from_slice(start);
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

/// `x-forwarded-for` goes out as `X-Forwarded-For`.
pub(crate) fn push_header(out: &mut Vec<u8>, name: &str, value: &[u8]) {
    let mut first = true;
    out.extend(name.bytes().map(|byte| {
        let cased = if first {
            byte.to_ascii_uppercase()
        } else {
            byte
        };
        first = byte == b'-';
        cased
    }));
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

fn has_token(value: &HeaderValue, wanted: &str) -> bool {
    let text = value.to_str().unwrap_or_default();
    text.split(',').any(|token| {
        token
            .split(';')
            .next()
            .unwrap_or_default()
            .trim()
            .eq_ignore_ascii_case(wanted)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(
        headers: &[(&str, &str)],
        edit: impl for<'h> FnOnce(ForwardedHead<'h>) -> ForwardedHead<'h>,
    ) -> String {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(
                HeaderName::from_bytes(name.as_bytes()).unwrap(),
                HeaderValue::from_str(value).unwrap(),
            );
        }
        let head = ForwardedHead {
            method: "GET",
            path_and_query: b"/a?b;c=%x",
            headers: &map,
            host: b"example.com:8080",
            peer: "203.0.113.9",
            scheme: "http",
            made_request_id: None,
            received_millis: 1_700_000_000_000,
            target: "web:3000",
            trust_forwarded: false,
            keep_forwarded: false,
            keep_request_start: true,
            client_ip_header: None,
            connection_tokens: &[],
            upgrade: None,
            asks_for_gzip: false,
            framing: RequestFraming::None,
        };
        let mut out = Vec::new();
        write_request_head(&mut out, &edit(head));
        String::from_utf8(out).unwrap()
    }

    const SPOOFED: &[(&str, &str)] = &[
        ("host", "ignored"),
        ("x-forwarded-for", "1.1.1.1"),
        ("x-forwarded-for", "2.2.2.2"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-proto", "gopher"),
        ("x-forwarded-host", "evil"),
        ("x-kamal-target", "prior"),
        ("forwarded", "for=1"),
        ("x-real-ip", "9.9.9.9"),
        ("x-request-id", "given"),
        ("x-request-start", "t=1"),
    ];

    /// parity: proxy 96, 106
    #[test]
    fn untrusted_forwarding_headers_are_replaced() {
        insta::assert_snapshot!(sent(SPOOFED, |head| head).replace('\r', ""), @r"
        GET /a?b;c=%x HTTP/1.1
        Host: example.com:8080
        X-Real-Ip: 9.9.9.9
        X-Request-Id: given
        X-Request-Start: t=1
        X-Forwarded-For: 203.0.113.9
        X-Forwarded-Proto: http
        X-Forwarded-Host: example.com:8080
        X-Kamal-Target: web:3000
        ");
    }

    /// parity: proxy 96, 107
    #[test]
    fn trusted_ones_are_extended() {
        let text = sent(SPOOFED, |head| ForwardedHead {
            trust_forwarded: true,
            ..head
        });
        for line in [
            "X-Forwarded-For: 1.1.1.1, 2.2.2.2, 203.0.113.9\r\n",
            "X-Forwarded-Proto: https\r\n",
            "X-Forwarded-Host: evil\r\n",
            "X-Kamal-Target: prior, web:3000\r\n",
        ] {
            assert!(text.contains(line), "{line} in {text}");
        }
        let text = sent(&[], |head| ForwardedHead {
            trust_forwarded: true,
            ..head
        });
        assert!(text.contains("X-Forwarded-For: 203.0.113.9\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Host: example.com:8080\r\n"));
    }

    /// parity: proxy 108
    #[test]
    fn the_client_ip_header_stands_for_the_inbound_list() {
        static NAME: HeaderName = HeaderName::from_static("cf-connecting-ip");
        let headers = &[
            ("cf-connecting-ip", "7.7.7.7"),
            ("x-forwarded-for", "1.1.1.1"),
        ];
        let text = sent(headers, |head| ForwardedHead {
            trust_forwarded: true,
            client_ip_header: Some(&NAME),
            ..head
        });
        assert!(text.contains("X-Forwarded-For: 7.7.7.7, 203.0.113.9\r\n"));
        assert!(text.contains("Cf-Connecting-Ip: 7.7.7.7\r\n"));
    }

    /// parity: proxy 112
    #[test]
    fn hop_by_hop_headers_and_those_named_stay_behind() {
        let text = sent(
            &[
                ("connection", "x-private, keep-alive"),
                ("x-private", "1"),
                ("keep-alive", "5"),
                ("proxy-authorization", "secret"),
                ("te", "deflate;q=1, Trailers"),
                ("upgrade", "h2c"),
                ("trailer", "x-sum"),
                ("expect", "100-continue"),
            ],
            |head| ForwardedHead {
                connection_tokens: Box::leak(Box::new(["x-private".to_owned()])),
                ..head
            },
        );
        assert!(text.contains("Te: trailers\r\n") && text.contains("Expect: 100-continue\r\n"));
        for gone in [
            "X-Private",
            "Keep-Alive",
            "Proxy-",
            "Upgrade",
            "Trailer:",
            "Connection",
        ] {
            assert!(!text.contains(gone), "{gone} in {text}");
        }
    }

    /// parity: proxy 109, 110
    #[test]
    fn made_values_and_framing() {
        let text = sent(&[("x-request-id", ""), ("x-request-start", "")], |head| {
            ForwardedHead {
                made_request_id: Some(b"made"),
                framing: RequestFraming::Length(3),
                ..head
            }
        });
        assert!(text.contains(
            "X-Request-Start: t=1700000000000\r\nX-Request-Id: made\r\nContent-Length: 3\r\n\r\n"
        ));
        assert_eq!(text.matches("X-Request-").count(), 2);
        let wish = [("connection", "upgrade"), ("upgrade", "websocket")];
        let text = sent(&wish, |head| ForwardedHead {
            upgrade: head.headers.get("upgrade"),
            ..head
        });
        assert!(text.ends_with("Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n"));
    }

    #[test]
    fn forwarded_is_kept_and_extended_from_who_is_on_the_list() {
        let headers = [
            ("forwarded", "for=1.1.1.1;proto=https"),
            ("forwarded", "for=2.2.2.2"),
        ];
        let line = |keep, peer| {
            let head = sent(&headers, |head| ForwardedHead {
                trust_forwarded: true,
                keep_forwarded: keep,
                peer,
                ..head
            });
            let line = head.lines().find(|line| line.starts_with("Forwarded"));
            line.map(str::to_owned)
        };
        assert_eq!(line(false, "192.0.2.1"), None);
        assert_eq!(
            line(true, "192.0.2.1").unwrap(),
            "Forwarded: for=1.1.1.1;proto=https, for=2.2.2.2, for=192.0.2.1"
        );
        assert_eq!(
            line(true, "2001:db8::1").unwrap(),
            "Forwarded: for=1.1.1.1;proto=https, for=2.2.2.2, for=\"[2001:db8::1]\""
        );
    }
}
