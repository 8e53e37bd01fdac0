//! `format`: a pattern and values to text.
//!
//! In: Ruby's pattern, `%s %p %d %i %u %x %X %o %b %f %c %%` with flags, width and precision, `%<name>d` and `%{name}`. Out: the text.

use super::interpreter::MAX_LENGTH;
use super::value::{Value, float};

/// How wide one value may be written.
const MAX_WIDTH: usize = 1000;

/// Why there is no text.
#[derive(Debug, PartialEq)]
pub(super) enum Problem {
    /// Ruby's exception.
    Raised(&'static str, String),
    Unsupported(String),
    /// The text gets too long.
    Long,
}

#[derive(Default)]
struct Directive {
    minus: bool,
    zero: bool,
    plus: bool,
    space: bool,
    width: usize,
    precision: Option<usize>,
}

/// The text that the pattern and the values give.
pub(super) fn format(pattern: &str, args: &[Value]) -> Result<String, Problem> {
    let mut out = String::new();
    let mut args = args.iter();
    let named = args.clone().next();
    let mut chars = pattern.chars().peekable();
    while let Some(c) = chars.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        let mut directive = Directive::default();
        let mut given = None;
        loop {
            let Some(c) = chars.next() else {
                return Err(Problem::Raised(
                    "ArgumentError",
                    "incomplete format specifier; use %% (double %) instead".to_owned(),
                ));
            };
            match c {
                '-' => directive.minus = true,
                '0' => directive.zero = true,
                '+' => directive.plus = true,
                ' ' => directive.space = true,
                '1'..='9' => {
                    let mut digits = c.to_string();
                    while let Some(digit) = chars.next_if(char::is_ascii_digit) {
                        digits.push(digit);
                    }
                    directive.width = measure(&digits)?;
                }
                '.' => {
                    let mut digits = String::new();
                    while let Some(digit) = chars.next_if(char::is_ascii_digit) {
                        digits.push(digit);
                    }
                    directive.precision = Some(if digits.is_empty() {
                        0
                    } else {
                        measure(&digits)?
                    });
                }
                '<' | '{' => {
                    let close = if c == '<' { '>' } else { '}' };
                    let mut name = String::new();
                    loop {
                        match chars.next() {
                            Some(c) if c == close => break,
                            Some(c) => name.push(c),
                            None => return Err(refused("this `format`")),
                        }
                    }
                    let value = value_of(named, &name, c)?;
                    if c == '{' {
                        out.push_str(&padded(&value.to_s(), &directive));
                        break;
                    }
                    given = Some(value);
                }
                '%' if directive.width == 0 => {
                    out.push('%');
                    break;
                }
                kind @ ('s' | 'p' | 'd' | 'i' | 'u' | 'x' | 'X' | 'o' | 'b' | 'f' | 'c') => {
                    let value = match given.take() {
                        Some(value) => value,
                        None => args.next().cloned().ok_or_else(|| {
                            Problem::Raised("ArgumentError", "too few arguments".to_owned())
                        })?,
                    };
                    out.push_str(&written(kind, &value, &directive)?);
                    break;
                }
                other => return Err(refused(format!("`%{other}` in `format`"))),
            }
        }
        if out.len() > MAX_LENGTH {
            return Err(Problem::Long);
        }
    }
    Ok(out)
}

fn refused(what: impl Into<String>) -> Problem {
    Problem::Unsupported(what.into())
}

fn measure(digits: &str) -> Result<usize, Problem> {
    let number = digits.parse().ok().filter(|number| *number <= MAX_WIDTH);
    number.ok_or_else(|| refused("a width like this in `format`"))
}

fn value_of(hash: Option<&Value>, name: &str, open: char) -> Result<Value, Problem> {
    let Some(Value::Hash(pairs)) = hash else {
        return Err(Problem::Raised(
            "ArgumentError",
            "one hash required".to_owned(),
        ));
    };
    let key = Value::Symbol(name.into());
    let found = pairs.iter().find(|(known, _)| *known == key);
    found.map(|(_, value)| value.clone()).ok_or_else(|| {
        let close = if open == '<' { '>' } else { '}' };
        Problem::Raised("KeyError", format!("key{open}{name}{close} not found"))
    })
}

