//! What Ruby's Psych takes an unquoted scalar for.
//!
//! In: the text of a plain scalar. Out: null, boolean, number, symbol, date, time, or the string itself. The rules are Psych 4's,
//! oddities included: sexagesimal integers (`2222:22`), octal by a leading zero, `1,000`, floats whose exponent needs a sign.

use super::Value;
use super::number;

/// Why a scalar can't be read: Ruby would raise `ArgumentError` with this message.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct BadNumber(pub(super) String);

/// The value of a plain scalar.
pub(super) fn resolve(text: &str) -> Result<Value, BadNumber> {
    if text.is_empty() {
        return Ok(Value::Null);
    }
    if reads_as_word(text) || text.contains('\n') {
        return Ok(word(text));
    }
    if is_time(text) {
        return Ok(if valid_time(text) {
            Value::Time(text.to_owned())
        } else {
            Value::Str(text.to_owned())
        });
    }
    if let Some(value) = date(text) {
        return Ok(value);
    }
    if let Some(value) = special_float(text) {
        return Ok(Value::Float(value));
    }
    if let Some(name) = text.strip_prefix(':')
        && !name.is_empty()
    {
        return Ok(Value::Symbol(symbol(name)));
    }
    if let Some(value) = number::sexagesimal(text) {
        return Ok(value);
    }
    if let Some(digits) = number::float_text(text) {
        return digits
            .parse()
            .map(Value::Float)
            .map_err(|_| BadNumber(format!("invalid value for Float(): {digits:?}")));
    }
    match number::integer(text) {
        Some(Ok(value)) => Ok(value),
        Some(Err(digits)) => Err(BadNumber(format!(
            "invalid value for Integer(): {digits:?}"
        ))),
        None => Ok(Value::Str(text.to_owned())),
    }
}

/// Starts like a word: with a letter or punctuation no number starts with, or with one in second place after a neutral character.
fn reads_as_word(text: &str) -> bool {
    let wordy = |c: char| {
        c.is_alphabetic()
            || c.is_ascii_whitespace()
            || c == '\x0b'
            || "_!@#$%^&*(){}<>|/\\~;=".contains(c)
    };
    text.split('\n').any(|line| {
        let mut chars = line.chars();
        let Some(first) = chars.next() else {
            return false;
        };
        wordy(first)
            || (!first.is_ascii_digit()
                && !matches!(first, '.' | ':' | '-')
                && chars.next().is_some_and(wordy))
    })
}

/// Null and booleans are at most five characters; all else that reads as a word is a string. Ruby's `^` and `$` are those of a
/// line, so that (in a tagged block) each line is looked at alone.
fn word(text: &str) -> Value {
    let is = |words: &[&str]| {
        text.split('\n')
            .any(|line| words.iter().any(|word| line.eq_ignore_ascii_case(word)))
    };
    let starts_otherwise = text.split('\n').any(|line| {
        line.chars()
            .next()
            .is_some_and(|c| !"ytonf~".contains(c.to_ascii_lowercase()))
    });
    if text.chars().count() > 5 || starts_otherwise {
        Value::Str(text.to_owned())
    } else if text == "~" || is(&["null"]) {
        Value::Null
    } else if is(&["yes", "true", "on"]) {
        Value::Bool(true)
    } else if is(&["no", "false", "off"]) {
        Value::Bool(false)
    } else {
        Value::Str(text.to_owned())
    }
}

/// `:name`, `:"a name"`: the name, less the quotes and one more colon.
fn symbol(name: &str) -> String {
    let quote = name.chars().next().filter(|c| matches!(c, '"' | '\''));
    let inner = quote.and_then(|quote| {
        let rest = name.strip_prefix(quote)?;
        rest.rfind(quote).and_then(|end| rest.get(..end))
    });
    match inner {
        Some(inner) => inner.strip_prefix(':').unwrap_or(inner).to_owned(),
        None => name.to_owned(),
    }
}

fn special_float(text: &str) -> Option<f64> {
    if text.eq_ignore_ascii_case(".inf") || text.eq_ignore_ascii_case("+.inf") {
        Some(f64::INFINITY)
    } else if text.eq_ignore_ascii_case("-.inf") {
        Some(f64::NEG_INFINITY)
    } else if text.eq_ignore_ascii_case(".nan") {
        Some(f64::NAN)
    } else {
        None
    }
}

/// `2024-1-31`; a day that no calendar has stays a string.
fn date(text: &str) -> Option<Value> {
    let mut parts = text.split('-');
    let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() || year.len() != 4 {
        return None;
    }
    let number = |part: &str, most: usize| {
        ((1..=most).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit()))
            .then(|| part.parse::<u32>().ok())
            .flatten()
    };
    let (y, m, d) = (number(year, 4)?, number(month, 2)?, number(day, 2)?);
    if m > 12 || d > 31 {
        return None;
    }
    let exists = (1..=12).contains(&m) && (1..=days_in_month(y, m)).contains(&d);
    Some(if exists {
        Value::Date(text.to_owned())
    } else {
        Value::Str(text.to_owned())
    })
}

/// Proleptic Gregorian but for 1582, whose ten days Ruby's `Date` leaves out, and the Julian years before it.
fn days_in_month(year: u32, month: u32) -> u32 {
    let leap = if year <= 1582 {
        year.is_multiple_of(4)
    } else {
        year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
    };
    match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// A reader of the timestamp forms, byte by byte.
struct Scan<'t> {
    rest: &'t [u8],
}

