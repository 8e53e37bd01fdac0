//! The access log: one line a request, formatted by hand into the core's buffer and sent off in batches.

use http::header::{CONTENT_TYPE, HeaderMap, HeaderName, USER_AGENT};
use percent_encoding::percent_decode;

use crate::cores::clock::TimeText;
use crate::observe::log::{LogSender, push_int, push_json_string};
use crate::request::exchange::Exchange;

/// A core's part of the log.
pub(crate) struct AccessLog {
    buffer: Vec<u8>,
    time: TimeText,
    sender: LogSender,
}

/// A batch is sent when it has grown to this, or by the ticker.
const BATCH: usize = 32 << 10;
/// More than this is not kept back when the writer is behind; the core waits for it then.
const MOST_KEPT: usize = 4 << 20;

impl AccessLog {
    pub(crate) fn new(sender: LogSender) -> Self {
        Self {
            buffer: Vec::new(),
            time: TimeText::new(sender.zone()),
            sender,
        }
    }

    /// Writes the line of a request that ended at `unix_nanos` after `nanos`.
    pub(crate) fn write(&mut self, exchange: &Exchange, unix_nanos: u64, nanos: u64) {
        let out = &mut self.buffer;
        out.extend_from_slice(b"{\"time\":\"");
        self.time.push(out, unix_nanos);
        out.extend_from_slice(b"\",\"level\":\"INFO\",\"msg\":\"Request\"");
        write_attributes(out, exchange, nanos);
        out.extend_from_slice(b"}\n");
        if out.len() >= BATCH {
            self.flush();
        }
    }

    /// Sends what there is; `false` when there was nothing.
    pub(crate) fn flush(&mut self) -> bool {
        if self.buffer.is_empty() {
            // An idle core keeps no buffer.
            self.buffer = Vec::new();
            return false;
        }
        let batch = std::mem::replace(&mut self.buffer, Vec::with_capacity(BATCH + 1024));
        if let Err(batch) = self.sender.try_send(batch) {
            if batch.len() > MOST_KEPT {
                self.sender.send(batch);
            } else {
                self.buffer = batch;
            }
        }
        true
    }

    /// Sends what there is, waiting for the writer.
    pub(crate) fn flush_all(&mut self) {
        if !self.buffer.is_empty() {
            self.sender.send(std::mem::take(&mut self.buffer));
        }
    }
}

fn write_attributes(out: &mut Vec<u8>, exchange: &Exchange, nanos: u64) {
    let headers = &exchange.parts.headers;
    let uri = &exchange.parts.uri;
    let header = |name: HeaderName| headers.get(name).map_or(&b""[..], |value| value.as_bytes());
    let client = &*exchange.client;

    text(out, ",\"host\":", exchange.host.as_bytes());
    int(out, ",\"port\":", client.listener_port.into());
    out.extend_from_slice(b",\"path\":");
    let path = uri.path().as_bytes();
    if path.contains(&b'%') {
        push_json_string(out, &percent_decode(path).collect::<Vec<u8>>());
    } else {
        push_json_string(out, path);
    }
    text(out, ",\"request_id\":", exchange.request_id());
    int(out, ",\"status\":", exchange.status.into());
    let service = exchange.service.as_ref();
    text(
        out,
        ",\"service\":",
        service.map_or(&b""[..], |service| service.service.name.as_bytes()),
    );
    let target = exchange.target.as_ref();
    text(
        out,
        ",\"target\":",
        target.map_or(&b""[..], |lane| lane.target.address.as_str().as_bytes()),
    );
    int(
        out,
        ",\"duration\":",
        i64::try_from(nanos).unwrap_or(i64::MAX),
    );
    text(
        out,
        ",\"method\":",
        exchange.parts.method.as_str().as_bytes(),
    );
    int(out, ",\"req_content_length\":", exchange.request_length);
    text(out, ",\"req_content_type\":", header(CONTENT_TYPE));
    int(
        out,
        ",\"resp_content_length\":",
        i64::try_from(exchange.sent).unwrap_or(i64::MAX),
    );
    let response_type = exchange.response_type.as_ref();
    text(
        out,
        ",\"resp_content_type\":",
        response_type.map_or(&b""[..], |value| value.as_bytes()),
    );
    text(out, ",\"client_addr\":", client.peer_ip.as_bytes());
    out.extend_from_slice(b",\"client_port\":\"");
    push_int(out, client.peer_port.into());
    out.push(b'"');
    text(out, ",\"remote_addr\":", remote_address(exchange));
    text(out, ",\"user_agent\":", header(USER_AGENT));
    text(out, ",\"proto\":", protocol(exchange).as_bytes());
    text(out, ",\"scheme\":", client.scheme().as_bytes());
    text(
        out,
        ",\"query\":",
        uri.query().unwrap_or_default().as_bytes(),
    );

    if let Some(target) = target {
        let rules = &target.rules;
        for logged in &rules.log_request {
            joined(out, &logged.key, headers, &logged.name);
        }
        for (place, logged) in rules.log_response.iter().enumerate() {
            out.extend_from_slice(b",\"");
            out.extend_from_slice(logged.key.as_bytes());
            out.extend_from_slice(b"\":");
            push_json_string(
                out,
                exchange
                    .response_headers
                    .get(place)
                    .map_or(&b""[..], Vec::as_slice),
            );
        }
    }
}

fn remote_address(exchange: &Exchange) -> &[u8] {
    // What clients claim counts only where something in front is known to have checked it.
    let given = exchange.service.as_ref().and_then(|local| {
        let service = &local.service;
        exchange
            .trust(&service.target_options)
            .client(&exchange.parts.headers, service.client_ip_header.as_ref())
    });
    given.unwrap_or(exchange.client.peer_ip.as_bytes())
}

fn protocol(exchange: &Exchange) -> &'static str {
    match exchange.parts.version {
        http::Version::HTTP_10 => "HTTP/1.0",
        http::Version::HTTP_2 => "HTTP/2.0",
        http::Version::HTTP_3 => "HTTP/3.0",
        _ => "HTTP/1.1",
    }
}

fn text(out: &mut Vec<u8>, key: &str, value: &[u8]) {
    out.extend_from_slice(key.as_bytes());
    push_json_string(out, value);
}

fn int(out: &mut Vec<u8>, key: &str, value: i64) {
    out.extend_from_slice(key.as_bytes());
    push_int(out, value);
}

fn joined(out: &mut Vec<u8>, key: &str, headers: &HeaderMap, name: &HeaderName) {
    out.extend_from_slice(b",\"");
    out.extend_from_slice(key.as_bytes());
    out.extend_from_slice(b"\":");
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => out.extend_from_slice(b"\"\""),
        (Some(only), None) => push_json_string(out, only.as_bytes()),
        _ => push_json_string(out, &join(headers, name)),
    }
}

/// All values of a header, joined by commas.
pub(crate) fn join(headers: &HeaderMap, name: &HeaderName) -> Vec<u8> {
    let mut all = Vec::new();
    for (place, value) in headers.get_all(name).iter().enumerate() {
        if place > 0 {
            all.push(b',');
        }
        all.extend_from_slice(value.as_bytes());
    }
    all
}
