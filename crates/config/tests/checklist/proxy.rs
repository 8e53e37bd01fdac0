//! Proxy settings.

use crate::deploy::*;
use dhow_config::{Config, Proxy, Ssl};

fn of<'c>(config: &'c Config, role: &str) -> Option<&'c Proxy> {
    config.role(role).unwrap().proxy.as_ref()
}

#[test]
fn item_7_01_types_and_unknown_keys() {
    for (setting, message) in [
        ("host: [a]", "/host: should be a string"),
        ("hosts: a", "/hosts: should be an array"),
        ("hosts: [~]", "/hosts/0: should be a string or a hash"),
        ("app_port: \"80\"", "/app_port: should be an integer"),
        ("ssl: yess", "/ssl: should be a boolean or a hash"),
        ("ssl_redirect: 1", "/ssl_redirect: should be a boolean"),
        (
            "forward_headers: 1",
            "/forward_headers: should be a boolean",
        ),
        (
            "response_timeout: 10s",
            "/response_timeout: should be an integer",
        ),
        ("path_prefix: [a]", "/path_prefix: should be a string"),
        ("path_prefixes: a", "/path_prefixes: should be an array"),
        ("path_prefixes: [~]", "/path_prefixes/0: should be a string"),
        (
            "strip_path_prefix: 1",
            "/strip_path_prefix: should be a boolean",
        ),
        ("healthcheck: /up", "/healthcheck: should be a hash"),
        (
            "healthcheck: {interval: a}",
            "/healthcheck/interval: should be an integer",
        ),
        (
            "healthcheck: {timeout: a}",
            "/healthcheck/timeout: should be an integer",
        ),
        (
            "healthcheck: {path: [a]}",
            "/healthcheck/path: should be a string",
        ),
        ("healthcheck: {port: 1}", "/healthcheck: unknown key: port"),
        ("buffering: true", "/buffering: should be a hash"),
        (
            "buffering: {requests: 1}",
            "/buffering/requests: should be a boolean",
        ),
        (
            "buffering: {responses: 1}",
            "/buffering/responses: should be a boolean",
        ),
        (
            "buffering: {max_request_body: 1m}",
            "/buffering/max_request_body: should be an integer",
        ),
        (
            "buffering: {max_response_body: 1m}",
            "/buffering/max_response_body: should be an integer",
        ),
        (
            "buffering: {memory: 1m}",
            "/buffering/memory: should be an integer",
        ),
        ("buffering: {x: 1}", "/buffering: unknown key: x"),
        ("logging: a", "/logging: should be a hash"),
        (
            "logging: {request_headers: a}",
            "/logging/request_headers: should be an array",
        ),
        (
            "logging: {response_headers: [~]}",
            "/logging/response_headers/0: should be a string",
        ),
        ("logging: {x: 1}", "/logging: unknown key: x"),
        ("run: true", "/run: should be a hash"),
        (
            "run: {http_port: a}",
            "/run/http_port: should be an integer",
        ),
        (
            "run: {https_port: a}",
            "/run/https_port: should be an integer",
        ),
        ("run: {publish: 1}", "/run/publish: should be a boolean"),
        ("run: {bind_ips: a}", "/run/bind_ips: should be an array"),
        (
            "run: {metrics_port: a}",
            "/run/metrics_port: should be an integer",
        ),
        ("run: {debug: 1}", "/run/debug: should be a boolean"),
        (
            "run: {log_max_size: [a]}",
            "/run/log_max_size: should be a string",
        ),
        ("run: {registry: [a]}", "/run/registry: should be a string"),
        (
            "run: {repository: [a]}",
            "/run/repository: should be a string",
        ),
        ("run: {version: [a]}", "/run/version: should be a string"),
        ("run: {options: a}", "/run/options: should be a hash"),
        ("run: {x: 1}", "/run: unknown key: x"),
        ("x: 1", ": unknown key: x"),
    ] {
        for (before, path) in [
            ("proxy: {", "proxy"),
            ("servers: {web: {hosts: [a], proxy: {", "servers/web/proxy"),
            (
                "accessories: {x: {image: i, host: a, proxy: {",
                "accessories/x/proxy",
            ),
        ] {
            let after = "}".repeat(before.matches('{').count());
            refused(&[(
                &format!("{before}{setting}{after}"),
                &format!("{path}{message}"),
            )]);
        }
    }
}

