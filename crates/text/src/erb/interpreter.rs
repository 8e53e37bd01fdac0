//! Runs a template's tree.
//!
//! In: the tree and the [`World`]. Out: the rendered text, piece by piece, or why there is none. Everything is counted, so that no
//! template runs for ever or fills the memory.

use std::rc::Rc;

use super::ast::{Block, Body, Call, Expr, Form, Param, Piece as StrPiece};
use super::tags::Piece;
use super::token::{Place, Unsupported};
use super::value::Value;
use super::world::World;
use crate::dotenv::CommandFailure;
use crate::rendered::RenderedBuilder;

/// How many steps a template may take; one is about an evaluation or 64 bytes made.
const MAX_STEPS: usize = 500_000;
/// How long a value or the output may be, in bytes or items.
pub(super) const MAX_LENGTH: usize = 4 << 20;
/// How deep templates may be rendered within templates.
const MAX_NESTING: usize = 8;

/// Why evaluation stopped.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Stop {
    /// A Ruby exception.
    Raised(Raised),
    /// Something that is not supported.
    Unsupported(Unsupported),
    /// `next` and `break` on their way to their block.
    Next(Value),
    Break(Value),
    /// Too much work or text.
    Limit(&'static str, Place),
}

/// A Ruby exception.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Raised {
    pub(super) class: &'static str,
    pub(super) message: String,
    pub(super) place: Place,
}

pub(super) type Eval<T = Value> = Result<T, Stop>;

/// The state of a run.
pub(super) struct Interpreter<'a> {
    pub(super) world: &'a mut dyn World,
    pieces: &'a [Piece],
    out: RenderedBuilder,
    /// Innermost last.
    scopes: Vec<Vec<(String, Value)>>,
    steps: usize,
    nesting: usize,
}

impl<'a> Interpreter<'a> {
    pub(super) fn new(world: &'a mut dyn World, template: &str, pieces: &'a [Piece]) -> Self {
        Self {
            world,
            pieces,
            out: RenderedBuilder::new(template),
            scopes: vec![Vec::new()],
            steps: 0,
            nesting: 0,
        }
    }

    /// Runs the whole.
    pub(super) fn render(mut self, body: &Body) -> Result<RenderedBuilder, Stop> {
        self.body(body)?;
        Ok(self.out)
    }

    /// A template within this one, with the same variables.
    pub(super) fn render_nested(&mut self, template: &str, place: Place) -> Eval<String> {
        if self.nesting >= MAX_NESTING {
            return Err(Stop::Limit("templates within templates", place));
        }
        let pieces = super::tags::pieces(template);
        let within =
            |problem: Unsupported| Stop::Unsupported(Unsupported::new(problem.what, place));
        let tokens = super::lexer::tokens(&pieces).map_err(within)?;
        let locals = self
            .scopes
            .iter()
            .flatten()
            .map(|(name, _)| name.clone())
            .collect();
        let body = super::parser::parse_with(&tokens, locals).map_err(within)?;
        let mut inner = Interpreter {
            world: &mut *self.world,
            pieces: &pieces,
            out: RenderedBuilder::new(template),
            scopes: std::mem::take(&mut self.scopes),
            steps: self.steps,
            nesting: self.nesting + 1,
        };
        let result = inner.body(&body);
        let Interpreter {
            out, scopes, steps, ..
        } = inner;
        self.scopes = scopes;
        self.steps = steps;
        result.map_err(|stop| match stop {
            Stop::Raised(raised) => Stop::Raised(Raised { place, ..raised }),
            Stop::Unsupported(problem) => within(problem),
            Stop::Limit(what, _) => Stop::Limit(what, place),
            other => other,
        })?;
        Ok(out.finish().text)
    }

    pub(super) fn body(&mut self, body: &Body) -> Eval {
        let mut last = Value::Nil;
        for expr in body {
            last = self.eval(expr)?;
        }
        Ok(last)
    }

