//! Roles, hosts and tags.

use crate::deploy::*;
use dhow_config::{Config, Host};
use dhow_text::diagnostic::Severity;
use dhow_text::shell::ShellValue;

fn names(config: &Config) -> Vec<&str> {
    config.roles.iter().map(|role| role.name.as_str()).collect()
}

fn hosts<'c>(config: &'c Config, role: &str) -> Vec<&'c str> {
    config.role(role).unwrap().host_names().collect()
}

fn text(value: &str) -> ShellValue {
    ShellValue::Text(value.to_owned())
}

#[test]
fn item_5_01_lists_and_maps_of_servers() {
    let list = config(&with("servers: [b, a]"));
    assert_eq!(names(&list), ["web"]);
    assert_eq!(hosts(&list, "web"), ["b", "a"]);
    assert!(list.role("web").unwrap().primary);

    let map = config(&with(
        "servers: {worker: [c], web: {hosts: [b]}, cron: [a]}",
    ));
    assert_eq!(names(&map), ["cron", "web", "worker"]);
    assert_eq!(hosts(&map, "web"), ["b"]);
    assert_eq!(hosts(&map, "worker"), ["c"]);
}

#[test]
fn item_5_02_host_entries() {
    // The three places a host entry may stand in.
    for (before, after, path) in [
        ("servers: ", "", "servers"),
        ("servers: {web: ", "}", "servers/web"),
        ("servers: {web: {hosts: ", "}}", "servers/web/hosts"),
    ] {
        for (entries, message) in [
            ("[~]", "/0: should be a string or a hash"),
            ("[a, [b]]", "/1: should be a string or a hash"),
            ("[2024-01-01]", "/0: should be a string or a hash"),
            ("[{a: x, b: y}]", "/0: multiple hosts found"),
            ("[{}]", "/0: multiple hosts found"),
            ("[{a: ~}]", "/0/a: should be a string or an array"),
            ("[{a: {b: c}}]", "/0/a: should be a string or an array"),
            ("[b, {a: [x, ~]}]", "/1/a/1: should be a string"),
        ] {
            let more = format!("{before}{entries}{after}");
            refused(&[(&more, &format!("{path}{message}"))]);
        }
        let more = format!("{before}[a, {{b: x}}, {{c: [x, y]}}, {{d: 1}}]{after}");
        accepted(&[&more]);
    }
}

#[test]
fn item_5_03_role_and_hosts_types() {
    refused(&[
        (
            "servers: {web: a}",
            "servers/web: should be an array or a hash",
        ),
        (
            "servers: {web: }",
            "servers/web: should be an array or a hash",
        ),
        (
            "servers: {web: {hosts: a}}",
            "servers/web/hosts: should be an array",
        ),
        (
            "servers: {web: {hosts: {a: b}}}",
            "servers/web/hosts: should be an array",
        ),
    ]);
}

#[test]
fn item_5_04_role_keys() {
    for (setting, message) in [
        ("traefik: true", ": unknown key: traefik"),
        ("a: 1, b: 2", ": unknown keys: a, b"),
        ("cmd: [a]", "/cmd: should be a string"),
        ("stop_timeout: a", "/stop_timeout: should be an integer"),
        ("options: [a]", "/options: should be a hash"),
        ("logging: a", "/logging: should be a hash"),
        (
            "logging: {driver: [a]}",
            "/logging/driver: should be a string",
        ),
        (
            "logging: {options: a}",
            "/logging/options: should be a hash",
        ),
        ("logging: {a: b}", "/logging: unknown key: a"),
        ("proxy: a", "/proxy: should be a hash"),
        ("proxy: ", "/proxy: should be a hash"),
        ("labels: [a]", "/labels: should be a hash"),
        ("labels: {a: ~}", "/labels/a: should be a string"),
        ("env: [A]", "/env: should be a hash"),
        ("env: {A: ~}", "/env/A: should be a string"),
        ("env: {clear: [A]}", "/env/clear: should be a hash"),
        ("asset_path: [a]", "/asset_path: should be a string"),
    ] {
        let more = format!("servers: {{web: {{hosts: [a], {setting}}}}}");
        refused(&[(&more, &format!("servers/web{message}"))]);
    }
}

