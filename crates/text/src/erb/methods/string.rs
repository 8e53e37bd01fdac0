//! Methods of strings and symbols.

use std::rc::Rc;

use super::{Message, joined};
use crate::erb::format::{self, Problem};
use crate::erb::interpreter::{Eval, Interpreter, MAX_LENGTH, Stop, raise, unsupported};
use crate::erb::matching;
use crate::erb::value::Value;
use crate::shell;

pub(super) fn call(
    run: &mut Interpreter<'_>,
    message: &Message<'_>,
    text: &str,
) -> Eval<Option<Value>> {
    let str = |text: &str| Value::str(text);
    Ok(Some(match (message.name, message.args) {
        ("to_str", []) => str(text),
        ("strip", []) => str(text.trim_matches(blank).trim_end_matches('\0')),
        ("lstrip", []) => str(text.trim_start_matches(blank)),
        ("rstrip", []) => str(text.trim_end_matches(|c| blank(c) || c == '\0')),
        ("chomp", []) => str(text
            .strip_suffix("\r\n")
            .or_else(|| text.strip_suffix(['\n', '\r']))
            .unwrap_or(text)),
        ("chomp", [Value::Str(end)]) => str(text.strip_suffix(&**end).unwrap_or(text)),
        ("chop", []) => str(text
            .strip_suffix("\r\n")
            .unwrap_or_else(|| without_last(text))),
        ("split", args) => split(message, text, args)?,
        ("to_i", []) => Value::Int(leading_int(text).ok_or_else(|| message.unsupported())?),
        ("to_f", []) => Value::Float(leading_float(text)),
        ("to_sym", []) => Value::Symbol(text.into()),
        ("upcase", []) => Value::str(text.to_uppercase()),
        ("downcase", []) => Value::str(text.to_lowercase()),
        ("capitalize", []) => {
            let mut chars = text.chars();
            let first: String = chars
                .next()
                .into_iter()
                .flat_map(char::to_uppercase)
                .collect();
            Value::str(first + &chars.as_str().to_lowercase())
        }
        ("tr", [Value::Str(from), Value::Str(to)]) => {
            Value::str(translated(message, text, from, to)?)
        }
        ("delete", [Value::Str(set)]) if plain_set(set) => {
            Value::str(text.replace(|c| set.contains(c), ""))
        }
        ("count", [Value::Str(set)]) if plain_set(set) => {
            length(text.chars().filter(|c| set.contains(*c)).count())
        }
        ("start_with?", args) => {
            Value::Bool(any(message, args, |prefix| text.starts_with(prefix))?)
        }
        ("end_with?", args) => Value::Bool(any(message, args, |suffix| text.ends_with(suffix))?),
        ("include?", [_]) => Value::Bool(text.contains(message.text(0)?)),
        ("index", [Value::Str(part)]) => match text.find(&**part) {
            Some(at) => length(text.get(..at).unwrap_or("").chars().count()),
            None => Value::Nil,
        },
        ("empty?", []) => Value::Bool(text.is_empty()),
        ("length" | "size", []) => length(text.chars().count()),
        ("lines", []) => Value::array(text.split_inclusive('\n').map(str).collect()),
        ("chars", []) => Value::array(text.chars().map(|c| Value::str(c.to_string())).collect()),
        ("squeeze", []) => Value::str(squeezed(text, |_| true)),
        ("squeeze", [Value::Str(set)]) if plain_set(set) => {
            Value::str(squeezed(text, |c| set.contains(c)))
        }
        ("swapcase", []) if text.is_ascii() => {
            let swapped = text.chars().map(|c| match c {
                c if c.is_ascii_uppercase() => c.to_ascii_lowercase(),
                c => c.to_ascii_uppercase(),
            });
            Value::str(swapped.collect::<String>())
        }
        ("casecmp?", [Value::Str(other)]) => {
            Value::Bool(text.to_lowercase() == other.to_lowercase())
        }
        ("ord", []) => match text.chars().next() {
            Some(c) => Value::Int(i64::from(u32::from(c))),
            None => return Err(raise("ArgumentError", "empty string", message.place)),
        },
        ("hex", []) => {
            let digits = text.strip_prefix("0x").unwrap_or(text);
            Value::Int(i64::from_str_radix(digits, 16).map_err(|_| message.unsupported())?)
        }
        ("%", [Value::Array(items)]) => Value::str(formatted(message, text, items)?),
        ("%", [other]) => Value::str(formatted(message, text, std::slice::from_ref(other))?),
        ("between?", [Value::Str(least), Value::Str(most)]) => {
            Value::Bool((&**least..=&**most).contains(&text))
        }
        ("reverse", []) => Value::str(text.chars().rev().collect::<String>()),
        ("delete_prefix", [Value::Str(prefix)]) => {
            str(text.strip_prefix(&**prefix).unwrap_or(text))
        }
        ("delete_suffix", [Value::Str(suffix)]) => {
            str(text.strip_suffix(&**suffix).unwrap_or(text))
        }
        ("ljust" | "rjust" | "center", [Value::Int(width)]) => {
            justified(message, text, *width, " ")?
        }
        ("ljust" | "rjust" | "center", [Value::Int(width), Value::Str(pad)]) => {
            justified(message, text, *width, pad)?
        }
        ("each_line", []) => {
            let block = message.block()?;
            for line in text.split_inclusive('\n') {
                run.yield_to(block, &[Value::str(line)], message.place)?;
            }
            message.receiver.clone()
        }
        ("shellescape", []) => Value::str(shell::escape(text)),
        ("shellsplit", []) => {
            let words = shell::split(text)
                .map_err(|e| raise("ArgumentError", e.to_string(), message.place))?;
            Value::array(words.into_iter().map(Value::str).collect())
        }
        ("+", [Value::Str(other)]) => {
            room(message, text.len() + other.len())?;
            Value::str(format!("{text}{other}"))
        }
        ("+", [other]) => {
            let class = match other {
                Value::Nil => "nil",
                Value::Int(_) => "Integer",
                Value::Symbol(_) => "Symbol",
                Value::Array(_) => "Array",
                _ => return Ok(None),
            };
            let problem = format!("no implicit conversion of {class} into String");
            return Err(raise("TypeError", problem, message.place));
        }
        ("*", [Value::Int(times)]) => {
            let times = usize::try_from(*times).map_err(|_| {
                raise(
                    "ArgumentError",
                    "argument must be non-negative",
                    message.place,
                )
            })?;
            room(message, text.len().saturating_mul(times))?;
            Value::str(text.repeat(times))
        }
        ("<" | ">" | "<=" | ">=" | "<=>", [Value::Str(other)]) => {
            super::number::compared(message.name, text.cmp(other))
        }
        ("[]" | "slice", [Value::Int(at)]) => {
            let count = text.chars().count();
            let found = position(*at, count).and_then(|at| text.chars().nth(at));
            Value::optional(found.map(|c| c.to_string()))
        }
        ("[]" | "slice", [Value::Int(at), Value::Int(length)]) => part(text, *at, *length),
        (
            "[]" | "slice",
            [
                Value::Range {
                    from,
                    to,
                    exclusive,
                },
            ],
        ) => {
            let count = i64::try_from(text.chars().count()).unwrap_or(i64::MAX);
            let absolute = |at: i64| if at < 0 { at.saturating_add(count) } else { at };
            let (from, to) = (absolute(*from), absolute(*to));
            let length = to
                .saturating_sub(from)
                .saturating_add(i64::from(!exclusive));
            part(text, from, length.max(0))
        }
        ("[]", [Value::Str(wanted)]) => {
            Value::optional(text.contains(&**wanted).then(|| wanted.to_string()))
        }
        _ => return Ok(None),
    }))
}

