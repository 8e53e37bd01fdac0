//! What is measured: kinds of requests, each with the same bytes for every proxy.

use http::HeaderValue;

pub(crate) const USER_AGENT: HeaderValue = HeaderValue::from_static("dhow-bench/1");
pub(crate) const ACCEPT: HeaderValue = HeaderValue::from_static("*/*");
pub(crate) const ENCODING: HeaderValue = HeaderValue::from_static("gzip, br");

/// Responses and requests pass through as they come.
pub(crate) const PLAIN: &str = "plain.test";
/// Both are held until they are complete, as Kamal deploys by default.
pub(crate) const BUFFERED: &str = "buffered.test";
/// Over TLS.
pub(crate) const TLS: &str = "tls.test";

/// One kind of load.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// In the table.
    pub title: &'static str,
    /// In the chart.
    pub short: &'static str,
    /// What is counted.
    pub unit: &'static str,
    /// What is done.
    pub what: What,
    /// At most so many at once.
    pub most_at_once: usize,
}

/// What a worker does over and over.
#[derive(Clone, Copy, Debug)]
pub enum What {
    /// A request on a connection that is kept.
    Http {
        /// `Host`.
        host: &'static str,
        /// The path; the origin answers by it.
        path: &'static str,
        /// Bytes sent along with a POST; without any it is a GET.
        body: usize,
    },
    /// The same over TLS.
    Https,
    /// The same with HTTP/2, eight requests at once on each connection.
    Http2,
    /// A connection with a full TLS handshake, closed at once.
    Handshake,
    /// A message and its echo.
    WebSocket,
}

impl What {
    /// Whether it goes to the port with TLS.
    pub(crate) fn is_tls(self) -> bool {
        matches!(self, Self::Https | Self::Http2 | Self::Handshake)
    }

    /// The request in wire form.
    pub(crate) fn request(self) -> Vec<u8> {
        let (host, path, body) = match self {
            Self::Http { host, path, body } => (host, path, body),
            Self::Https | Self::Http2 | Self::Handshake => (TLS, "/", 0),
            Self::WebSocket => (PLAIN, "/ws", 0),
        };
        let common = format!(
            "Host: {host}\r\nUser-Agent: dhow-bench/1\r\nAccept: */*\r\nAccept-Encoding: gzip, br\r\n"
        );
        if body == 0 {
            return format!("GET {path} HTTP/1.1\r\n{common}\r\n").into_bytes();
        }
        let head = format!("POST {path} HTTP/1.1\r\n{common}Content-Length: {body}\r\n\r\n");
        let mut bytes = head.into_bytes();
        bytes.resize(bytes.len() + body, b'y');
        bytes
    }
}

/// All of them, the one that budgets speak of first.
#[must_use]
pub fn all() -> Vec<Scenario> {
    let http = |title, short, host, path, body, most_at_once| Scenario {
        title,
        short,
        unit: "request",
        what: What::Http { host, path, body },
        most_at_once,
    };
    let other = |title, short, unit, what| Scenario {
        title,
        short,
        unit,
        what,
        most_at_once: usize::MAX,
    };
    const ANY: usize = usize::MAX;
    vec![
        http("13 bytes", "13 B", PLAIN, "/", 0, ANY),
        http(
            "13 bytes, buffered",
            "13 B, buffered",
            BUFFERED,
            "/",
            0,
            ANY,
        ),
        http("16 KB", "16 KB", PLAIN, "/16k", 0, ANY),
        http(
            "16 KB, buffered",
            "16 KB, buffered",
            BUFFERED,
            "/16k",
            0,
            ANY,
        ),
        http("1 MB", "1 MB", PLAIN, "/1m", 0, 16),
        http("1 MB, buffered", "1 MB, buffered", BUFFERED, "/1m", 0, 16),
        http("POST of 16 KB", "POST 16 KB", PLAIN, "/", 16 << 10, ANY),
        http(
            "POST of 16 KB, buffered",
            "POST 16 KB, buffered",
            BUFFERED,
            "/",
            16 << 10,
            ANY,
        ),
        other("13 bytes over TLS", "13 B, TLS", "request", What::Https),
        other(
            "13 bytes over HTTP/2",
            "13 B, HTTP/2",
            "request",
            What::Http2,
        ),
        other(
            "TLS handshake",
            "TLS handshake",
            "handshake",
            What::Handshake,
        ),
        other(
            "WebSocket echo, 64 bytes",
            "WebSocket echo",
            "message",
            What::WebSocket,
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_says_how_long_it_is() {
        let post = What::Http {
            host: PLAIN,
            path: "/",
            body: 3,
        }
        .request();
        let text = String::from_utf8(post).unwrap();
        assert!(text.starts_with("POST / HTTP/1.1\r\nHost: plain.test\r\n"));
        assert!(text.ends_with("Content-Length: 3\r\n\r\nyyy"));
        assert!(What::Https.request().ends_with(b"br\r\n\r\n"));
    }
}
