//! Quoting, as Kamal quotes: the escapes of a Ruby string literal, `${VAR}` left for the remote shell.
//!
//! In: values from the deploy file. Out: words for a POSIX shell.

/// What a map in the deploy file may hold as an argument's value.
#[derive(Clone, Debug, PartialEq)]
pub enum ShellValue {
    /// `nil`, or nothing after the colon.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A string, or a number in Ruby's spelling.
    Text(String),
    /// A list: the argument is repeated.
    List(Vec<String>),
}

/// How [`options`] joins a flag and its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OptionStyle {
    /// `--key "value"`, docker's.
    Space,
    /// `--key="value"`, kamal-proxy's.
    Equals,
}

/// A value in double quotes with everything but `${…}` made literal; the empty string gives no text at all.
///
/// Runs of characters outside ASCII stand bare between quoted runs, as Kamal writes them: `a é b` gives `"a "é" b"`.
pub fn quote_value(value: &str) -> String {
    let mut out = String::with_capacity(value.len() + 2);
    let mut rest = value;
    while let Some(first) = rest.chars().next() {
        let ascii = first.is_ascii();
        let end = rest
            .find(|c: char| c.is_ascii() != ascii)
            .unwrap_or(rest.len());
        let (run, tail) = rest.split_at(end);
        if ascii {
            out.push('"');
            quote_ascii(run, &mut out);
            out.push('"');
        } else {
            out.push_str(run);
        }
        rest = tail;
    }
    out
}

/// A word that the shell takes literally, in single quotes unless it is plainly harmless.
pub fn single_quote(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "@%+=:,./-_".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// A repeated flag over pairs: `--env A="b" --env C`. Blank and null values give the bare key, `false` gives `key=false`.
pub fn key_values<'v>(
    flag: &str,
    pairs: impl IntoIterator<Item = (&'v str, &'v ShellValue)>,
) -> Vec<String> {
    let mut words = Vec::new();
    for (key, value) in pairs {
        words.push(flag.to_owned());
        words.push(match value {
            ShellValue::Bool(false) => format!("{key}=false"),
            ShellValue::Bool(true) => format!("{key}=\"true\""),
            ShellValue::Text(text) if !text.trim().is_empty() => {
                format!("{key}={}", quote_value(text))
            }
            ShellValue::List(items) => format!("{key}={}", quote_value(&items.join(" "))),
            ShellValue::Text(_) | ShellValue::Null => key.to_owned(),
        });
    }
    words
}

/// Flags from a map of options: `true` gives a bare flag, a list repeats it, everything else is quoted (`false` too).
pub fn options<'v>(
    style: OptionStyle,
    pairs: impl IntoIterator<Item = (&'v str, &'v ShellValue)>,
) -> Vec<String> {
    let mut words = Vec::new();
    for (key, value) in pairs {
        let mut push = |text: &str| match style {
            OptionStyle::Space => {
                words.push(format!("--{key}"));
                words.push(text.to_owned());
            }
            OptionStyle::Equals => words.push(format!("--{key}={text}")),
        };
        match value {
            ShellValue::Bool(true) => words.push(format!("--{key}")),
            ShellValue::Bool(false) => push("\"false\""),
            ShellValue::Null => push(""),
            ShellValue::Text(text) => push(&quote_value(text)),
            ShellValue::List(items) => items.iter().for_each(|item| push(&quote_value(item))),
        }
    }
    words
}

fn quote_ascii(run: &str, out: &mut String) {
    let mut chars = run.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        let next = chars.peek().map(|(_, c)| *c);
        match c {
            '"' | '\\' | '`' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\x1b' => out.push_str("\\e"),
            '\x07' => out.push_str("\\a"),
            '\x08' => out.push_str("\\b"),
            '\x0b' => out.push_str("\\v"),
            '\x0c' => out.push_str("\\f"),
            '#' if matches!(next, Some('{' | '$' | '@')) => out.push_str("\\#"),
            '$' if !opens_variable(run.get(at..).unwrap_or("")) => out.push_str("\\$"),
            c if c.is_ascii_control() => out.extend(format!("\\x{:02X}", u32::from(c)).chars()),
            c => out.push(c),
        }
    }
}

/// Whether the text starts with `${` and the brace is closed later on.
fn opens_variable(text: &str) -> bool {
    text.strip_prefix("${")
        .is_some_and(|rest| rest.contains('}'))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// parity: commands 70-72
    #[test]
    fn values_are_quoted_as_kamal_quotes_them() {
        for (value, quoted) in [
            ("", ""),
            ("plain", r#""plain""#),
            ("a b", r#""a b""#),
            (r#"a"b"#, r#""a\"b""#),
            (r"a\b", r#""a\\b""#),
            ("a$", r#""a\$""#),
            ("a`b`", r#""a\`b\`""#),
            ("1$2 `x` ${HOME}", r#""1\$2 \`x\` ${HOME}""#),
            ("${A", r#""\${A""#),
            ("${X]", r#""\${X]""#),
            ("$(x)", r#""\$(x)""#),
            ("#{x} #$x #@x #x", r##""\#{x} \#\$x \#@x #x""##),
            ("a\nb\tc\x07\x7f", r#""a\nb\tc\a\x7F""#),
            ("a é b", r#""a "é" b""#),
        ] {
            assert_eq!(quote_value(value), quoted, "{value:?}");
        }
    }

    /// parity: commands 73, 74
    #[test]
    fn lists_and_booleans_in_options() {
        let pairs = [
            ("cap-add", ShellValue::Bool(true)),
            ("tls", ShellValue::Bool(false)),
            ("host", ShellValue::List(vec!["a".into(), "b".into()])),
            ("cpus", ShellValue::Text("2".into())),
        ];
        let pairs = || pairs.iter().map(|(k, v)| (*k, v));
        assert_eq!(
            options(OptionStyle::Space, pairs()).join(" "),
            r#"--cap-add --tls "false" --host "a" --host "b" --cpus "2""#
        );
        assert_eq!(
            options(OptionStyle::Equals, pairs()).join(" "),
            r#"--cap-add --tls="false" --host="a" --host="b" --cpus="2""#
        );
    }

    /// parity: commands 73
    #[test]
    fn pairs_with_blank_values_are_bare_keys() {
        let pairs = [
            ("A", ShellValue::Text("b".into())),
            ("E", ShellValue::Text(String::new())),
            ("N", ShellValue::Null),
            ("F", ShellValue::Bool(false)),
        ];
        assert_eq!(
            key_values("--env", pairs.iter().map(|(k, v)| (*k, v))).join(" "),
            r#"--env A="b" --env E --env N --env F=false"#
        );
    }
}
