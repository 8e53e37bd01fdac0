//! The way of a request through the proxy, in order: host and path to a service, redirects, the gate, a target,
//! buffering, the exchange, the answer. Whatever fails on the way becomes an error page.

use std::rc::Rc;
use std::sync::Arc;

use http::header::{
    CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue,
};
use http::{Method, Request, Response, StatusCode, Version};
use http_body::Body as _;

use crate::cores::clock::unix_nanos_now;
use crate::cores::core_state::{CoreState, LocalService};
use crate::downstream::client::Client;
use crate::downstream::client_line::ClientLine;
use crate::downstream::inbound::InboundBody;
use crate::downstream::multiplexed::expects_continue;
use crate::observe::log::Level;
use crate::request::admission::refuse;
use crate::request::affinity;
use crate::request::answer::{Answer, fail, moved, switch};
use crate::request::body::{BodyKind, BrokenOff, ClientBody, TargetBody};
use crate::request::cookie_scope::scope_cookies;
use crate::request::exchange::Exchange;
use crate::request::failure::Failure;
use crate::request::forward::{Terms, forward};
use crate::request::gather::{gather_request, gather_response};
use crate::request::gunzip::{asks_for_gzip, strip_gzip};
use crate::request::redirect;
use crate::request::request_path::upstream_path;
use crate::request::upgrade::{UpgradeWish, connection_tokens, wanted_protocol};
use crate::services::balance::Role;
use crate::services::pause::Passage;
use crate::services::router::{host_without_port, strip_prefix};
use crate::services::service::Service;
use crate::tls::acme_challenge;
use crate::upstream::lane::{InFlight, Lane};
use crate::upstream::{
    ForwardedHead, RequestBody, RequestFraming, RequestSender, ResponseHead, write_request_head,
};

/// Serves one request.
///
/// # Errors
/// When nobody is there to be answered; the connection is closed.
pub(crate) async fn serve(
    core: Rc<CoreState>,
    client: Rc<Client>,
    mut request: Request<InboundBody>,
    line: ClientLine,
) -> Result<Response<ClientBody>, BrokenOff> {
    client.phase.busy();
    if let Some(response) = refuse(&request) {
        client.phase.idle();
        return Ok(response);
    }
    let tokens = connection_tokens(request.headers());
    let upgrade = wanted_protocol(request.headers(), &tokens)
        .cloned()
        .map(|protocol| UpgradeWish {
            protocol,
            connection: hyper::upgrade::on(&mut request),
        });
    let (parts, body) = request.into_parts();
    let request_length = match body.size_hint().exact() {
        Some(length) => i64::try_from(length).unwrap_or(i64::MAX),
        None => -1,
    };
    let mut exchange = Box::new(Exchange::new(
        Rc::clone(&core),
        client,
        line,
        parts,
        request_length,
    ));
    let outcome = answer(&mut exchange, body, &tokens, upgrade).await;
    // HTTP/2 and 3 have another way to say so.
    let last = core.clients.is_leaving() && exchange.parts.version <= Version::HTTP_11;
    let mut response = match outcome {
        Ok(answer) => answer.respond(exchange),
        Err(failure) => fail(exchange, &failure)?,
    };
    if last && response.status() != StatusCode::SWITCHING_PROTOCOLS {
        let close = HeaderValue::from_static("close");
        response.headers_mut().insert(CONNECTION, close);
    }
    Ok(response)
}

