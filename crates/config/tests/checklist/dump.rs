//! `dhow config` on whole files (`tests/files/*.yml`; beside each, the document it gives).

use crate::deploy::*;
use dhow_config::dump;
use dhow_text::redact::Secret;

#[track_caller]
fn dumped(base: &str, overlay: Option<(&str, &str)>, version: &str) -> String {
    match load_in(&World::default(), base, overlay) {
        Ok(loaded) => dump(&loaded, version),
        Err(failure) => panic!("{:#?}", failure.diagnostics),
    }
}

/// parity: commands 217
#[test]
fn item_18_03_a_rails_application() {
    let text = dumped(include_str!("../files/rails.yml"), None, "2f9d8c1");
    assert_eq!(text, include_str!("../files/rails.dump.yml"));
}

#[test]
fn item_18_03_a_small_file() {
    let text = dumped(include_str!("../files/small.yml"), None, "1");
    assert_eq!(text, include_str!("../files/small.dump.yml"));
}

#[test]
fn item_18_04_a_destination_and_a_version() {
    let overlay = include_str!("../files/staging-overlay.yml");
    let base = include_str!("../files/staging-base.yml");
    let text = dumped(base, Some(("staging", overlay)), "123");
    assert_eq!(text, include_str!("../files/staging.dump.yml"));
}

#[test]
fn accessories_alone_have_no_roles() {
    let text = LEAST.replace("servers: [1.1.1.1]\n", "");
    let text = dumped(
        &format!("{text}accessories: {{db: {{image: x, host: a}}}}"),
        None,
        "1",
    );
    assert!(
        text.starts_with("---\n:roles: []\n:hosts:\n- a\n:primary_host: a\n"),
        "{text}"
    );
}

/// What Kamal prints in clear.
/// parity: commands 217
#[test]
fn nothing_secret_is_dumped() {
    let text = dumped(
        &with(
            "ssh: {key_data: [KEYTEXT]}\n\
             accessories: {db: {image: x, host: a, registry: {username: u, password: HIDDEN}}}\n\
             registry: {username: USER, password: HIDDEN}",
        ),
        None,
        "1",
    );
    for hidden in ["KEYTEXT", "HIDDEN", "USER"] {
        assert!(!text.contains(hidden), "{hidden} in\n{text}");
    }
    assert_eq!(text.matches("! '[REDACTED]'").count(), 2);
}

#[test]
fn no_credential_is_in_a_debug_text() {
    let file = with(
        "registry: {username: USER, password: HIDDEN, pasword: HIDDEN2}\n\
         accessories: {db: {image: x, host: a, registry: {username: u, password: HIDDEN3}}}\n\
         ssh: {key_data: [KEYTEXT]}",
    );
    let failure = load_text(&file).unwrap_err();
    let right = file.replace("pasword: HIDDEN2", "");
    let loaded = loaded(&right);
    for text in [format!("{failure:?}"), format!("{loaded:?}")] {
        for hidden in ["USER", "HIDDEN", "KEYTEXT"] {
            assert!(!text.contains(hidden), "{hidden} in\n{text}");
        }
    }
    // Where lines of the file are shown, these are taken out of them.
    let revealed = |secrets: &[Secret]| -> Vec<String> {
        secrets.iter().map(|s| s.reveal().to_owned()).collect()
    };
    assert_eq!(
        revealed(&failure.credentials),
        ["HIDDEN", "HIDDEN2", "HIDDEN3", "KEYTEXT"]
    );
    assert_eq!(
        revealed(&loaded.raw.credentials()),
        ["HIDDEN", "HIDDEN3", "KEYTEXT"]
    );
}
