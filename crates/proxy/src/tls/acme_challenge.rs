//! Answers to http-01 challenges (RFC 8555 §8.3): before any redirect, and whether the service is running, paused or stopped.
//!
//! In: a request's path and host, and the service it would go to. Out: the answer, or nothing if the path is the service's own
//! business. Answering never asks an application and never orders anything.

use bytes::Bytes;
use dhow_certs::HttpChallenge;
use http::StatusCode;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderValue, X_CONTENT_TYPE_OPTIONS};

use crate::request::answer::Answer;
use crate::request::body::BodyKind;
use crate::services::service::Service;
use crate::tls::cert_source::CertSource;
use crate::tls::certificates::Certificates;

/// Where authorities look.
const FOLDER: &str = "/.well-known/acme-challenge/";

/// The answer to a request for `path` on `host`, with or without a port.
pub(crate) fn answer(
    certificates: &Certificates,
    host: &str,
    path: &str,
    service: Option<&Service>,
) -> Option<Answer> {
    let token = path.strip_prefix(FOLDER)?;
    let automatic =
        service.is_some_and(|service| matches!(service.certificate, CertSource::Automatic));
    let (status, text) = match certificates.manager().http_challenge(host, token) {
        // Whatever the service is by now: an order under way may be one of a moment ago.
        HttpChallenge::Answer(text) => (StatusCode::OK, text),
        _ if !automatic => return None,
        HttpChallenge::UnknownToken => (
            StatusCode::NOT_FOUND,
            "acme/autocert: certificate cache miss\n".to_owned(),
        ),
        HttpChallenge::HostNotAllowed => (
            StatusCode::FORBIDDEN,
            format!("acme/autocert: host {host:?} not configured in HostWhitelist\n"),
        ),
    };
    let mut headers = HeaderMap::new();
    headers.insert(
        CONTENT_TYPE,
        HeaderValue::from_static("text/plain; charset=utf-8"),
    );
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    Some(Answer::Response {
        status,
        headers,
        kind: None,
        body: BodyKind::Full(Bytes::from(text)),
    })
}
