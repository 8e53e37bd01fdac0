//! What is written down for others: audit lines, locks, hooks' environment; what is shown of logins and builds; where builds happen.

use dhow_commands::audit::{self, AuditContext};
use dhow_commands::builder::clone::LocalClone;
use dhow_commands::builder::{BuildOptions, ImageBuilder, Output};
use dhow_commands::hook::{self, Hook, HookContext};
use dhow_commands::{lock, registry};
use dhow_config::Config;
use dhow_text::redact::Secret;

use super::support::{config, staged};

const WEB: &str = "servers: [1.1.1.1]\n";

/// The directory is called after the one that dhow runs in; what is built lies in it as in the work tree.
#[test]
fn config_item_9_08_directories_of_a_copy() {
    let top = LocalClone::new("/tmp", "app", "/srv/app", "/srv/app");
    // `printf /srv/app | sha256sum | cut -c 1-13`
    assert_eq!(top.directory, "/tmp/kamal-clones/app-dae668e4084f0");
    assert_eq!(top.build_directory, format!("{}/app/", top.directory));
    let below = LocalClone::new("/tmp", "app", "/srv/app", "/srv/app/web/a");
    assert_ne!(below.directory, top.directory);
    assert_eq!(
        below.build_directory,
        format!("{}/app/web/a", below.directory)
    );
}

#[test]
fn config_item_14_12_environment_of_hooks() {
    let context = HookContext {
        recorded_at: "2026-01-02T03:04:05Z",
        performer: "me@example.com",
        version: "0123456789",
        hosts: &["1.1.1.1", "1.1.1.2"],
        roles: None,
        locked: true,
        command: "deploy",
        subcommand: None,
        runtime: None,
    };
    let names = |config: &Config, context: &HookContext<'_>| -> Vec<&str> {
        let pairs = hook::environment(config, context);
        pairs.into_iter().map(|(name, _)| name).collect()
    };
    let always = [
        "KAMAL_RECORDED_AT",
        "KAMAL_PERFORMER",
        "KAMAL_VERSION",
        "KAMAL_SERVICE_VERSION",
        "KAMAL_SERVICE",
        "KAMAL_HOSTS",
        "KAMAL_LOCK",
        "KAMAL_COMMAND",
    ];
    assert_eq!(names(&config(WEB), &context), always);
    let full = HookContext {
        roles: Some(&["web"]),
        subcommand: Some("boot"),
        runtime: Some(7),
        ..context
    };
    let mut all = names(&staged(WEB), &full);
    for more in [
        "KAMAL_DESTINATION",
        "KAMAL_ROLES",
        "KAMAL_SUBCOMMAND",
        "KAMAL_RUNTIME",
    ] {
        let at = all.iter().position(|name| *name == more);
        all.remove(at.unwrap_or_else(|| panic!("{more} is not there")));
    }
    assert_eq!(all, always);
    let told: Vec<&str> = Hook::ALL
        .into_iter()
        .filter(|hook| hook.gets_secrets())
        .map(Hook::name)
        .collect();
    assert_eq!(told, ["pre-connect", "pre-deploy", "post-deploy"]);
}

#[test]
fn config_item_14_13_audit_lines() {
    let line = |config: &Config, destination, tags: &[&str]| {
        let context = AuditContext {
            recorded_at: "2026-01-02T03:04:05Z",
            performer: "me",
            destination,
        };
        audit::record(config, &context, tags, "Booted \"x\"").real()
    };
    assert_eq!(
        line(&config(WEB), None, &[]),
        r#"mkdir -p .kamal && echo "[2026-01-02T03:04:05Z] [me] Booted \"x\"" >> .kamal/app-audit.log"#
    );
    assert_eq!(
        line(&staged(WEB), Some("st"), &["web"]),
        r#"mkdir -p .kamal && echo "[2026-01-02T03:04:05Z] [me] [st] [web] Booted \"x\"" >> .kamal/app-st-audit.log"#
    );
    assert_eq!(
        audit::tail(&staged(WEB)).real(),
        "tail -n 50 .kamal/app-st-audit.log"
    );
}

#[test]
fn config_item_14_14_locks() {
    use base64::Engine as _;
    let text = lock::details("Zoë", "2026-01-02T03:04:05Z", "v9", "why");
    assert_eq!(
        text,
        "Locked by: Zoë at 2026-01-02T03:04:05Z\nVersion: v9\nMessage: why"
    );
    for (config, folder) in [(config(WEB), "lock-app"), (staged(WEB), "lock-app-st")] {
        let line = lock::acquire(&config, &text).real();
        let encoded = line
            .strip_prefix(&format!("mkdir .kamal/{folder} && echo \""))
            .and_then(|rest| rest.strip_suffix(&format!("\" > .kamal/{folder}/details")))
            .unwrap_or_else(|| panic!("{line}"))
            .replace('\n', "");
        let decoded = base64::engine::general_purpose::STANDARD.decode(encoded);
        assert_eq!(decoded.unwrap(), text.as_bytes());
    }
}

/// Kamal runs `-u … -p …` and shows two marks; dhow's password is on no line at all.
/// parity: commands 39
#[test]
fn config_item_18_01_a_login_is_shown_without_credentials() {
    let config = config(
        "servers: [1.1.1.1]\nregistry: { server: ghcr.io, username: 'a b$c', password: [P] }\n",
    );
    let password = Secret::new("hunter2");
    let login = registry::login(&config.registry, &Secret::new("a b$c"), &password).unwrap();
    assert_eq!(
        login.redacted(),
        "docker login ghcr.io -u [REDACTED] --password-stdin"
    );
    assert_eq!(
        login.real(),
        r#"docker login ghcr.io -u "a b\$c" --password-stdin"#
    );
    assert_eq!(login.input(), Some(&password));
}

/// The values are in the environment of the build: neither the line that runs nor the one that is shown has them.
/// parity: commands 39
#[test]
fn config_item_18_02_build_arguments_have_no_values() {
    let values = "args: { TOKEN: t0psecret, E: '', F: false }, secrets: [S]";
    for (more, flags) in [
        (
            "",
            r#" --build-arg TOKEN --build-arg E --build-arg F=false --secret id="S" "#,
        ),
        (
            ", pack: { builder: b }",
            " --env TOKEN --env E --env F=false --env S ",
        ),
    ] {
        let config = config(&format!(
            "servers: [1.1.1.1]\nbuilder: {{ arch: amd64, {values}{more} }}\n"
        ));
        let secrets = [("S".to_owned(), Secret::new("hunter2"))];
        let options = BuildOptions {
            version: "1",
            output: Output::Registry,
            dirty: false,
            no_cache: false,
            secrets: &secrets,
        };
        let build = ImageBuilder::new(&config, Some("amd64")).build(&options);
        for line in [build.cmd.real(), build.cmd.redacted()] {
            assert!(line.contains(flags), "{line}");
            assert!(!line.contains("t0psecret") && !line.contains("hunter2"));
        }
        let names: Vec<&str> = build.env.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["TOKEN", "S"]);
    }
}
