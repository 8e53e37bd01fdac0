//! Methods of what `map` and `each` give without a block.

use std::rc::Rc;

use super::Message;
use super::list::{call, indexed};
use crate::erb::interpreter::{Eval, Interpreter, Stop};
use crate::erb::value::{Method, Value};

/// `map.with_index`, `each.with_index`, `each_with_index.map`.
pub(super) fn of_enumerator(
    run: &mut Interpreter<'_>,
    message: &Message<'_>,
    items: &Rc<[Value]>,
    method: Method,
) -> Eval<Option<Value>> {
    let offset = match (message.name, message.args) {
        ("with_index", []) => 0,
        ("with_index", [Value::Int(offset)]) => *offset,
        // What `each_with_index` made: its items are pairs.
        (_, _) if method == Method::Map && message.block.is_some() => {
            return call(run, message, items);
        }
        ("to_a", []) => return Ok(Some(Value::Array(items.clone()))),
        _ => return Ok(None),
    };
    let block = message.block()?;
    let mut made = Vec::new();
    for pair in indexed(items, offset) {
        if let Value::Array(pair) = pair {
            match run.yield_to(block, &pair, message.place) {
                Err(Stop::Break(value)) => return Ok(Some(value)),
                other => made.push(other?),
            }
        }
    }
    Ok(Some(match method {
        Method::Map => Value::array(made),
        Method::Each => Value::Array(items.clone()),
    }))
}
