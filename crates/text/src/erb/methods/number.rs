//! Methods of numbers and times.

use std::cmp::Ordering;

use super::Message;
use crate::erb::interpreter::{Eval, Interpreter, raise};
use crate::erb::value::{Time, Value, float};

pub(super) fn call(run: &mut Interpreter<'_>, message: &Message<'_>) -> Eval<Option<Value>> {
    match (&message.receiver, message.args) {
        (Value::Int(a), [Value::Int(b)]) => of_two(run, message, *a, *b),
        (Value::Int(a), []) => of_int(run, message, *a),
        (Value::Float(a), []) => Ok(of_float(message, *a)),
        (Value::Float(a), [Value::Int(places)])
            if message.name == "round" && (0..=15).contains(places) =>
        {
            let scale = 10_f64.powi(i32::try_from(*places).unwrap_or(0));
            Ok(Some(Value::Float((a * scale).round() / scale)))
        }
        (Value::Int(a), [Value::Float(b)]) => Ok(of_floats(message, float(*a), *b)),
        (Value::Float(a), [Value::Int(b)]) => Ok(of_floats(message, *a, float(*b))),
        (Value::Float(a), [Value::Float(b)]) => Ok(of_floats(message, *a, *b)),
        (Value::Int(a), [Value::Int(least), Value::Int(most)]) => Ok(match message.name {
            "clamp" if least <= most => Some(Value::Int((*a).clamp(*least, *most))),
            "between?" => Some(Value::Bool((least..=most).contains(&a))),
            _ => None,
        }),
        (Value::Int(_) | Value::Float(_), [other])
            if matches!(message.name, "+" | "-" | "*" | "/") =>
        {
            let class = match other {
                Value::Nil => "nil",
                Value::Str(_) => "String",
                _ => return Ok(None),
            };
            let number = if matches!(message.receiver, Value::Int(_)) {
                "Integer"
            } else {
                "Float"
            };
            let problem = format!("{class} can't be coerced into {number}");
            Err(raise("TypeError", problem, message.place))
        }
        _ => Ok(None),
    }
}

fn of_two(run: &mut Interpreter<'_>, message: &Message<'_>, a: i64, b: i64) -> Eval<Option<Value>> {
    if b == 0 && matches!(message.name, "/" | "%" | "divmod") {
        return Err(raise("ZeroDivisionError", "divided by 0", message.place));
    }
    let result = match message.name {
        "+" => a.checked_add(b),
        "-" => a.checked_sub(b),
        "*" => a.checked_mul(b),
        // Ruby rounds towards minus infinity.
        "/" => a
            .checked_div(b)
            .map(|quotient| quotient - i64::from(a % b != 0 && ((a < 0) != (b < 0)))),
        "%" => a.checked_rem(b).map(|rest| {
            if rest != 0 && ((rest < 0) != (b < 0)) {
                rest + b
            } else {
                rest
            }
        }),
        "**" => u32::try_from(b).ok().and_then(|b| a.checked_pow(b)),
        "<" | ">" | "<=" | ">=" | "<=>" => return Ok(Some(compared(message.name, a.cmp(&b)))),
        "divmod" => {
            let rest = a
                .checked_rem_euclid(b)
                .filter(|_| b > 0)
                .ok_or_else(|| message.unsupported())?;
            let quotient = a
                .checked_div_euclid(b)
                .ok_or_else(|| message.unsupported())?;
            return Ok(Some(Value::array(vec![
                Value::Int(quotient),
                Value::Int(rest),
            ])));
        }
        "|" => Some(a | b),
        "&" => Some(a & b),
        "^" => Some(a ^ b),
        "upto" => return super::list::of_range(run, &each(message), a, b, false),
        _ => return Ok(None),
    };
    result
        .map(|number| Some(Value::Int(number)))
        .ok_or_else(|| message.unsupported())
}

/// A loop over numbers is one over their range.
fn each<'m>(message: &Message<'m>) -> Message<'m> {
    Message {
        receiver: message.receiver.clone(),
        name: "each",
        args: &[],
        named: &[],
        block: message.block,
        place: message.place,
    }
}

