//! Expressions: operators by precedence, calls, literals.

use super::ast::{Call, Expr, Form, Piece};
use super::parser::{Parser, describe};
use super::token::{Kind, Part, Place, Token, Unsupported};

/// Functions that are called without a receiver and take arguments without parentheses.
const COMMANDS: &[&str] = &[
    "puts",
    "print",
    "p",
    "require",
    "require_relative",
    "raise",
    "fail",
    "abort",
    "binding",
    "Integer",
    "Float",
    "String",
    "Array",
];

/// How many variables a template may have.
const MAX_LOCALS: usize = 200;

/// How many operators or calls may follow each other in one expression.
pub(super) const MAX_CHAIN: usize = 100;

/// Left and right binding power of a binary operator.
fn power(op: &str) -> Option<(u8, u8)> {
    Some(match op {
        "?" => (6, 5),
        ".." | "..." => (8, 9),
        "||" => (10, 11),
        "&&" => (12, 13),
        "<=>" | "==" | "===" | "!=" | "=~" | "!~" => (14, 15),
        "<" | "<=" | ">" | ">=" => (16, 17),
        "|" | "^" => (18, 19),
        "&" => (20, 21),
        "<<" | ">>" => (22, 23),
        "+" | "-" => (24, 25),
        "*" | "/" | "%" => (26, 27),
        "**" => (31, 30),
        _ => return None,
    })
}

