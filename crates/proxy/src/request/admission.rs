//! Requests the proxy answers before they count as requests: they are neither routed nor logged.

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_TYPE, EXPECT, HOST, HeaderValue};
use http::{Method, Request, Response, StatusCode, Version};

use crate::request::body::{BodyKind, ClientBody};

/// The answer to a request that goes no further.
pub(crate) fn refuse<B>(request: &Request<B>) -> Option<Response<ClientBody>> {
    if request.method() == Method::OPTIONS && request.uri().path() == "*" {
        return Some(Response::new(ClientBody::new(BodyKind::Empty, None)));
    }
    if request.method() == Method::CONNECT && request.version() > Version::HTTP_11 {
        // It asks for a tunnel, and has no path that could be routed.
        return Some(plain(StatusCode::NOT_IMPLEMENTED, "501 Not Implemented"));
    }
    let mut hosts = request.headers().get_all(HOST).iter();
    let (host, another) = (hosts.next(), hosts.next());
    if host.is_none() && request.version() == Version::HTTP_11 {
        return Some(plain(
            StatusCode::BAD_REQUEST,
            "400 Bad Request: missing required Host header",
        ));
    }
    if another.is_some() || host.is_some_and(|host| host.to_str().is_err()) {
        return Some(plain(StatusCode::BAD_REQUEST, "400 Bad Request"));
    }
    let expectation = request.headers().get(EXPECT)?;
    if expectation.as_bytes().eq_ignore_ascii_case(b"100-continue") {
        return None;
    }
    let mut response = Response::new(ClientBody::new(BodyKind::Empty, None));
    *response.status_mut() = StatusCode::EXPECTATION_FAILED;
    Some(response)
}

fn plain(status: StatusCode, text: &'static str) -> Response<ClientBody> {
    let mut response = Response::new(ClientBody::new(
        BodyKind::Full(Bytes::from_static(text.as_bytes())),
        None,
    ));
    *response.status_mut() = status;
    response.headers_mut().insert(
        CONTENT_TYPE,
        HeaderValue::from_static("text/plain; charset=utf-8"),
    );
    response
        .headers_mut()
        .insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(build: impl FnOnce(http::request::Builder) -> http::request::Builder) -> Option<u16> {
        let request = build(Request::builder().uri("/")).body(()).unwrap();
        refuse(&request).map(|response| response.status().as_u16())
    }

    /// parity: proxy 125
    #[test]
    fn hosts_and_expectations() {
        assert_eq!(status(|r| r.header("host", "a")), None);
        assert_eq!(status(|r| r), Some(400));
        assert_eq!(status(|r| r.version(Version::HTTP_10)), None);
        assert_eq!(
            status(|r| r.header("host", "a").header("host", "b")),
            Some(400)
        );
        assert_eq!(
            status(|r| r.header("host", "a").header("expect", "100-Continue")),
            None
        );
        assert_eq!(
            status(|r| r.header("host", "a").header("expect", "more")),
            Some(417)
        );
        assert_eq!(status(|r| r.method("OPTIONS").uri("*")), Some(200));
        let tunnel = |version| {
            move |r: http::request::Builder| {
                r.method("CONNECT")
                    .uri("a:443")
                    .header("host", "a")
                    .version(version)
            }
        };
        assert_eq!(status(tunnel(Version::HTTP_11)), None);
        assert_eq!(status(tunnel(Version::HTTP_2)), Some(501));
        assert_eq!(status(tunnel(Version::HTTP_3)), Some(501));
    }
}
