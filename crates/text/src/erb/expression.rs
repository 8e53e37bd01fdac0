//! Operands: literals, names, brackets.

use super::assignment::assigning;
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
    "format",
    "sprintf",
];

impl Parser<'_> {
    pub(super) fn operand(&mut self) -> Result<Expr, Unsupported> {
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
            Kind::Text(_) | Kind::Output if self.in_function => {
                return Err(Unsupported::new(
                    "text of the template in a function",
                    place,
                ));
            }
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
            Kind::Op("->") => self.arrow(place)?,
            Kind::Pattern(parts, flags) => at(Form::Pattern(self.pieces(parts)?, flags.clone())),
            Kind::Group(group) => at(Form::Group(*group)),
            other => return Err(Unsupported::new(format!("this {}", describe(other)), place)),
        })
    }

    fn pieces(&self, parts: &[Part]) -> Result<Vec<Piece>, Unsupported> {
        let code = |tokens: &[Token]| {
            let mut inner = self.within(tokens);
            let body = inner.body(&[])?;
            match inner.peek() {
                None => Ok(body),
                Some(_) => Err(inner.unsupported_here("this in `#{`")),
            }
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
        let assigned =
            matches!(self.peek().map(|t| &t.kind), Some(Kind::Op(op)) if assigning(op).is_some());
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
        if !COMMANDS.contains(&name) && !self.functions.iter().any(|known| known == name) {
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

/// Whether this is the name of a function that everything has.
pub(super) fn is_function(name: &str) -> bool {
    COMMANDS.contains(&name)
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