pub(super) fn of_symbol(
    run: &mut Interpreter<'_>,
    message: &Message<'_>,
    name: &Rc<str>,
) -> Eval<Option<Value>> {
    if matches!(message.name, "=~" | "match" | "match?") {
        return matching::of_string(run, message, name);
    }
    Ok(Some(match (message.name, message.args) {
        ("to_sym", []) => message.receiver.clone(),
        ("length" | "size", []) => length(name.chars().count()),
        ("upcase", []) => Value::Symbol(name.to_uppercase().into()),
        ("downcase", []) => Value::Symbol(name.to_lowercase().into()),
        ("empty?", []) => Value::Bool(name.is_empty()),
        _ => return Ok(None),
    }))
}

/// A count as Ruby's integer.
pub(super) fn length(count: usize) -> Value {
    Value::Int(i64::try_from(count).unwrap_or(i64::MAX))
}

/// An index that may count from the end.
pub(super) fn position(at: i64, count: usize) -> Option<usize> {
    let at = if at < 0 {
        at.checked_add(i64::try_from(count).ok()?)?
    } else {
        at
    };
    usize::try_from(at).ok().filter(|at| *at < count)
}

/// Ruby's white space.
fn blank(c: char) -> bool {
    c.is_ascii_whitespace() || c == '\x0b'
}

fn without_last(text: &str) -> &str {
    let mut chars = text.chars();
    chars.next_back();
    chars.as_str()
}

fn room(message: &Message<'_>, bytes: usize) -> Eval<()> {
    if bytes > MAX_LENGTH {
        return Err(Stop::Limit("text", message.place));
    }
    Ok(())
}

