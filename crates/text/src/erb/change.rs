//! Changes in place: `list << x`, `hash[k] = v`, `text << "…"`.
//!
//! Values here never change; a variable (or the list or hash in it) gets a new one instead. That is the same as long as nobody else
//! holds the old one, and where somebody does it is refused rather than guessed.

use std::rc::Rc;

use super::ast::{Call, Expr, Form, Piece};
use super::interpreter::{Eval, Interpreter, MAX_LENGTH, Stop, raise, unsupported};
use super::methods::Message;
use super::token::Place;
use super::value::Value;

/// Whether a method of this name may change its receiver.
pub(super) fn changes(name: &str) -> bool {
    matches!(
        name,
        "<<" | "push" | "append" | "concat" | "unshift" | "prepend" | "merge!" | "update" | "store"
    )
}

/// What is done to the old value: it gives the new one.
type Edit<'e, 'w> = &'e mut dyn FnMut(&mut Interpreter<'w>, &Value) -> Eval;

impl<'w> Interpreter<'w> {
    /// A call that changes its receiver, which is `before` now.
    pub(super) fn change(
        &mut self,
        target: &Expr,
        before: Value,
        call: &Call,
        place: Place,
    ) -> Eval {
        let args = self.all(&call.args)?;
        if !call.named.is_empty() || call.block.is_some() {
            return Err(unsupported(
                format!("`{}` with these arguments", call.name),
                place,
            ));
        }
        self.edit(target, before, place, &mut |run, old| {
            let new = changed(old, &call.name, &args, place)?;
            run.spend(1 + new.weight(), place)?;
            Ok(new)
        })
    }

    /// `receiver[index] = value`
    pub(super) fn assign_index(
        &mut self,
        receiver: &Expr,
        index: &Value,
        value: &Value,
        place: Place,
    ) -> Eval<()> {
        let before = self.eval(receiver)?;
        match (&before, index, value) {
            (Value::Const(name), Value::Str(key), Value::Str(text)) if &**name == "ENV" => {
                self.world.set_env(key, Some(text));
                return Ok(());
            }
            (Value::Const(name), Value::Str(key), Value::Nil) if &**name == "ENV" => {
                self.world.set_env(key, None);
                return Ok(());
            }
            (Value::Const(name), Value::Str(_), _) if &**name == "ENV" => {
                return Err(raise(
                    "TypeError",
                    "no implicit conversion into String",
                    place,
                ));
            }
            (Value::Array(_) | Value::Hash(_), ..) => {}
            _ => {
                let what = format!("changing {} in place", before.class());
                return Err(unsupported(what, place));
            }
        }
        self.edit(receiver, before, place, &mut |run, old| {
            let new = with_item(old, index, value.clone(), place)?;
            run.spend(1 + new.weight(), place)?;
            Ok(new)
        })?;
        Ok(())
    }

    /// Puts what `edit` makes of a value, which is `before` now, in the value's place.
    fn edit(&mut self, target: &Expr, before: Value, place: Place, edit: Edit<'_, 'w>) -> Eval {
        match &target.form {
            Form::Local(name) => {
                // One is held by the variable, one here.
                alone(&before, 2, place)?;
                let new = edit(self, &before)?;
                self.assign(name, new.clone());
                Ok(new)
            }
            // `(hash[key] ||= []) << x`: the assignment has been made by now.
            Form::Begin(body) => match body.as_slice() {
                [
                    Expr {
                        form: Form::OpAssign { target, .. },
                        ..
                    },
                ] => self.edit(target, before, place, edit),
                _ => self.edit_loose(&before, place, edit),
            },
            Form::Call(call) if call.name == "[]" => match (&call.receiver, call.args.as_slice()) {
                (Some(holder), [index]) => {
                    if !is_pure(index) || !is_pure(holder) {
                        return Err(unsupported("changing what stands at such an index", place));
                    }
                    let index = self.eval(index)?;
                    let container = self.eval(holder)?;
                    // One is held by the container, one here.
                    alone(&before, 2, place)?;
                    let new = edit(self, &before)?;
                    drop(before);
                    let made = new.clone();
                    self.edit(holder, container, place, &mut |_, container| {
                        with_item(container, &index, new.clone(), place)
                    })?;
                    Ok(made)
                }
                _ => self.edit_loose(&before, place, edit),
            },
            // `list << a << b`: the first change has been made by now, and gave the list itself.
            Form::Call(call) if changes(&call.name) && call.name != "store" => match &call.receiver
            {
                Some(receiver) => self.edit(receiver, before, place, edit),
                None => self.edit_loose(&before, place, edit),
            },
            _ => self.edit_loose(&before, place, edit),
        }
    }

    /// What stands in no place that is known here has to be new.
    fn edit_loose(&mut self, before: &Value, place: Place, edit: Edit<'_, 'w>) -> Eval {
        alone(before, 1, place)?;
        edit(self, before)
    }

