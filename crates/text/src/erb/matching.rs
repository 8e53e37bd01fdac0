//! What patterns do: `=~`, `match`, `sub`, `gsub`, `scan`, `split`, `[]`.
//!
//! In: a [`Message`] to a string or to a pattern. Out: what Ruby would give, and `$~`.

use std::rc::Rc;

use super::ast::Block;
use super::inspect::inspect;
use super::interpreter::{Eval, Interpreter, MAX_LENGTH, Stop};
use super::methods::Message;
use super::pattern::Pattern;
use super::token::Place;
use super::value::Value;

/// A match: `$~`.
#[derive(Debug, PartialEq)]
pub(super) struct Match {
    text: Rc<str>,
    groups: Vec<Option<(usize, usize)>>,
    names: Vec<Option<String>>,
}

impl Match {
    /// The text of a group; 0 is the whole.
    pub(super) fn group(&self, number: usize) -> Option<&str> {
        let (start, end) = self.groups.get(number).copied().flatten()?;
        self.text.get(start..end)
    }

    fn named(&self, name: &str) -> Option<Option<&str>> {
        let number = self
            .names
            .iter()
            .position(|known| known.as_deref() == Some(name))?;
        Some(self.group(number))
    }

    fn whole(&self) -> (usize, usize) {
        self.groups.first().copied().flatten().unwrap_or_default()
    }

    fn before(&self) -> &str {
        self.text.get(..self.whole().0).unwrap_or("")
    }

    fn after(&self) -> &str {
        self.text.get(self.whole().1..).unwrap_or("")
    }

    /// The groups but for the whole.
    fn captures(&self) -> Vec<Value> {
        (1..self.groups.len())
            .map(|number| optional(self.group(number)))
            .collect()
    }

    pub(super) fn inspect(&self) -> String {
        let mut out = format!("#<MatchData {}", inspect(self.group(0).unwrap_or("")));
        for (number, name) in self.names.iter().enumerate().skip(1) {
            let label = name.clone().unwrap_or_else(|| number.to_string());
            let text = self.group(number).map_or_else(|| "nil".to_owned(), inspect);
            out.extend([" ", &label, ":", &text]);
        }
        out.push('>');
        out
    }
}

impl Interpreter<'_> {
    /// The first match of a pattern, which is `$~` from then on.
    pub(super) fn matched(
        &mut self,
        pattern: &Pattern,
        text: &Rc<str>,
        place: Place,
    ) -> Eval<Option<Rc<Match>>> {
        let found = self.search(pattern, text, 0, place)?;
        self.last_match.clone_from(&found);
        Ok(found)
    }

    fn search(
        &mut self,
        pattern: &Pattern,
        text: &Rc<str>,
        from: usize,
        place: Place,
    ) -> Eval<Option<Rc<Match>>> {
        self.spend(1 + text.len().saturating_sub(from) / 64, place)?;
        let found = pattern.captures(text, from, place)?;
        Ok(found.map(|found| {
            let groups = found
                .iter()
                .map(|group| group.map(|g| (g.start(), g.end())));
            Rc::new(Match {
                text: text.clone(),
                groups: groups.collect(),
                names: pattern
                    .names()
                    .map(|name| name.map(str::to_owned))
                    .collect(),
            })
        }))
    }

    /// All matches from left to right; behind an empty one the search goes on a character further.
    fn all_matches(
        &mut self,
        pattern: &Pattern,
        text: &Rc<str>,
        most: usize,
        place: Place,
    ) -> Eval<Vec<Rc<Match>>> {
        let mut found = Vec::new();
        let mut from = 0;
        while found.len() < most && from <= text.len() {
            let Some(one) = self.search(pattern, text, from, place)? else {
                break;
            };
            let (start, end) = one.whole();
            let step = text
                .get(end..)
                .and_then(|rest| rest.chars().next())
                .map_or(1, char::len_utf8);
            from = if start == end { end + step } else { end };
            found.push(one);
        }
        self.last_match = found.last().cloned();
        Ok(found)
    }
}

