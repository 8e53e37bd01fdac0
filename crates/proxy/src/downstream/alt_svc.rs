//! `Alt-Svc` (RFC 7838): tells clients that came over TCP that HTTP/3 is there too.

use std::sync::atomic::Ordering;

use http::header::{ALT_SVC, HOST, HeaderMap, HeaderValue};
use http::{Request, Response};

use crate::cores::plane::Plane;

/// The port of `https` without one.
const HTTPS: u16 = 443;

/// What a client that sent `request` over TLS is told, if there is HTTP/3.
pub(crate) fn advertisement<B>(plane: &Plane, request: &Request<B>) -> Option<HeaderValue> {
    if plane.http3.load(Ordering::Relaxed) {
        alternative(request)
    } else {
        None
    }
}

/// The port is the one the client itself used: what the listener has
/// inside a container is nobody's business outside, and the UDP port is published under the same number.
fn alternative<B>(request: &Request<B>) -> Option<HeaderValue> {
    let authority = match request.uri().authority() {
        Some(authority) => authority.as_str(),
        None => request.headers().get(HOST)?.to_str().ok()?,
    };
    let port = match authority.rsplit_once(':') {
        // What stands in brackets is an IPv6 address.
        Some((_, port)) if !port.contains(']') => port.parse().ok()?,
        _ => HTTPS,
    };
    HeaderValue::from_str(&format!("h3=\":{port}\"; ma=2592000")).ok()
}

/// Adds it to a response, unless the target says something else.
pub(crate) fn advertise<B>(response: &mut Response<B>, advertisement: Option<HeaderValue>) {
    if let Some(value) = advertisement {
        add(response.headers_mut(), value);
    }
}

fn add(headers: &mut HeaderMap, value: HeaderValue) {
    headers.entry(ALT_SVC).or_insert(value);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn item_d16_the_port_advertised_is_the_one_the_client_used() {
        let told = |uri: &str, host: &str| {
            let request = Request::builder()
                .uri(uri)
                .header(HOST, host)
                .body(())
                .unwrap();
            alternative(&request).map(|value| value.to_str().unwrap().to_owned())
        };
        for (uri, host, port) in [
            ("/", "a.com", Some(443)),
            ("/", "a.com:8443", Some(8443)),
            ("/", "[::1]:8443", Some(8443)),
            ("/", "[::1]", Some(443)),
            ("https://a.com:444/", "ignored:1", Some(444)),
            ("https://a.com/", "", Some(443)),
            ("/", "a.com:99999", None),
            ("/", "a.com:", None),
        ] {
            let wanted = port.map(|port| format!("h3=\":{port}\"; ma=2592000"));
            assert_eq!(told(uri, host), wanted, "{uri} {host}");
        }
    }

    #[test]
    fn what_the_target_says_stays() {
        let mut response = Response::builder()
            .header(ALT_SVC, "clear")
            .body(())
            .unwrap();
        advertise(&mut response, Some(HeaderValue::from_static("h3")));
        assert_eq!(response.headers()[ALT_SVC], "clear");
    }
}
