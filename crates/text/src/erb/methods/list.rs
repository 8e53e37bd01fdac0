//! Methods of lists and ranges.

use std::cmp::Ordering;
use std::rc::Rc;

use super::string::{length, position};
use super::{Message, joined};
use crate::erb::ast::Block;
use crate::erb::interpreter::{Eval, Interpreter, MAX_LENGTH, Stop, raise, unsupported};
use crate::erb::value::{Method, Value};

pub(super) fn call(
    run: &mut Interpreter<'_>,
    message: &Message<'_>,
    items: &Rc<[Value]>,
) -> Eval<Option<Value>> {
    if let Some(block) = message.block {
        return match with_block(run, message, items, block) {
            Err(Stop::Break(value)) => Ok(Some(value)),
            other => other,
        };
    }
    let list = |items: Vec<Value>| Value::array(items);
    Ok(Some(match (message.name, message.args) {
        ("to_a" | "entries", []) => Value::Array(items.clone()),
        ("join", []) => join(items, "", message)?,
        ("join", [Value::Str(between)]) => join(items, between, message)?,
        ("map" | "collect", []) => enumerator(items.clone(), Method::Map),
        ("each", []) => enumerator(items.clone(), Method::Each),
        ("each_with_index", []) => enumerator(indexed(items, 0).into(), Method::Map),
        ("grep" | "grep_v" | "any?" | "all?" | "none?", [Value::Pattern(_)]) => {
            return super::folds::grep(run, message, items).map(Some);
        }
        ("each_slice" | "each_cons" | "reduce" | "inject", _) => {
            return super::folds::without_block(run, message, items);
        }
        ("|" | "union", [Value::Array(other)]) => {
            room(message, items.len() + other.len())?;
            unique(run, message, items.iter().chain(other.iter()))?
        }
        ("&" | "intersection", [Value::Array(other)]) => {
            run.spend(items.len().saturating_mul(other.len()) / 16, message.place)?;
            unique(
                run,
                message,
                items.iter().filter(|item| other.contains(item)),
            )?
        }
        ("first", []) => items.first().cloned().unwrap_or(Value::Nil),
        ("last", []) => items.last().cloned().unwrap_or(Value::Nil),
        ("first" | "take", [Value::Int(count)]) => {
            let count = usize::try_from(*count).map_err(|_| message.unsupported())?;
            list(items.iter().take(count).cloned().collect())
        }
        ("last", [Value::Int(count)]) => {
            let count = usize::try_from(*count).map_err(|_| message.unsupported())?;
            list(
                items
                    .iter()
                    .skip(items.len().saturating_sub(count))
                    .cloned()
                    .collect(),
            )
        }
        ("drop", [Value::Int(count)]) => {
            let count = usize::try_from(*count).map_err(|_| message.unsupported())?;
            list(items.iter().skip(count).cloned().collect())
        }
        ("[]" | "slice", [Value::Int(at)]) | ("dig", [Value::Int(at)]) => {
            position(*at, items.len())
                .and_then(|at| items.get(at))
                .cloned()
                .unwrap_or(Value::Nil)
        }
        ("[]" | "slice", [Value::Int(at), Value::Int(count)]) => slice(items, *at, *count),
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
            let count = i64::try_from(items.len()).unwrap_or(i64::MAX);
            let absolute = |at: i64| if at < 0 { at.saturating_add(count) } else { at };
            let (from, to) = (absolute(*from), absolute(*to));
            slice(
                items,
                from,
                to.saturating_sub(from)
                    .saturating_add(i64::from(!exclusive))
                    .max(0),
            )
        }
        ("fetch", [Value::Int(at), rest @ ..]) => match (
            position(*at, items.len()).and_then(|at| items.get(at)),
            rest,
        ) {
            (Some(item), _) => item.clone(),
            (None, [default]) => default.clone(),
            (None, _) => {
                let count = items.len();
                let problem = format!(
                    "index {at} outside of array bounds: {}...{count}",
                    -i64::try_from(count).unwrap_or(0)
                );
                return Err(raise("IndexError", problem, message.place));
            }
        },
        ("dig", [Value::Int(at), rest @ ..]) => {
            let item = position(*at, items.len())
                .and_then(|at| items.get(at))
                .cloned()
                .unwrap_or(Value::Nil);
            return dig(run, message, item, rest).map(Some);
        }
        ("values_at", indices) => {
            let found = indices.iter().map(|index| match index {
                Value::Int(at) => Ok(position(*at, items.len())
                    .and_then(|at| items.get(at))
                    .cloned()
                    .unwrap_or(Value::Nil)),
                _ => Err(message.unsupported()),
            });
            list(found.collect::<Eval<_>>()?)
        }
        ("length" | "size" | "count", []) => length(items.len()),
        ("empty?", []) => Value::Bool(items.is_empty()),
        ("any?", []) => Value::Bool(items.iter().any(Value::is_truthy)),
        ("all?", []) => Value::Bool(items.iter().all(Value::is_truthy)),
        ("none?", []) => Value::Bool(!items.iter().any(Value::is_truthy)),
        ("include?" | "member?", [wanted]) => {
            Value::Bool(items.iter().any(|item| item.equals(wanted)))
        }
        ("index", [wanted]) => items
            .iter()
            .position(|item| item.equals(wanted))
            .map_or(Value::Nil, length),
        ("+", [Value::Array(other)]) => {
            room(message, items.len() + other.len())?;
            list(items.iter().chain(other.iter()).cloned().collect())
        }
        ("-", [Value::Array(other)]) | ("excluding" | "without", [Value::Array(other)]) => {
            run.spend(items.len().saturating_mul(other.len()) / 16, message.place)?;
            list(
                items
                    .iter()
                    .filter(|item| !other.contains(item))
                    .cloned()
                    .collect(),
            )
        }
        ("*", [Value::Int(times)]) => {
            let times = usize::try_from(*times).map_err(|_| message.unsupported())?;
            room(message, items.len().saturating_mul(times))?;
            list(
                items
                    .iter()
                    .cycle()
                    .take(items.len() * times)
                    .cloned()
                    .collect(),
            )
        }
        ("*", [Value::Str(between)]) => join(items, between, message)?,
        ("uniq", []) => unique(run, message, items.iter())?,
        ("sort", []) => list(sorted(
            message,
            items
                .iter()
                .map(|item| (item.clone(), item.clone()))
                .collect(),
        )?),
        ("min", []) => sorted(
            message,
            items
                .iter()
                .map(|item| (item.clone(), item.clone()))
                .collect(),
        )?
        .into_iter()
        .next()
        .unwrap_or(Value::Nil),
        ("max", []) => sorted(
            message,
            items
                .iter()
                .map(|item| (item.clone(), item.clone()))
                .collect(),
        )?
        .pop()
        .unwrap_or(Value::Nil),
        ("sum", []) => {
            let mut total = Value::Int(0);
            for item in items.iter() {
                total = send(run, message, total, "+", std::slice::from_ref(item))?;
            }
            total
        }
        ("compact", []) => list(
            items
                .iter()
                .filter(|item| **item != Value::Nil)
                .cloned()
                .collect(),
        ),
        ("compact_blank", []) => list(
            items
                .iter()
                .filter(|item| !item.is_blank())
                .cloned()
                .collect(),
        ),
        ("flatten", []) => {
            let mut flat = Vec::new();
            flatten(items, &mut flat, 0, message)?;
            list(flat)
        }
        ("reverse", []) => list(items.iter().rev().cloned().collect()),
        ("rotate", []) => {
            let mut items = items.to_vec();
            if !items.is_empty() {
                items.rotate_left(1);
            }
            list(items)
        }
        ("zip", [Value::Array(other)]) => {
            let pairs = items.iter().enumerate().map(|(at, item)| {
                list(vec![
                    item.clone(),
                    other.get(at).cloned().unwrap_or(Value::Nil),
                ])
            });
            list(pairs.collect())
        }
        ("to_h", []) => Value::hash(pairs_of(message, items.iter().cloned())?),
        ("tally", []) => {
            run.spend(items.len().saturating_mul(items.len()) / 16, message.place)?;
            let mut counts: Vec<(Value, Value)> = Vec::new();
            for item in items.iter() {
                match counts.iter_mut().find(|(known, _)| known == item) {
                    Some((_, Value::Int(count))) => *count += 1,
                    _ => counts.push((item.clone(), Value::Int(1))),
                }
            }
            Value::hash(counts)
        }
        _ => return Ok(None),
    }))
}