    /// `target op= value`
    pub(super) fn op_assign(
        &mut self,
        target: &Expr,
        op: &str,
        value: &Expr,
        place: Place,
    ) -> Eval {
        let (at, current) = match &target.form {
            Form::Local(name) => (None, self.local(name)),
            Form::Call(call) => match (&call.receiver, call.args.as_slice()) {
                (Some(receiver), [index]) => {
                    let (holder, index) = (self.eval(receiver)?, self.eval(index)?);
                    let current = self.index(holder, index.clone(), place)?;
                    (Some((receiver, index)), current)
                }
                _ => return Err(unsupported("this assignment", place)),
            },
            _ => return Err(unsupported("this assignment", place)),
        };
        if op == "<<" && !matches!(current, Value::Int(_)) {
            return Err(unsupported("`<<=`", place));
        }
        let keep = match op {
            "||" => current.is_truthy(),
            "&&" => !current.is_truthy(),
            _ => false,
        };
        if keep {
            return Ok(current);
        }
        let operand = self.eval(value)?;
        let result = if matches!(op, "||" | "&&") {
            operand
        } else {
            let message = Message {
                receiver: current,
                name: op,
                args: &[operand],
                named: &[],
                block: None,
                place,
            };
            super::methods::call(self, &message)?
        };
        match (&target.form, at) {
            (Form::Local(name), _) => self.assign(name, result.clone()),
            (_, Some((receiver, index))) => {
                self.assign_index(receiver, &index, &result, place)?;
            }
            _ => {}
        }
        Ok(result)
    }

    fn index(&mut self, receiver: Value, index: Value, place: Place) -> Eval {
        let message = Message {
            receiver,
            name: "[]",
            args: &[index],
            named: &[],
            block: None,
            place,
        };
        super::methods::call(self, &message)
    }
}

/// Whether an expression may be evaluated twice.
fn is_pure(expr: &Expr) -> bool {
    match &expr.form {
        Form::Nil
        | Form::Bool(_)
        | Form::Int(_)
        | Form::Float(_)
        | Form::Symbol(_)
        | Form::Local(_)
        | Form::Const(_) => true,
        Form::Str(pieces) => pieces.iter().all(|piece| match piece {
            Piece::Text(_) => true,
            Piece::Code(body) => body.iter().all(is_pure),
        }),
        Form::Call(call) => {
            call.receiver.as_ref().is_some_and(is_pure)
                && call.args.iter().all(is_pure)
                && call.named.is_empty()
                && call.block.is_none()
                && !changes(&call.name)
                && !matches!(call.name.as_str(), "call" | "delete")
        }
        _ => false,
    }
}

/// That nothing but the given number of owners holds a value: others would see it change in Ruby, and here they would not.
fn alone(value: &Value, owners: usize, place: Place) -> Eval<()> {
    let held = match value {
        Value::Str(text) => Rc::strong_count(text),
        Value::Array(items) => Rc::strong_count(items),
        Value::Hash(pairs) => Rc::strong_count(pairs),
        _ => owners,
    };
    if held > owners {
        let what = format!("changing {} that something else holds too", value.class());
        return Err(unsupported(what, place));
    }
    Ok(())
}

fn changed(old: &Value, name: &str, args: &[Value], place: Place) -> Eval {
    let refused = || {
        Message {
            receiver: old.clone(),
            name,
            args,
            named: &[],
            block: None,
            place,
        }
        .unsupported()
    };
    Ok(match (old, name, args) {
        (Value::Array(items), "<<", [_]) | (Value::Array(items), "push" | "append", _) => {
            grown(items.iter().chain(args), items.len() + args.len(), place)?
        }
        (Value::Array(items), "unshift" | "prepend", _) => grown(
            args.iter().chain(items.iter()),
            items.len() + args.len(),
            place,
        )?,
        (Value::Array(items), "concat", [Value::Array(more)]) => grown(
            items.iter().chain(more.iter()),
            items.len() + more.len(),
            place,
        )?,
        (Value::Str(text), "<<" | "concat", [Value::Str(more)]) => {
            if text.len() + more.len() > MAX_LENGTH {
                return Err(Stop::Limit("text", place));
            }
            Value::str(format!("{text}{more}"))
        }
        (Value::Str(_), "<<", [Value::Nil]) => {
            return Err(raise(
                "TypeError",
                "no implicit conversion of nil into String",
                place,
            ));
        }
        (Value::Hash(pairs), "merge!" | "update", [Value::Hash(more)]) => {
            Value::hash(pairs.iter().chain(more.iter()).cloned().collect())
        }
        (Value::Hash(_), "store", [key, value]) => with_item(old, key, value.clone(), place)?,
        _ => return Err(refused()),
    })
}

fn grown<'v>(items: impl Iterator<Item = &'v Value>, count: usize, place: Place) -> Eval {
    if count > MAX_LENGTH / 16 {
        return Err(Stop::Limit("list items", place));
    }
    Ok(Value::array(items.cloned().collect()))
}

/// A copy with one item set.
fn with_item(container: &Value, index: &Value, value: Value, place: Place) -> Eval {
    match (container, index) {
        (Value::Array(items), Value::Int(at)) => {
            let end = i64::try_from(items.len()).unwrap_or(i64::MAX);
            let mut items = items.to_vec();
            match position(*at, items.len()).and_then(|at| items.get_mut(at)) {
                Some(slot) => *slot = value,
                None if *at == end => items.push(value),
                None => return Err(unsupported("an index past the end", place)),
            }
            Ok(Value::array(items))
        }
        (Value::Hash(pairs), key) => {
            let mut pairs = pairs.to_vec();
            match pairs.iter_mut().find(|(known, _)| known == key) {
                Some((_, slot)) => *slot = value,
                None => pairs.push((key.clone(), value)),
            }
            Ok(Value::Hash(Rc::from(pairs)))
        }
        _ => Err(unsupported(
            format!("changing {} in place", container.class()),
            place,
        )),
    }
}

fn position(at: i64, count: usize) -> Option<usize> {
    let at = if at < 0 {
        at.checked_add(i64::try_from(count).ok()?)?
    } else {
        at
    };
    usize::try_from(at).ok().filter(|at| *at < count)
}
