//! Boolean and integer literals of the command line, as Go's `strconv` reads them, with its error texts.

use std::fmt::Write as _;

/// Go's `ParseBool`.
pub(crate) fn parse_bool(text: &str) -> Result<bool, String> {
    match text {
        "1" | "t" | "T" | "TRUE" | "true" | "True" => Ok(true),
        "0" | "f" | "F" | "FALSE" | "false" | "False" => Ok(false),
        _ => Err(format!(
            "strconv.ParseBool: parsing {}: invalid syntax",
            quote(text)
        )),
    }
}

/// Go's `ParseInt` with base 0: `0x`, `0o`, `0b` and a leading `0` choose the base, `_` may separate digits.
pub(crate) fn parse_int(text: &str) -> Result<i64, String> {
    let fail = |why: &str| format!("strconv.ParseInt: parsing {}: {why}", quote(text));
    let (negative, body) = match text.as_bytes().first() {
        Some(b'-') => (true, text.get(1..).unwrap_or_default()),
        Some(b'+') => (false, text.get(1..).unwrap_or_default()),
        _ => (false, text),
    };
    let lower = body.to_ascii_lowercase();
    let (base, digits, prefixed) = if let Some(rest) = lower.strip_prefix("0x") {
        (16, rest, true)
    } else if let Some(rest) = lower.strip_prefix("0o") {
        (8, rest, true)
    } else if let Some(rest) = lower.strip_prefix("0b") {
        (2, rest, true)
    } else if lower.len() > 1 && lower.starts_with('0') {
        (8, lower.get(1..).unwrap_or_default(), true)
    } else {
        (10, lower.as_str(), false)
    };
    if !underscores_separate(digits, prefixed) {
        return Err(fail("invalid syntax"));
    }
    let digits: String = digits.chars().filter(|c| *c != '_').collect();
    if digits.is_empty() || !digits.chars().all(|c| c.is_digit(base)) {
        return Err(fail("invalid syntax"));
    }
    let magnitude = i128::from_str_radix(&digits, base).map_err(|_| fail("value out of range"))?;
    let value = if negative { -magnitude } else { magnitude };
    i64::try_from(value).map_err(|_| fail("value out of range"))
}

/// Go's `%q`: the text in double quotes, control characters escaped.
pub(crate) fn quote(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c.is_control() => {
                let _ = write!(out, "\\x{:02x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// `_` must stand between digits (a base prefix counts as one); `__`, a leading or a trailing one are errors.
fn underscores_separate(digits: &str, prefixed: bool) -> bool {
    if !digits.contains('_') {
        return true;
    }
    (prefixed || !digits.starts_with('_')) && !digits.ends_with('_') && !digits.contains("__")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn booleans() {
        assert_eq!(parse_bool("T"), Ok(true));
        assert_eq!(parse_bool("0"), Ok(false));
        assert_eq!(
            parse_bool("maybe").unwrap_err(),
            r#"strconv.ParseBool: parsing "maybe": invalid syntax"#
        );
    }

    #[test]
    fn integers() {
        for (text, value) in [
            ("12", 12),
            ("-5", -5),
            ("0x1F", 31),
            ("0b101", 5),
            ("0o17", 15),
            ("017", 15),
            ("0x_1f", 31),
            ("1_000", 1000),
            ("0", 0),
        ] {
            assert_eq!(parse_int(text), Ok(value), "{text}");
        }
        for text in ["", "x", "_1", "1_", "08", "0x", "0x1__2", "0x1_", "--1"] {
            assert!(
                parse_int(text).unwrap_err().ends_with("invalid syntax"),
                "{text}"
            );
        }
        assert!(
            parse_int("9223372036854775808")
                .unwrap_err()
                .ends_with("value out of range")
        );
    }

    #[test]
    fn quoting() {
        assert_eq!(quote("a\"b\n"), r#""a\"b\n""#);
    }
}
