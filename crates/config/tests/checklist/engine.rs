//! The wording and the order of complaints.

use crate::deploy::*;
use dhow_text::diagnostic::Severity;

#[test]
fn item_4_01_unknown_keys() {
    refused(&[
        ("foo: 1", "unknown key: foo"),
        ("foo: 1\nbar: 2", "unknown keys: foo, bar"),
        ("1: 1", "unknown key: 1"),
        ("on: 1", "unknown key: true"),
        ("proxy: {foo: 1}", "proxy: unknown key: foo"),
        (
            "builder: {arch: amd64, b: 1, a: 1}",
            "builder: unknown keys: b, a",
        ),
        (
            "servers: {web: {hosts: [a], traefik: true}}",
            "servers/web: unknown key: traefik",
        ),
        (
            "proxy: {healthcheck: {port: 1}}",
            "proxy/healthcheck: unknown key: port",
        ),
        ("proxy:\n  :host: a", "proxy: unknown key: host"),
    ]);
}

#[test]
fn item_4_02_extensions_only_at_the_root() {
    accepted(&["x-anything: {a: 1}", "x-: 1", ":x-y: [1]"]);
    refused(&[
        ("proxy: {x-foo: 1}", "proxy: unknown key: x-foo"),
        (
            "servers: {web: {hosts: [a], x-foo: 1}}",
            "servers/web: unknown key: x-foo",
        ),
    ]);
}

#[test]
fn item_4_03_what_counts_as_a_string() {
    accepted(&[
        "asset_path: /a",
        "asset_path: :a",
        "asset_path: 1",
        "asset_path: 1.5",
        "asset_path: true",
        "asset_path: 99999999999999999999",
    ]);
    for value in ["~", "[a]", "{a: b}", "2024-01-01", "2024-01-01 10:00:00"] {
        refused(&[(
            &format!("asset_path: {value}"),
            "asset_path: should be a string",
        )]);
    }
}

#[test]
fn item_4_04_integers_and_booleans_are_exact() {
    for value in ["\"3\"", "1.5", "~", "true", "[3]"] {
        refused(&[(
            &format!("deploy_timeout: {value}"),
            "deploy_timeout: should be an integer",
        )]);
    }
    for value in ["\"true\"", "~", "1", "y"] {
        refused(&[(
            &format!("allow_empty_roles: {value}"),
            "allow_empty_roles: should be a boolean",
        )]);
    }
    accepted(&[
        "allow_empty_roles: yes",
        "allow_empty_roles: off",
        "deploy_timeout: 1_000",
    ]);
}

/// Every known root key, what it wants, and a value of another type.
const ROOT_KEYS: [(&str, &str, &str); 31] = [
    ("service", "a string", "[a]"),
    ("image", "a string", "{a: b}"),
    ("labels", "a hash", "[a]"),
    ("volumes", "an array", "a:b"),
    ("registry", "a hash", "[a]"),
    ("servers", "an array or a hash", "a"),
    ("env", "a hash", "[A=b]"),
    ("asset_path", "a string", "[a]"),
    ("hooks_path", "a string", "[a]"),
    ("hooks_output", "a string or a symbol", "[a]"),
    ("secrets_path", "a string", "[a]"),
    ("error_pages_path", "a string", "[a]"),
    ("require_destination", "a boolean", "a"),
    ("primary_role", "a string", "[a]"),
    ("allow_empty_roles", "a boolean", "1"),
    ("retain_containers", "an integer", "many"),
    ("minimum_version", "a string", "[2]"),
    ("readiness_delay", "an integer", "7s"),
    ("deploy_timeout", "an integer", "1.5"),
    ("drain_timeout", "an integer", "\"30\""),
    ("stop_timeout", "an integer", "true"),
    ("run_directory", "a string", "[a]"),
    ("ssh", "a hash", "a"),
    ("sshkit", "a hash", "[a]"),
    ("builder", "a hash", "amd64"),
    ("accessories", "a hash", "[a]"),
    ("proxy", "a hash", "a"),
    ("boot", "a hash", "1"),
    ("logging", "a hash", "a"),
    ("output", "a hash", "a"),
    ("aliases", "a hash", "[a]"),
];

