//! YAML as Ruby reads it: types of plain scalars, merge keys, documents. More cases, all answered by Ruby, are in `vectors/psych`.

use dhow_text::source::SourceId;
use dhow_text::yaml::{Node, Value, parse, ruby_float};

use crate::deploy::*;

/// A value as Ruby's `inspect` would name it, roughly.
fn shown(node: &Node) -> String {
    match &node.value {
        Value::Null => "nil".to_owned(),
        Value::Bool(flag) => flag.to_string(),
        Value::Int(number) => number.to_string(),
        Value::BigInt(digits) => digits.clone(),
        Value::Float(number) => format!("float {}", ruby_float(*number)),
        Value::Str(text) => format!("{text:?}"),
        Value::Symbol(name) => format!(":{name}"),
        Value::Date(text) => format!("date {text}"),
        Value::Time(_) => "time".to_owned(),
        Value::Seq(items) => {
            let items: Vec<String> = items.iter().map(shown).collect();
            format!("[{}]", items.join(" "))
        }
        Value::Map(map) => {
            let pairs: Vec<String> = map
                .iter()
                .map(|(key, value)| format!("{}={}", shown(key), shown(value)))
                .collect();
            format!("{{{}}}", pairs.join(" "))
        }
    }
}

#[track_caller]
fn value(text: &str) -> String {
    match parse(SourceId(0), text) {
        Ok(node) => shown(&node),
        Err(error) => panic!("{text:?}: {}", error.message),
    }
}

#[track_caller]
fn scalars(cases: &[(&str, &str)]) {
    for (scalar, read) in cases {
        assert_eq!(
            value(&format!("- {scalar}\n")),
            format!("[{read}]"),
            "{scalar}"
        );
    }
}

#[test]
fn item_3_01_documents_and_repeated_keys() {
    assert_eq!(value("a: 1\n---\nb: 2\n"), "{\"a\"=1}");
    assert_eq!(value("---\na: 1\n...\nb: 2\n"), "{\"a\"=1}");
    assert_eq!(value("a: 1\nb: 2\na: 3\n"), "{\"a\"=3 \"b\"=2}");
    let text = LEAST.replace("service: app", ":service: app");
    assert_eq!(config(&text).service, "app", "a symbol at the root");
    assert_eq!(
        config(&format!("{LEAST}:service: other\n")).service,
        "other"
    );
    assert_eq!(
        errors(&with("proxy:\n  :host: a.com")),
        ["proxy: unknown key: host"],
        "below the root a symbol is another key"
    );
}

