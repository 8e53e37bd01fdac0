//! Variables, and the code that has some of its own: blocks, functions, lambdas.
//!
//! A scope is shared by the code that runs in it and the lambdas made there.

use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;

use super::ast::{Block, Function, FunctionKind, Param};
use super::interpreter::{Eval, Interpreter, Stop, raise};
use super::token::Place;
use super::value::Value;

/// How many functions may be called within each other.
const MAX_CALLS: usize = 16;

/// Variables by name.
pub(super) type Scope = Rc<RefCell<Vec<(String, Value)>>>;

/// A lambda with the variables around it. Equal only to itself.
pub(super) struct Closure {
    pub(super) function: Rc<Function>,
    scopes: Vec<Scope>,
}

impl PartialEq for Closure {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self, other)
    }
}

impl fmt::Debug for Closure {
    // The variables may hold this very lambda.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Closure")
            .field("function", &self.function)
            .finish_non_exhaustive()
    }
}

impl Interpreter<'_> {
    /// Every variable there is here.
    pub(super) fn names(&self) -> Vec<String> {
        let mut names = Vec::new();
        for scope in &self.scopes {
            names.extend(scope.borrow().iter().map(|(name, _)| name.clone()));
        }
        names
    }

    pub(super) fn local(&self, name: &str) -> Value {
        let found = self.scopes.iter().rev().find_map(|scope| {
            let scope = scope.borrow();
            scope
                .iter()
                .rev()
                .find(|(known, _)| known == name)
                .map(|(_, value)| value.clone())
        });
        found.unwrap_or(Value::Nil)
    }

    pub(super) fn assign(&mut self, name: &str, value: Value) {
        for scope in self.scopes.iter().rev() {
            let mut scope = scope.borrow_mut();
            if let Some((_, slot)) = scope.iter_mut().rev().find(|(known, _)| known == name) {
                *slot = value;
                return;
            }
        }
        if let Some(scope) = self.scopes.last() {
            scope.borrow_mut().push((name.to_owned(), value));
        }
    }

    /// A lambda of what is around here.
    pub(super) fn closure(&mut self, function: &Rc<Function>) -> Value {
        for scope in &self.scopes {
            if !self.captured.iter().any(|known| Rc::ptr_eq(known, scope)) {
                self.captured.push(scope.clone());
            }
        }
        Value::Lambda(Rc::new(Closure {
            function: function.clone(),
            scopes: self.scopes.clone(),
        }))
    }

    /// Lets go of everything, of lambdas too that stand in the scope they hold.
    pub(super) fn forget(&mut self) {
        for scope in self.captured.drain(..) {
            let values = std::mem::take(&mut *scope.borrow_mut());
            drop(values);
        }
    }

    /// Calls a block; `next` gives its value here, `break` goes on to the method.
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
        self.scopes.push(Rc::new(RefCell::new(bind(params, args))));
        let result = self.body(body);
        self.scopes.pop();
        match result {
            Err(Stop::Next(value)) => Ok(value),
            other => other,
        }
    }

    /// Calls a lambda.
    pub(super) fn call_closure(
        &mut self,
        closure: &Closure,
        args: &[Value],
        named: &[(&str, Value)],
        place: Place,
    ) -> Eval {
        self.invoke(&closure.function, Some(&closure.scopes), args, named, place)
    }

    /// Calls a function, in the given surroundings or in none.
    pub(super) fn invoke(
        &mut self,
        function: &Function,
        around: Option<&[Scope]>,
        args: &[Value],
        named: &[(&str, Value)],
        place: Place,
    ) -> Eval {
        self.spend(1, place)?;
        if self.calls >= MAX_CALLS {
            return Err(Stop::Limit("calls within calls", place));
        }
        let own = Scope::default();
        let mut inner = around.map(<[Scope]>::to_vec).unwrap_or_default();
        inner.push(own.clone());
        let outer = std::mem::replace(&mut self.scopes, inner);
        let outer_match = match function.kind {
            FunctionKind::Def => Some(self.last_match.take()),
            FunctionKind::Lambda | FunctionKind::Proc => None,
        };
        self.calls += 1;
        let result = match self.take_arguments(function, &own, args, named, place) {
            Ok(()) => self.body(&function.body),
            Err(stop) => Err(stop),
        };
        self.calls -= 1;
        self.scopes = outer;
        if let Some(before) = outer_match {
            self.last_match = before;
        }
        match (result, function.kind) {
            // A proc's own `return` is that of the function around it.
            (Err(Stop::Return(value)), FunctionKind::Def | FunctionKind::Lambda)
            | (Err(Stop::Next(value)), _)
            | (Err(Stop::Break(value)), FunctionKind::Lambda) => Ok(value),
            (other, _) => other,
        }
    }

    fn take_arguments(
        &mut self,
        function: &Function,
        own: &Scope,
        args: &[Value],
        named: &[(&str, Value)],
        place: Place,
    ) -> Eval<()> {
        let positions: Vec<_> = function.params.iter().filter(|p| !p.named).collect();
        let args = match (function.kind, args) {
            (FunctionKind::Proc, [Value::Array(items)]) if positions.len() > 1 => items,
            (_, args) => args,
        };
        let least = positions.iter().filter(|p| p.default.is_none()).count();
        let exact = function.kind != FunctionKind::Proc;
        if exact && !(least..=positions.len()).contains(&args.len()) {
            let expected = match positions.len() {
                most if most > least => format!("{least}..{most}"),
                _ => least.to_string(),
            };
            let problem = format!(
                "wrong number of arguments (given {}, expected {expected})",
                args.len()
            );
            return Err(raise("ArgumentError", problem, place));
        }
        if let Some((name, _)) = named
            .iter()
            .find(|(name, _)| !function.params.iter().any(|p| p.named && p.name == *name))
        {
            return Err(raise(
                "ArgumentError",
                format!("unknown keyword: :{name}"),
                place,
            ));
        }
        // Optional ones in the middle take what the required ones behind them leave.
        let mut optional = args.len().saturating_sub(least);
        let mut rest = args.iter();
        for param in &function.params {
            let given = if param.named {
                named
                    .iter()
                    .find(|(name, _)| *name == param.name)
                    .map(|(_, value)| value.clone())
            } else if param.default.is_some() && optional == 0 {
                None
            } else {
                optional -= usize::from(param.default.is_some());
                rest.next().cloned()
            };
            let value = match (given, &param.default) {
                (Some(value), _) => value,
                (None, Some(default)) => self.eval(default)?,
                (None, None) if param.named => {
                    return Err(raise(
                        "ArgumentError",
                        format!("missing keyword: :{}", param.name),
                        place,
                    ));
                }
                (None, None) => Value::Nil,
            };
            own.borrow_mut().push((param.name.clone(), value));
        }
        Ok(())
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
