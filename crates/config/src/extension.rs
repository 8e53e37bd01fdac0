//! `x-dhow`: what a deploy file says to Dhow alone. Kamal skips it.
//!
//! In: the merged tree and the config made of the rest. Out: [`Extension`]. What means nothing is warned of, since an older Dhow must
//! be able to read a newer one's file; what means something and is wrong is an error like any other.

use std::net::IpAddr;

use dhow_text::diagnostic::Severity;
use dhow_text::suggest::suggest;
use dhow_text::yaml::{Map, Node, Value};

use crate::findings::{Findings, below};
use crate::model::{Config, Extension, ProxyExtension, ProxyProtocol};
use crate::scalar::{self, bool_at, int_at, map_at, text_at, texts_at};
use crate::schema::{Field, Shape, check};

/// The key of the section.
pub(crate) const KEY: &str = "x-dhow";

/// Its groups.
pub(crate) const GROUPS: [(&str, &[Field]); 2] = [("proxy", PROXY), ("delivery", &[])];

/// What `proxy_protocol` may be.
pub(crate) const PROXY_PROTOCOLS: [&str; 3] = ["off", "optional", "required"];

const PROXY: &[Field] = &[
    ("trusted_proxies", Shape::Texts),
    ("client_ip_header", Shape::Text),
    ("proxy_protocol", Shape::Text),
    ("http3", Shape::Bool),
    ("max_connections", Shape::Int),
    ("canonical_host", Shape::Text),
    ("exclude_metrics_paths", Shape::Texts),
    ("scope_cookie_paths", Shape::Bool),
    ("tls_staging", Shape::Bool),
    ("timeouts", Shape::Keys(TIMEOUTS)),
    ("healthcheck", Shape::Keys(HEALTHCHECK)),
    ("websockets", Shape::Keys(WEBSOCKETS)),
];
const TIMEOUTS: &[Field] = &[
    ("header", Shape::Int),
    ("idle", Shape::Int),
    ("dial", Shape::Int),
];
const HEALTHCHECK: &[Field] = &[
    ("fall", Shape::Int),
    ("rise", Shape::Int),
    ("watch_interval", Shape::Int),
    ("port", Shape::Int),
    ("host", Shape::Text),
];
const WEBSOCKETS: &[Field] = &[("drain", Shape::Int), ("close_spread", Shape::Int)];

/// Least and most of numbers.
const RANGES: [(&str, i64, i64); 10] = [
    ("max_connections", 0, 100_000_000),
    ("timeouts/header", 0, YEAR),
    ("timeouts/idle", 0, YEAR),
    ("timeouts/dial", 1, YEAR),
    ("healthcheck/fall", 0, 1_000_000),
    ("healthcheck/rise", 1, 1_000_000),
    ("healthcheck/watch_interval", 1, YEAR),
    ("healthcheck/port", 1, 65_535),
    ("websockets/drain", 0, YEAR),
    ("websockets/close_spread", 0, YEAR),
];
const YEAR: i64 = 366 * 24 * 3600;

/// Reads the section.
pub(crate) fn read(root: &Map, config: &Config, findings: &mut Findings) -> Extension {
    let mut extension = Extension::default();
    let Some(section) = root.get(KEY).and_then(|node| map_of(node, KEY, findings)) else {
        return extension;
    };
    let names: Vec<&str> = GROUPS.iter().map(|(name, _)| *name).collect();
    for (key, value) in section.iter() {
        let name = scalar::to_s(key);
        let path = below(KEY, &name);
        let Some((_, fields)) = GROUPS.iter().find(|(group, _)| *group == name) else {
            unknown(key, &names, KEY, findings);
            continue;
        };
        let Some(settings) = map_of(value, &path, findings) else {
            continue;
        };
        check_fields(fields, settings, &path, findings);
        if name == "proxy" && !findings.faulty(&path) {
            extension.proxy = proxy(settings);
            check_proxy(&extension.proxy, settings, &path, config, findings);
        }
    }
    extension
}

fn map_of<'n>(node: &'n Node, path: &str, findings: &mut Findings) -> Option<&'n Map> {
    if !matches!(node.value, Value::Map(_)) {
        findings.warning(path, "should be a hash", node.span);
    }
    node.as_map()
}

fn unknown(key: &Node, known: &[&str], path: &str, findings: &mut Findings) {
    let name = scalar::to_s(key);
    let text = format!("unknown key: {name}");
    let mut diagnostic = Findings::worded(path, &text).at(key.span, "");
    diagnostic.severity = Severity::Warning;
    if let Some(near) = suggest(&name, known.iter().copied()) {
        diagnostic = diagnostic.hinted(format!("did you mean `{near}` instead of `{name}`?"));
    }
    findings.push(path, diagnostic);
}