/// Calls on a string that take a pattern, or a string where Ruby makes one of it; none for all others.
pub(super) fn of_string(
    run: &mut Interpreter<'_>,
    message: &Message<'_>,
    text: &Rc<str>,
) -> Eval<Option<Value>> {
    let place = message.place;
    let (Some(first), rest) = (
        message.args.first(),
        message.args.get(1..).unwrap_or_default(),
    ) else {
        return Ok(None);
    };
    let pattern = match (message.name, first) {
        (_, Value::Pattern(pattern)) => pattern.clone(),
        ("match" | "match?", Value::Str(source)) => Rc::new(Pattern::new(source, "", place)?),
        ("sub" | "gsub" | "scan" | "partition" | "rpartition", Value::Str(plain)) => {
            Rc::new(Pattern::plain(plain, place)?)
        }
        _ => return Ok(None),
    };
    Ok(Some(match (message.name, rest) {
        ("=~", []) => index(run.matched(&pattern, text, place)?.as_deref()),
        ("index", []) => index(run.matched(&pattern, text, place)?.as_deref()),
        ("match?", []) => Value::Bool(run.search(&pattern, text, 0, place)?.is_some()),
        ("match", []) => run
            .matched(&pattern, text, place)?
            .map_or(Value::Nil, Value::Match),
        ("[]" | "slice", []) => optional(
            run.matched(&pattern, text, place)?
                .and_then(|m| m.group(0).map(str::to_owned))
                .as_deref(),
        ),
        ("[]" | "slice", [group]) => match run.matched(&pattern, text, place)? {
            Some(found) => of_match(message, &found, group)?,
            None => Value::Nil,
        },
        ("start_with?", []) => {
            let found = run.matched(&pattern, text, place)?;
            // The first match may be further on where another one starts at the front.
            match found {
                Some(found) if found.whole().0 == 0 => Value::Bool(true),
                None => Value::Bool(false),
                Some(_) => return Err(message.unsupported()),
            }
        }
        ("sub" | "gsub", [Value::Str(_) | Value::Hash(_)]) | ("sub" | "gsub", []) => {
            replaced(run, message, &pattern, text, rest.first())?
        }
        ("scan", []) => scan(run, message, &pattern, text)?,
        ("split", []) => split(run, message, &pattern, text, None)?,
        ("split", [Value::Int(limit)]) => split(run, message, &pattern, text, Some(*limit))?,
        ("partition", []) => match run.matched(&pattern, text, place)? {
            Some(found) => parted(&found),
            None => Value::array(vec![
                Value::Str(text.clone()),
                Value::str(""),
                Value::str(""),
            ]),
        },
        ("rpartition", []) if matches!(first, Value::Str(_)) => {
            match run.all_matches(&pattern, text, usize::MAX, place)?.pop() {
                Some(found) => parted(&found),
                None => Value::array(vec![
                    Value::str(""),
                    Value::str(""),
                    Value::Str(text.clone()),
                ]),
            }
        }
        _ => return Err(message.unsupported()),
    }))
}

/// Calls on a pattern.
pub(super) fn of_pattern(
    run: &mut Interpreter<'_>,
    message: &Message<'_>,
    pattern: &Pattern,
) -> Eval<Option<Value>> {
    let place = message.place;
    Ok(Some(match (message.name, message.args) {
        ("source", []) => Value::str(pattern.source()),
        ("=~" | "match", [Value::Nil]) => {
            run.last_match = None;
            Value::Nil
        }
        ("match?" | "===", [Value::Nil]) => Value::Bool(false),
        ("=~", [Value::Str(text) | Value::Symbol(text)]) => {
            index(run.matched(pattern, text, place)?.as_deref())
        }
        ("match", [Value::Str(text) | Value::Symbol(text)]) => run
            .matched(pattern, text, place)?
            .map_or(Value::Nil, Value::Match),
        ("match?", [Value::Str(text) | Value::Symbol(text)]) => {
            Value::Bool(run.search(pattern, text, 0, place)?.is_some())
        }
        ("===", [Value::Str(text) | Value::Symbol(text)]) => {
            Value::Bool(run.matched(pattern, text, place)?.is_some())
        }
        ("===", [_]) => Value::Bool(false),
        _ => return Ok(None),
    }))
}

/// Calls on a match.
pub(super) fn of_found(message: &Message<'_>, found: &Match) -> Eval<Option<Value>> {
    Ok(Some(match (message.name, message.args) {
        ("[]", [group]) => of_match(message, found, group)?,
        ("captures", []) => Value::array(found.captures()),
        ("to_a", []) => {
            let whole = std::iter::once(optional(found.group(0)));
            Value::array(whole.chain(found.captures()).collect())
        }
        ("named_captures", []) => {
            let names = found.names.iter().flatten();
            let pairs = names.map(|name| (Value::str(name), optional(found.named(name).flatten())));
            Value::hash(pairs.collect())
        }
        ("pre_match", []) => Value::str(found.before()),
        ("post_match", []) => Value::str(found.after()),
        _ => return Ok(None),
    }))
}

fn of_match(message: &Message<'_>, found: &Match, group: &Value) -> Eval {
    Ok(match group {
        Value::Int(number) => optional(
            usize::try_from(*number)
                .ok()
                .and_then(|number| found.group(number)),
        ),
        Value::Str(name) | Value::Symbol(name) => {
            optional(found.named(name).ok_or_else(|| message.unsupported())?)
        }
        _ => return Err(message.unsupported()),
    })
}

fn optional(text: Option<&str>) -> Value {
    text.map_or(Value::Nil, Value::str)
}

/// Where a match starts, in characters.
fn index(found: Option<&Match>) -> Value {
    found.map_or(Value::Nil, |found| {
        Value::Int(i64::try_from(found.before().chars().count()).unwrap_or(i64::MAX))
    })
}

fn parted(found: &Match) -> Value {
    Value::array(vec![
        Value::str(found.before()),
        optional(found.group(0)),
        Value::str(found.after()),
    ])
}

