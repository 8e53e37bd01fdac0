//! Requests to answers: the routes of the app.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::behavior::Behavior;
use super::serve::App;
use super::websocket;
use crate::digest::{finish, sha256_hex};

/// The longest that `/slow` waits, so that a typing error does not keep a container alive.
const LONGEST_WAIT: Duration = Duration::from_secs(120);

/// The answer to one request. Every JSON answer carries the `version`, so that a client knows who answered.
pub(super) async fn answer(app: &App, request: Request<Incoming>) -> Response<Full<Bytes>> {
    let path = request.uri().path().to_owned();
    let query = |name| parameter(request.uri().query(), name);
    match (request.method(), path.as_str()) {
        (_, "/up") => health(app.behavior),
        (&Method::GET, "/slow") => {
            let ms = query("ms").and_then(|ms| ms.parse().ok()).unwrap_or(1000);
            tokio::time::sleep(Duration::from_millis(ms).min(LONGEST_WAIT)).await;
            identify(app, json!({ "slept_ms": ms }))
        }
        (&Method::POST, "/echo") => echo(app, request).await,
        (&Method::GET, "/env") => {
            let name = query("name").unwrap_or_default();
            let value = app.environment.get(&name);
            identify(
                app,
                json!({ "name": name, "set": value.is_some(), "sha256": value.map(|value| sha256_hex(value.as_bytes())) }),
            )
        }
        (&Method::GET, "/headers") => {
            let headers: BTreeMap<&str, String> = request
                .headers()
                .iter()
                .map(|(name, value)| {
                    (
                        name.as_str(),
                        String::from_utf8_lossy(value.as_bytes()).into_owned(),
                    )
                })
                .collect();
            identify(app, json!({ "headers": headers }))
        }
        (&Method::GET, "/ws") => websocket::upgrade(request),
        (&Method::GET, "/") => identify(app, json!({})),
        _ => text(StatusCode::NOT_FOUND, "not found\n"),
    }
}

fn health(behavior: Behavior) -> Response<Full<Bytes>> {
    match behavior {
        Behavior::Unhealthy => text(StatusCode::INTERNAL_SERVER_ERROR, "unhealthy\n"),
        Behavior::Redirecting => {
            let mut response = text(StatusCode::MOVED_PERMANENTLY, "moved\n");
            let elsewhere = header::HeaderValue::from_static("https://app.example.com/up");
            response.headers_mut().insert(header::LOCATION, elsewhere);
            response
        }
        _ => text(StatusCode::OK, "up\n"),
    }
}

async fn echo(app: &App, request: Request<Incoming>) -> Response<Full<Bytes>> {
    let mut body = request.into_body();
    let mut hasher = Sha256::new();
    let mut length = 0_usize;
    while let Some(frame) = body.frame().await {
        match frame.map(hyper::body::Frame::into_data) {
            Ok(Ok(data)) => {
                length += data.len();
                hasher.update(&data);
            }
            Ok(Err(_trailers)) => {}
            Err(error) => return text(StatusCode::BAD_REQUEST, &format!("body: {error}\n")),
        }
    }
    identify(app, json!({ "length": length, "sha256": finish(hasher) }))
}

fn identify(app: &App, mut fields: Value) -> Response<Full<Bytes>> {
    if let Some(fields) = fields.as_object_mut() {
        fields.insert("version".to_owned(), json!(app.identity.version));
        fields.insert("container".to_owned(), json!(app.identity.container));
        fields.insert("host".to_owned(), json!(app.identity.host));
    }
    let mut response = text(StatusCode::OK, &format!("{fields}\n"));
    let kind = header::HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

fn text(status: StatusCode, body: &str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::copy_from_slice(body.as_bytes())));
    *response.status_mut() = status;
    response
}

/// A parameter of a query string, taken as it stands: the names and numbers asked for here need no decoding.
fn parameter(query: Option<&str>, name: &str) -> Option<String> {
    query?
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .find(|(key, _)| *key == name)
        .map(|(_, value)| value.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_found_by_their_whole_name() {
        assert_eq!(parameter(Some("a=1&ms=20"), "ms").as_deref(), Some("20"));
        assert_eq!(parameter(Some("rms=20"), "ms"), None);
        assert_eq!(parameter(None, "ms"), None);
    }
}
