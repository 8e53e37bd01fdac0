//! What goes back to the client: a target's response, a redirect, a switch of protocols, or an error page, with
//! the line in the log that an operator should find for it.

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_TYPE, HeaderMap, HeaderValue, LOCATION, UPGRADE};
use http::{Method, Response, StatusCode};
use hyper::upgrade::OnUpgrade;

use crate::request::body::{BodyKind, BrokenOff, ClientBody};
use crate::request::exchange::Exchange;
use crate::request::failure::{Failure, TargetError};
use crate::request::pages::{self, PAGE_TYPE};
use crate::request::redirect;
use crate::request::upgrade::{UpgradeWish, tunnel};
use crate::upstream::lane::InFlight;
use crate::upstream::{Connection, ResponseHead};

/// What goes back to the client.
pub(crate) enum Answer {
    /// A response.
    Response {
        status: StatusCode,
        headers: HeaderMap,
        /// The body's type where the target named none; the log is about what the target named.
        kind: Option<&'static str>,
        body: BodyKind,
    },
    /// A switch of protocols.
    Switch(Box<Switch>),
}

/// Both sides agreed to switch protocols.
pub(crate) struct Switch {
    head: ResponseHead,
    protocol: HeaderValue,
    client: OnUpgrade,
    target: Connection,
    in_flight: InFlight,
}

impl Answer {
    /// The response for hyper; the exchange goes along with its body.
    pub(crate) fn respond(self, exchange: Box<Exchange>) -> Response<ClientBody> {
        match self {
            Self::Response {
                status,
                headers,
                kind,
                body,
            } => respond(exchange, status, headers, kind, body),
            Self::Switch(switch) => switch.respond(exchange),
        }
    }

    /// A response without a body.
    pub(crate) fn empty(status: StatusCode) -> Self {
        Self::Response {
            status,
            headers: HeaderMap::new(),
            kind: None,
            body: BodyKind::Empty,
        }
    }
}

/// The target agreed to switch; it must be to what the client asked for.
pub(crate) fn switch(
    head: ResponseHead,
    target: Connection,
    mut in_flight: InFlight,
    upgrade: Option<UpgradeWish>,
) -> Result<Answer, Failure> {
    match (upgrade, &head.upgrade) {
        (Some(wish), Some(given))
            if wish
                .protocol
                .as_bytes()
                .eq_ignore_ascii_case(given.as_bytes()) =>
        {
            // A tunnel has no time limit.
            in_flight.upgrade();
            let protocol = given.clone();
            let switch = Switch {
                head,
                protocol,
                client: wish.connection,
                target,
                in_flight,
            };
            Ok(Answer::Switch(Box::new(switch)))
        }
        _ => Err(Failure::Target(TargetError::BadUpgrade)),
    }
}

impl Switch {
    fn respond(self, mut exchange: Box<Exchange>) -> Response<ClientBody> {
        let mut headers = self.head.headers;
        exchange.answered(StatusCode::SWITCHING_PROTOCOLS, &headers);
        headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
        headers.insert(UPGRADE, self.protocol);
        let (stream, early) = self.target.into_parts();
        tokio::task::spawn_local(tunnel(self.client, stream, early, self.in_flight, exchange));
        build(
            StatusCode::SWITCHING_PROTOCOLS,
            headers,
            ClientBody::new(BodyKind::Empty, None),
        )
    }
}

/// A permanent redirect.
pub(crate) fn moved(method: &Method, location: &str) -> Answer {
    let mut headers = HeaderMap::new();
    if let Ok(location) = HeaderValue::from_str(location) {
        headers.insert(LOCATION, location);
    }
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
    let mut body = BodyKind::Empty;
    if matches!(*method, Method::GET | Method::HEAD) {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(PAGE_TYPE));
    }
    if *method == Method::GET {
        body = BodyKind::Full(Bytes::from(redirect::page(location)));
    }
    Answer::Response {
        status: StatusCode::MOVED_PERMANENTLY,
        headers,
        kind: None,
        body,
    }
}

fn respond(
    mut exchange: Box<Exchange>,
    status: StatusCode,
    mut headers: HeaderMap,
    kind: Option<&'static str>,
    body: BodyKind,
) -> Response<ClientBody> {
    exchange.answered(status, &headers);
    if let Some(kind) = kind {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    }
    build(status, headers, ClientBody::new(body, Some(exchange)))
}

fn build(status: StatusCode, headers: HeaderMap, body: ClientBody) -> Response<ClientBody> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    if status.canonical_reason().is_none()
        && let Ok(reason) =
            hyper::ext::ReasonPhrase::try_from(format!("status code {}", status.as_u16()))
    {
        response.extensions_mut().insert(reason);
    }
    response
}

/// The answer to a request that failed.
///
/// # Errors
/// When nobody is there to be answered.
pub(crate) fn fail(
    exchange: Box<Exchange>,
    failure: &Failure,
) -> Result<Response<ClientBody>, BrokenOff> {
    report(&exchange, failure);
    let Some(status) = failure.status() else {
        return Err(BrokenOff);
    };
    if exchange.request_length != 0 {
        exchange.client.phase.leave_body_unread();
    }
    let message = match failure {
        Failure::Stopped(message) => message.as_str(),
        _ => "",
    };
    // A host or path nobody serves has no pages of its own.
    let page = match exchange
        .service
        .as_ref()
        .filter(|_| !matches!(failure, Failure::NotFound))
    {
        Some(local) => local.service.pages.render(status, message),
        None => pages::built_in(status, message),
    };
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(PAGE_TYPE));
    Ok(respond(
        exchange,
        status,
        headers,
        None,
        BodyKind::Full(page),
    ))
}

fn report(exchange: &Exchange, failure: &Failure) {
    let log = &exchange.core.plane.log;
    let target = exchange
        .target
        .as_ref()
        .map_or("", |lane| lane.target.address.as_str());
    let service = exchange
        .service
        .as_ref()
        .map_or("", |local| &*local.service.name);
    let path = exchange.parts.uri.path();
    match failure {
        Failure::Target(error) => {
            log.error(
                "Error while proxying",
                &[
                    ("target", target),
                    ("path", path),
                    ("error", &error.to_string()),
                ],
            );
        }
        Failure::Drained => log.info(
            "Request cancelled due to draining",
            &[("target", target), ("path", path)],
        ),
        Failure::PauseExpired => {
            log.warn(
                "Rejecting request due to expired pause",
                &[("service", service), ("path", path)],
            );
        }
        Failure::ResponseTooLarge => {
            log.info("Response exceeded max response limit", &[("path", path)]);
        }
        Failure::BadRequest => log.info("Malformed request", &[("path", path)]),
        Failure::Spill(error) => log.error(
            "Error buffering request",
            &[("path", path), ("error", &error.to_string())],
        ),
        _ => {}
    }
}