fn replaced(
    run: &mut Interpreter<'_>,
    message: &Message<'_>,
    pattern: &Pattern,
    text: &Rc<str>,
    by: Option<&Value>,
) -> Eval {
    let most = if message.name == "sub" { 1 } else { usize::MAX };
    let all = run.all_matches(pattern, text, most, message.place)?;
    let mut out = String::new();
    let mut done = 0;
    for found in &all {
        let (start, end) = found.whole();
        out.push_str(text.get(done..start).unwrap_or(""));
        match (by, message.block) {
            (Some(Value::Str(by)), _) => out.push_str(&expanded(message, by, found)?),
            (Some(Value::Hash(pairs)), _) => {
                let key = optional(found.group(0));
                let value = pairs.iter().find(|(known, _)| *known == key);
                out.push_str(&value.map_or_else(String::new, |(_, value)| value.to_s()));
            }
            (_, Some(block)) => {
                run.last_match = Some(found.clone());
                let value = called(run, message, block, found.group(0))?;
                out.push_str(&value.to_s());
            }
            _ => return Err(message.unsupported()),
        }
        done = end;
        run.spend(1 + (out.len().saturating_sub(done)) / 64, message.place)?;
        if out.len() > MAX_LENGTH {
            return Err(Stop::Limit("text", message.place));
        }
    }
    run.last_match = all.last().cloned();
    out.push_str(text.get(done..).unwrap_or(""));
    Ok(Value::str(out))
}

fn called(
    run: &mut Interpreter<'_>,
    message: &Message<'_>,
    block: &Block,
    text: Option<&str>,
) -> Eval {
    run.yield_to(block, &[optional(text)], message.place)
}

/// The new text with what its backslashes stand for.
fn expanded(message: &Message<'_>, by: &str, found: &Match) -> Eval<String> {
    let mut out = String::new();
    let mut chars = by.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        match chars.next() {
            Some(digit @ '0'..='9') => {
                let number = digit
                    .to_digit(10)
                    .and_then(|number| usize::try_from(number).ok());
                out.push_str(number.and_then(|number| found.group(number)).unwrap_or(""));
            }
            Some('&') => out.push_str(found.group(0).unwrap_or("")),
            Some('\\') => out.push('\\'),
            Some('k') => {
                let rest = chars.as_str();
                let name = rest.strip_prefix('<').and_then(|rest| rest.split_once('>'));
                let Some((name, rest)) = name else {
                    return Err(message.unsupported());
                };
                out.push_str(
                    found
                        .named(name)
                        .ok_or_else(|| message.unsupported())?
                        .unwrap_or(""),
                );
                chars = rest.chars();
            }
            Some('`' | '\'') => return Err(message.unsupported()),
            Some(other) => out.extend(['\\', other]),
            None => out.push('\\'),
        }
    }
    Ok(out)
}

fn scan(
    run: &mut Interpreter<'_>,
    message: &Message<'_>,
    pattern: &Pattern,
    text: &Rc<str>,
) -> Eval {
    let mut made = Vec::new();
    for found in run.all_matches(pattern, text, usize::MAX, message.place)? {
        let item = match found.captures() {
            captures if captures.is_empty() => optional(found.group(0)),
            captures => Value::array(captures),
        };
        match message.block {
            Some(block) => {
                run.last_match = Some(found.clone());
                run.yield_to(block, &[item], message.place)?;
            }
            None => made.push(item),
        }
    }
    Ok(match message.block {
        Some(_) => message.receiver.clone(),
        None => Value::array(made),
    })
}

/// Without groups; empty ends are dropped unless there is a limit.
fn split(
    run: &mut Interpreter<'_>,
    message: &Message<'_>,
    pattern: &Pattern,
    text: &Rc<str>,
    limit: Option<i64>,
) -> Eval {
    let most = match limit {
        None => usize::MAX,
        Some(limit) => match usize::try_from(limit) {
            Ok(limit) if limit > 0 => limit - 1,
            _ => return Err(message.unsupported()),
        },
    };
    if pattern.names().count() > 1 {
        return Err(message.unsupported());
    }
    let before = run.last_match.clone();
    let mut pieces = Vec::new();
    let mut done = 0;
    for found in run.all_matches(pattern, text, usize::MAX, message.place)? {
        let (start, end) = found.whole();
        if pieces.len() >= most {
            break;
        }
        // An empty match parts two characters: nothing from the ends, nor from the match before.
        if start == end && (start == done || start >= text.len()) {
            continue;
        }
        pieces.push(text.get(done..start).unwrap_or(""));
        done = end;
    }
    run.last_match = before;
    if !text.is_empty() {
        pieces.push(text.get(done..).unwrap_or(""));
    }
    if limit.is_none() {
        while pieces.last().is_some_and(|piece| piece.is_empty()) {
            pieces.pop();
        }
    }
    Ok(Value::array(pieces.into_iter().map(Value::str).collect()))
}