#[test]
fn item_5_05_reserved_labels() {
    for label in ["service", "role", "destination"] {
        refused(&[(
            &format!("servers: {{web: {{hosts: [a], labels: {{{label}: x}}}}}}"),
            &format!(
                "servers/web/labels/{label}: invalid label. destination, role, and service are reserved labels"
            ),
        )]);
    }
    let config = config(&with("labels: {service: x, role: y, destination: z}"));
    assert_eq!(config.roles[0].labels[1], ("role".to_owned(), text("y")));
}

#[test]
fn item_5_06_restart_policies() {
    let role = |options: &str| format!("servers: {{web: {{hosts: [a], options: {options}}}}}");
    for policy in [
        "no",
        "always",
        "unless-stopped",
        "on-failure",
        "on-failure:3",
    ] {
        for key in ["restart", ":restart"] {
            let options =
                format!("\n        {key}: \"{policy}\"\n        cpus: 2\n        cap-add: [A, B]");
            let config = config(&with(&format!(
                "servers:\n  web:\n      hosts: [a]\n      options:{options}"
            )));
            let role = &config.roles[0];
            assert_eq!(role.restart, policy);
            let list = ShellValue::List(vec!["A".to_owned(), "B".to_owned()]);
            let options = vec![("cpus".to_owned(), text("2")), ("cap-add".to_owned(), list)];
            assert_eq!(role.options, options);
        }
    }
    assert_eq!(config(LEAST).roles[0].restart, "unless-stopped");
    for value in ["no", "~", "1", "[always]"] {
        refused(&[(
            &role(&format!("{{restart: {value}}}")),
            "servers/web/options/restart: should be a string. Use \"no\" to disable restarts",
        )]);
    }
    for value in ["sometimes", "'on-failure:'", "on-failure:x", "''", "Always"] {
        refused(&[(
            &role(&format!("{{restart: {value}}}")),
            "servers/web/options/restart: should be no, always, unless-stopped, on-failure, or on-failure:N",
        )]);
    }
}

#[test]
fn item_5_07_repeated_and_dropped_hosts() {
    let loaded = loaded(&with(
        "servers:\n- {a: [x, y]}\n- b\n- 12:30\n- {a: z}\n- b\n- ::1\n- yes",
    ));
    let host = |name: &str, tags: &[&str]| Host {
        name: name.to_owned(),
        tags: tags.iter().map(|&tag| tag.to_owned()).collect(),
    };
    assert_eq!(
        loaded.config.roles[0].hosts,
        [host("a", &["z"]), host("b", &[])]
    );
    let warnings: Vec<&str> = loaded.warnings.iter().map(|w| w.message.as_str()).collect();
    assert_eq!(
        warnings,
        [
            "servers/web: the host `45000` is no string and is left out",
            "servers/web: the host `:1` is no string and is left out",
            "servers/web: the host `true` is no string and is left out",
        ]
    );
    assert!(
        loaded
            .warnings
            .iter()
            .all(|w| w.severity == Severity::Warning)
    );
}

#[test]
fn item_5_08_tags() {
    let config = config(&with(
        "servers: {web: {hosts: [{a: one}, {b: [two, one]}, {c: [unknown]}, {d: [one two]}, e], env: {R: role, X: role}}}\n\
         env: {clear: {X: root, Q: root}, secret: [S], tags: {one: {X: one, Y: one}, two: {clear: {X: two}, secret: [T]}}}",
    ));
    let role = &config.roles[0];
    let clear = |host: &str| -> Vec<String> {
        let env = config.env_of(role, host);
        let pair = |(key, value): &(String, ShellValue)| match value {
            ShellValue::Text(value) => format!("{key}={value}"),
            other => panic!("{other:?}"),
        };
        env.clear.iter().map(pair).collect()
    };
    assert_eq!(clear("a"), ["X=one", "Q=root", "R=role", "Y=one"]);
    assert_eq!(clear("b"), ["X=one", "Q=root", "R=role", "Y=one"]);
    assert_eq!(clear("c"), ["X=role", "Q=root", "R=role"]);
    assert_eq!(clear("d"), ["X=role", "Q=root", "R=role"]);
    assert_eq!(clear("e"), ["X=role", "Q=root", "R=role"]);
    let secrets = |host: &str| -> Vec<String> {
        let env = config.env_of(role, host);
        env.secrets.into_iter().map(|secret| secret.name).collect()
    };
    assert_eq!(secrets("a"), ["S"]);
    assert_eq!(secrets("b"), ["S", "T"]);
}

