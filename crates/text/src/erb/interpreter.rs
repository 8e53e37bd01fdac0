//! Runs a template's tree.
//!
//! In: the tree and the [`World`]. Out: the rendered text, piece by piece, or why there is none. Everything is counted, so that no
//! template runs for ever or fills the memory.

use std::rc::Rc;

use super::ast::{Body, Call, Expr, Form, Function, Piece as StrPiece};
use super::matching::Match;
use super::pattern::Pattern;
use super::scopes::Scope;
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
/// How deep evaluations may be nested, calls included: the stack of a thread has room for more.
const MAX_DEPTH: usize = 100;

/// Why evaluation stopped.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Stop {
    /// A Ruby exception.
    Raised(Raised),
    /// Something that is not supported.
    Unsupported(Unsupported),
    /// `next` and `break` on their way to their block, `return` to its function.
    Next(Value),
    Break(Value),
    Return(Value),
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
    pub(super) scopes: Vec<Scope>,
    /// Scopes that outlive their block, in lambdas.
    pub(super) captured: Vec<Scope>,
    pub(super) functions: Vec<Rc<Function>>,
    /// How many functions are being called within each other.
    pub(super) calls: usize,
    /// What `$~` is.
    pub(super) last_match: Option<Rc<Match>>,
    steps: usize,
    nesting: usize,
    depth: usize,
}

impl<'a> Interpreter<'a> {
    pub(super) fn new(world: &'a mut dyn World, template: &str, pieces: &'a [Piece]) -> Self {
        Self {
            world,
            pieces,
            out: RenderedBuilder::new(template),
            scopes: vec![Scope::default()],
            captured: Vec::new(),
            functions: Vec::new(),
            calls: 0,
            last_match: None,
            steps: 0,
            nesting: 0,
            depth: 0,
        }
    }

    /// Runs the whole.
    pub(super) fn render(mut self, body: &Body) -> Result<RenderedBuilder, Stop> {
        let result = self.body(body);
        self.forget();
        result?;
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
        let functions = self.functions.iter().map(|f| f.name.clone()).collect();
        let body = super::parser::parse_with(&tokens, self.names(), functions).map_err(within)?;
        let mut inner = Interpreter {
            world: &mut *self.world,
            pieces: &pieces,
            out: RenderedBuilder::new(template),
            scopes: std::mem::take(&mut self.scopes),
            captured: std::mem::take(&mut self.captured),
            functions: std::mem::take(&mut self.functions),
            calls: self.calls,
            last_match: self.last_match.take(),
            steps: self.steps,
            nesting: self.nesting + 1,
            depth: self.depth,
        };
        let result = inner.body(&body);
        let text = std::mem::replace(&mut inner.out, RenderedBuilder::new(""));
        self.steps = inner.steps;
        self.scopes = inner.scopes;
        self.captured = inner.captured;
        self.functions = inner.functions;
        self.last_match = inner.last_match;
        result.map_err(|stop| match stop {
            Stop::Raised(raised) => Stop::Raised(Raised { place, ..raised }),
            Stop::Unsupported(problem) => within(problem),
            Stop::Limit(what, _) => Stop::Limit(what, place),
            other => other,
        })?;
        Ok(text.finish().text)
    }

    pub(super) fn body(&mut self, body: &Body) -> Eval {
        let Some((last, before)) = body.split_last() else {
            return Ok(Value::Nil);
        };
        for expr in before {
            // Nothing holds its value while the next is made: see [`super::change`].
            drop(self.eval(expr)?);
        }
        self.eval(last)
    }

    pub(super) fn eval(&mut self, expr: &Expr) -> Eval {
        if self.depth >= MAX_DEPTH {
            return Err(Stop::Limit("nesting", expr.place));
        }
        self.depth += 1;
        let value = self.value(expr);
        self.depth -= 1;
        value
    }

    fn value(&mut self, expr: &Expr) -> Eval {
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
            Form::Pattern(pieces, flags) => {
                let source = self.string(pieces)?;
                Value::Pattern(Rc::new(Pattern::new(&source, flags, expr.place)?))
            }
            Form::Group(0) => self.last_match.clone().map_or(Value::Nil, Value::Match),
            Form::Group(group) => {
                let found = self
                    .last_match
                    .as_ref()
                    .and_then(|found| found.group(*group));
                found.map_or(Value::Nil, Value::str)
            }
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
            Form::AssignMany { names, value } => {
                let value = self.eval(value)?;
                let items = match &value {
                    Value::Array(items) => items.to_vec(),
                    other => vec![other.clone()],
                };
                for (at, name) in names.iter().enumerate() {
                    self.assign(name, items.get(at).cloned().unwrap_or(Value::Nil));
                }
                value
            }
            Form::AssignIndex {
                receiver,
                index,
                value,
            } => {
                let index = self.eval(index)?;
                let value = self.eval(value)?;
                self.assign_index(receiver, &index, &value, expr.place)?;
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
            Form::While {
                condition,
                wanted,
                body,
                body_first,
            } => self.while_loop(condition, *wanted, body, *body_first)?,
            Form::Loop(block) => loop {
                match self.yield_to(block, &[], expr.place) {
                    Err(Stop::Break(value)) => break value,
                    other => other?,
                };
            },
            Form::Def(function) => {
                self.functions.retain(|known| known.name != function.name);
                self.functions.push(function.clone());
                Value::Symbol(Rc::from(function.name.as_str()))
            }
            Form::Lambda(function) => self.closure(function),
            Form::Return(value) => return Err(Stop::Return(self.optional(value.as_deref())?)),
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
        let target = receiver;
        let receiver = self.eval(target)?;
        if call.safe && receiver == Value::Nil {
            return Ok(Value::Nil);
        }
        let is_container = matches!(receiver, Value::Array(_) | Value::Hash(_) | Value::Str(_));
        if is_container && super::change::changes(&call.name) {
            return self.change(target, receiver, call, place);
        }
        let args = self.all(&call.args)?;
        let named = self.all_named(&call.named)?;
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

    fn all_named<'e>(&mut self, named: &'e [(String, Expr)]) -> Eval<Vec<(&'e str, Value)>> {
        let named = named.iter();
        named
            .map(|(k, v)| Ok((k.as_str(), self.eval(v)?)))
            .collect()
    }

    fn function(&mut self, call: &Call, place: Place) -> Eval {
        let args = self.all(&call.args)?;
        let named = self.all_named(&call.named)?;
        let own = self.functions.iter().find(|known| known.name == call.name);
        if let Some(function) = own.cloned() {
            return self.invoke(&function, None, &args, &named, place);
        }
        super::methods::function(self, &call.name, &args, &named, place)
    }

    fn while_loop(
        &mut self,
        condition: &Expr,
        wanted: bool,
        body: &Body,
        body_first: bool,
    ) -> Eval {
        let mut first = body_first;
        loop {
            if !std::mem::take(&mut first) && self.eval(condition)?.is_truthy() != wanted {
                return Ok(Value::Nil);
            }
            self.spend(1, condition.place)?;
            match self.body(body) {
                Err(Stop::Break(value)) => return Ok(value),
                Err(Stop::Next(_)) => {}
                other => drop(other?),
            }
        }
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
                    (Some(Value::Str(text) | Value::Symbol(text)), Value::Pattern(pattern)) => {
                        let text = text.clone();
                        self.matched(pattern, &text, expr.place)?.is_some()
                    }
                    (Some(_), Value::Pattern(_)) => false,
                    (Some(_), Value::Lambda(_)) => {
                        return Err(unsupported("a lambda after `when`", expr.place));
                    }
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
