//! `x-dhow`: Dhow's own settings.

use dhow_config::{ProxyExtension, ProxyProtocol};

use dhow_text::diagnostic::Severity;

use crate::deploy;

const START: &str = "service: app\nimage: me/app\nregistry: { username: u, password: [P] }\nbuilder: { arch: amd64 }\nservers: [h1]\nproxy: { hosts: [a.com, b.com] }\n";

fn with(section: &str) -> String {
    format!("{START}x-dhow: {section}\n")
}

#[test]
fn every_setting_is_read() {
    let config = deploy::config(&with(
        "{proxy: {trusted_proxies: [10.0.0.0/8, '::1'], client_ip_header: X-Real-IP, proxy_protocol: optional, http3: true, max_connections: 9, canonical_host: b.com, exclude_metrics_paths: [/up], scope_cookie_paths: true, tls_staging: true, timeouts: {header: 1, idle: 2, dial: 3}, healthcheck: {fall: 3, rise: 2, watch_interval: 5, port: 3001, host: up.local}, websockets: {drain: 0, close_spread: 20}}}",
    ));
    assert_eq!(
        config.extension.proxy,
        ProxyExtension {
            trusted_proxies: vec!["10.0.0.0/8".to_owned(), "::1".to_owned()],
            client_ip_header: Some("X-Real-IP".to_owned()),
            proxy_protocol: ProxyProtocol::Optional,
            http3: true,
            max_connections: Some(9),
            canonical_host: Some("b.com".to_owned()),
            exclude_metrics_paths: vec!["/up".to_owned()],
            scope_cookie_paths: Some(true),
            tls_staging: Some(true),
            header_timeout: Some(1),
            idle_timeout: Some(2),
            dial_timeout: Some(3),
            health_fall: Some(3),
            health_rise: Some(2),
            health_watch_interval: Some(5),
            health_port: Some(3001),
            health_host: Some("up.local".to_owned()),
            websocket_drain: Some(0),
            websocket_close_spread: Some(20),
        }
    );
    for (word, mode) in [
        ("off", ProxyProtocol::Off),
        ("'off'", ProxyProtocol::Off),
        ("required", ProxyProtocol::Required),
    ] {
        let config = deploy::config(&with(&format!("{{proxy: {{proxy_protocol: {word}}}}}")));
        assert_eq!(config.extension.proxy.proxy_protocol, mode);
    }
    assert_eq!(deploy::config(START).extension, Default::default());
}

/// Everything that is said about a file: severity, message, hint.
fn said(section: &str) -> Vec<String> {
    let diagnostics = match deploy::load_text(&with(section)) {
        Ok(loaded) => loaded.warnings,
        Err(failure) => failure.diagnostics,
    };
    diagnostics
        .into_iter()
        .map(|d| {
            let severity = match d.severity {
                Severity::Error => "error",
                Severity::Warning => "warning",
            };
            assert!(!d.labels.is_empty(), "{}", d.message);
            let hint = d.hint.map(|hint| format!(" ({hint})"));
            format!("{severity}: {}{}", d.message, hint.unwrap_or_default())
        })
        .collect()
}

#[test]
fn an_unknown_key_is_a_warning_with_a_way_out() {
    for (section, warning) in [
        (
            "{proxi: {}}",
            "warning: x-dhow: unknown key: proxi (did you mean `proxy` instead of `proxi`?)",
        ),
        (
            "{proxy: {trusted_proxy: []}}",
            "warning: x-dhow/proxy: unknown key: trusted_proxy (did you mean `trusted_proxies` instead of `trusted_proxy`?)",
        ),
        (
            "{proxy: {timeouts: {headers: 1}}}",
            "warning: x-dhow/proxy/timeouts: unknown key: headers (did you mean `header` instead of `headers`?)",
        ),
        (
            "{proxy: {quite_new: 1}}",
            "warning: x-dhow/proxy: unknown key: quite_new",
        ),
        ("{proxy: 1}", "warning: x-dhow/proxy: should be a hash"),
    ] {
        assert_eq!(said(section), [warning]);
    }
}

#[test]
fn a_wrong_value_is_an_error() {
    let network = "should be an address or a network such as 10.0.0.0/8 or 2001:db8::/32";
    for (settings, error) in [
        (
            "trusted_proxies: 10.0.0.0/8",
            "trusted_proxies: should be an array".to_owned(),
        ),
        (
            "trusted_proxies: [10.0.0.0/8, 10.0.0.0/33]",
            format!("trusted_proxies/1: {network}"),
        ),
        (
            "trusted_proxies: [cloudflare]",
            format!("trusted_proxies/0: {network}"),
        ),
        (
            "trusted_proxies: ['::1/-1']",
            format!("trusted_proxies/0: {network}"),
        ),
        (
            "client_ip_header: 'X Y'",
            "client_ip_header: should be the name of a header".to_owned(),
        ),
        (
            "proxy_protocol: v2",
            "proxy_protocol: should be one of: off, optional, required".to_owned(),
        ),
        (
            "proxy_protocol: true",
            "proxy_protocol: should be one of: off, optional, required".to_owned(),
        ),
        ("http3: 1", "http3: should be a boolean".to_owned()),
        (
            "max_connections: -1",
            "max_connections: should be from 0 to 100000000".to_owned(),
        ),
        (
            "timeouts: {dial: 0}",
            "timeouts/dial: should be from 1 to 31622400".to_owned(),
        ),
        (
            "timeouts: {header: 5s}",
            "timeouts/header: should be an integer".to_owned(),
        ),
        (
            "healthcheck: {rise: 0}",
            "healthcheck/rise: should be from 1 to 1000000".to_owned(),
        ),
        (
            "healthcheck: {port: 65536}",
            "healthcheck/port: should be from 1 to 65535".to_owned(),
        ),
        ("websockets: 5", "websockets: should be a hash".to_owned()),
        (
            "canonical_host: c.com",
            "canonical_host: should be among the hosts: a.com, b.com".to_owned(),
        ),
    ] {
        let said = said(&format!("{{proxy: {{{settings}}}}}"));
        assert_eq!(said.len(), 1, "{said:?}");
        let start = format!("error: x-dhow/proxy/{error}");
        assert!(said[0].starts_with(&start), "{said:?}, {start}");
    }
}