/// Methods that call their block for the items; none if there is no such method.
fn with_block(
    run: &mut Interpreter<'_>,
    message: &Message<'_>,
    items: &[Value],
    block: &Block,
) -> Eval<Option<Value>> {
    let place = message.place;
    let mut ask = |args: &[Value]| run.yield_to(block, args, place);
    let one = |item: &Value| [item.clone()];
    let mut made: Vec<Value> = Vec::new();
    match (message.name, message.args) {
        ("each", []) => {
            for item in items {
                ask(&one(item))?;
            }
            return Ok(Some(message.receiver.clone()));
        }
        ("reverse_each", []) => {
            for item in items.iter().rev() {
                ask(&one(item))?;
            }
            return Ok(Some(message.receiver.clone()));
        }
        ("each_with_index", []) => {
            for (at, item) in items.iter().enumerate() {
                ask(&[item.clone(), length(at)])?;
            }
            return Ok(Some(message.receiver.clone()));
        }
        ("map" | "collect", []) => {
            for item in items {
                made.push(ask(&one(item))?);
            }
        }
        ("flat_map", []) => {
            for item in items {
                match ask(&one(item))? {
                    Value::Array(inner) => made.extend(inner.iter().cloned()),
                    other => made.push(other),
                }
                room(message, made.len())?;
            }
        }
        ("filter_map", []) => {
            for item in items {
                made.extend(Some(ask(&one(item))?).filter(Value::is_truthy));
            }
        }
        ("select" | "filter" | "reject", []) => {
            for item in items {
                if ask(&one(item))?.is_truthy() != (message.name == "reject") {
                    made.push(item.clone());
                }
            }
        }
        ("find" | "detect", []) => {
            for item in items {
                if ask(&one(item))?.is_truthy() {
                    return Ok(Some(item.clone()));
                }
            }
            return Ok(Some(Value::Nil));
        }
        ("index", []) => {
            for (at, item) in items.iter().enumerate() {
                if ask(&one(item))?.is_truthy() {
                    return Ok(Some(length(at)));
                }
            }
            return Ok(Some(Value::Nil));
        }
        ("any?" | "all?" | "none?" | "count", []) => {
            let mut count = 0;
            for item in items {
                count += usize::from(ask(&one(item))?.is_truthy());
            }
            return Ok(Some(match message.name {
                "any?" => Value::Bool(count > 0),
                "all?" => Value::Bool(count == items.len()),
                "none?" => Value::Bool(count == 0),
                _ => length(count),
            }));
        }
        ("sum", []) => {
            let mut values = Vec::new();
            for item in items {
                values.push(ask(&one(item))?);
            }
            let mut total = Value::Int(0);
            for value in values {
                total = send(run, message, total, "+", &[value])?;
            }
            return Ok(Some(total));
        }
        ("sort_by" | "group_by" | "partition" | "to_h" | "uniq", []) => {
            let mut keyed = Vec::new();
            for item in items {
                keyed.push((ask(&one(item))?, item.clone()));
            }
            run.spend(items.len().saturating_mul(items.len()) / 64, place)?;
            return by_key(message, keyed).map(Some);
        }
        _ => return super::folds::with_block(run, message, items, block),
    }
    Ok(Some(Value::array(made)))
}

