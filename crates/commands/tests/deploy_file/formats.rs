//! How values of the deploy file stand on a shell's line.

use dhow_text::shell::{OptionStyle, ShellValue, key_values, options, quote_value};

use super::support::{config, role};

#[test]
fn config_item_15_01_shell_values() {
    for (value, quoted) in [
        ("", ""),
        ("plain", r#""plain""#),
        ("a b", r#""a b""#),
        (r#"say "x""#, r#""say \"x\"""#),
        (r"a\b", r#""a\\b""#),
        ("`x`", r#""\`x\`""#),
        ("$X", r#""\$X""#),
        ("${X}", r#""${X}""#),
        ("a ${X} $Y", r#""a ${X} \$Y""#),
        ("${X", r#""\${X""#),
        ("$(x)", r#""\$(x)""#),
        ("#{x}", r##""\#{x}""##),
        ("#$x", r##""\#\$x""##),
        ("#@x", r##""\#@x""##),
        ("# x", r##""# x""##),
        ("a\nb\rc\td", r#""a\nb\rc\td""#),
        ("\x1b\x07\x08\x0b\x0c", r#""\e\a\b\v\f""#),
        ("\x00\x01\x1f\x7f", r#""\x00\x01\x1F\x7F""#),
    ] {
        assert_eq!(quote_value(value), quoted, "{value:?}");
    }
    let config = config("servers: [1.1.1.1]\nenv: { QUOTED: \"a \\\"$b\\\" ${C} #{d}\\n\" }\n");
    let line =
        dhow_commands::app::run(&config, role(&config, "web"), "h", "1", "0123456789ab").real();
    assert!(
        line.contains(r##" --env QUOTED="a \"\$b\" ${C} \#{d}\n" "##),
        "{line}"
    );
}

#[test]
fn config_item_15_02_what_is_not_ascii_stands_between_quotes() {
    for (value, quoted) in [
        ("é", "é"),
        ("a é b", r#""a "é" b""#),
        ("éa", r#"é"a""#),
        ("花 🙂", r#"花" "🙂"#),
        ("ü$x", r#"ü"\$x""#),
    ] {
        assert_eq!(quote_value(value), quoted, "{value:?}");
    }
}

fn text(text: &str) -> ShellValue {
    ShellValue::Text(text.to_owned())
}

#[test]
fn config_item_15_03_keys_and_values() {
    let words = |value: &ShellValue| key_values("--env", [("K", value)]).join(" ");
    for (value, line) in [
        (text("a b"), r#"--env K="a b""#),
        (text(""), "--env K"),
        (text(" \t"), "--env K"),
        (ShellValue::Null, "--env K"),
        (ShellValue::Bool(true), r#"--env K="true""#),
        (ShellValue::Bool(false), "--env K=false"),
        (text("1.5"), r#"--env K="1.5""#),
    ] {
        assert_eq!(words(&value), line, "{value:?}");
    }
    // Numbers of the file in Ruby's spelling, and the flag once for each pair.
    let config =
        config("servers: [1.1.1.1]\nenv: { I: 40_000, F: 1.10, B: true, N: false, E: '', S: x }\n");
    let line =
        dhow_commands::app::run(&config, role(&config, "web"), "h", "1", "0123456789ab").real();
    assert!(
        line.contains(
            r#" --env I="40000" --env F="1.1" --env B="true" --env N=false --env E --env S="x" --env-file "#
        ),
        "{line}"
    );
}

#[test]
fn config_item_15_04_options() {
    let words = |style, value: &ShellValue| options(style, [("k", value)]).join(" ");
    for (value, space, equals) in [
        (text("a b"), r#"--k "a b""#, r#"--k="a b""#),
        (ShellValue::Bool(true), "--k", "--k"),
        (ShellValue::Bool(false), r#"--k "false""#, r#"--k="false""#),
        (ShellValue::Null, "--k ", "--k="),
        (
            ShellValue::List(vec!["a".to_owned(), "b c".to_owned()]),
            r#"--k "a" --k "b c""#,
            r#"--k="a" --k="b c""#,
        ),
        (ShellValue::List(Vec::new()), "", ""),
        (text("3"), r#"--k "3""#, r#"--k="3""#),
    ] {
        assert_eq!(words(OptionStyle::Space, &value), space, "{value:?}");
        assert_eq!(words(OptionStyle::Equals, &value), equals, "{value:?}");
    }
    let config = config(
        "servers: { web: { hosts: [1.1.1.1], options: { cpus: 2, init: true, tls: false, ulimit: [a, b], none: [] } } }\n",
    );
    let line =
        dhow_commands::app::run(&config, role(&config, "web"), "h", "1", "0123456789ab").real();
    assert!(
        line.ends_with(r#" --cpus "2" --init --tls "false" --ulimit "a" --ulimit "b" dhh/app:1"#),
        "{line}"
    );
}
