//! Environments.

use crate::deploy::*;
use dhow_config::SecretRef;
use dhow_text::shell::ShellValue;

#[test]
fn item_6_01_simple_and_complex_forms() {
    let simple = config(&with("env: {A: 1, B: '', C: false}")).env;
    assert_eq!(
        simple.clear,
        [
            ("A".to_owned(), ShellValue::Text("1".to_owned())),
            ("B".to_owned(), ShellValue::Text(String::new())),
            ("C".to_owned(), ShellValue::Bool(false)),
        ]
    );
    let complex = config(&with("env: {clear: {A: 1}, secret: [S, N:S2:x]}")).env;
    assert_eq!(complex.clear.len(), 1);
    let secret = |name: &str, secret: &str| SecretRef {
        name: name.to_owned(),
        secret: secret.to_owned(),
    };
    assert_eq!(complex.secrets, [secret("S", "S"), secret("N", "S2:x")]);
    accepted(&["env: {}", "env: {secret: [A]}", "env: {tags: {}}"]);
    refused(&[
        ("env: {clear: {}, FOO: 1}", "env: unknown key: FOO"),
        (
            "env: {FOO: 1, secret: [A], BAR: 2}",
            "env: unknown keys: FOO, BAR",
        ),
    ]);
}

#[test]
fn item_6_02_values_are_strings() {
    for value in ["~", "[a]", "{a: b}", "2024-01-01"] {
        refused(&[
            (
                &format!("env: {{FOO: {value}}}"),
                "env/FOO: should be a string",
            ),
            (
                &format!("env: {{clear: {{FOO: {value}}}}}"),
                "env/clear/FOO: should be a string",
            ),
        ]);
    }
}

#[test]
fn item_6_03_parts_of_the_complex_form() {
    refused(&[
        ("env: {clear: [A]}", "env/clear: should be a hash"),
        ("env: {clear: }", "env/clear: should be a hash"),
        ("env: {secret: {A: b}}", "env/secret: should be an array"),
        ("env: {secret: A}", "env/secret: should be an array"),
        ("env: {secret: [~]}", "env/secret/0: should be a string"),
        ("env: {tags: [a]}", "env/tags: should be a hash"),
        ("env: {tags: {a: b}}", "env/tags/a: should be a hash"),
        (
            "env: {tags: {a: {B: ~}}}",
            "env/tags/a/B: should be a string",
        ),
        (
            "env: {tags: {a: {clear: [B]}}}",
            "env/tags/a/clear: should be a hash",
        ),
        (
            "env: {tags: {a: {secret: [B], C: d}}}",
            "env/tags/a: unknown key: C",
        ),
    ]);
}

#[test]
fn item_6_04_tags_only_in_the_root_env() {
    refused(&[
        (
            "servers: {web: {hosts: [a], env: {tags: {x: {}}}}}",
            "servers/web/env: tags are only allowed in the root env",
        ),
        (
            "accessories: {db: {image: x, host: a, env: {tags: {x: {}}}}}",
            "accessories/db/env: tags are only allowed in the root env",
        ),
        (
            "env: {tags: {x: {tags: {y: {}}}}}",
            "env/tags/x: tags are only allowed in the root env",
        ),
    ]);
}
