//! Aliases, ssh, sshkit, boot, logging, output and hooks.

use crate::deploy::*;
use dhow_config::{BootLimit, HookLevel, Inputs, Logging, Raw, Ssh, SshConfigFiles, Sshkit};
use dhow_text::shell::ShellValue;

/// parity: commands 30
#[test]
fn item_11_01_alias_names() {
    for name in ["A", "a b", "ä", "a.b", "''"] {
        let plain = name.trim_matches('\'');
        refused(&[(
            &format!("aliases: {{{name}: x}}"),
            &format!(
                "aliases/{plain}: Invalid alias name: '{plain}'. Must only contain lowercase letters, alphanumeric, hyphens and underscores."
            ),
        )]);
    }
    for name in [
        "setup",
        "deploy",
        "redeploy",
        "rollback",
        "details",
        "audit",
        "config",
        "docs",
        "init",
        "remove",
        "upgrade",
        "version",
        "accessory",
        "app",
        "build",
        "lock",
        "proxy",
        "prune",
        "registry",
        "secrets",
        "server",
    ] {
        refused(&[(
            &format!("aliases: {{{name}: x}}"),
            &format!("aliases/{name}: Alias '{name}' conflicts with a built-in command."),
        )]);
    }
    refused(&[
        ("aliases: {a: [x]}", "aliases/a: should be a string"),
        ("aliases: {a: }", "aliases/a: should be a string"),
    ]);
    let config = config(&with(
        "aliases: {help: app logs, tree: x, exec: y, a-b_1: z}",
    ));
    assert_eq!(
        config.aliases[0],
        ("help".to_owned(), "app logs".to_owned())
    );
    assert_eq!(config.aliases.len(), 4);
}

fn raw(base: &str, overlay: Option<&str>) -> Raw {
    let world = World::default();
    Raw::read(&Inputs {
        base: source("config/deploy.yml", base),
        overlay: overlay.map(|text| source("config/deploy.st.yml", text)),
        destination: overlay.map(|_| "st".to_owned()),
        outside: &world,
    })
    .unwrap()
}

#[test]
fn item_11_03_aliases_are_found_in_files_that_fail_every_check() {
    let base = "require_destination: true\nfoo: 1\naliases: {logs: app logs, x-y: 1}";
    let found = raw(base, None);
    assert_eq!(found.alias("logs").as_deref(), Some("app logs"));
    assert_eq!(found.alias("x-y").as_deref(), Some("1"));
    assert_eq!(found.alias("none"), None);
    let found = raw(base, Some(":aliases: {logs: app logs -f}"));
    assert_eq!(found.alias("logs").as_deref(), Some("app logs -f"));
    assert_eq!(raw("service: a", None).alias("logs"), None);
    assert_eq!(raw("aliases: [a]", None).alias("a"), None);
}

#[test]
fn item_11_04_alias_names_are_taken_literally() {
    let found = raw("aliases: {foo-bar: x}", None);
    assert_eq!(found.alias("foo_bar"), None);
}

/// parity: commands 237
#[test]
fn item_12_01_ssh_defaults_and_ports() {
    let least = config(LEAST).ssh;
    assert_eq!((least.user.as_str(), least.port), ("root", 22));
    assert_eq!(least, Ssh::default());
    for (port, number) in [("22", 22), ("\"2222\"", 2222), ("65535", 65535)] {
        assert_eq!(
            config(&with(&format!("ssh: {{port: {port}}}"))).ssh.port,
            number
        );
    }
    let ssh = config(&with(
        "ssh: {user: app, proxy: root@jump, proxy_command: nc %h %p, log_level: debug, keys_only: true, keys: [a, b], key_data: [K], forward_agent: false}",
    ))
    .ssh;
    assert_eq!(ssh.user, "app");
    assert_eq!(ssh.proxy.as_deref(), Some("root@jump"));
    assert_eq!(ssh.proxy_command.as_deref(), Some("nc %h %p"));
    assert_eq!(ssh.log_level, "debug");
    assert_eq!(ssh.keys_only, Some(true));
    assert_eq!(ssh.keys, Some(vec!["a".to_owned(), "b".to_owned()]));
    assert_eq!(ssh.key_data, Some(vec!["K".to_owned()]));
    assert_eq!(ssh.forward_agent, Some(false));
}

#[test]
fn item_12_02_ssh_config_files() {
    for (value, expected) in [
        ("true", SshConfigFiles::On),
        ("false", SshConfigFiles::Off),
        ("~/x", SshConfigFiles::File("~/x".to_owned())),
        (
            "[a, b]",
            SshConfigFiles::Files(vec!["a".to_owned(), "b".to_owned()]),
        ),
    ] {
        assert_eq!(
            config(&with(&format!("ssh: {{config: {value}}}")))
                .ssh
                .config,
            expected
        );
    }
}

