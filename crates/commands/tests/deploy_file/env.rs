//! What containers get as environment: clear values on the line, secret ones in a file of mode 0600.

use dhow_commands::app::{env_upload, run};
use dhow_commands::{accessory, tls};
use dhow_config::{Config, SecretRef};
use dhow_text::redact::Secret;

use super::support::{config, role};

fn clear(config: &Config, host: &str) -> String {
    let line = run(config, role(config, "web"), host, "1", "0123456789ab").real();
    let from = line.find(" --env A=").or_else(|| line.find(" --env-file"));
    let (_, rest) = line.split_at(from.unwrap());
    let (words, _) = rest.split_once(" --env-file ").unwrap();
    words.trim().to_owned()
}

fn secrets(config: &Config, host: &str) -> Vec<(String, String)> {
    let env = config.env_of(role(config, "web"), host);
    let pairs = env.secrets.iter();
    pairs.map(|s| (s.name.clone(), s.secret.clone())).collect()
}

fn named(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs
        .iter()
        .map(|(name, secret)| ((*name).to_owned(), (*secret).to_owned()))
        .collect()
}

/// Clear and secret are two worlds: of one name, both are given, and docker lets the line win.
#[test]
fn config_item_15_06_clear_and_secret_together() {
    let config = config(
        "servers: { web: { hosts: [1.1.1.1], env: { clear: { A: role }, secret: [B, 'C:OTHER', A] } } }
env: { clear: { A: root }, secret: [A, B, 'A:LATER', 'X:A:B', 'Y:'] }
",
    );
    assert_eq!(clear(&config, "1.1.1.1"), r#"--env A="role""#);
    assert_eq!(
        secrets(&config, "1.1.1.1"),
        named(&[
            ("A", "A"),
            ("B", "B"),
            ("A", "LATER"),
            ("X", "A:B"),
            ("Y", ""),
            ("C", "OTHER"),
        ])
    );
    let file = env_upload(
        &config,
        role(&config, "web"),
        &[("A", "1"), ("B", "2"), ("A", "3")]
            .map(|(name, value)| (name.to_owned(), Secret::new(value))),
    );
    assert_eq!(file.bytes(), b"A=3\nB=2\n");
    assert_eq!(SecretRef::new("A:B:C").secret, "B:C");
}

#[test]
fn config_item_15_07_role_over_root_and_tags_over_both() {
    let config = config(
        "servers:
  web:
    hosts: [1.1.1.1, 1.1.1.2: t, 1.1.1.3: [t, u]]
    env: { clear: { A: role, R: role }, secret: [ROLE] }
env:
  clear: { A: root, Z: root }
  secret: [ROOT]
  tags:
    t: { clear: { R: t }, secret: [TAG, 'ROOT:FOR_T'] }
    u: { A: u }
",
    );
    assert_eq!(
        clear(&config, "1.1.1.1"),
        r#"--env A="role" --env Z="root" --env R="role""#
    );
    assert_eq!(
        clear(&config, "1.1.1.2"),
        r#"--env A="role" --env Z="root" --env R="t""#
    );
    assert_eq!(
        clear(&config, "1.1.1.3"),
        r#"--env A="u" --env Z="root" --env R="t""#
    );
    assert_eq!(
        secrets(&config, "1.1.1.1"),
        named(&[("ROOT", "ROOT"), ("ROLE", "ROLE")])
    );
    assert_eq!(
        secrets(&config, "1.1.1.2"),
        named(&[
            ("ROOT", "ROOT"),
            ("ROLE", "ROLE"),
            ("TAG", "TAG"),
            ("ROOT", "FOR_T"),
        ])
    );
}

#[test]
fn config_item_15_08_env_files_and_modes() {
    let bare = config(
        "servers: { web: { hosts: [1.1.1.1], proxy: { host: a.com, ssl: { certificate_pem: C, private_key_pem: K } } } }
accessories: { db: { image: x, host: 1.1.1.2 } }
",
    );
    let web = role(&bare, "web");
    let db = bare.accessory("db").unwrap();
    let app = run(&bare, web, "1.1.1.1", "1", "0123456789ab").real();
    assert!(
        app.contains(" --env-file .kamal/apps/app/env/roles/web.env "),
        "{app}"
    );
    let line = accessory::run(&bare, db, "1.1.1.2").real();
    assert!(
        line.contains(" --env-file .kamal/apps/app/env/accessories/db.env "),
        "{line}"
    );
    for (file, path) in [
        (
            env_upload(&bare, web, &[]),
            ".kamal/apps/app/env/roles/web.env",
        ),
        (
            accessory::env_upload(&bare, db, &[]),
            ".kamal/apps/app/env/accessories/db.env",
        ),
    ] {
        assert_eq!((file.path.as_str(), file.mode), (path, 0o600));
        assert_eq!(file.bytes(), b"\n");
        assert!(file.is_secret());
    }
    let [certificate, key] = tls::uploads(&bare, web, Secret::new("c"), Secret::new("k"));
    assert_eq!((certificate.mode, key.mode), (0o644, 0o644));
}