impl Parser<'_> {
    /// An expression whose operators bind at least this tightly.
    pub(super) fn expression(&mut self, least: u8) -> Result<Expr, Unsupported> {
        self.deeper()?;
        let mut left = self.operand()?;
        if least < 5
            && let Some(assigned) = self.assignment(&left)?
        {
            left = assigned;
        }
        // Chains grow the tree to the left without nesting in the text: they are bounded too.
        for link in 0.. {
            let Some(Token {
                kind: Kind::Op(op),
                place,
                ..
            }) = self.peek()
            else {
                break;
            };
            if link > MAX_CHAIN {
                return Err(self.unsupported_here("an expression this long"));
            }
            let (op, op_place) = (*op, *place);
            let Some((left_power, right_power)) = power(op) else {
                break;
            };
            if left_power < least {
                break;
            }
            if matches!(op, "=~" | "!~" | "<<" | ">>" | "|" | "&" | "^") {
                return Err(Unsupported::new(format!("the operator `{op}`"), op_place));
            }
            self.next();
            self.skip_newlines();
            if op == "?" {
                left = self.ternary(left)?;
                continue;
            }
            let right = self.expression(right_power)?;
            let place = left.place.to(right.place);
            let (a, b) = (Box::new(left), Box::new(right));
            let form = match op {
                "||" => Form::Or(a, b),
                "&&" => Form::And(a, b),
                "!=" => Form::Not(Box::new(Expr {
                    form: call(Some(*a), "==", vec![*b]),
                    place,
                })),
                ".." | "..." => Form::Range {
                    from: a,
                    to: b,
                    exclusive: op == "...",
                },
                op => call(Some(*a), op, vec![*b]),
            };
            left = Expr { form, place };
        }
        self.depth -= 1;
        Ok(left)
    }

    fn ternary(&mut self, condition: Expr) -> Result<Expr, Unsupported> {
        let then = self.expression(5)?;
        self.skip_newlines();
        // `a ? b : c` and `a ? x.y :z`: the colon may have been read as part of a symbol.
        let otherwise = match self.peek().map(|t| &t.kind) {
            Some(Kind::Op(":")) => {
                self.next();
                self.skip_newlines();
                self.expression(5)?
            }
            _ => return Err(self.unsupported_here("a `?` without its `:`")),
        };
        let place = condition.place.to(otherwise.place);
        Ok(Expr {
            form: Form::If {
                condition: Box::new(condition),
                then: vec![then],
                otherwise: vec![otherwise],
            },
            place,
        })
    }

    fn assignment(&mut self, target: &Expr) -> Result<Option<Expr>, Unsupported> {
        let Some(Kind::Op(op)) = self.peek().map(|t| &t.kind) else {
            return Ok(None);
        };
        let op = *op;
        let operator = match op {
            "=" => "",
            "||=" => "||",
            "&&=" => "&&",
            "+=" => "+",
            "-=" => "-",
            "*=" => "*",
            "," if self.is_multiple_assignment() => {
                return Err(self.unsupported_here("assigning to several variables"));
            }
            _ => return Ok(None),
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
        if let Some(name) = &name
            && !self.locals.contains(name)
        {
            if self.locals.len() >= MAX_LOCALS {
                return Err(self.unsupported_here("this many variables"));
            }
            self.locals.push(name.clone());
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

    fn operand(&mut self) -> Result<Expr, Unsupported> {
        let Some(token) = self.peek() else {
            return Err(self.unsupported_here("an unfinished expression"));
        };
        let place = token.place;
        if let Kind::Op(op @ ("!" | "-" | "+")) = &token.kind {
            self.next();
            let inner = self.expression(28)?;
            let whole = place.to(inner.place);
            let form = match (*op, &inner.form) {
                ("!", _) => Form::Not(Box::new(inner)),
                ("-", Form::Int(number)) => Form::Int(-number),
                ("-", Form::Float(number)) => Form::Float(-number),
                ("+", Form::Int(_) | Form::Float(_)) => inner.form,
                _ => call(
                    Some(inner),
                    if *op == "-" { "-@" } else { "+@" },
                    Vec::new(),
                ),
            };
            return Ok(Expr { form, place: whole });
        }
        let primary = match self.keyword_form()? {
            Some(expr) => expr,
            None => self.primary()?,
        };
        self.postfix(primary)
    }

    fn primary(&mut self) -> Result<Expr, Unsupported> {
        let Some(token) = self.next() else {
            return Err(self.unsupported_here("an unfinished expression"));
        };
        let place = token.place;
        let at = |form| Expr { form, place };
        Ok(match &token.kind {
            Kind::Int(number) => at(Form::Int(*number)),
            Kind::Float(number) => at(Form::Float(*number)),
            Kind::Str(parts) => {
                let mut pieces = self.pieces(parts)?;
                let mut whole = place;
                // Adjacent literals are one string.
                while let Some(Token {
                    kind: Kind::Str(parts),
                    place,
                    ..
                }) = self.peek()
                {
                    pieces.extend(self.pieces(parts)?);
                    whole = whole.to(*place);
                    self.next();
                }
                Expr {
                    form: Form::Str(pieces),
                    place: whole,
                }
            }
            Kind::Command(parts) => at(Form::Command(self.pieces(parts)?)),
            Kind::Words(words) => at(Form::Array(
                words
                    .iter()
                    .map(|w| at(Form::Str(vec![Piece::Text(w.clone())])))
                    .collect(),
            )),
            Kind::Symbols(names) => at(Form::Array(
                names.iter().map(|n| at(Form::Symbol(n.clone()))).collect(),
            )),
            Kind::Symbol(name) => at(Form::Symbol(name.clone())),
            Kind::Text(piece) => at(Form::Text(*piece)),
            Kind::Output => {
                let body = self.body(&[])?;
                match self.next().map(|t| &t.kind) {
                    Some(Kind::OutputEnd) => at(Form::Output(body)),
                    _ => return Err(Unsupported::new("a block that starts in `<%=`", place)),
                }
            }
            Kind::Const(name) => self.constant(name, place)?,
            Kind::Ident(name) => self.name(name, token)?,
            Kind::Op("(") => {
                let body = self.body(&[")"])?;
                let Some(end) = self.op(")") else {
                    return Err(Unsupported::new("a `(` that is not closed", place));
                };
                Expr {
                    form: Form::Begin(body),
                    place: place.to(end),
                }
            }
            Kind::Op("[") => {
                let (items, named, end) = self.arguments("]", place)?;
                if !named.is_empty() {
                    return Err(Unsupported::new("a key in a list", place));
                }
                Expr {
                    form: Form::Array(items),
                    place: place.to(end),
                }
            }
            Kind::Op("{") => self.hash(place)?,
            Kind::Op("->") => return Err(Unsupported::new("a lambda", place)),
            other => return Err(Unsupported::new(format!("this {}", describe(other)), place)),
        })
    }

    fn pieces(&self, parts: &[Part]) -> Result<Vec<Piece>, Unsupported> {
        let code = |tokens: &[Token]| {
            let mut inner = Parser::new(tokens, self.locals.clone(), self.depth);
            inner.body(&[])
        };
        parts
            .iter()
            .map(|part| match part {
                Part::Text(text) => Ok(Piece::Text(text.clone())),
                Part::Code(tokens) => code(tokens).map(Piece::Code),
            })
            .collect()
    }

    fn constant(&mut self, name: &str, start: Place) -> Result<Expr, Unsupported> {
        let mut path = name.to_owned();
        let mut place = start;
        if COMMANDS.contains(&name) && matches!(self.peek().map(|t| &t.kind), Some(Kind::Op("("))) {
            return self.function(name, place);
        }
        while let (Some(Kind::Op("::")), Some(Kind::Const(next))) = (
            self.peek().map(|t| &t.kind),
            self.peek_at(1).map(|t| &t.kind),
        ) {
            path = format!("{path}::{next}");
            self.next();
            place = place.to(self.peek().map_or(place, |t| t.place));
            self.next();
        }
        if !super::methods::is_constant(&path) {
            return Err(Unsupported::new(format!("`{path}`"), place));
        }
        Ok(Expr {
            form: Form::Const(path),
            place,
        })
    }

    /// A local variable, or a function.
    fn name(&mut self, name: &str, token: &Token) -> Result<Expr, Unsupported> {
        let place = token.place;
        let assigned = matches!(
            self.peek().map(|t| &t.kind),
            Some(Kind::Op("=" | "||=" | "&&=" | "+=" | "-=" | "*="))
        );
        if self.locals.iter().any(|local| local == name) {
            return Ok(Expr {
                form: Form::Local(name.to_owned()),
                place,
            });
        }
        if assigned {
            return Ok(Expr {
                form: call(None, name, Vec::new()),
                place,
            });
        }
        if !COMMANDS.contains(&name) {
            return Err(Unsupported::new(format!("`{name}`"), place));
        }
        self.function(name, place)
    }

    fn function(&mut self, name: &str, place: Place) -> Result<Expr, Unsupported> {
        let (args, named, end) = if let Some(open) = self.op("(") {
            self.arguments(")", open)?
        } else {
            self.bare_arguments(place, true)?
        };
        let form = Form::Call(Box::new(Call {
            receiver: None,
            name: name.to_owned(),
            args,
            named,
            block: None,
            safe: false,
        }));
        Ok(Expr {
            form,
            place: place.to(end),
        })
    }

    fn hash(&mut self, start: Place) -> Result<Expr, Unsupported> {
        let mut pairs = Vec::new();
        loop {
            self.skip_newlines();
            if let Some(end) = self.op("}") {
                return Ok(Expr {
                    form: Form::Hash(pairs),
                    place: start.to(end),
                });
            }
            let key = match self.peek() {
                Some(Token {
                    kind: Kind::Label(name),
                    place,
                    ..
                }) => {
                    self.next();
                    Expr {
                        form: Form::Symbol(name.clone()),
                        place: *place,
                    }
                }
                _ => {
                    let key = self.expression(0)?;
                    self.skip_newlines();
                    if self.op("=>").is_none() {
                        return Err(self.unsupported_here("this in a hash"));
                    }
                    key
                }
            };
            self.skip_newlines();
            pairs.push((key, self.expression(0)?));
            self.skip_newlines();
            if self.op(",").is_none()
                && !matches!(self.peek().map(|t| &t.kind), Some(Kind::Op("}")))
            {
                return Err(Unsupported::new("a `{` that is not closed", start));
            }
        }
    }
}

pub(super) fn call(receiver: Option<Expr>, name: &str, args: Vec<Expr>) -> Form {
    Form::Call(Box::new(Call {
        receiver,
        name: name.to_owned(),
        args,
        named: Vec::new(),
        block: None,
        safe: false,
    }))
}
