//! Methods of hashes.

use std::rc::Rc;

use super::list::{dig, pairs_of};
use super::string::length;
use super::{Message, list};
use crate::erb::ast::Block;
use crate::erb::interpreter::{Eval, Interpreter, Stop, raise};
use crate::erb::value::Value;

type Pairs = Rc<[(Value, Value)]>;

pub(super) fn call(
    run: &mut Interpreter<'_>,
    message: &Message<'_>,
    pairs: &Pairs,
) -> Eval<Option<Value>> {
    let get = |wanted: &Value| {
        pairs
            .iter()
            .find(|(key, _)| key == wanted)
            .map(|(_, value)| value.clone())
    };
    if let Some(block) = message.block {
        return match with_block(run, message, pairs, block) {
            Ok(None) => {
                let items = as_list(pairs);
                list::call(run, message, &items)
            }
            Err(Stop::Break(value)) => Ok(Some(value)),
            other => other,
        };
    }
    let keep = |test: &dyn Fn(&Value) -> bool| {
        Value::hash(pairs.iter().filter(|(key, _)| test(key)).cloned().collect())
    };
    Ok(Some(match (message.name, message.args) {
        ("to_h", []) => message.receiver.clone(),
        ("[]", [key]) => get(key).unwrap_or(Value::Nil),
        ("fetch", [key]) => get(key).ok_or_else(|| {
            raise(
                "KeyError",
                format!("key not found: {}", key.inspect()),
                message.place,
            )
        })?,
        ("fetch", [key, default]) => get(key).unwrap_or_else(|| default.clone()),
        ("dig", [key, rest @ ..]) => {
            return dig(run, message, get(key).unwrap_or(Value::Nil), rest).map(Some);
        }
        ("key?" | "has_key?" | "include?" | "member?", [key]) => Value::Bool(get(key).is_some()),
        ("keys", []) => Value::array(pairs.iter().map(|(key, _)| key.clone()).collect()),
        ("values", []) => Value::array(pairs.iter().map(|(_, value)| value.clone()).collect()),
        ("values_at", keys) => Value::array(
            keys.iter()
                .map(|key| get(key).unwrap_or(Value::Nil))
                .collect(),
        ),
        ("length" | "size" | "count", []) => length(pairs.len()),
        ("empty?", []) => Value::Bool(pairs.is_empty()),
        ("any?", []) => Value::Bool(!pairs.is_empty()),
        ("merge", [Value::Hash(other)]) => {
            Value::hash(pairs.iter().chain(other.iter()).cloned().collect())
        }
        ("slice", keys) => keep(&|key| keys.contains(key)),
        ("except" | "excluding" | "without", keys) => keep(&|key| !keys.contains(key)),
        ("compact", []) => Value::hash(
            pairs
                .iter()
                .filter(|(_, value)| *value != Value::Nil)
                .cloned()
                .collect(),
        ),
        ("symbolize_keys", []) => Value::hash(
            pairs
                .iter()
                .map(|(key, value)| (Value::Symbol(key.to_s().into()), value.clone()))
                .collect(),
        ),
        ("stringify_keys", []) => Value::hash(
            pairs
                .iter()
                .map(|(key, value)| (Value::str(key.to_s()), value.clone()))
                .collect(),
        ),
        (
            "to_a" | "entries" | "each_with_index" | "map" | "first" | "each" | "sort" | "flatten"
            | "zip",
            _,
        ) => {
            let items = as_list(pairs);
            return list::call(run, message, &items);
        }
        _ => return Ok(None),
    }))
}

/// Methods whose block gets key and value; none for those that see the hash as a list of pairs.
fn with_block(
    run: &mut Interpreter<'_>,
    message: &Message<'_>,
    pairs: &Pairs,
    block: &Block,
) -> Eval<Option<Value>> {
    let mut ask = |key: &Value, value: &Value| {
        let args = [Value::array(vec![key.clone(), value.clone()])];
        run.yield_to(block, &args, message.place)
    };
    let mut made = Vec::new();
    match (message.name, message.args) {
        ("each" | "each_pair", []) => {
            for (key, value) in pairs.iter() {
                ask(key, value)?;
            }
            return Ok(Some(message.receiver.clone()));
        }
        ("select" | "filter" | "reject", []) => {
            for (key, value) in pairs.iter() {
                if ask(key, value)?.is_truthy() != (message.name == "reject") {
                    made.push((key.clone(), value.clone()));
                }
            }
        }
        ("to_h", []) => {
            let mut answers = Vec::new();
            for (key, value) in pairs.iter() {
                answers.push(ask(key, value)?);
            }
            made = pairs_of(message, answers.into_iter())?;
        }
        ("transform_values", []) => {
            for (key, value) in pairs.iter() {
                made.push((
                    key.clone(),
                    run.yield_to(block, std::slice::from_ref(value), message.place)?,
                ));
            }
        }
        ("transform_keys", []) => {
            for (key, value) in pairs.iter() {
                made.push((
                    run.yield_to(block, std::slice::from_ref(key), message.place)?,
                    value.clone(),
                ));
            }
        }
        ("fetch", [wanted]) => {
            let found = pairs
                .iter()
                .find(|(key, _)| key == wanted)
                .map(|(_, value)| value.clone());
            return match found {
                Some(value) => Ok(Some(value)),
                None => run
                    .yield_to(block, std::slice::from_ref(wanted), message.place)
                    .map(Some),
            };
        }
        _ => return Ok(None),
    }
    Ok(Some(Value::hash(made)))
}

fn as_list(pairs: &Pairs) -> Rc<[Value]> {
    pairs
        .iter()
        .map(|(key, value)| Value::array(vec![key.clone(), value.clone()]))
        .collect()
}