    pub(super) fn eval(&mut self, expr: &Expr) -> Eval {
        self.spend(1, expr.place)?;
        let value = match &expr.form {
            Form::Nil => Value::Nil,
            Form::Bool(flag) => Value::Bool(*flag),
            Form::Int(number) => Value::Int(*number),
            Form::Float(number) => Value::Float(*number),
            Form::Str(pieces) => Value::str(self.string(pieces)?),
            Form::Command(pieces) => {
                let line = self.string(pieces)?;
                self.command(&line, expr.place)?
            }
            Form::Symbol(name) => Value::Symbol(Rc::from(name.as_str())),
            Form::Array(items) => Value::array(self.all(items)?),
            Form::Hash(pairs) => {
                let pairs: Eval<Vec<_>> = pairs
                    .iter()
                    .map(|(k, v)| Ok((self.eval(k)?, self.eval(v)?)))
                    .collect();
                Value::hash(pairs?)
            }
            Form::Range {
                from,
                to,
                exclusive,
            } => match (self.eval(from)?, self.eval(to)?) {
                (Value::Int(from), Value::Int(to)) => Value::Range {
                    from,
                    to,
                    exclusive: *exclusive,
                },
                _ => return Err(unsupported("a range of anything but integers", expr.place)),
            },
            Form::Local(name) => self.local(name),
            Form::Const(name) => super::methods::constant(name, expr.place)?,
            Form::Call(call) => return self.call(call, expr.place),
            Form::Not(inner) => Value::Bool(!self.eval(inner)?.is_truthy()),
            Form::And(left, right) => {
                let left = self.eval(left)?;
                if left.is_truthy() {
                    self.eval(right)?
                } else {
                    left
                }
            }
            Form::Or(left, right) => {
                let left = self.eval(left)?;
                if left.is_truthy() {
                    left
                } else {
                    self.eval(right)?
                }
            }
            Form::If {
                condition,
                then,
                otherwise,
            } => {
                let branch = if self.eval(condition)?.is_truthy() {
                    then
                } else {
                    otherwise
                };
                self.body(branch)?
            }
            Form::Case {
                subject,
                whens,
                otherwise,
            } => self.case(subject.as_deref(), whens, otherwise)?,
            Form::Assign { name, value } => {
                let value = self.eval(value)?;
                self.assign(name, value.clone());
                value
            }
            Form::AssignIndex {
                receiver,
                index,
                value,
            } => {
                let (receiver, index) = (self.eval(receiver)?, self.eval(index)?);
                let value = self.eval(value)?;
                self.assign_index(&receiver, &index, &value, expr.place)?;
                value
            }
            Form::OpAssign { target, op, value } => {
                self.op_assign(target, op, value, expr.place)?
            }
            Form::Rescue { tried, otherwise } => match self.eval(tried) {
                Err(Stop::Raised(_)) => self.eval(otherwise)?,
                other => other?,
            },
            Form::Begin(body) => self.body(body)?,
            Form::Next(value) => return Err(Stop::Next(self.optional(value.as_deref())?)),
            Form::Break(value) => return Err(Stop::Break(self.optional(value.as_deref())?)),
            Form::Text(index) => {
                self.text(*index, expr.place)?;
                Value::Nil
            }
            Form::Output(body) => {
                let text = self.body(body)?.to_s();
                self.room(text.len(), expr.place)?;
                self.out.computed(&text, expr.place.start, expr.place.end);
                Value::Nil
            }
        };
        self.spend(value.weight(), expr.place)?;
        Ok(value)
    }

    fn text(&mut self, index: usize, place: Place) -> Eval<()> {
        match self.pieces.get(index) {
            Some(Piece::Text { start, end }) => {
                self.room(end - start, place)?;
                self.out.copy(*start, *end);
            }
            Some(Piece::Literal { text, start, end }) => {
                self.room(text.len(), place)?;
                self.out.computed(text, *start, *end);
            }
            _ => {}
        }
        Ok(())
    }

    fn room(&mut self, more: usize, place: Place) -> Eval<()> {
        self.spend(more / 64, place)?;
        if self.out.len() + more > MAX_LENGTH {
            return Err(Stop::Limit("output", place));
        }
        Ok(())
    }

    pub(super) fn spend(&mut self, steps: usize, place: Place) -> Eval<()> {
        self.steps = self.steps.saturating_add(steps);
        if self.steps > MAX_STEPS {
            return Err(Stop::Limit("work", place));
        }
        Ok(())
    }