#[test]
fn item_7_02_hosts_and_certificates() {
    for (settings, message) in [
        ("ssl: true", "Must set a host to enable automatic SSL"),
        ("ssl: {}", "Must set a host to enable automatic SSL"),
        (
            "ssl: true, host: ''",
            "Must set a host to enable automatic SSL",
        ),
        (
            "ssl: true, hosts: []",
            "Must set a host to enable automatic SSL",
        ),
        (
            "host: a, hosts: [b]",
            "Specify one of 'host' or 'hosts', not both",
        ),
        (
            "host: a, hosts: []",
            "Specify one of 'host' or 'hosts', not both",
        ),
        (
            "host: a, ssl: {certificate_pem: C}",
            "Missing private_key_pem setting (required when certificate_pem is present)",
        ),
        (
            "host: a, ssl: {private_key_pem: K}",
            "Missing certificate_pem setting (required when private_key_pem is present)",
        ),
        (
            "host: a, ssl: {private_key_pem: K, certificate_pem: ''}",
            "Missing certificate_pem setting (required when private_key_pem is present)",
        ),
    ] {
        refused(&[
            (
                &format!("proxy: {{{settings}}}"),
                &format!("proxy: {message}"),
            ),
            (
                &format!("servers: {{web: {{hosts: [a], proxy: {{{settings}}}}}}}"),
                &format!("servers/web/proxy: {message}"),
            ),
            (
                &format!("accessories: {{x: {{image: i, host: a, proxy: {{{settings}}}}}}}"),
                &format!("accessories/x/proxy: {message}"),
            ),
        ]);
    }
    accepted(&["proxy: {ssl: false}", "proxy: {ssl: true, hosts: [a]}"]);
    for (ssl, expected) in [
        ("true", Ssl::Automatic),
        ("{}", Ssl::Automatic),
        ("false", Ssl::Off),
        (
            "{certificate_pem: C, private_key_pem: K}",
            Ssl::Custom {
                certificate_pem: "C".to_owned(),
                private_key_pem: "K".to_owned(),
            },
        ),
    ] {
        let config = config(&with(&format!("proxy: {{host: a, ssl: {ssl}}}")));
        assert_eq!(of(&config, "web").unwrap().ssl, expected, "{ssl}");
    }
}

#[test]
fn item_7_03_an_unpublished_proxy_has_no_ports() {
    for setting in ["http_port: 1", "https_port: 1", "bind_ips: [1.1.1.1]"] {
        refused(&[(
            &format!("proxy: {{run: {{publish: false, {setting}}}}}"),
            "proxy: Cannot set http_port, https_port or bind_ips when publish is false",
        )]);
        accepted(&[&format!("proxy: {{run: {{publish: true, {setting}}}}}")]);
    }
    accepted(&["proxy: {run: {publish: false, metrics_port: 9000}}"]);
}

#[test]
fn item_7_04_addresses_are_not_checked_in_the_file() {
    accepted(&["proxy: {run: {bind_ips: [not-an-ip]}}"]);
}