#[test]
fn item_4_05_an_empty_value_is_an_error_for_every_known_key() {
    for (key, wanted, _) in ROOT_KEYS {
        let message = format!("{key}: should be {wanted}");
        refused(&[(&format!("{key}:"), &message)]);
    }
}

#[test]
fn item_4_06_articles_and_joins() {
    refused(&[
        ("service: [a]", "service: should be a string"),
        ("deploy_timeout: a", "deploy_timeout: should be an integer"),
        ("volumes: a", "volumes: should be an array"),
        ("env: []", "env: should be a hash"),
        (
            "proxy: {ssl: 1}",
            "proxy/ssl: should be a boolean or a hash",
        ),
        (
            "hooks_output: []",
            "hooks_output: should be a string or a symbol",
        ),
        (
            "ssh: {config: 2024-01-01}",
            "ssh/config: should be a boolean or a string or an array",
        ),
        (
            "builder: {arch: ~}",
            "builder/arch: should be an array or a string",
        ),
        ("servers: 1", "servers: should be an array or a hash"),
    ]);
}

#[test]
fn item_4_07_every_root_key_with_a_wrong_type() {
    for (key, wanted, wrong) in ROOT_KEYS {
        let message = format!("{key}: should be {wanted}");
        refused(&[(&format!("{key}: {wrong}"), &message)]);
    }
}

/// Files with every fault of a later step too: the earlier one is named first, whatever the order in the file.
#[test]
fn item_4_08_the_order_of_checks() {
    // Each text is added at the FRONT of what the following ones added.
    let steps = [
        ("foo: 1", "unknown key: foo"),
        ("deploy_timeout: a", "deploy_timeout: should be an integer"),
        (
            "servers: {job: {hosts: [h1], bad: 1}, web: {hosts: [h1, h2], also: 1, proxy: {ssl: true, host: a}}}",
            "servers/job: unknown key: bad",
        ),
        ("registry: {username: a}", "registry/password: is required"),
        (
            "accessories: {db: {image: x, hosts: [a], role: b}}",
            "accessories/db: specify one of `host`, `hosts`, `role`, `roles`, `tag` or `tags`",
        ),
        (
            "aliases: {deploy: x}",
            "aliases/deploy: Alias 'deploy' conflicts with a built-in command.",
        ),
        ("boot: {foo: 1}", "boot: unknown key: foo"),
        ("builder: {}", "builder: Builder arch not set"),
        ("env: {A: ~}", "env/A: should be a string"),
        ("logging: {foo: 1}", "logging: unknown key: foo"),
        ("output: {file: {}}", "file path is required"),
        (
            "proxy: {ssl: true}",
            "proxy: Must set a host to enable automatic SSL",
        ),
        ("ssh: {foo: 1}", "ssh: unknown key: foo"),
        ("sshkit: {foo: 1}", "sshkit: unknown key: foo"),
        (
            "require_destination: true",
            "You must specify a destination",
        ),
        ("image: ' '", "Missing required configuration for image"),
        (
            "minimum_version: 2.13.0",
            "Current version is 2.12.0, minimum required is 2.13.0",
        ),
        ("retain_containers: 0", "Must retain at least 1 container"),
        (
            "service: a.b",
            "Service name can only include alphanumeric characters, hyphens, and underscores",
        ),
        (
            "hooks_output: loud",
            "Invalid hooks_output 'loud', must be one of: quiet, verbose",
        ),
        ("ssh: {log_level: loud}", "invalid log level: loud"),
    ];
    for first in 0..steps.len() {
        let rest = &steps[first..];
        // A key given by an earlier step replaces the later one of the same name, as in any YAML map.
        let text: String = rest
            .iter()
            .rev()
            .map(|(text, _)| format!("{text}\n"))
            .collect();
        let (_, message) = first_error(&with(&text));
        assert_eq!(message, steps[first].1, "\n{text}");
    }
}

