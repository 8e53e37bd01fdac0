//! Methods of lists that bring their items together, or pick them by a pattern.

use super::list::{send, sorted};
use super::{Message, Value};
use crate::erb::ast::Block;
use crate::erb::interpreter::{Eval, Interpreter, raise};
use crate::erb::matching;

/// `grep`, and `any?`, `all?`, `none?` with a pattern.
pub(super) fn grep(run: &mut Interpreter<'_>, message: &Message<'_>, items: &[Value]) -> Eval {
    let [Value::Pattern(pattern)] = message.args else {
        return Err(message.unsupported());
    };
    let mut matching_ones = Vec::new();
    let mut others = Vec::new();
    for item in items {
        let inner = Message {
            receiver: message.args.first().cloned().unwrap_or(Value::Nil),
            name: "===",
            args: std::slice::from_ref(item),
            named: &[],
            block: None,
            place: message.place,
        };
        let found = matching::of_pattern(run, &inner, pattern)?;
        match found.is_some_and(|found| found.is_truthy()) {
            true => matching_ones.push(item.clone()),
            false => others.push(item.clone()),
        }
    }
    Ok(match message.name {
        "grep" => Value::array(matching_ones),
        "grep_v" => Value::array(others),
        "any?" => Value::Bool(!matching_ones.is_empty()),
        "all?" => Value::Bool(others.is_empty()),
        _ => Value::Bool(matching_ones.is_empty()),
    })
}

/// `reduce(:+)`, `each_slice(2)` and their like without a block.
pub(super) fn without_block(
    run: &mut Interpreter<'_>,
    message: &Message<'_>,
    items: &[Value],
) -> Eval<Option<Value>> {
    match (message.name, message.args) {
        ("reduce" | "inject", [Value::Symbol(operator)]) => {
            fold(run, message, items, |run, total, item| {
                send(run, message, total, operator, &[item])
            })
            .map(Some)
        }
        ("each_slice" | "each_cons", _) => {
            grouped(message, items).map(|groups| Some(Value::array(groups)))
        }
        _ => Ok(None),
    }
}

/// The same with one.
pub(super) fn with_block(
    run: &mut Interpreter<'_>,
    message: &Message<'_>,
    items: &[Value],
    block: &Block,
) -> Eval<Option<Value>> {
    match (message.name, message.args) {
        ("reduce" | "inject", []) => fold(run, message, items, |run, total, item| {
            run.yield_to(block, &[total, item], message.place)
        })
        .map(Some),
        ("reduce" | "inject", [first]) => {
            let mut total = first.clone();
            for item in items {
                total = run.yield_to(block, &[total, item.clone()], message.place)?;
            }
            Ok(Some(total))
        }
        ("each_slice" | "each_cons", _) => {
            for group in grouped(message, items)? {
                run.yield_to(block, &[group], message.place)?;
            }
            Ok(Some(message.receiver.clone()))
        }
        ("min_by" | "max_by", []) => {
            let mut keyed = Vec::new();
            for item in items {
                let key = run.yield_to(block, std::slice::from_ref(item), message.place)?;
                keyed.push((key, item.clone()));
            }
            // Of equal ones the first.
            if message.name == "max_by" {
                keyed.reverse();
                return Ok(Some(sorted(message, keyed)?.pop().unwrap_or(Value::Nil)));
            }
            Ok(Some(
                sorted(message, keyed)?
                    .into_iter()
                    .next()
                    .unwrap_or(Value::Nil),
            ))
        }
        ("find_index", []) => {
            for (at, item) in items.iter().enumerate() {
                if run
                    .yield_to(block, std::slice::from_ref(item), message.place)?
                    .is_truthy()
                {
                    return Ok(Some(super::string::length(at)));
                }
            }
            Ok(Some(Value::Nil))
        }
        ("one?", []) => {
            let mut count = 0;
            for item in items {
                let answer = run.yield_to(block, std::slice::from_ref(item), message.place)?;
                count += usize::from(answer.is_truthy());
            }
            Ok(Some(Value::Bool(count == 1)))
        }
        _ => Ok(None),
    }
}

fn fold<'w>(
    run: &mut Interpreter<'w>,
    message: &Message<'_>,
    items: &[Value],
    mut step: impl FnMut(&mut Interpreter<'w>, Value, Value) -> Eval,
) -> Eval {
    let mut items = items.iter().cloned();
    let Some(mut total) = items.next() else {
        return Ok(Value::Nil);
    };
    for item in items {
        run.spend(1, message.place)?;
        total = step(run, total, item)?;
    }
    Ok(total)
}

fn grouped(message: &Message<'_>, items: &[Value]) -> Eval<Vec<Value>> {
    let [Value::Int(size)] = message.args else {
        return Err(message.unsupported());
    };
    let size = usize::try_from(*size)
        .ok()
        .filter(|size| *size > 0)
        .ok_or_else(|| raise("ArgumentError", "invalid slice size", message.place))?;
    let list = |group: &[Value]| Value::array(group.to_vec());
    Ok(match message.name {
        "each_slice" => items.chunks(size).map(list).collect(),
        _ if size > 8 => return Err(message.unsupported()),
        _ => items.windows(size).map(list).collect(),
    })
}