#[test]
fn item_7_05_who_stands_behind_the_proxy() {
    for (web, job, expected) in [
        ("", "", (true, false)),
        (", proxy: false", "", (false, false)),
        (", proxy: {}", ", proxy: {}", (true, true)),
        (", proxy: true", ", proxy: true", (true, true)),
        ("", ", proxy: {app_port: 1}", (true, true)),
        ("", ", proxy: false", (true, false)),
    ] {
        let config = config(&with(&format!(
            "servers: {{web: {{hosts: [a]{web}}}, job: {{hosts: [b]{job}}}}}"
        )));
        let runs = |role| of(&config, role).is_some();
        assert_eq!((runs("web"), runs("job")), expected, "{web} {job}");
    }
    for (proxy, expected) in [("{}", false), ("false", false), ("{host: a}", true)] {
        let config = config(&with(&format!(
            "accessories: {{x: {{image: i, host: a, proxy: {proxy}}}}}"
        )));
        assert_eq!(config.accessories[0].proxy.is_some(), expected, "{proxy}");
    }
    refused(&[(
        "accessories: {x: {image: i, host: a, proxy: true}}",
        "accessories/x/proxy: should be a hash",
    )]);
    // What a role that is not behind the proxy says about it is not looked at.
    accepted(&["servers: {web: {hosts: [a], proxy: false}}"]);
}

#[test]
fn item_7_06_role_settings_on_top_of_the_roots() {
    let config = config(&with(
        "servers: {web: [a], api: {hosts: [b], proxy: {host: api, healthcheck: {path: /api}, app_port: 3000}}}\n\
         proxy: {host: 'a,b, c', response_timeout: 5, healthcheck: {interval: 2, path: /root}, path_prefix: '/x,/y', run: {http_port: 8080}}",
    ));
    let web = of(&config, "web").unwrap();
    assert_eq!(web, &config.proxy);
    assert_eq!(web.hosts, ["a", "b", " c"]);
    assert_eq!(web.path_prefixes, ["/x", "/y"]);
    let api = of(&config, "api").unwrap();
    assert_eq!(api.hosts, ["api"]);
    assert_eq!((api.app_port, api.response_timeout), (3000, Some(5)));
    assert_eq!(api.healthcheck.interval, Some(2));
    assert_eq!(api.healthcheck.path.as_deref(), Some("/api"));
    assert_eq!(api.run.as_ref().unwrap().http_port, 8080);
    refused(&[(
        "proxy: {host: a}\nservers: {web: {hosts: [a], proxy: {hosts: [b]}}}",
        "proxy: Specify one of 'host' or 'hosts', not both",
    )]);
}

#[test]
fn item_7_07_a_roles_ssl_needs_the_roles_host() {
    refused(&[(
        "proxy: {host: a}\nservers: {web: {hosts: [a], proxy: {ssl: true}}}",
        "servers/web/proxy: Must set a host to enable automatic SSL",
    )]);
    accepted(&["proxy: {host: a, ssl: true}\nservers: {web: {hosts: [a], proxy: {app_port: 1}}}"]);
}

#[test]
fn item_7_08_automatic_certificates_are_for_one_server() {
    refused(&[
        (
            "servers: [a, b]\nproxy: {ssl: true, host: x}",
            "SSL is only supported on a single server unless you provide custom certificates, found 2 servers for role web",
        ),
        (
            "servers: {web: [a], job: {hosts: [b, c, d], proxy: {ssl: true, host: x}}}",
            "SSL is only supported on a single server unless you provide custom certificates, found 3 servers for role job",
        ),
    ]);
    accepted(&[
        "servers: [a, b]\nproxy: {ssl: {certificate_pem: C, private_key_pem: K}, host: x}",
        "servers: {web: [a], job: [b, c]}\nproxy: {ssl: true, host: x}",
    ]);
}