/// Steps of the cross-field checks that need sections without faults of their own.
#[test]
fn item_4_08_the_order_of_cross_field_checks() {
    let text = with(
        "servers: {web: {hosts: [h1, h2], proxy: {ssl: true, host: a}}, job: {hosts: [h1], proxy: {ssl: true, host: a, run: {http_port: 1}}}, worker: {hosts: [h1], proxy: {run: {http_port: 2}}}}\n\
         registry: {server: 'localhost:5000'}\nbuilder: {arch: arm64, remote: 'tcp://x'}\nhooks_output: loud\nservice: a.b",
    );
    let world = World {
        files: vec![".kamal/hooks/pre-traefik-reboot"],
        ..World::default()
    };
    let failure = load_in(&world, &text, None).unwrap_err();
    assert_eq!(
        messages(&failure, Severity::Error),
        [
            "Service name can only include alphanumeric characters, hyphens, and underscores",
            "Found pre-traefik-reboot, these should be renamed to (pre|post)-proxy-reboot",
            "SSL is only supported on a single server unless you provide custom certificates, found 2 servers for role web",
            "Different roles can't share the same host for SSL: a",
            "Local registry with remote builder requires an SSH URL (e.g., ssh://user@host)",
            "Conflicting proxy run configurations for host h1",
            "Invalid hooks_output 'loud', must be one of: quiet, verbose",
        ]
    );
}

#[test]
fn item_4_09_a_boolean_proxy_at_the_root() {
    refused(&[
        ("proxy: true", "proxy: should be a hash"),
        ("proxy: false", "proxy: should be a hash"),
    ]);
    // It passes the types of the root: sections before it are heard first.
    refused(&[("proxy: true\nboot: {foo: 1}", "boot: unknown key: foo")]);
}

#[test]
fn item_4_10_elements_of_volumes_and_labels() {
    refused(&[
        ("volumes: [a, ~]", "volumes/1: should be a string"),
        ("volumes: [[a]]", "volumes/0: should be a string"),
        ("labels: {a: b, c: [d]}", "labels/c: should be a string"),
        ("labels: {a: ~}", "labels/a: should be a string"),
    ]);
}

#[test]
fn all_that_is_wrong_is_reported_at_once() {
    let text = "service: app\nimage: a\nservers: {web: {hosts: [h], cdm: x}}\nregistry: {username: u}\nproxy: {app_port: \"80\"}\n";
    assert_eq!(
        errors(text),
        [
            "servers/web: unknown key: cdm",
            "registry/password: is required",
            "builder: Builder arch not set",
            "proxy/app_port: should be an integer",
        ]
    );
}

#[test]
fn a_fault_of_the_overlay_points_into_the_overlay() {
    let world = World::default();
    let failure = load_in(&world, LEAST, Some(("st", "proxy:\n  app_port: x\n"))).unwrap_err();
    let span = failure.diagnostics[0].labels[0].span;
    let source = failure.sources.get(span.source).unwrap();
    assert_eq!(source.name, "config/deploy.st.yml");
    assert_eq!(failure.sources.line_column(span), Some((2, 13)));
}

/// The way out that is offered with the first error.
fn hint(more: &str) -> Option<String> {
    let failure = load_text(&with(more)).unwrap_err();
    failure.diagnostics[0].hint.clone()
}

#[test]
fn a_way_out_is_offered_where_there_is_one() {
    for (more, offered) in [
        (
            "acessories: {}",
            "did you mean `accessories` instead of `acessories`?",
        ),
        (
            "proxy: {hots: a, sll: true, zzzzzz: 1}",
            "did you mean `host` instead of `hots`, `ssl` instead of `sll`?",
        ),
        (
            "env: {secret: [], claer: {}}",
            "did you mean `clear` instead of `claer`?",
        ),
        (
            "proxy:\n  :host: a",
            "write `host` without the leading colon",
        ),
        (
            "accessories: {db: {image: x, role: wbe}}",
            "did you mean `web`?",
        ),
        (
            "accessories: {db: {image: x, role: workers}}",
            "roles of this file: web",
        ),
        ("servers: {webs: [a]}", "did you mean `primary_role: webs`?"),
        (
            "servers: {app: [a]}",
            "name a role of this file with `primary_role`",
        ),
        (
            "builder:\n  arch:",
            "an empty value is no default: leave the key out instead",
        ),
        ("deploy_timeout: \"30\"", "write the number without quotes"),
        (
            "minimum_version: 2026-01-01",
            "quote it: unquoted, YAML reads it as a date",
        ),
    ] {
        assert_eq!(hint(more).as_deref(), Some(offered), "{more}");
    }
    assert_eq!(hint("zzzzzz: 1"), None);
}