fn of_int(run: &mut Interpreter<'_>, message: &Message<'_>, a: i64) -> Eval<Option<Value>> {
    Ok(Some(match message.name {
        "to_i" => Value::Int(a),
        "to_f" => Value::Float(float(a)),
        "-@" => Value::Int(a.checked_neg().ok_or_else(|| message.unsupported())?),
        "+@" => Value::Int(a),
        "abs" => Value::Int(a.checked_abs().ok_or_else(|| message.unsupported())?),
        "round" | "floor" | "ceil" => Value::Int(a),
        "zero?" => Value::Bool(a == 0),
        "positive?" => Value::Bool(a > 0),
        "negative?" => Value::Bool(a < 0),
        "even?" => Value::Bool(a % 2 == 0),
        "odd?" => Value::Bool(a % 2 != 0),
        "succ" | "next" => Value::Int(a.checked_add(1).ok_or_else(|| message.unsupported())?),
        "pred" => Value::Int(a.checked_sub(1).ok_or_else(|| message.unsupported())?),
        "times" => {
            let Some(block) = message.block else {
                return super::list::of_range(run, message, 0, a, true);
            };
            for number in 0..a.max(0) {
                let result = run.yield_to(block, &[Value::Int(number)], message.place);
                match result {
                    Err(crate::erb::interpreter::Stop::Break(value)) => return Ok(Some(value)),
                    other => other?,
                };
            }
            Value::Int(a)
        }
        _ => return Ok(None),
    }))
}

fn of_float(message: &Message<'_>, a: f64) -> Option<Value> {
    Some(match message.name {
        "to_f" | "+@" => Value::Float(a),
        "-@" => Value::Float(-a),
        "abs" => Value::Float(a.abs()),
        "to_i" => whole(a.trunc())?,
        "round" => whole(a.round())?,
        "floor" => whole(a.floor())?,
        "ceil" => whole(a.ceil())?,
        "zero?" => Value::Bool(a == 0.0),
        "positive?" => Value::Bool(a > 0.0),
        "negative?" => Value::Bool(a < 0.0),
        _ => return None,
    })
}

fn of_floats(message: &Message<'_>, a: f64, b: f64) -> Option<Value> {
    Some(match message.name {
        "+" => Value::Float(a + b),
        "-" => Value::Float(a - b),
        "*" => Value::Float(a * b),
        "/" => Value::Float(a / b),
        "<" | ">" | "<=" | ">=" | "<=>" => compared(message.name, a.partial_cmp(&b)?),
        _ => return None,
    })
}

fn whole(number: f64) -> Option<Value> {
    (number.abs() < 9e15).then(|| Value::Int(format!("{number:.0}").parse().unwrap_or(0)))
}

/// The value of a comparison.
pub(super) fn compared(operator: &str, order: Ordering) -> Value {
    match operator {
        "<" => Value::Bool(order.is_lt()),
        ">" => Value::Bool(order.is_gt()),
        "<=" => Value::Bool(order.is_le()),
        ">=" => Value::Bool(order.is_ge()),
        _ => Value::Int(order as i64),
    }
}

pub(super) fn of_time(message: &Message<'_>, time: Time) -> Eval<Option<Value>> {
    let part = |directive: &str| {
        time.format(directive)
            .parse()
            .map_or(Value::Nil, Value::Int)
    };
    Ok(Some(match (message.name, message.args) {
        ("to_i", []) => Value::Int(time.moment.seconds),
        ("utc", []) => Value::Time(Time { utc: true, ..time }),
        ("strftime", [Value::Str(pattern)]) if Time::knows(pattern) => {
            Value::str(time.format(pattern))
        }
        ("year", []) => part("%Y"),
        ("month", []) => part("%m"),
        ("day", []) => part("%d"),
        ("hour", []) => part("%H"),
        ("iso8601", []) if time.utc => Value::str(time.format("%FT%TZ")),
        _ => return Ok(None),
    }))
}