#[test]
fn item_12_04_ssh_types_and_log_level() {
    refused(&[
        ("ssh: {foo: 1}", "ssh: unknown key: foo"),
        ("ssh: {user: [a]}", "ssh/user: should be a string"),
        ("ssh: {port: [1]}", "ssh/port: should be a string"),
        ("ssh: {port: abc}", "ssh/port: should be a port number"),
        ("ssh: {port: 0}", "ssh/port: should be a port number"),
        ("ssh: {port: 65536}", "ssh/port: should be a port number"),
        ("ssh: {proxy: [a]}", "ssh/proxy: should be a string"),
        (
            "ssh: {proxy_command: [a]}",
            "ssh/proxy_command: should be a string",
        ),
        ("ssh: {log_level: [a]}", "ssh/log_level: should be a string"),
        ("ssh: {keys_only: 1}", "ssh/keys_only: should be a boolean"),
        ("ssh: {keys: a}", "ssh/keys: should be an array"),
        ("ssh: {keys: [~]}", "ssh/keys/0: should be a string"),
        ("ssh: {key_data: a}", "ssh/key_data: should be an array"),
        (
            "ssh: {config: {a: b}}",
            "ssh/config: should be a boolean or a string or an array",
        ),
        (
            "ssh: {config: ~}",
            "ssh/config: should be a boolean or a string or an array",
        ),
        ("ssh: {config: [~]}", "ssh/config/0: should be a string"),
        (
            "ssh: {forward_agent: 1}",
            "ssh/forward_agent: should be a boolean",
        ),
    ]);
    assert_eq!(
        first_error(&with("ssh: {log_level: x}")),
        (
            "ArgumentError".to_owned(),
            "invalid log level: x".to_owned()
        )
    );
    accepted(&[
        "ssh:\n  log_level: :warn",
        "ssh: {log_level: INFO}",
        "ssh: {log_level: 1}",
    ]);
}

#[test]
fn item_12_05_sshkit() {
    assert_eq!(config(LEAST).sshkit, Sshkit::default());
    let sshkit = config(&with(
        "sshkit: {max_concurrent_starts: 1, pool_idle_timeout: 2, dns_retries: 0}",
    ))
    .sshkit;
    assert_eq!(
        (
            sshkit.max_concurrent_starts,
            sshkit.pool_idle_timeout,
            sshkit.dns_retries
        ),
        (1, 2, 0)
    );
    refused(&[
        ("sshkit: {foo: 1}", "sshkit: unknown key: foo"),
        (
            "sshkit: {dns_retries: a}",
            "sshkit/dns_retries: should be an integer",
        ),
        (
            "sshkit: {max_concurrent_starts: a}",
            "sshkit/max_concurrent_starts: should be an integer",
        ),
        (
            "sshkit: {pool_idle_timeout: 1.5}",
            "sshkit/pool_idle_timeout: should be an integer",
        ),
    ]);
}

#[test]
fn item_12_06_boot() {
    for (limit, expected, group_of_10) in [
        ("3", BootLimit::Hosts(3), 3),
        ("'3'", BootLimit::Hosts(3), 3),
        ("25%", BootLimit::Percent(25), 2),
        ("12.5%", BootLimit::Percent(12), 1),
        ("1%", BootLimit::Percent(1), 1),
        ("100%", BootLimit::Percent(100), 10),
    ] {
        let boot = config(&with(&format!("boot: {{limit: {limit}}}"))).boot;
        assert_eq!(boot.limit, Some(expected), "{limit}");
        assert_eq!(boot.group_size(10), Some(group_of_10), "{limit}");
    }
    let boot = config(&with("boot: {wait: 2, parallel_roles: true}")).boot;
    assert_eq!(
        (boot.limit, boot.wait, boot.parallel_roles),
        (None, Some(2), true)
    );
    assert_eq!(boot.group_size(10), None);
    refused(&[
        ("boot: {foo: 1}", "boot: unknown key: foo"),
        ("boot: {limit: [1]}", "boot/limit: should be a string"),
        ("boot: {wait: a}", "boot/wait: should be an integer"),
        (
            "boot: {parallel_roles: 1}",
            "boot/parallel_roles: should be a boolean",
        ),
    ]);
    for limit in ["many", "0", "-1", "'%'"] {
        refused(&[(
            &format!("boot: {{limit: {limit}}}"),
            "boot/limit: should be a number of hosts, or a percentage such as \"25%\"",
        )]);
    }
}

