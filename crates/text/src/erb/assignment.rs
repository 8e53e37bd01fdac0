//! Assignments, to variables and by index.

use super::ast::{Expr, Form};
use super::parser::Parser;
use super::token::{Kind, Unsupported};

/// How many variables a template may have.
const MAX_LOCALS: usize = 200;

/// The operator before the `=` of an assignment; empty for a plain one.
pub(super) fn assigning(op: &str) -> Option<&'static str> {
    Some(match op {
        "=" => "",
        "||=" => "||",
        "&&=" => "&&",
        "+=" => "+",
        "-=" => "-",
        "*=" => "*",
        "/=" => "/",
        "%=" => "%",
        "**=" => "**",
        "<<=" => "<<",
        "|=" => "|",
        _ => return None,
    })
}

impl Parser<'_> {
    /// The assignment that goes on behind its target, if there is one.
    pub(super) fn assignment(&mut self, target: &Expr) -> Result<Option<Expr>, Unsupported> {
        let Some(Kind::Op(op)) = self.peek().map(|t| &t.kind) else {
            return Ok(None);
        };
        let operator = match assigning(op) {
            Some(operator) => operator,
            None if *op == "," && self.is_multiple_assignment() => {
                return Err(self.unsupported_here("assigning to several of these"));
            }
            None => return Ok(None),
        };
        let name = match &target.form {
            Form::Local(name) => Some(name.clone()),
            Form::Call(call)
                if call.receiver.is_none() && call.args.is_empty() && call.block.is_none() =>
            {
                Some(call.name.clone())
            }
            _ => None,
        };
        let index = match &target.form {
            Form::Call(call) if call.name == "[]" => match (&call.receiver, call.args.as_slice()) {
                (Some(receiver), [index]) => Some((receiver.clone(), index.clone())),
                _ => None,
            },
            _ => None,
        };
        if name.is_none() && index.is_none() {
            return Err(self.unsupported_here("assigning to this"));
        }
        self.next();
        self.skip_newlines();
        if let Some(name) = &name {
            self.variable(name)?;
        }
        let mut value = self.expression(0)?;
        if self.keyword("rescue").is_some() {
            let otherwise = self.expression(0)?;
            let place = value.place.to(otherwise.place);
            value = Expr {
                form: Form::Rescue {
                    tried: Box::new(value),
                    otherwise: Box::new(otherwise),
                },
                place,
            };
        }
        let place = target.place.to(value.place);
        let value = Box::new(value);
        let form = match (operator, name, index) {
            ("", Some(name), _) => Form::Assign { name, value },
            ("", None, Some((receiver, index))) => Form::AssignIndex {
                receiver: Box::new(receiver),
                index: Box::new(index),
                value,
            },
            (op, name, _) => {
                let form = name.map_or_else(|| target.form.clone(), Form::Local);
                let target = Box::new(Expr {
                    form,
                    place: target.place,
                });
                Form::OpAssign { target, op, value }
            }
        };
        Ok(Some(Expr { form, place }))
    }

    /// `a, b = …`
    fn is_multiple_assignment(&self) -> bool {
        matches!(
            (
                self.peek_at(1).map(|t| &t.kind),
                self.peek_at(2).map(|t| &t.kind)
            ),
            (Some(Kind::Ident(_)), Some(Kind::Op("=")))
        )
    }
    /// `a, b = …`, if that comes here: the names and what they get.
    pub(super) fn several(&mut self) -> Result<Option<Expr>, Unsupported> {
        let mut ahead = 0;
        let mut names = Vec::new();
        loop {
            let (Some(name), Some(after)) = (self.peek_at(ahead), self.peek_at(ahead + 1)) else {
                return Ok(None);
            };
            let Kind::Ident(word) = &name.kind else {
                return Ok(None);
            };
            names.push(word.clone());
            match &after.kind {
                Kind::Op(",") => ahead += 2,
                Kind::Op("=") if names.len() > 1 => break,
                _ => return Ok(None),
            }
        }
        let start = self.peek().map(|t| t.place).unwrap_or_default();
        for _ in 0..ahead + 2 {
            self.next();
        }
        self.skip_newlines();
        let mut values = vec![self.expression(0)?];
        while self.op(",").is_some() {
            self.skip_newlines();
            values.push(self.expression(0)?);
        }
        for name in &names {
            self.variable(name)?;
        }
        let place = values.last().map_or(start, |last| start.to(last.place));
        let value = match <[Expr; 1]>::try_from(values) {
            Ok([one]) => one,
            Err(values) => Expr {
                form: Form::Array(values),
                place,
            },
        };
        let value = Box::new(value);
        Ok(Some(Expr {
            form: Form::AssignMany { names, value },
            place,
        }))
    }

    /// From here on there is a variable of this name.
    fn variable(&mut self, name: &str) -> Result<(), Unsupported> {
        if !self.locals.iter().any(|known| known == name) {
            if self.locals.len() >= MAX_LOCALS {
                return Err(self.unsupported_here("this many variables"));
            }
            self.locals.push(name.to_owned());
        }
        Ok(())
    }
}