    fn string(&mut self, pieces: &[StrPiece]) -> Eval<String> {
        let mut out = String::new();
        for piece in pieces {
            match piece {
                StrPiece::Text(text) => out.push_str(text),
                StrPiece::Code(body) => out.push_str(&self.body(body)?.to_s()),
            }
            if out.len() > MAX_LENGTH {
                return Err(Stop::Limit("text", Place::default()));
            }
        }
        Ok(out)
    }

    pub(super) fn all(&mut self, exprs: &[Expr]) -> Eval<Vec<Value>> {
        exprs.iter().map(|expr| self.eval(expr)).collect()
    }

    fn optional(&mut self, expr: Option<&Expr>) -> Eval {
        expr.map_or(Ok(Value::Nil), |expr| self.eval(expr))
    }

    /// Backticks: the output as it is, whatever the exit status.
    pub(super) fn command(&mut self, line: &str, place: Place) -> Eval {
        match self.world.command(line) {
            Ok(output) => Ok(Value::str(output.stdout)),
            Err(failure) => {
                let class = match failure {
                    CommandFailure::NotFound { .. } => "Errno::ENOENT",
                    CommandFailure::Other(_) => "RuntimeError",
                };
                Err(raise(class, failure.to_string(), place))
            }
        }
    }

    fn call(&mut self, call: &Call, place: Place) -> Eval {
        let Some(receiver) = &call.receiver else {
            return self.function(call, place);
        };
        let receiver = self.eval(receiver)?;
        if call.safe && receiver == Value::Nil {
            return Ok(Value::Nil);
        }
        let args = self.all(&call.args)?;
        let named: Eval<Vec<_>> = call
            .named
            .iter()
            .map(|(k, v)| Ok((k.as_str(), self.eval(v)?)))
            .collect();
        let named = named?;
        let value = super::methods::call(
            self,
            &super::methods::Message {
                receiver,
                name: &call.name,
                args: &args,
                named: &named,
                block: call.block.as_ref(),
                place,
            },
        )?;
        self.spend(1 + value.weight(), place)?;
        Ok(value)
    }

    fn function(&mut self, call: &Call, place: Place) -> Eval {
        let args = self.all(&call.args)?;
        super::methods::function(self, &call.name, &args, place)
    }

    fn case(
        &mut self,
        subject: Option<&Expr>,
        whens: &[(Vec<Expr>, Body)],
        otherwise: &Body,
    ) -> Eval {
        let subject = match subject {
            Some(expr) => Some(self.eval(expr)?),
            None => None,
        };
        for (values, body) in whens {
            for expr in values {
                let value = self.eval(expr)?;
                let matches = match (&subject, &value) {
                    (None, value) => value.is_truthy(),
                    (
                        Some(Value::Int(number)),
                        Value::Range {
                            from,
                            to,
                            exclusive,
                        },
                    ) => from <= number && (number < to || (!exclusive && number == to)),
                    (Some(_), Value::Range { .. }) => false,
                    (Some(_), Value::Const(_)) => {
                        return Err(unsupported("a class after `when`", expr.place));
                    }
                    (Some(subject), value) => value.equals(subject),
                };
                if matches {
                    return self.body(body);
                }
            }
        }
        self.body(otherwise)
    }