/// Each value once, where it comes first.
fn unique<'v>(
    run: &mut Interpreter<'_>,
    message: &Message<'_>,
    items: impl Iterator<Item = &'v Value>,
) -> Eval {
    let mut unique: Vec<Value> = Vec::new();
    for item in items {
        run.spend(1 + unique.len() / 16, message.place)?;
        if !unique.contains(item) {
            unique.push(item.clone());
        }
    }
    Ok(Value::array(unique))
}

fn by_key(message: &Message<'_>, keyed: Vec<(Value, Value)>) -> Eval {
    Ok(match message.name {
        "sort_by" => Value::array(sorted(message, keyed)?),
        "to_h" => Value::hash(pairs_of(message, keyed.into_iter().map(|(pair, _)| pair))?),
        "partition" => {
            let (yes, no): (Vec<_>, Vec<_>) =
                keyed.into_iter().partition(|(key, _)| key.is_truthy());
            let values = |pairs: Vec<(Value, Value)>| {
                Value::array(pairs.into_iter().map(|(_, value)| value).collect())
            };
            Value::array(vec![values(yes), values(no)])
        }
        _ => {
            let mut groups: Vec<(Value, Vec<Value>)> = Vec::new();
            for (key, item) in keyed {
                match groups.iter_mut().find(|(known, _)| *known == key) {
                    Some((_, group)) => group.push(item),
                    None => groups.push((key, vec![item])),
                }
            }
            if message.name == "uniq" {
                Value::array(
                    groups
                        .into_iter()
                        .filter_map(|(_, group)| group.into_iter().next())
                        .collect(),
                )
            } else {
                Value::hash(
                    groups
                        .into_iter()
                        .map(|(key, group)| (key, Value::array(group)))
                        .collect(),
                )
            }
        }
    })
}

