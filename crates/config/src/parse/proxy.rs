//! `proxy` of the root, of roles and accessories.

use dhow_text::diagnostic::Diagnostic;
use dhow_text::yaml::{Map, Node};

use crate::findings::{Findings, below};
use crate::model::{Buffering, Healthcheck, Proxy, ProxyLogging, ProxyRun, Ssl};
use crate::scalar::{
    bool_at, int_at, map_at, pairs_at, present, text_at, texts, texts_at, to_s, truthy,
};
use crate::schema::{check_keys, keys};

/// Checks a proxy section.
pub(super) fn check(node: &Node, path: &str, findings: &mut Findings) {
    let Some(map) = node.as_map() else {
        findings.error(path, "should be a hash", node.span);
        return;
    };
    check_keys(keys::PROXY, false, map, path, findings);
    check_hosts(map, path, findings);
    check_certificate(map, path, findings);
    check_publish(map, path, findings);
}

/// The settings of a section that may already be merged from two.
pub(super) fn read(map: &Map) -> Proxy {
    Proxy {
        hosts: map.get("hosts").map_or_else(
            || split(text_at(map, "host")),
            |hosts| host_names(hosts).collect(),
        ),
        app_port: int_at(map, "app_port").unwrap_or(80),
        ssl: read_ssl(map),
        ssl_redirect: bool_at(map, "ssl_redirect"),
        forward_headers: bool_at(map, "forward_headers"),
        response_timeout: int_at(map, "response_timeout"),
        path_prefixes: map
            .get("path_prefixes")
            .map_or_else(|| split(text_at(map, "path_prefix")), texts),
        strip_path_prefix: bool_at(map, "strip_path_prefix"),
        healthcheck: map_at(map, "healthcheck").map_or_else(Healthcheck::default, |map| {
            Healthcheck {
                interval: int_at(map, "interval"),
                timeout: int_at(map, "timeout"),
                path: text_at(map, "path"),
            }
        }),
        buffering: map_at(map, "buffering").map_or_else(Buffering::default, |map| Buffering {
            requests: bool_at(map, "requests").unwrap_or(true),
            responses: bool_at(map, "responses").unwrap_or(true),
            max_request_body: int_at(map, "max_request_body"),
            max_response_body: int_at(map, "max_response_body"),
            memory: int_at(map, "memory"),
        }),
        logging: read_logging(map),
        run: run_of(map).map(read_run),
    }
}

/// The `run` map of a proxy section; an empty one counts as absent.
pub(super) fn run_of(map: &Map) -> Option<&Map> {
    map_at(map, "run").filter(|run| !run.is_empty())
}

fn read_ssl(map: &Map) -> Ssl {
    let ssl = map.get("ssl");
    if !truthy(ssl) {
        return Ssl::Off;
    }
    let pem = |key: &str| {
        ssl.and_then(|ssl| ssl.get(key))
            .filter(|n| present(Some(n)))
    };
    match (pem("certificate_pem"), pem("private_key_pem")) {
        (Some(certificate), Some(key)) => Ssl::Custom {
            certificate_pem: to_s(certificate),
            private_key_pem: to_s(key),
        },
        _ => Ssl::Automatic,
    }
}

fn read_logging(map: &Map) -> ProxyLogging {
    let Some(logging) = map_at(map, "logging") else {
        return ProxyLogging::default();
    };
    ProxyLogging {
        request_headers: logging
            .get("request_headers")
            .map_or_else(|| ProxyLogging::default().request_headers, texts),
        response_headers: texts_at(logging, "response_headers"),
    }
}

fn read_run(map: &Map) -> ProxyRun {
    let default = ProxyRun::default();
    ProxyRun {
        http_port: int_at(map, "http_port").unwrap_or(default.http_port),
        https_port: int_at(map, "https_port").unwrap_or(default.https_port),
        publish: bool_at(map, "publish").unwrap_or(default.publish),
        bind_ips: texts_at(map, "bind_ips"),
        metrics_port: int_at(map, "metrics_port"),
        debug: bool_at(map, "debug").unwrap_or(default.debug),
        log_max_size: text_at(map, "log_max_size").unwrap_or(default.log_max_size),
        registry: text_at(map, "registry"),
        repository: text_at(map, "repository"),
        version: text_at(map, "version"),
        options: pairs_at(map, "options"),
    }
}

fn check_hosts(map: &Map, path: &str, findings: &mut Findings) {
    let unclear = ["host", "hosts", "ssl"]
        .iter()
        .any(|key| findings.faulty(&below(path, key)));
    let ssl = map.get("ssl").filter(|ssl| truthy(Some(ssl)));
    if let Some(ssl) = ssl
        && !unclear
        && !present(map.get("host"))
        && !present(map.get("hosts"))
    {
        findings.error(path, "Must set a host to enable automatic SSL", ssl.span);
    }
    if let (Some(host), Some(hosts)) = (map.get("host"), map.get("hosts")) {
        let both = Findings::worded(path, "Specify one of 'host' or 'hosts', not both");
        findings.push(path, both.at(hosts.span, "").at(host.span, ""));
    }
}

fn check_certificate(map: &Map, path: &str, findings: &mut Findings) {
    let Some(ssl) = map_at(map, "ssl") else {
        return;
    };
    for (given, missing) in [
        ("certificate_pem", "private_key_pem"),
        ("private_key_pem", "certificate_pem"),
    ] {
        if let Some(node) = ssl.get(given).filter(|node| present(Some(node)))
            && !present(ssl.get(missing))
        {
            let text = format!("Missing {missing} setting (required when {given} is present)");
            findings.error(path, &text, node.span);
        }
    }
}

fn check_publish(map: &Map, path: &str, findings: &mut Findings) {
    let Some(run) = map_at(map, "run") else {
        return;
    };
    if bool_at(run, "publish") != Some(false) {
        return;
    }
    let text = "Cannot set http_port, https_port or bind_ips when publish is false";
    let mut diagnostic: Diagnostic = Findings::worded(path, text);
    for key in ["http_port", "https_port", "bind_ips"] {
        if let Some(node) = run.get(key).filter(|node| present(Some(node))) {
            diagnostic = diagnostic.at(node.span, "");
        }
    }
    if !diagnostic.labels.is_empty() {
        findings.push(path, diagnostic);
    }
}

/// Names in a list that is checked like host entries: of a map, its key.
fn host_names(hosts: &Node) -> impl Iterator<Item = String> {
    let items = hosts.as_seq().unwrap_or_default().iter();
    items.filter_map(|item| match item.as_map() {
        Some(map) => map.iter().next().map(|(host, _)| to_s(host)),
        None => crate::scalar::text(item),
    })
}

/// Ruby's `split(",")`: nothing is trimmed, empty pieces at the end are dropped.
fn split(text: Option<String>) -> Vec<String> {
    let text = text.unwrap_or_default();
    let text = text.trim_end_matches(',');
    if text.is_empty() {
        return Vec::new();
    }
    text.split(',').map(str::to_owned).collect()
}
