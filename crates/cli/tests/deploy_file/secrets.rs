//! `secrets …`, and when secrets files are read at all.

use super::place::{LEAST, Place, error_line};

const LPASS: &str = r#"#!/bin/sh
echo "lpass $*" >>ROOT/calls
case "$1" in
    --version) echo "LastPass CLI v1.3.3" ;;
    status) echo "Logged in as me@x." ;;
    show) printf '%s' '[{"fullname":"F/A","password":"a \"b\" $c (d)"}]' ;;
    *) exit 1 ;;
esac
"#;

/// parity: commands 220
#[test]
fn config_item_17_01_fetched_secrets_are_one_line_of_json() {
    let place = Place::empty();
    place.program("lpass", LPASS);
    let fetch = [
        "secrets",
        "fetch",
        "-a",
        "lastpass",
        "--account",
        "me@x",
        "--from",
        "F",
        "A",
    ];
    assert_eq!(place.succeeds(&fetch), "{\"F/A\":\"a \\\"b\\\" $c (d)\"}\n");
    assert_eq!(
        place.read("calls"),
        "lpass --version\nlpass status --color never\nlpass show F/A --json\n"
    );
    let inline = [&fetch[..], &["--inline"]].concat();
    assert_eq!(
        place.succeeds(&inline),
        "\\{\\\"F/A\\\":\\\"a\\ \\\\\\\"b\\\\\\\"\\ \\$c\\ \\(d\\)\\\"\\}\n"
    );
}

/// parity: commands 220
#[test]
fn config_item_17_02_what_fetch_is_missing() {
    let place = Place::empty();
    let ended = place.fails(&["secrets", "fetch", "A"]);
    assert_eq!(
        (ended.stdout.as_str(), ended.stderr.as_str()),
        ("", "No value provided for required options '--adapter'\n")
    );
    let ended = place.dhow(&["secrets", "fetch", "-a", "1password", "A"]);
    assert_eq!(
        (ended.code, ended.stdout.as_str(), ended.stderr.as_str()),
        (
            0,
            "No value provided for required options '--account'\n",
            ""
        )
    );
    let ended = place.fails(&["secrets", "fetch", "-a", "x", "A"]);
    assert_eq!(
        ended.stdout,
        error_line("RuntimeError", "Unknown secrets adapter: x")
    );
    let ended = place.fails(&["secrets", "fetch", "-a", "lastpass", "--account", "me", "A"]);
    assert_eq!(
        ended.stdout,
        error_line("RuntimeError", "LastPass CLI is not installed")
    );
}

/// parity: commands 220
#[test]
fn config_item_17_03_extract() {
    let place = Place::empty();
    let json = r#"{"v/A":"1","B":"two words","N":null}"#;
    assert_eq!(place.succeeds(&["secrets", "extract", "A", json]), "1\n");
    assert_eq!(
        place.succeeds(&["secrets", "extract", "B", json]),
        "two words\n"
    );
    for name in ["N", "C", "v"] {
        let ended = place.fails(&["secrets", "extract", name, json]);
        let message = format!("Could not find secret {name}");
        assert_eq!(ended.stdout, error_line("RuntimeError", &message));
    }
    let ended = place.fails(&["secrets", "extract", "A", "hunter2"]);
    assert!(
        ended.stdout.contains("ERROR (JSON::ParserError)"),
        "{}",
        ended.stdout
    );
    assert!(!ended.stdout.contains("hunter2") && !ended.stderr.contains("hunter2"));
}

/// parity: commands 220
#[test]
fn config_item_17_04_print() {
    let place = Place::new(LEAST);
    place.write("app/.kamal/secrets-common", "A=common\nB=b\n");
    place.write("app/.kamal/secrets", "C=c d\nA=own\n");
    assert_eq!(place.succeeds(&["secrets", "print"]), "A=own\nB=b\nC=c d\n");
    let place = Place::new(&format!("{LEAST}secrets_path: ops/keys\n"));
    place.write("app/ops/keys", "K=1\n");
    assert_eq!(place.succeeds(&["secrets", "print"]), "K=1\n");
}

/// Broken, slow and forbidden secrets files are nobody's business who needs no secret.
#[test]
fn config_item_16_04_secrets_are_read_when_needed() {
    let place = Place::new(LEAST);
    place.write(
        "app/.kamal/secrets",
        "PASSWORD=$(touch read; no-such-program)\nexport NOPE\n",
    );
    place.succeeds(&["config"]);
    assert!(!place.path("app/read").exists());
    let ended = place.fails(&["secrets", "print"]);
    assert!(ended.stdout.contains("ERROR ("), "{}", ended.stdout);
    assert!(place.path("app/read").exists());
}

/// A command that fails is told with its line, and without it.
#[test]
fn a_command_that_fails_in_a_secrets_file_is_warned_of() {
    let place = Place::new(LEAST);
    place.write("app/.kamal/secrets", "A=1\nB=hunter2$(false)\n");
    let ended = place.dhow(&["secrets", "print"]);
    assert_eq!((ended.code, ended.stdout.as_str()), (0, "A=1\nB=hunter2\n"));
    assert!(
        ended.stderr.contains(".kamal/secrets:2:1") && ended.stderr.contains("the command failed"),
        "{}",
        ended.stderr
    );
    assert!(!ended.stderr.contains("hunter2"), "{}", ended.stderr);
}
