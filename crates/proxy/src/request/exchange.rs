//! One request from its arrival to its line in the access log, which is written when this is dropped: after the
//! last byte, or when the client has gone.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use dhow_proxy_api::TargetOptions;
use http::StatusCode;
use http::header::{HOST, HeaderMap, HeaderName, HeaderValue};
use http::request::Parts;
use percent_encoding::percent_decode_str;

use crate::cores::core_state::{CoreState, LocalService};
use crate::downstream::client::Client;
use crate::downstream::client_line::ClientLine;
use crate::observe::access_log::join;
use crate::request::request_id::IdText;
use crate::request::trust::Trust;
use crate::services::router::strip_prefix;
use crate::upstream::lane::Lane;

/// What is logged for a client that went away before it was answered.
const CLIENT_GONE: u16 = 499;

/// A request being served.
pub(crate) struct Exchange {
    /// The core that serves it.
    pub(crate) core: Rc<CoreState>,
    /// The connection it came on.
    pub(crate) client: Rc<Client>,
    /// The way back to it.
    pub(crate) line: ClientLine,
    /// Its head, untouched.
    pub(crate) parts: Parts,
    /// `Host` as received, or the authority of an absolute request target.
    pub(crate) host: HeaderValue,
    /// When its head was complete.
    pub(crate) arrival: Instant,
    /// Bytes of its body: -1 if unknown.
    pub(crate) request_length: i64,
    made_id: IdText,
    /// The client's own id counts, not the one made.
    keeps_id: bool,
    /// The service it was for.
    pub(crate) service: Option<Rc<LocalService>>,
    /// What the metrics make of it.
    metering: Metering,
    /// The target it was given to.
    pub(crate) target: Option<Rc<Lane>>,
    /// The status sent.
    pub(crate) status: u16,
    /// Body bytes sent.
    pub(crate) sent: u64,
    /// `Content-Type` sent.
    pub(crate) response_type: Option<HeaderValue>,
    /// Values of the response headers to log, in the order of the rules.
    pub(crate) response_headers: Vec<Vec<u8>>,
}

/// How a request shows in the metrics.
enum Metering {
    /// No service has it, or not yet.
    Unrouted,
    /// It is counted among those in flight on this service.
    Entered(Arc<str>),
    /// Not at all.
    Excluded,
}

static REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

impl Exchange {
    pub(crate) fn new(
        core: Rc<CoreState>,
        client: Rc<Client>,
        line: ClientLine,
        parts: Parts,
        request_length: i64,
    ) -> Self {
        // Without the user name and password that an absolute target may carry.
        let absolute = parts
            .uri
            .authority()
            .and_then(|name| name.as_str().rsplit('@').next())
            .and_then(|name| HeaderValue::from_str(name).ok());
        let host = absolute
            .or_else(|| parts.headers.get(HOST).cloned())
            .unwrap_or_else(|| HeaderValue::from_static(""));
        let made_id = core.ids.next();
        Self {
            core,
            client,
            line,
            host,
            arrival: Instant::now(),
            request_length,
            made_id,
            keeps_id: false,
            service: None,
            metering: Metering::Unrouted,
            target: None,
            status: CLIENT_GONE,
            sent: 0,
            response_type: None,
            response_headers: Vec::new(),
            parts,
        }
    }

    /// The id made for it; none if it brought one that counts.
    pub(crate) fn made_id(&self) -> Option<&[u8]> {
        (!self.keeps_id).then_some(self.made_id.as_slice())
    }

    /// Its id, given or made.
    pub(crate) fn request_id(&self) -> &[u8] {
        match self.parts.headers.get(&REQUEST_ID) {
            Some(given) if self.keeps_id => given.as_bytes(),
            _ => &self.made_id,
        }
    }

    /// `Host` as text; empty if it is none.
    pub(crate) fn host_text(&self) -> &str {
        self.host.to_str().unwrap_or_default()
    }

    /// What is believed of where it comes from.
    pub(crate) fn trust<'t>(&'t self, options: &'t TargetOptions) -> Trust<'t> {
        let server = &self.core.plane.edge.trusted_proxies;
        Trust::new(options, server, self.client.peer.ip())
    }

    /// Notes the service it is for, which sees the path without `prefix`. May be called again when that changes.
    pub(crate) fn routed(&mut self, local: &Rc<LocalService>, prefix: &str) {
        self.service = Some(Rc::clone(local));
        let given = self.parts.headers.get(&REQUEST_ID);
        self.keeps_id = given.is_some_and(|id| !id.is_empty())
            && self.trust(&local.service.target_options).tracing;
        let Some(shard) = self.core.shard() else {
            return;
        };
        if let Metering::Entered(name) = &self.metering {
            shard.leave(name);
        }
        let service = &local.service;
        let path = strip_prefix(self.parts.uri.path(), prefix);
        let path = percent_decode_str(&path).decode_utf8_lossy();
        self.metering = if service.options.leaves_out_of_metrics(&path) {
            Metering::Excluded
        } else {
            shard.enter(&service.name);
            Metering::Entered(Arc::clone(&service.name))
        };
    }

    /// Notes what the log says of the response.
    pub(crate) fn answered(&mut self, status: StatusCode, headers: &HeaderMap) {
        self.status = status.as_u16();
        self.response_type = headers.get(http::header::CONTENT_TYPE).cloned();
        if let Some(target) = &self.target {
            let logged = &target.rules.log_response;
            if !logged.is_empty() {
                self.response_headers = logged
                    .iter()
                    .map(|logged| join(headers, &logged.name))
                    .collect();
            }
        }
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        let now = Instant::now();
        let nanos = u64::try_from(now.duration_since(self.arrival).as_nanos()).unwrap_or(u64::MAX);
        let unix_nanos = self.core.clock.unix_nanos(now);
        if let Some(shard) = self.core.shard() {
            let method = &self.parts.method;
            match &self.metering {
                Metering::Excluded => {}
                Metering::Unrouted => shard.answered(&Arc::default(), method, self.status, nanos),
                Metering::Entered(name) => {
                    shard.leave(name);
                    shard.answered(name, method, self.status, nanos);
                }
            }
        }
        let core = Rc::clone(&self.core);
        core.with_log(|log| log.write(self, unix_nanos, nanos));
        self.client.phase.idle();
    }
}