fn check_fields(fields: &[Field], map: &Map, path: &str, findings: &mut Findings) {
    let names: Vec<&str> = fields.iter().map(|(name, _)| *name).collect();
    for (key, value) in map.iter() {
        let known = |(name, _): &&Field| key.as_str() == Some(name);
        let below = below(path, scalar::to_s(key));
        match (fields.iter().find(known), &value.value) {
            (None, _) => unknown(key, &names, path, findings),
            // The word `off` is a boolean to YAML.
            (Some(("proxy_protocol", _)), Value::Bool(false)) => {}
            (Some((_, Shape::Keys(inner))), Value::Map(map)) => {
                check_fields(inner, map, &below, findings);
            }
            (Some((_, shape)), _) => check(*shape, value, &below, findings),
        }
    }
}

fn proxy(map: &Map) -> ProxyExtension {
    let group = |name| map_at(map, name);
    let number = |name, key| group(name).and_then(|map| int_at(map, key));
    ProxyExtension {
        trusted_proxies: texts_at(map, "trusted_proxies"),
        client_ip_header: text_at(map, "client_ip_header"),
        proxy_protocol: match text_at(map, "proxy_protocol").as_deref() {
            Some("optional") => ProxyProtocol::Optional,
            Some("required") => ProxyProtocol::Required,
            _ => ProxyProtocol::Off,
        },
        http3: bool_at(map, "http3").unwrap_or(false),
        max_connections: int_at(map, "max_connections"),
        canonical_host: text_at(map, "canonical_host"),
        exclude_metrics_paths: texts_at(map, "exclude_metrics_paths"),
        scope_cookie_paths: bool_at(map, "scope_cookie_paths"),
        tls_staging: bool_at(map, "tls_staging"),
        header_timeout: number("timeouts", "header"),
        idle_timeout: number("timeouts", "idle"),
        dial_timeout: number("timeouts", "dial"),
        health_fall: number("healthcheck", "fall"),
        health_rise: number("healthcheck", "rise"),
        health_watch_interval: number("healthcheck", "watch_interval"),
        health_port: number("healthcheck", "port"),
        health_host: group("healthcheck").and_then(|map| text_at(map, "host")),
        websocket_drain: number("websockets", "drain"),
        websocket_close_spread: number("websockets", "close_spread"),
    }
}

/// Values of the right type that make no sense.
fn check_proxy(
    proxy: &ProxyExtension,
    map: &Map,
    path: &str,
    config: &Config,
    findings: &mut Findings,
) {
    if let Some(node) = map.get("proxy_protocol")
        && let Some(word) = scalar::text(node)
        && node.value != Value::Bool(false)
        && !PROXY_PROTOCOLS.contains(&word.as_str())
    {
        let text = format!("should be one of: {}", PROXY_PROTOCOLS.join(", "));
        findings.error(&below(path, "proxy_protocol"), &text, node.span);
    }
    let networks = map.get("trusted_proxies").and_then(Node::as_seq);
    for (index, node) in networks.unwrap_or_default().iter().enumerate() {
        if !scalar::text(node).is_some_and(|text| is_network(&text)) {
            let path = below(&below(path, "trusted_proxies"), index);
            let text = "should be an address or a network such as 10.0.0.0/8 or 2001:db8::/32";
            findings.error(&path, text, node.span);
        }
    }
    if let (Some(name), Some(node)) = (&proxy.client_ip_header, map.get("client_ip_header"))
        && !is_header_name(name)
    {
        findings.error(
            &below(path, "client_ip_header"),
            "should be the name of a header",
            node.span,
        );
    }
    for (place, least, most) in RANGES {
        let (group, key) = place.split_once('/').unwrap_or(("", place));
        let map = if group.is_empty() {
            Some(map)
        } else {
            map_at(map, group)
        };
        if let Some(node) = map.and_then(|map| map.get(key))
            && !matches!(node.value, Value::Int(number) if (least..=most).contains(&number))
        {
            let text = format!("should be from {least} to {most}");
            findings.error(&below(path, place), &text, node.span);
        }
    }
    if let (Some(host), Some(node)) = (&proxy.canonical_host, map.get("canonical_host")) {
        let proxied = config.roles.iter().filter_map(|role| role.proxy.as_ref());
        let hosts: Vec<&[String]> = proxied.map(|proxy| proxy.hosts.as_slice()).collect();
        if !hosts.is_empty()
            && !hosts
                .iter()
                .any(|hosts| hosts.is_empty() || hosts.contains(host))
        {
            let text = format!("should be among the hosts: {}", hosts.concat().join(", "));
            findings.error(&below(path, "canonical_host"), &text, node.span);
        }
    }
}

/// As the proxy reads it: an address, or one with the length of a prefix.
fn is_network(text: &str) -> bool {
    let (address, prefix) = match text.split_once('/') {
        Some((address, prefix)) => (address, Some(prefix)),
        None => (text, None),
    };
    let Ok(address) = address.parse::<IpAddr>() else {
        return false;
    };
    let most = if address.is_ipv4() { 32 } else { 128 };
    prefix.is_none_or(|digits| {
        digits.bytes().all(|byte| byte.is_ascii_digit())
            && digits.parse::<u32>().is_ok_and(|bits| bits <= most)
    })
}

/// A token of RFC 9110.
fn is_header_name(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}