impl Scan<'_> {
    /// Between `least` and `most` digits, as many as there are.
    fn digits(&mut self, least: usize, most: usize) -> Option<u32> {
        let count = self
            .rest
            .iter()
            .take(most)
            .take_while(|b| b.is_ascii_digit())
            .count();
        if count < least {
            return None;
        }
        let (head, tail) = self.rest.split_at_checked(count)?;
        self.rest = tail;
        head.iter().try_fold(0_u32, |sum, b| {
            sum.checked_mul(10)?.checked_add(u32::from(b - b'0'))
        })
    }

    fn one_of(&mut self, set: &[u8]) -> Option<u8> {
        let (first, tail) = self.rest.split_first()?;
        set.contains(first).then(|| {
            self.rest = tail;
            *first
        })
    }

    fn spaces(&mut self) -> usize {
        let count = self
            .rest
            .iter()
            .take_while(|b| b.is_ascii_whitespace() || **b == 0x0b)
            .count();
        self.rest = self.rest.get(count..).unwrap_or(&[]);
        count
    }
}

/// The parts of a timestamp that can be out of range.
struct Timestamp {
    month: u32,
    day: u32,
    hour: u32,
    minute: u32,
    second: u32,
    zone: Option<(u32, u32)>,
}

fn timestamp(text: &str) -> Option<Timestamp> {
    let mut scan = Scan {
        rest: text.as_bytes(),
    };
    let _ = scan.one_of(b"-");
    scan.digits(4, 4)?;
    scan.one_of(b"-")?;
    let month = scan.digits(1, 2)?;
    scan.one_of(b"-")?;
    let day = scan.digits(1, 2)?;
    if scan.one_of(b"Tt").is_none() && scan.spaces() == 0 {
        return None;
    }
    let hour = scan.digits(1, 2)?;
    scan.one_of(b":")?;
    let minute = scan.digits(2, 2)?;
    scan.one_of(b":")?;
    let second = scan.digits(2, 2)?;
    if scan.one_of(b".").is_some() {
        while scan.digits(1, 1).is_some() {}
    }
    let mut zone = None;
    if !scan.rest.is_empty() {
        scan.spaces();
        if scan.one_of(b"Z").is_none() {
            scan.one_of(b"+-")?;
            let hours = scan.digits(1, 2)?;
            let _ = scan.one_of(b":");
            let minutes = if scan.rest.is_empty() {
                0
            } else {
                scan.digits(2, 2)?
            };
            zone = Some((hours, minutes));
        }
    }
    scan.rest.is_empty().then_some(Timestamp {
        month,
        day,
        hour,
        minute,
        second,
        zone,
    })
}

fn is_time(text: &str) -> bool {
    timestamp(text).is_some()
}

/// Ruby's `Time` takes 31 days in every month, 24:00:00 and second 60; what it refuses stays a string.
fn valid_time(text: &str) -> bool {
    timestamp(text).is_some_and(|t| {
        (1..=12).contains(&t.month)
            && (1..=31).contains(&t.day)
            && (t.hour < 24 || (t.hour == 24 && t.minute == 0 && t.second == 0))
            && t.minute < 60
            && t.second <= 60
            && t.zone
                .is_none_or(|(hours, minutes)| hours * 60 + minutes < 24 * 60)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_psych_calls_a_string() {
        for text in [
            "y",
            "N",
            "1e3",
            "9e9",
            "1.0e10",
            "08",
            "0o600",
            "80:80",
            "1.2.3",
            "100m",
            "25%",
            "1/2",
            "=",
            "nulls",
            "truely",
            "-",
            ":",
            ".",
            "+.",
            "1_",
            "2024-13-01",
            "2023-02-29",
            "-abc",
            "1__0",
        ] {
            assert_eq!(resolve(text), Ok(Value::Str(text.into())), "{text}");
        }
    }

    #[test]
    fn what_psych_types() {
        for (text, value) in [
            ("~", Value::Null),
            ("NULL", Value::Null),
            ("Yes", Value::Bool(true)),
            ("OFF", Value::Bool(false)),
            ("40_000_000", Value::Int(40_000_000)),
            ("1,000", Value::Int(1000)),
            ("0600", Value::Int(384)),
            ("0x1F", Value::Int(31)),
            ("-0b101", Value::Int(-5)),
            ("2222:22", Value::Int(8_000_520)),
            ("12:30:45", Value::Int(45_045)),
            ("1.", Value::Float(1.0)),
            (".5", Value::Float(0.5)),
            ("1.0e+3", Value::Float(1000.0)),
            (":sym", Value::Symbol("sym".into())),
            (":\"a b\"", Value::Symbol("a b".into())),
            ("::1", Value::Symbol(":1".into())),
            ("2024-01-01", Value::Date("2024-01-01".into())),
            (
                "2024-01-01 10:00:00 +02:00",
                Value::Time("2024-01-01 10:00:00 +02:00".into()),
            ),
            (
                "123456789012345678901234567890",
                Value::BigInt("123456789012345678901234567890".into()),
            ),
        ] {
            assert_eq!(resolve(text), Ok(value), "{text}");
        }
    }

    #[test]
    fn numbers_ruby_chokes_on() {
        assert!(resolve("0b_").is_err());
        assert!(resolve(".e+1").is_err());
    }
}