#[test]
fn item_5_08_tagged_hosts_without_env_have_none() {
    let config = config(&with("servers: [{a: one}]"));
    assert!(config.env_of(&config.roles[0], "a").clear.is_empty());
}

#[test]
fn item_5_09_missing_and_empty_roles() {
    refused(&[
        ("servers: {app: [a]}", "The primary_role web isn't defined"),
        ("servers: {}", "The primary_role web isn't defined"),
        (
            "servers: [a]\nprimary_role: app",
            "The primary_role app isn't defined",
        ),
        (
            "servers: []",
            "No servers specified for the web primary_role",
        ),
        (
            "servers: {web: [], job: [a]}\nallow_empty_roles: true",
            "No servers specified for the web primary_role",
        ),
        (
            "servers: {app: {cmd: x}}\nprimary_role: app",
            "No servers specified for the app primary_role",
        ),
        (
            "servers: {web: [a], w: {cmd: x}}",
            "No servers specified for the w role. You can ignore this with allow_empty_roles: true",
        ),
    ]);
    accepted(&["servers: {web: [a], w: []}\nallow_empty_roles: true"]);
    let config = config(&with("servers: {app: [a], web: [b]}\nprimary_role: app"));
    assert!(config.role("app").unwrap().primary && !config.role("web").unwrap().primary);
    assert!(config.role("app").unwrap().runs_proxy() && !config.role("web").unwrap().runs_proxy());
    assert_eq!(config.primary_host(), Some("a"));
}

#[test]
fn item_5_10_all_hosts_and_the_primary_one() {
    let config = config(&with(
        "servers: {web: [w1, w2], job: [j1, w2]}\n\
         accessories: {db: {image: x, hosts: [d1, w1, d1]}, mail: {image: x, host: m1, proxy: {host: a}}}",
    ));
    assert_eq!(config.all_hosts(), ["j1", "w2", "w1", "d1", "m1"]);
    assert_eq!(config.app_hosts(), ["j1", "w2", "w1"]);
    assert_eq!(config.proxy_hosts(), ["w1", "w2", "m1"]);
    assert_eq!(config.primary_host(), Some("w1"));
}

#[test]
fn item_5_11_roles_override_the_root() {
    let config = config(&with(
        "servers:\n  web: [a]\n  job:\n    hosts: [b]\n    cmd: bin/jobs -c 2\n    stop_timeout: 5\n    labels: {x: job, z: job}\n    asset_path: /job\n    proxy: true\n    logging: {options: {max-size: 5m}}\n\
         stop_timeout: 60\nlabels: {x: root, y: root}\nasset_path: /root:ro\nlogging: {driver: local, options: {max-size: 1m, max-file: 3}}",
    ));
    let (web, job) = (config.role("web").unwrap(), config.role("job").unwrap());
    assert_eq!((web.stop_timeout, job.stop_timeout), (Some(60), Some(5)));
    assert_eq!(
        (web.cmd.as_deref(), job.cmd.as_deref()),
        (None, Some("bin/jobs -c 2"))
    );
    assert_eq!(
        web.assets,
        Some(("/root".to_owned(), Some("ro".to_owned())))
    );
    assert_eq!(job.assets, Some(("/job".to_owned(), None)));
    let pairs = |pairs: &[(&str, &str)]| -> Vec<(String, ShellValue)> {
        pairs
            .iter()
            .map(|(k, v)| ((*k).to_owned(), text(v)))
            .collect()
    };
    assert_eq!(web.labels, pairs(&[("x", "root"), ("y", "root")]));
    assert_eq!(
        job.labels,
        pairs(&[("x", "job"), ("y", "root"), ("z", "job")])
    );
    assert_eq!(web.logging, config.logging);
    assert_eq!(job.logging.driver.as_deref(), Some("local"));
    assert_eq!(
        job.logging.options,
        pairs(&[("max-size", "5m"), ("max-file", "3")])
    );
}

#[test]
fn assets_need_the_proxy() {
    let config = config(&with(
        "servers: {web: {hosts: [a], proxy: false}, job: [b]}\nasset_path: /a",
    ));
    assert!(config.roles.iter().all(|role| role.assets.is_none()));
}
