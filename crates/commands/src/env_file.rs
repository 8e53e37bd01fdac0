//! The text of an env file, as docker's `--env-file` reads it.
//!
//! In: names and secret values, in order. Out: one text, itself a secret.

use dhow_text::redact::Secret;

/// `KEY=value` lines, or a single line feed when there are none (a file is always there, so `--env-file` always works).
///
/// Values are written as Kamal writes them: backslash escapes as in a Ruby string literal (a line feed becomes `\n`, two
/// characters, and a backslash is doubled), but without quotes around them, with `"`, `#`, `$` and backticks as they are, and
/// everything outside ASCII untouched. A name that comes twice has one line: the first one's place, the last one's value.
pub fn env_file(pairs: &[(String, Secret)]) -> Secret {
    let mut lines: Vec<(&str, &Secret)> = Vec::new();
    for (name, value) in pairs {
        match lines.iter_mut().find(|(known, _)| known == name) {
            Some(line) => line.1 = value,
            None => lines.push((name, value)),
        }
    }
    if lines.is_empty() {
        return Secret::new("\n");
    }
    let mut text = String::new();
    for (name, value) in lines {
        text.push_str(name);
        text.push('=');
        text.push_str(&escape(value.reveal()));
        text.push('\n');
    }
    Secret::new(text)
}

/// Escapes like `String#dump`, then takes back `\"` and `\#`. Done in these two steps because Kamal does: a backslash right before
/// a `#` comes out single.
fn escape(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    let mut chars = value.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\x1b' => out.push_str("\\e"),
            '\x07' => out.push_str("\\a"),
            '\x08' => out.push_str("\\b"),
            '\x0b' => out.push_str("\\v"),
            '\x0c' => out.push_str("\\f"),
            '#' if matches!(chars.peek(), Some('{' | '$' | '@')) => out.push_str("\\#"),
            c if c.is_ascii_control() => {
                out.push_str("\\x");
                out.extend([hex(c, 4), hex(c, 0)]);
            }
            c => out.push(c),
        }
    }
    out.replace("\\\"", "\"").replace("\\#", "#")
}

/// Four bits of an ASCII character, as a digit.
fn hex(c: char, shift: u32) -> char {
    let digit = (u32::from(c) >> shift) & 0xF;
    char::from_digit(digit, 16)
        .unwrap_or('0')
        .to_ascii_uppercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(pairs: &[(&str, &str)]) -> String {
        let pairs: Vec<_> = pairs
            .iter()
            .map(|(k, v)| ((*k).to_owned(), Secret::new(*v)))
            .collect();
        env_file(&pairs).reveal().to_owned()
    }

    /// Configuration checklist 15.05.
    #[test]
    fn config_item_15_05_values_are_escaped_as_kamal_escapes_them() {
        for (value, written) in [
            ("plain", "plain"),
            ("", ""),
            ("a b", "a b"),
            ("a#b #{c} #$d", "a#b #{c} #$d"),
            ("a\"b", "a\"b"),
            ("\\\"", "\\\\\""),
            ("a\\b", "a\\\\b"),
            ("\\#x", "\\#x"),
            (
                "one\ntwo\tthree\r\x1b\x7f\0",
                "one\\ntwo\\tthree\\r\\e\\x7F\\x00",
            ),
            ("$x `y` ${z}", "$x `y` ${z}"),
            ("花 🙂", "花 🙂"),
        ] {
            assert_eq!(file(&[("K", value)]), format!("K={written}\n"), "{value:?}");
        }
    }

    #[test]
    fn item_66_no_secrets_give_a_single_newline() {
        assert_eq!(file(&[]), "\n");
    }

    /// Configuration checklist 15.06.
    #[test]
    fn config_item_15_06_a_repeated_name_keeps_its_place_and_takes_the_last_value() {
        assert_eq!(file(&[("A", "1"), ("B", "2"), ("A", "3")]), "A=3\nB=2\n");
    }
}