    fn op_assign(&mut self, target: &Expr, op: &str, value: &Expr, place: Place) -> Eval {
        let (receiver, index, current) = match &target.form {
            Form::Local(name) => (None, None, self.local(name)),
            Form::Call(call) => match (&call.receiver, call.args.first()) {
                (Some(receiver), Some(index)) => {
                    let (receiver, index) = (self.eval(receiver)?, self.eval(index)?);
                    let current = self.index(receiver.clone(), index.clone(), place)?;
                    (Some(receiver), Some(index), current)
                }
                _ => return Err(unsupported("this assignment", place)),
            },
            _ => return Err(unsupported("this assignment", place)),
        };
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
            let message = super::methods::Message {
                receiver: current,
                name: op,
                args: &[operand],
                named: &[],
                block: None,
                place,
            };
            super::methods::call(self, &message)?
        };
        match (&target.form, receiver, index) {
            (Form::Local(name), ..) => self.assign(name, result.clone()),
            (_, Some(receiver), Some(index)) => {
                self.assign_index(&receiver, &index, &result, place)?;
            }
            _ => {}
        }
        Ok(result)
    }

    fn index(&mut self, receiver: Value, index: Value, place: Place) -> Eval {
        let message = super::methods::Message {
            receiver,
            name: "[]",
            args: &[index],
            named: &[],
            block: None,
            place,
        };
        super::methods::call(self, &message)
    }

    /// Only the environment can be changed by index: other values are never changed in place.
    fn assign_index(
        &mut self,
        receiver: &Value,
        index: &Value,
        value: &Value,
        place: Place,
    ) -> Eval<()> {
        match (receiver, index, value) {
            (Value::Const(name), Value::Str(key), Value::Str(text)) if &**name == "ENV" => {
                self.world.set_env(key, Some(text));
            }
            (Value::Const(name), Value::Str(key), Value::Nil) if &**name == "ENV" => {
                self.world.set_env(key, None);
            }
            (Value::Const(name), Value::Str(_), _) if &**name == "ENV" => {
                let message = "no implicit conversion into String";
                return Err(raise("TypeError", message, place));
            }
            _ => {
                return Err(unsupported(
                    format!("changing {} in place", receiver.class()),
                    place,
                ));
            }
        }
        Ok(())
    }

    fn local(&self, name: &str) -> Value {
        let found = self
            .scopes
            .iter()
            .rev()
            .find_map(|scope| scope.iter().rev().find(|(known, _)| known == name));
        found.map_or(Value::Nil, |(_, value)| value.clone())
    }

    fn assign(&mut self, name: &str, value: Value) {
        for scope in self.scopes.iter_mut().rev() {
            if let Some((_, slot)) = scope.iter_mut().rev().find(|(known, _)| known == name) {
                *slot = value;
                return;
            }
        }
        if let Some(scope) = self.scopes.last_mut() {
            scope.push((name.to_owned(), value));
        }
    }

    /// Calls a block; `next` gives its value here, `break` goes on to the method ([`Interpreter::looping`]).
    pub(super) fn yield_to(&mut self, block: &Block, args: &[Value], place: Place) -> Eval {
        self.spend(1, place)?;
        let (params, body) = match block {
            Block::Method(name) => {
                let message = super::methods::Message {
                    receiver: args.first().cloned().unwrap_or(Value::Nil),
                    name,
                    args: args.get(1..).unwrap_or_default(),
                    named: &[],
                    block: None,
                    place,
                };
                return super::methods::call(self, &message);
            }
            Block::Code { params, body } => (params, body),
        };
        self.scopes.push(bind(params, args));
        let result = self.body(body);
        self.scopes.pop();
        match result {
            Err(Stop::Next(value)) => Ok(value),
            other => other,
        }
    }
}

/// A block's parameters get its arguments; several parameters take a single list apart.
fn bind(params: &[Param], args: &[Value]) -> Vec<(String, Value)> {
    let spread: Vec<Value> = match args {
        [Value::Array(items)] if params.len() > 1 => items.to_vec(),
        args => args.to_vec(),
    };
    let mut scope = Vec::new();
    if params.is_empty() {
        let first = args.first().cloned().unwrap_or(Value::Nil);
        scope.extend([("it".to_owned(), first.clone()), ("_1".to_owned(), first)]);
    }
    for (at, param) in params.iter().enumerate() {
        let value = spread.get(at).cloned().unwrap_or(Value::Nil);
        match (param, &value) {
            (Param::One(name), _) => scope.push((name.clone(), value)),
            (Param::Many(names), Value::Array(items)) => {
                for (at, name) in names.iter().enumerate() {
                    scope.push((name.clone(), items.get(at).cloned().unwrap_or(Value::Nil)));
                }
            }
            (Param::Many(names), _) => {
                for (at, name) in names.iter().enumerate() {
                    scope.push((
                        name.clone(),
                        if at == 0 { value.clone() } else { Value::Nil },
                    ));
                }
            }
        }
    }
    scope
}

/// A Ruby exception.
pub(super) fn raise(class: &'static str, message: impl Into<String>, place: Place) -> Stop {
    Stop::Raised(Raised {
        class,
        message: message.into(),
        place,
    })
}

/// Something only Ruby can do.
pub(super) fn unsupported(what: impl Into<String>, place: Place) -> Stop {
    Stop::Unsupported(Unsupported::new(what, place))
}