#[test]
fn item_7_09_a_host_with_a_certificate_belongs_to_one_role() {
    let roles = |web: &str, job: &str| {
        format!("servers: {{web: {{hosts: [a], proxy: {web}}}, job: {{hosts: [b], proxy: {job}}}}}")
    };
    let custom = "ssl: {certificate_pem: C, private_key_pem: K}";
    for (more, shared) in [
        (roles("{ssl: true, host: x}", "{ssl: true, host: x}"), "x"),
        (
            roles(
                "{ssl: true, hosts: [x, y, z]}",
                "{ssl: true, hosts: [z, y]}",
            ),
            // Roles come in name order: `job` before `web`.
            "z, y",
        ),
        (roles("{ssl: true, hosts: [x, x]}", "false"), "x"),
        (
            roles(
                &format!("{{{custom}, host: x}}"),
                &format!("{{{custom}, host: x}}"),
            ),
            "x",
        ),
    ] {
        let message = format!("Different roles can't share the same host for SSL: {shared}");
        refused(&[(&more, &message)]);
    }
    accepted(&[
        &roles("{host: x}", "{host: x}"),
        &roles("{ssl: true, host: x}", "{host: x}"),
    ]);
}

/// parity: commands 186
#[test]
fn item_7_10_one_proxy_a_host() {
    let roles = |web: &str, job: &str| {
        format!(
            "servers: {{web: {{hosts: [a, c], proxy: {web}}}, job: {{hosts: [b, c], proxy: {job}}}}}"
        )
    };
    refused(&[
        (
            &roles("{run: {http_port: 1}}", "{run: {http_port: 2}}"),
            "Conflicting proxy run configurations for host c",
        ),
        (
            &format!(
                "{}\naccessories: {{x: {{image: i, host: a, proxy: {{run: {{debug: true}}}}}}}}",
                roles("{run: {http_port: 1}}", "false")
            ),
            "Conflicting proxy run configurations for host a",
        ),
        // The maps have to be equal, not what they mean.
        (
            &roles("{run: {http_port: 80}}", "{run: {https_port: 443}}"),
            "Conflicting proxy run configurations for host c",
        ),
    ]);
    accepted(&[
        &format!(
            "{}\nproxy: {{run: {{http_port: 1}}}}",
            roles("true", "true")
        ),
        &roles("{run: {http_port: 1}}", "true"),
        &roles("{run: {http_port: 1}}", "{run: {}}"),
        &roles(
            "{run: {http_port: 1, debug: true}}",
            "{run: {debug: true, http_port: 1}}",
        ),
    ]);
    let config = config(&with(&roles("{run: {http_port: 1}}", "{run: {}}")));
    assert_eq!(config.proxy_run("c").map(|run| run.http_port), Some(1));
    assert_eq!(config.proxy_run("b"), None);
}

#[test]
fn item_7_14_nothing_given_nothing_passed_on() {
    let config = config(&with(
        "proxy: {host: '', logging: {request_headers: [], response_headers: [A]}}",
    ));
    assert!(config.proxy.hosts.is_empty() && config.proxy.logging.request_headers.is_empty());
    assert_eq!(config.proxy.logging.response_headers, ["A"]);
    let default = crate::deploy::config(LEAST).proxy;
    assert_eq!(default, Proxy::default());
    assert_eq!(
        default.logging.request_headers,
        ["Cache-Control", "Last-Modified", "User-Agent"]
    );
}

#[test]
fn item_7_16_run_settings_and_defaults() {
    let config = config(&with(
        "proxy: {run: {https_port: 8443, bind_ips: ['::1'], metrics_port: 9, debug: true, log_max_size: '', registry: r, repository: x/y, version: v1, options: {memory: 1g}}}",
    ));
    let run = config.proxy.run.unwrap();
    assert_eq!(
        (run.http_port, run.https_port, run.publish),
        (80, 8443, true)
    );
    assert_eq!((run.metrics_port, run.debug), (Some(9), true));
    assert_eq!(run.bind_ips, ["::1"]);
    assert_eq!(run.log_max_size, "");
    assert_eq!(run.registry.as_deref(), Some("r"));
    assert_eq!(run.repository.as_deref(), Some("x/y"));
    assert_eq!(run.version.as_deref(), Some("v1"));
    assert_eq!(run.options.len(), 1);
    assert_eq!(
        crate::deploy::config(&with("proxy: {run: {}}")).proxy.run,
        None
    );
}