fn written(kind: char, value: &Value, directive: &Directive) -> Result<String, Problem> {
    match kind {
        's' | 'p' => {
            let text = if kind == 's' {
                value.to_s()
            } else {
                value.inspect()
            };
            let text = match directive.precision {
                Some(most) => text.chars().take(most).collect(),
                None => text,
            };
            Ok(padded(&text, directive))
        }
        'c' => match value {
            Value::Str(text) => Ok(padded(&text.chars().take(1).collect::<String>(), directive)),
            _ => Err(refused("`%c` of this in `format`")),
        },
        'f' => {
            let number = match value {
                Value::Float(number) if number.is_finite() => *number,
                Value::Int(number) => float(*number),
                _ => return Err(refused("`%f` of this in `format`")),
            };
            let places = directive.precision.unwrap_or(6);
            // Where the last place is about a half away, Ruby does not always round what the number is.
            let fine = format!("{:.*}", places + 6, number.abs());
            let tail = fine.get(fine.len() - 6..).unwrap_or("");
            if matches!(tail, "500000" | "499999" | "500001")
                && number.fract() != 0.0
                && !is_half(number, places)
            {
                return Err(refused("rounding a number like this in `format`"));
            }
            let digits = format!("{:.places$}", number.abs(), places = places);
            Ok(signed(number.is_sign_negative(), &digits, directive))
        }
        _ => {
            let number = integer(value)?;
            let (negative, size) = (number < 0, number.unsigned_abs());
            let digits = match kind {
                'x' => format!("{size:x}"),
                'X' => format!("{size:X}"),
                'o' => format!("{size:o}"),
                'b' => format!("{size:b}"),
                _ => size.to_string(),
            };
            // Ruby shows these as two's complement, with dots before.
            if negative && matches!(kind, 'x' | 'X' | 'o' | 'b') || directive.precision.is_some() {
                return Err(refused("a number like this in `format`"));
            }
            Ok(signed(negative, &digits, directive))
        }
    }
}

/// Whether a number is a half in its last place exactly: 2.25 for one place.
fn is_half(number: f64, places: usize) -> bool {
    let scaled = i32::try_from(places).map_or(f64::NAN, |places| number * 10_f64.powi(places));
    places <= 3 && (scaled * 2.0).fract() == 0.0 && (number * 1024.0).fract() == 0.0
}

fn integer(value: &Value) -> Result<i64, Problem> {
    match value {
        Value::Int(number) => Ok(*number),
        Value::Float(number) if number.abs() < 9e15 => {
            Ok(format!("{:.0}", number.floor()).parse().unwrap_or_default())
        }
        Value::Str(text) => {
            let digits = text.trim();
            let plain = digits.strip_prefix('-').unwrap_or(digits);
            if plain.starts_with('0') && plain.len() > 1 || plain.contains('_') {
                return Err(refused("a number of this text in `format`"));
            }
            digits.parse().map_err(|_| {
                let shown = value.inspect();
                Problem::Raised(
                    "ArgumentError",
                    format!("invalid value for Integer(): {shown}"),
                )
            })
        }
        Value::Nil => Err(Problem::Raised(
            "TypeError",
            "can't convert nil into Integer".to_owned(),
        )),
        _ => Err(refused("a number of this in `format`")),
    }
}

fn signed(negative: bool, digits: &str, directive: &Directive) -> String {
    let sign = match (negative, directive.plus, directive.space) {
        (true, ..) => "-",
        (_, true, _) => "+",
        (.., true) => " ",
        _ => "",
    };
    let missing = directive.width.saturating_sub(sign.len() + digits.len());
    if directive.zero && !directive.minus {
        return format!("{sign}{}{digits}", "0".repeat(missing));
    }
    padded(&format!("{sign}{digits}"), directive)
}

fn padded(text: &str, directive: &Directive) -> String {
    let missing = directive.width.saturating_sub(text.chars().count());
    let blanks = " ".repeat(missing);
    match directive.minus {
        true => format!("{text}{blanks}"),
        false => format!("{blanks}{text}"),
    }
}