pub(super) fn of_range(
    run: &mut Interpreter<'_>,
    message: &Message<'_>,
    from: i64,
    to: i64,
    exclusive: bool,
) -> Eval<Option<Value>> {
    let end = if exclusive { to } else { to.saturating_add(1) };
    let count = usize::try_from(end.saturating_sub(from)).unwrap_or(0);
    match (message.name, message.args) {
        ("include?" | "member?" | "===", [Value::Int(number)]) => {
            return Ok(Some(Value::Bool((from..end).contains(number))));
        }
        ("first" | "min", []) if count > 0 => return Ok(Some(Value::Int(from))),
        ("last" | "max", []) if count > 0 && !exclusive => return Ok(Some(Value::Int(to))),
        ("size" | "count" | "length", []) if message.block.is_none() => {
            return Ok(Some(length(count)));
        }
        _ => {}
    }
    room(message, count)?;
    run.spend(count / 4, message.place)?;
    let items: Rc<[Value]> = (from..end).map(Value::Int).collect();
    if matches!(message.name, "to_a" | "times" | "entries") {
        return Ok(Some(Value::Array(items)));
    }
    call(run, message, &items)
}

/// `dig` goes on below.
pub(super) fn dig(
    run: &mut Interpreter<'_>,
    message: &Message<'_>,
    item: Value,
    rest: &[Value],
) -> Eval {
    if rest.is_empty() || item == Value::Nil {
        return Ok(item);
    }
    send(run, message, item, "dig", rest)
}

/// Pairs for a hash from two-item lists.
pub(super) fn pairs_of(
    message: &Message<'_>,
    items: impl Iterator<Item = Value>,
) -> Eval<Vec<(Value, Value)>> {
    items
        .map(|item| match item {
            Value::Array(pair) => match &*pair {
                [key, value] => Ok((key.clone(), value.clone())),
                _ => Err(message.unsupported()),
            },
            other => Err(raise(
                "TypeError",
                format!("wrong element type {} (expected array)", other.class()),
                message.place,
            )),
        })
        .collect()
}

pub(super) fn send(
    run: &mut Interpreter<'_>,
    message: &Message<'_>,
    receiver: Value,
    name: &str,
    args: &[Value],
) -> Eval {
    let inner = Message {
        receiver,
        name,
        args,
        named: &[],
        block: None,
        place: message.place,
    };
    super::call(run, &inner)
}

fn enumerator(items: Rc<[Value]>, method: Method) -> Value {
    Value::Enumerator { items, method }
}

pub(super) fn indexed(items: &[Value], offset: i64) -> Vec<Value> {
    let number = |at: usize| i64::try_from(at).unwrap_or(0).saturating_add(offset);
    let pairs = items
        .iter()
        .enumerate()
        .map(|(at, item)| Value::array(vec![item.clone(), Value::Int(number(at))]));
    pairs.collect()
}

fn join(items: &[Value], between: &str, message: &Message<'_>) -> Eval {
    // Lists within are joined the same way.
    let mut flat = Vec::new();
    flatten(items, &mut flat, 0, message)?;
    joined(flat.iter().map(Value::to_s), between, message.place)
}

fn flatten(
    items: &[Value],
    flat: &mut Vec<Value>,
    depth: usize,
    message: &Message<'_>,
) -> Eval<()> {
    if depth > 64 {
        return Err(unsupported("lists nested this deep", message.place));
    }
    for item in items {
        match item {
            Value::Array(inner) => flatten(inner, flat, depth + 1, message)?,
            other => flat.push(other.clone()),
        }
        room(message, flat.len())?;
    }
    Ok(())
}

fn slice(items: &[Value], at: i64, count: i64) -> Value {
    let length = i64::try_from(items.len()).unwrap_or(i64::MAX);
    let at = if at < 0 {
        at.saturating_add(length)
    } else {
        at
    };
    match (usize::try_from(at), usize::try_from(count)) {
        (Ok(at), Ok(count)) if at <= items.len() => {
            Value::array(items.iter().skip(at).take(count).cloned().collect())
        }
        _ => Value::Nil,
    }
}

/// The values by their keys, smallest first. Numbers or strings, all of a kind.
pub(super) fn sorted(message: &Message<'_>, mut keyed: Vec<(Value, Value)>) -> Eval<Vec<Value>> {
    let mut mixed = false;
    keyed.sort_by(|(a, _), (b, _)| match (a, b) {
        (Value::Int(a), Value::Int(b)) => a.cmp(b),
        (Value::Str(a), Value::Str(b)) | (Value::Symbol(a), Value::Symbol(b)) => a.cmp(b),
        _ => {
            mixed = true;
            Ordering::Equal
        }
    });
    if mixed {
        return Err(message.unsupported());
    }
    Ok(keyed.into_iter().map(|(_, value)| value).collect())
}

fn room(message: &Message<'_>, items: usize) -> Eval<()> {
    if items > MAX_LENGTH / 16 {
        return Err(Stop::Limit("list items", message.place));
    }
    Ok(())
}
