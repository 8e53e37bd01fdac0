//! The requests that are sent, and what their answers must be.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderValue, Method, Request, header};
use http_body_util::Full;
use serde::Deserialize;

use super::failure::Failure;
use crate::digest::sha256_hex;

/// How much a POST carries: more than a socket buffer, so that a body is under way when a version changes.
const BODY_BYTES: usize = 64 * 1024;
/// How many different bodies there are, so that a mixed-up answer is noticed.
const BODIES: u8 = 8;
/// How late the slow request asks to be answered, in milliseconds.
pub(super) const SLOW_MS: u64 = 3000;

/// The kinds of request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    Get,
    Post,
    Slow,
}

/// The bodies to post, with the digests that must come back.
#[derive(Clone, Debug)]
pub(super) struct Bodies(Arc<Vec<(Bytes, String)>>);

impl Bodies {
    pub(super) fn new() -> Self {
        let bodies = (0..BODIES).map(|seed| {
            let mut state = u32::from(seed) + 1;
            let body: Bytes = std::iter::repeat_with(|| {
                // A step of xorshift: bytes that differ from body to body and do not compress.
                state ^= state << 13;
                state ^= state >> 17;
                state ^= state << 5;
                state.to_le_bytes()[0]
            })
            .take(BODY_BYTES)
            .collect();
            let digest = sha256_hex(&body);
            (body, digest)
        });
        Self(Arc::new(bodies.collect()))
    }

    fn pick(&self, number: u64) -> (Bytes, String) {
        let index = usize::try_from(number).unwrap_or(0) % usize::from(BODIES);
        self.0.get(index).cloned().unwrap_or_default()
    }
}

/// What the body of an answer must say.
#[derive(Debug)]
pub(super) struct Expected {
    digest: Option<String>,
    slept_ms: Option<u64>,
}

/// The `number`th request of this kind, and what its answer must say.
pub(super) fn request(
    kind: Kind,
    number: u64,
    host: &str,
    bodies: &Bodies,
) -> (Request<Full<Bytes>>, Expected) {
    let mut request = Request::new(Full::new(Bytes::new()));
    let mut expected = Expected {
        digest: None,
        slept_ms: None,
    };
    let path = match kind {
        Kind::Get => "/".to_owned(),
        Kind::Post => {
            let (body, digest) = bodies.pick(number);
            *request.method_mut() = Method::POST;
            *request.body_mut() = Full::new(body);
            expected.digest = Some(digest);
            "/echo".to_owned()
        }
        Kind::Slow => {
            expected.slept_ms = Some(SLOW_MS);
            format!("/slow?ms={SLOW_MS}")
        }
    };
    *request.uri_mut() = path.parse().unwrap_or_default();
    if let Ok(host) = HeaderValue::from_str(host) {
        request.headers_mut().insert(header::HOST, host);
    }
    (request, expected)
}

/// The version that an answer tells, if the answer is the one expected.
pub(super) fn check(body: &[u8], expected: &Expected) -> Result<String, Failure> {
    let answer: Answer = serde_json::from_slice(body).map_err(|_| Failure::WrongBody)?;
    let right = expected.digest.as_ref().is_none_or(|digest| {
        answer.sha256.as_ref() == Some(digest) && answer.length == Some(BODY_BYTES)
    }) && expected
        .slept_ms
        .is_none_or(|ms| answer.slept_ms == Some(ms));
    if right {
        Ok(answer.version)
    } else {
        Err(Failure::WrongBody)
    }
}

#[derive(Deserialize)]
struct Answer {
    version: String,
    length: Option<usize>,
    sha256: Option<String>,
    slept_ms: Option<u64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_to_another_body_is_wrong() {
        let bodies = Bodies::new();
        let (_, expected) = request(Kind::Post, 1, "x", &bodies);
        let answer = |number| {
            let (body, digest) = bodies.pick(number);
            format!(
                r#"{{"version":"v","length":{},"sha256":"{digest}"}}"#,
                body.len()
            )
        };
        assert_eq!(check(answer(1).as_bytes(), &expected), Ok("v".to_owned()));
        assert_eq!(
            check(answer(2).as_bytes(), &expected),
            Err(Failure::WrongBody)
        );
    }

    #[test]
    fn an_answer_that_is_not_the_apps_is_wrong() {
        let (_, expected) = request(Kind::Get, 0, "x", &Bodies::new());
        assert_eq!(check(b"<html>", &expected), Err(Failure::WrongBody));
        let (_, expected) = request(Kind::Slow, 0, "x", &Bodies::new());
        assert_eq!(
            check(br#"{"version":"v"}"#, &expected),
            Err(Failure::WrongBody)
        );
    }
}