fn any(message: &Message<'_>, args: &[Value], test: impl Fn(&str) -> bool) -> Eval<bool> {
    for at in 0..args.len() {
        if test(message.text(at)?) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Ruby's `split`: by white space without a separator, empty ends dropped.
fn split(message: &Message<'_>, text: &str, args: &[Value]) -> Eval {
    let mut pieces: Vec<&str> = match args {
        [] | [Value::Nil] => text
            .split(blank)
            .filter(|piece| !piece.is_empty())
            .collect(),
        [Value::Str(by)] if &**by == " " => text
            .split(blank)
            .filter(|piece| !piece.is_empty())
            .collect(),
        [Value::Str(by)] if by.is_empty() => {
            let chars = text.chars().map(|c| Value::str(c.to_string()));
            return Ok(Value::array(chars.collect()));
        }
        [Value::Str(by)] => text.split(&**by).collect(),
        [Value::Str(by), Value::Int(limit)]
            if *limit > 0 && &**by != " " && !by.is_empty() && !text.is_empty() =>
        {
            let limit = usize::try_from(*limit).unwrap_or(usize::MAX);
            return Ok(Value::array(
                text.splitn(limit, &**by).map(Value::str).collect(),
            ));
        }
        _ => return Err(message.unsupported()),
    };
    while pieces.last().is_some_and(|piece| piece.is_empty()) {
        pieces.pop();
    }
    Ok(Value::array(pieces.into_iter().map(Value::str).collect()))
}

fn plain_set(set: &str) -> bool {
    !set.starts_with('^')
        && !set.contains('\\')
        && (!set.contains('-') || set == "-" || set.ends_with('-') || set.starts_with('-'))
}

/// `tr` with plain sets and ranges.
fn translated(message: &Message<'_>, text: &str, from: &str, to: &str) -> Eval<String> {
    let set = |spec: &str| -> Option<Vec<char>> {
        if spec.contains('\\') || (spec.starts_with('^') && spec.len() > 1) {
            return None;
        }
        let chars: Vec<char> = spec.chars().collect();
        let mut out = Vec::new();
        let mut at = 0;
        while let Some(c) = chars.get(at) {
            match (chars.get(at + 1), chars.get(at + 2)) {
                (Some('-'), Some(end)) if end >= c => {
                    out.extend(*c..=*end);
                    at += 3;
                }
                _ => {
                    out.push(*c);
                    at += 1;
                }
            }
        }
        Some(out)
    };
    let (Some(from), Some(to)) = (set(from), set(to)) else {
        return Err(message.unsupported());
    };
    let change = |c: char| match from.iter().position(|known| *known == c) {
        Some(at) => to.get(at).or_else(|| to.last()).copied(),
        None => Some(c),
    };
    Ok(text.chars().filter_map(change).collect())
}

fn justified(message: &Message<'_>, text: &str, width: i64, pad: &str) -> Eval {
    let width = usize::try_from(width).unwrap_or(0);
    let missing = width.saturating_sub(text.chars().count());
    room(message, width)?;
    if pad.is_empty() {
        return Err(raise("ArgumentError", "zero width padding", message.place));
    }
    let padding = |count: usize| pad.chars().cycle().take(count).collect::<String>();
    let left = match message.name {
        "ljust" => 0,
        "rjust" => missing,
        _ => missing / 2,
    };
    let pieces = [padding(left), text.to_owned(), padding(missing - left)];
    joined(pieces, "", message.place)
}

fn part(text: &str, at: i64, length: i64) -> Value {
    let count = text.chars().count();
    let whole = i64::try_from(count).unwrap_or(i64::MAX);
    let at = if at < 0 { at.saturating_add(whole) } else { at };
    match (usize::try_from(at), usize::try_from(length)) {
        (Ok(at), Ok(length)) if at <= count => {
            Value::str(text.chars().skip(at).take(length).collect::<String>())
        }
        _ => Value::Nil,
    }
}

fn squeezed(text: &str, which: impl Fn(char) -> bool) -> String {
    let mut before = None;
    let kept = text
        .chars()
        .filter(|c| before.replace(*c) != Some(*c) || !which(*c));
    kept.collect()
}

/// `format` and `%`.
pub(super) fn formatted(message: &Message<'_>, pattern: &str, args: &[Value]) -> Eval<String> {
    format::format(pattern, args).map_err(|problem| match problem {
        Problem::Raised(class, text) => raise(class, text, message.place),
        Problem::Unsupported(what) => unsupported(what, message.place),
        Problem::Long => Stop::Limit("text", message.place),
    })
}

/// `to_i`: digits at the start, or 0. None past 64 bits.
fn leading_int(text: &str) -> Option<i64> {
    let text = text.trim_start_matches(blank);
    let (sign, digits) = match text.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", text.strip_prefix('+').unwrap_or(text)),
    };
    let digits: String = digits.chars().take_while(char::is_ascii_digit).collect();
    if digits.is_empty() {
        return Some(0);
    }
    format!("{sign}{digits}").parse().ok()
}

/// `to_f`: a number at the start, or 0.
fn leading_float(text: &str) -> f64 {
    let text = text.trim_start_matches(blank);
    let end = text
        .char_indices()
        .take_while(|(at, c)| {
            c.is_ascii_digit() || *c == '.' || (*at == 0 && matches!(c, '-' | '+'))
        })
        .map(|(at, c)| at + c.len_utf8())
        .last()
        .unwrap_or(0);
    let mut number = text.get(..end).unwrap_or("");
    loop {
        match number.parse() {
            Ok(value) => return value,
            Err(_) if number.is_empty() => return 0.0,
            Err(_) => number = without_last(number),
        }
    }
}