async fn answer(
    exchange: &mut Exchange,
    body: InboundBody,
    tokens: &[String],
    upgrade: Option<UpgradeWish>,
) -> Result<Answer, Failure> {
    let websocket = upgrade.as_ref().is_some_and(UpgradeWish::is_websocket);
    let Way {
        service,
        mut in_flight,
        role,
        path,
        cookie_prefix,
        marks_writer,
    } = match admit(exchange, websocket).await? {
        Admitted::Target(way) => way,
        Admitted::Answered(answer) => return Ok(answer),
    };
    let rules = Arc::clone(&in_flight.lane().rules);
    let framing = framing(&exchange.parts, &body);
    let body = match (framing, rules.request_buffer) {
        (RequestFraming::None | RequestFraming::Length(0), _) => RequestBody::Empty,
        (_, Some(limits)) => {
            let tmp = &exchange.core.plane.tmp;
            exchange.line.ask_for_body();
            RequestBody::Buffered(Box::pin(gather_request(body, limits, tmp, &in_flight)).await?)
        }
        (_, None) => RequestBody::Stream(body),
    };
    let streams = matches!(body, RequestBody::Stream(_));
    let method = exchange.parts.method.clone();
    let terms = Terms {
        method: &method,
        repeatable: matches!(body, RequestBody::Empty)
            && upgrade.is_none()
            && is_repeatable(&exchange.parts),
        timeout: rules.response_timeout,
        line: &exchange.line,
    };
    let protocol = upgrade.as_ref().map(|wish| &wish.protocol);
    let head = request_head(
        exchange, &service, &in_flight, &path, tokens, protocol, framing,
    );
    let mut request = RequestSender::new(head, body, framing == RequestFraming::Chunked);
    if streams && expects_continue(&exchange.parts.headers) {
        request.hold();
    }
    let mut outcome = forward(&in_flight, &mut request, &terms).await;
    if let Err(unanswered) = &outcome
        && unanswered.elsewhere
        && let Some(other) = another(exchange, &service, &in_flight, role)
    {
        let head = request_head(exchange, &service, &other, &path, tokens, protocol, framing);
        if request.readdress(head) {
            say_retry(exchange, &other, &unanswered.failure);
            exchange.target = Some(Rc::clone(other.lane()));
            in_flight = other;
            outcome = forward(&in_flight, &mut request, &terms).await;
        }
    }
    let (head, connection) = outcome.map_err(|unanswered| unanswered.failure)?;
    if head.status == StatusCode::SWITCHING_PROTOCOLS {
        return switch(head, connection, in_flight, upgrade);
    }
    let ResponseHead {
        status,
        mut headers,
        body,
        keep_alive,
        ..
    } = head;
    if let Some(prefix) = cookie_prefix {
        scope_cookies(
            &mut headers,
            &prefix,
            host_without_port(exchange.host_text()),
        );
    }
    if marks_writer {
        let timeout = service.service.options.writer_affinity_timeout.to_std();
        affinity::mark(&mut headers, timeout, unix_nanos_now() / 1_000_000);
    }
    let unpacked = asks_for_gzip(&exchange.parts.method, &exchange.parts.headers)
        && may_have_body(status)
        && strip_gzip(&mut headers);
    if request.is_held() {
        // The client need not send a body that nobody asked for; if it does all the same, nobody reads it.
        exchange.client.phase.leave_body_unread();
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    let mut body = TargetBody::new(connection, body, keep_alive, request, in_flight);
    if unpacked {
        body.unpack();
    }
    let streams = body.is_chunked() || is_event_stream(&headers);
    let limits = rules.response_buffer.filter(|_| !streams);
    if let (Some(most), Some(length)) = (limits.and_then(|limits| limits.most), body.length())
        && length > most
    {
        return Err(Failure::ResponseTooLarge);
    }
    let mut body = match (body.take_complete(), limits) {
        (Some(bytes), _) if bytes.is_empty() => BodyKind::Empty,
        (Some(bytes), _) => BodyKind::Full(bytes),
        (None, None) => BodyKind::Stream(Box::new(body)),
        (None, Some(limits)) => {
            let tmp = &exchange.core.plane.tmp;
            let gathered = Box::pin(gather_response(&mut body, limits, tmp)).await?;
            headers.remove(http::header::TRAILER);
            headers.insert(CONTENT_LENGTH, HeaderValue::from(gathered.total()));
            BodyKind::Buffered(gathered)
        }
    };
    let kind = if headers.contains_key(CONTENT_TYPE)
        || headers.contains_key(CONTENT_ENCODING)
        || !may_have_body(status)
        || exchange.parts.method == Method::HEAD
    {
        None
    } else {
        body.sniff().await?
    };
    Ok(Answer::Response {
        status,
        headers,
        kind,
        body,
    })
}

fn may_have_body(status: StatusCode) -> bool {
    !matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
}

enum Admitted {
    Target(Way),
    Answered(Answer),
}

/// Where a request goes.
struct Way {
    service: Rc<LocalService>,
    in_flight: InFlight,
    /// What it counts as among the targets.
    role: Role,
    path: Vec<u8>,
    /// Cookies of the response are moved below this.
    cookie_prefix: Option<String>,
    /// The client's reads follow to writers for a while.
    marks_writer: bool,
}

/// Finds the service and counts the request in on a target, or answers without one.
async fn admit(exchange: &mut Exchange, websocket: bool) -> Result<Admitted, Failure> {
    // A target that retires between the choice and the counting means a newer table; that it happens again and
    // again is next to impossible, but nothing may loop for ever.
    for _ in 0..100 {
        let mirror = exchange.core.mirror();
        let host = host_without_port(exchange.host_text());
        let path = exchange.parts.uri.path();
        let hit = match &exchange.client.inquires {
            Some(service) => mirror.table.named(service),
            None => mirror.table.find(host, path),
        };
        if let Some(certificates) = &exchange.core.plane.certificates {
            let local = hit.and_then(|hit| mirror.services.get(hit.service));
            let service = local.map(|local| &*local.service);
            if let Some(answer) =
                acme_challenge::answer(certificates, exchange.host_text(), path, service)
            {
                return Ok(Admitted::Answered(answer));
            }
        }
        let hit = hit.ok_or(Failure::NotFound)?;
        let local = mirror.services.get(hit.service).ok_or(Failure::NotFound)?;
        let service = &local.service;
        let stripped = if service.options.strip_prefix {
            hit.prefix
        } else {
            "/"
        };
        exchange.routed(local, stripped);
        let host = host_without_port(exchange.host_text());
        let path = strip_prefix(exchange.parts.uri.path(), stripped);
        let tls = exchange.client.tls;
        if tls && !service.options.tls_enabled {
            return Err(Failure::NoTls);
        }
        let whole = exchange
            .parts
            .uri
            .path_and_query()
            .map_or("/", |path| path.as_str());
        if exchange.client.inquires.is_none()
            && let Some(location) = redirect::location(&service.options, host, tls, whole)
        {
            return Ok(Admitted::Answered(moved(&exchange.parts.method, &location)));
        }
        if !service.gate.is_open() {
            if is_health_check(exchange, service, &path) {
                return Ok(Admitted::Answered(Answer::empty(StatusCode::OK)));
            }
            let gate = Arc::clone(&service.gate);
            let arrival = tokio::time::Instant::from_std(exchange.arrival);
            match Box::pin(gate.pass(arrival)).await {
                Passage::Open => continue,
                Passage::Expired => return Err(Failure::PauseExpired),
                Passage::Full => return Err(Failure::NoTarget),
                Passage::Stopped(message) => return Err(Failure::Stopped(message)),
            }
        }
        let (set, lanes) = match &service.rollout.set {
            Some(set) if service.rollout.takes(&exchange.parts.headers) => {
                say_rollout(exchange, service);
                (set, &local.rollout)
            }
            _ => (&service.active, &local.active),
        };
        let role = if set.has_readers() {
            affinity::role(&exchange.parts.method, websocket, &service.options)
        } else {
            Role::Read
        };
        let sticky =
            set.has_readers() && !service.options.writer_affinity_timeout.to_std().is_zero();
        let to = if sticky
            && affinity::has_written(&exchange.parts.headers, unix_nanos_now() / 1_000_000)
        {
            Role::Write
        } else {
            role
        };
        let place = set.pick(to).ok_or(Failure::NoTarget)?;
        let lane = lanes.get(place).ok_or(Failure::NoTarget)?;
        let Some(in_flight) = InFlight::enter(lane, &service.gate, exchange.line.cut.clone())
        else {
            continue;
        };
        let path = upstream_path(&path, exchange.parts.uri.query());
        exchange.target = Some(Rc::clone(lane));
        exchange.core.stir();
        let scoped = set.rules.options.scope_cookie_paths
            && service.options.strip_prefix
            && hit.prefix != "/";
        return Ok(Admitted::Target(Way {
            service: Rc::clone(local),
            in_flight,
            role: to,
            path,
            cookie_prefix: scoped.then(|| hit.prefix.to_owned()),
            marks_writer: sticky && role == Role::Write,
        }));
    }
    Err(Failure::NoTarget)
}

/// Counts the request in on another target of the same slot, if one is healthy.
fn another(
    exchange: &Exchange,
    service: &LocalService,
    failed: &InFlight,
    role: Role,
) -> Option<InFlight> {
    let is_it = |lane: &Rc<Lane>| Rc::ptr_eq(lane, failed.lane());
    let slots = [
        Some((&service.service.active, &service.active)),
        service
            .service
            .rollout
            .set
            .as_ref()
            .map(|set| (set, &service.rollout)),
    ];
    let (set, lanes, place) = slots.into_iter().flatten().find_map(|(set, lanes)| {
        let place = lanes.iter().position(is_it)?;
        Some((set, lanes, place))
    })?;
    let other = lanes.get(set.pick_other(role, place)?)?;
    let client = exchange.client.handle.get().cloned();
    InFlight::enter(other, &service.service.gate, client)
}

fn say_retry(exchange: &Exchange, other: &InFlight, failure: &Failure) {
    let failed = exchange.target.as_ref();
    let failed = failed.map_or("", |lane| lane.target.address.as_str());
    let error = match failure {
        Failure::Target(error) => error.to_string(),
        _ => "timed out".to_owned(),
    };
    exchange.core.plane.log.info(
        "Trying another target",
        &[
            ("target", failed),
            ("other", other.lane().target.address.as_str()),
            ("path", exchange.parts.uri.path()),
            ("error", &error),
        ],
    );
}

fn request_head(
    exchange: &Exchange,
    service: &LocalService,
    in_flight: &InFlight,
    path: &[u8],
    tokens: &[String],
    upgrade: Option<&HeaderValue>,
    framing: RequestFraming,
) -> Vec<u8> {
    let trust = exchange.trust(&in_flight.lane().rules.options);
    let stand_in = service.service.client_ip_header.as_ref();
    let mut head = Vec::with_capacity(1024);
    write_request_head(
        &mut head,
        &ForwardedHead {
            method: exchange.parts.method.as_str(),
            path_and_query: path,
            headers: &exchange.parts.headers,
            host: exchange.host.as_bytes(),
            peer: &exchange.client.peer_ip,
            scheme: exchange.client.scheme(),
            made_request_id: exchange.made_id(),
            received_millis: exchange.core.clock.unix_nanos(exchange.arrival) / 1_000_000,
            target: in_flight.lane().target.address.as_str(),
            trust_forwarded: trust.forwarded,
            keep_forwarded: trust.listed,
            keep_request_start: trust.tracing,
            client_ip_header: stand_in.filter(|_| trust.stand_in),
            connection_tokens: tokens,
            upgrade,
            asks_for_gzip: asks_for_gzip(&exchange.parts.method, &exchange.parts.headers),
            framing,
        },
    );
    head
}

fn framing(parts: &http::request::Parts, body: &InboundBody) -> RequestFraming {
    if body.is_end_stream() {
        // Methods that usually carry a body say so when theirs is empty.
        let says_so = matches!(parts.method, Method::POST | Method::PUT | Method::PATCH);
        return if says_so {
            RequestFraming::Length(0)
        } else {
            RequestFraming::None
        };
    }
    if parts.version > Version::HTTP_11 && parts.headers.contains_key(http::header::TRAILER) {
        // A length, which HTTP/2 and 3 allow beside trailers, would leave no place for them.
        return RequestFraming::Chunked;
    }
    body.size_hint()
        .exact()
        .map_or(RequestFraming::Chunked, RequestFraming::Length)
}

fn is_repeatable(parts: &http::request::Parts) -> bool {
    static KEYS: [HeaderName; 2] = [
        HeaderName::from_static("idempotency-key"),
        HeaderName::from_static("x-idempotency-key"),
    ];
    matches!(
        parts.method,
        Method::GET | Method::HEAD | Method::OPTIONS | Method::TRACE
    ) || KEYS.iter().any(|key| parts.headers.contains_key(key))
}

fn say_rollout(exchange: &Exchange, service: &Service) {
    let log = &exchange.core.plane.log;
    if let Some(line) = log.line(Level::Debug, "Using rollout for request") {
        line.text("service", &service.name)
            .text("path", exchange.parts.uri.path())
            .send();
    }
}

fn is_event_stream(headers: &HeaderMap) -> bool {
    headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split(';').next())
        .is_some_and(|kind| kind.trim().eq_ignore_ascii_case("text/event-stream"))
}

/// While a service is paused or stopped, its health check is answered for it.
fn is_health_check(exchange: &Exchange, service: &Service, path: &str) -> bool {
    matches!(exchange.parts.method, Method::GET | Method::HEAD)
        && path == service.target_options.health_check_config.path
}