#[test]
fn item_3_02_aliases_and_merge_keys() {
    let read = |rest: &str| {
        let text = format!("b: &b {{x: 1, y: 1}}\nc: &c {{y: 2, z: 2}}\nd: {rest}\n");
        let whole = value(&text);
        whole
            .split_once("\"d\"=")
            .unwrap()
            .1
            .trim_end_matches('}')
            .to_owned()
            + "}"
    };
    assert_eq!(read("*b"), r#"{"x"=1 "y"=1}"#);
    assert_eq!(read("{<<: *b}"), r#"{"x"=1 "y"=1}"#);
    assert_eq!(read("{'<<': *b}"), r#"{"x"=1 "y"=1}"#);
    assert_eq!(
        read("{<<: [*b, *c]}"),
        r#"{"y"=1 "z"=2 "x"=1}"#,
        "the first of the list wins"
    );
    assert_eq!(read("{<<: {x: 9}, q: 1}"), r#"{"x"=9 "q"=1}"#);
    assert_eq!(
        read("{x: 5, <<: *b}"),
        r#"{"x"=1 "y"=1}"#,
        "a key before gives way"
    );
    assert_eq!(
        read("{<<: *b, x: 5}"),
        r#"{"x"=5 "y"=1}"#,
        "a key after wins"
    );
    assert_eq!(read("{<<: text, x: 5}"), r#"{"<<"="text" "x"=5}"#);
}

#[test]
fn item_3_04_booleans() {
    for word in [
        "yes", "Yes", "YES", "on", "On", "ON", "true", "True", "TRUE",
    ] {
        scalars(&[(word, "true")]);
    }
    for word in [
        "no", "No", "NO", "off", "Off", "OFF", "false", "False", "FALSE",
    ] {
        scalars(&[(word, "false")]);
    }
    scalars(&[
        ("y", "\"y\""),
        ("Y", "\"Y\""),
        ("n", "\"n\""),
        ("N", "\"N\""),
        ("'yes'", "\"yes\""),
        ("!!str on", "\"on\""),
    ]);
    assert_eq!(value("on: 1\n"), "{true=1}", "keys have types too");
}

#[test]
fn item_3_05_integers() {
    scalars(&[
        ("40_000_000", "40000000"),
        ("1,000", "1000"),
        ("+1", "1"),
        ("-1", "-1"),
        ("0600", "384"),
        ("0_7", "7"),
        ("0x1F", "31"),
        ("0b101", "5"),
        ("08", "\"08\""),
        ("09", "\"09\""),
        ("0o600", "\"0o600\""),
        ("1__0", "\"1__0\""),
        ("\"12\"", "\"12\""),
    ]);
}

#[test]
fn item_3_06_floats() {
    scalars(&[
        ("1.5", "float 1.5"),
        ("1.", "float 1.0"),
        (".5", "float 0.5"),
        ("1.10", "float 1.1"),
        ("2.0", "float 2.0"),
        ("1.0e+3", "float 1000.0"),
        (".inf", "float Infinity"),
        ("-.inf", "float -Infinity"),
        (".nan", "float NaN"),
        ("1e3", "\"1e3\""),
        ("1.0e10", "\"1.0e10\""),
        ("9e9", "\"9e9\""),
        ("1.2.3", "\"1.2.3\""),
    ]);
}

#[test]
fn item_3_07_base_60() {
    scalars(&[
        ("22:22", "80520"),
        ("2222:22", "8000520"),
        ("12:30", "45000"),
        ("12:30:45", "45045"),
        ("80:80", "\"80:80\""),
        ("3306:3306", "\"3306:3306\""),
        ("'22:22'", "\"22:22\""),
    ]);
    let loaded = config(&with(
        "accessories: {db: {image: x, host: h, port: 2222:22}}",
    ));
    assert_eq!(
        loaded.accessories[0].publish.as_deref(),
        Some("8000520:8000520")
    );
}

#[test]
fn item_3_08_nulls_dates_and_times() {
    for word in ["~", "null", "Null", "NULL", ""] {
        scalars(&[(word, "nil")]);
    }
    scalars(&[
        ("2024-01-02", "date 2024-01-02"),
        ("2024-01-02 03:04:05", "time"),
        ("2024-01-02T03:04:05Z", "time"),
        ("'2024-01-02'", "\"2024-01-02\""),
        ("nil", "\"nil\""),
    ]);
    refused(&[
        ("env: {A: 2024-01-02}", "env/A: should be a string"),
        ("env: {A: 2024-01-02 03:04:05}", "env/A: should be a string"),
        ("labels: {a: ~}", "labels/a: should be a string"),
        ("volumes: [2024-01-02]", "volumes/0: should be a string"),
    ]);
}

#[test]
fn item_3_09_symbols() {
    scalars(&[
        (":sym", ":sym"),
        (":\"a b\"", ":a b"),
        (":'a b'", ":a b"),
        ("\":sym\"", "\":sym\""),
        ("::1", "::1"),
    ]);
    let loaded = config(&with("servers:\n- 1.1.1.1\n- ::1\n- '::2'"));
    assert_eq!(
        loaded.all_hosts(),
        ["1.1.1.1", "::2"],
        "a symbol is no host"
    );
}

#[test]
fn item_3_10_syntax_errors_and_unknown_aliases() {
    let (class, message) = first_error("service: app\n\tservers: [a]\n");
    assert_eq!(class, "Psych::SyntaxError");
    assert!(
        message.starts_with("(<unknown>): ") && message.contains(" at line 1 column "),
        "{message}"
    );
    let (class, message) = first_error("a: [1\nb: 2\n");
    assert_eq!(class, "Psych::SyntaxError");
    assert!(
        message.contains(" at line ") && message.contains(" column "),
        "{message}"
    );
    assert_eq!(
        first_error("servers: *web\n"),
        (
            "Psych::AnchorNotDefined".to_owned(),
            "An alias referenced an unknown anchor: web".to_owned()
        )
    );
    let failure = load_text("service: app\nservers: *web\n").unwrap_err();
    let shown = dhow_text::render::render(&failure.diagnostics, &failure.sources, false);
    assert!(shown.contains("config/deploy.yml:2:10"), "{shown}");
}