#[test]
fn item_12_07_logging() {
    let options = vec![("max-size".to_owned(), ShellValue::Text("1m".to_owned()))];
    for (text, driver, options) in [
        ("{}", None, Vec::new()),
        ("{driver: local}", Some("local"), Vec::new()),
        ("{options: {max-size: 1m}}", None, options.clone()),
        (
            "{driver: local, options: {max-size: 1m}}",
            Some("local"),
            options,
        ),
    ] {
        let logging = Logging {
            driver: driver.map(str::to_owned),
            options,
        };
        let config = config(&with(&format!("logging: {text}")));
        assert_eq!(config.logging, logging, "{text}");
        assert_eq!(config.roles[0].logging, logging, "{text}");
    }
    refused(&[
        ("logging: {foo: 1}", "logging: unknown key: foo"),
        (
            "logging: {driver: [a]}",
            "logging/driver: should be a string",
        ),
        (
            "logging: {options: [a]}",
            "logging/options: should be a hash",
        ),
    ]);
}

#[test]
fn item_12_08_output() {
    assert_eq!(
        config(&with("output: {}")).output,
        dhow_config::Output::default()
    );
    let output = config(&with(
        "output: {otel: {endpoint: 'http://x/'}, file: {path: log}}",
    ))
    .output;
    assert_eq!(output.otel_endpoint.as_deref(), Some("http://x/"));
    assert_eq!(output.file_path.as_deref(), Some("log"));
    refused(&[
        ("output: {foo: 1}", "output: unknown key: foo"),
        ("output: {otel: a}", "output/otel: should be a hash"),
        ("output: {otel: {foo: 1}}", "output/otel: unknown key: foo"),
        (
            "output: {file: {path: [a]}}",
            "output/file/path: should be a string",
        ),
    ]);
    for (output, message) in [
        ("{otel: {}}", "OTel endpoint is required"),
        ("{file: {}}", "file path is required"),
        ("{file: {}, otel: {}}", "file path is required"),
    ] {
        assert_eq!(
            first_error(&with(&format!("output: {output}"))),
            ("ArgumentError".to_owned(), message.to_owned())
        );
    }
}

/// Kamal takes an empty place for one, and writes nowhere.
#[test]
fn item_12_08_an_empty_place_is_none() {
    let loaded = loaded(&with("output: {otel: {endpoint: ''}}"));
    assert_eq!(loaded.config.output, dhow_config::Output::default());
    assert_eq!(
        loaded.warnings[0].message,
        "output/otel: endpoint is empty: nothing is written"
    );
}

#[test]
fn item_12_09_hooks_output() {
    let all = config(&with("hooks_output: :verbose")).hooks_output;
    assert_eq!(all.all, Some(HookLevel::Verbose));
    assert_eq!(all.level("pre-build"), Some(HookLevel::Verbose));
    let each = config(&with(
        "hooks_output:\n  pre-deploy: quiet\n  pre-build: :verbose",
    ))
    .hooks_output;
    assert_eq!(each.all, None);
    assert_eq!(each.level("pre-deploy"), Some(HookLevel::Quiet));
    assert_eq!(each.level("post-deploy"), None);
    assert_eq!(
        each.by_hook,
        [
            ("pre-deploy".to_owned(), HookLevel::Quiet),
            ("pre-build".to_owned(), HookLevel::Verbose)
        ]
    );
    refused(&[
        (
            "hooks_output: loud",
            "Invalid hooks_output 'loud', must be one of: quiet, verbose",
        ),
        (
            "hooks_output: {pre-deploy: loud}",
            "Invalid hooks_output 'loud' for hook 'pre-deploy', must be one of: quiet, verbose",
        ),
        (
            "hooks_output: {pre-deploy: [a]}",
            "hooks_output/pre-deploy: should be a string or a symbol",
        ),
    ]);
    for ignored in ["true", "1"] {
        let config = config(&with(&format!("hooks_output: {ignored}")));
        assert_eq!(config.hooks_output, dhow_config::HooksOutput::default());
    }
}

#[test]
fn item_12_10_hooks_of_kamal_1() {
    let message =
        |found: &str| format!("Found {found}, these should be renamed to (pre|post)-proxy-reboot");
    let both = vec!["h/post-traefik-reboot", "h/pre-traefik-reboot"];
    for (files, found) in [
        (vec!["h/post-traefik-reboot"], "post-traefik-reboot"),
        (both, "pre-traefik-reboot, post-traefik-reboot"),
    ] {
        let world = World {
            files,
            ..World::default()
        };
        let failure = load_in(&world, &with("hooks_path: h"), None).unwrap_err();
        assert_eq!(failure.to_string(), message(found));
        assert!(load_in(&world, LEAST, None).is_ok());
    }
}
