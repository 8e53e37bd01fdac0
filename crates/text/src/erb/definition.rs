//! Blocks, loops, functions: code with names of its own.

use std::rc::Rc;

use super::ast::{Block, Expr, Form, Function, FunctionKind, Param, Parameter};
use super::parser::Parser;
use super::token::{Kind, Place, Token, Unsupported};

impl Parser<'_> {
    /// `while` and `until`, after the word.
    pub(super) fn while_loop(&mut self, wanted: bool, start: Place) -> Result<Expr, Unsupported> {
        let condition = Box::new(self.statement()?);
        if self.keyword("do").is_none()
            && !matches!(self.peek().map(|t| &t.kind), Some(Kind::Newline))
        {
            return Err(self.unsupported_here("this condition"));
        }
        let body = self.body(&["end"])?;
        let place = start.to(self.end(start)?);
        Ok(Expr {
            form: Form::While {
                condition,
                wanted,
                body,
                body_first: false,
            },
            place,
        })
    }

    /// `loop`, `lambda` and `proc`, after the word.
    pub(super) fn with_own_block(&mut self, word: &str, start: Place) -> Result<Expr, Unsupported> {
        let mut place = start;
        let outer = self.in_function;
        self.in_function |= word == "lambda";
        let block = self.block(&mut place)?;
        self.in_function = outer;
        let Some(Block::Code { params, body }) = block else {
            return Err(Unsupported::new(format!("`{word}` without a block"), start));
        };
        if word == "loop" {
            let form = Form::Loop(Box::new(Block::Code { params, body }));
            return Ok(Expr { form, place });
        }
        let params = params.into_iter().map(|param| match param {
            Param::One(name) => Ok(Parameter {
                name,
                default: None,
                named: false,
            }),
            Param::Many(_) => Err(Unsupported::new("parameters nested this deep", start)),
        });
        let kind = match word {
            "lambda" => FunctionKind::Lambda,
            _ => FunctionKind::Proc,
        };
        let function = Function {
            name: String::new(),
            kind,
            params: params.collect::<Result<_, _>>()?,
            body,
        };
        Ok(Expr {
            form: Form::Lambda(Rc::new(function)),
            place,
        })
    }

    /// `->(x) { … }`, after the arrow.
    pub(super) fn arrow(&mut self, start: Place) -> Result<Expr, Unsupported> {
        let outer = self.locals.len();
        let params = match self.op("(") {
            Some(_) => self.parameters(Some(")"))?,
            None if matches!(self.peek().map(|t| &t.kind), Some(Kind::Ident(word)) if word != "do") => {
                self.parameters(None)?
            }
            None => Vec::new(),
        };
        let close = if self.op("{").is_some() {
            "}"
        } else if self.keyword("do").is_some() {
            "end"
        } else {
            return Err(Unsupported::new("this lambda", start));
        };
        let outer_function = std::mem::replace(&mut self.in_function, true);
        let body = self.body(&[close])?;
        self.in_function = outer_function;
        self.locals.truncate(outer);
        let end = match close {
            "}" => self.op("}"),
            _ => self.keyword("end"),
        };
        let Some(end) = end else {
            return Err(Unsupported::new("a block that is not closed", start));
        };
        let function = Function {
            name: String::new(),
            kind: FunctionKind::Lambda,
            params,
            body,
        };
        Ok(Expr {
            form: Form::Lambda(Rc::new(function)),
            place: start.to(end),
        })
    }

    /// `def name(…) … end` and `def name(…) = …`, after the word.
    pub(super) fn definition(&mut self, start: Place) -> Result<Expr, Unsupported> {
        let (name, simple) = match self.next() {
            Some(Token {
                kind: Kind::Ident(name),
                ..
            }) => (name.clone(), !name.ends_with('!')),
            _ => return Err(Unsupported::new("this `def`", start)),
        };
        // A name that something here has already would change what that means.
        let taken = super::methods::is_known(&name) || super::expression::is_function(&name);
        if !simple || taken || matches!(self.peek().map(|t| &t.kind), Some(Kind::Op("."))) {
            return Err(Unsupported::new("this `def`", start));
        }
        if !self.functions.contains(&name) {
            self.functions.push(name.clone());
        }
        // Nothing from outside is seen within.
        let outer = std::mem::take(&mut self.locals);
        let outer_function = std::mem::replace(&mut self.in_function, true);
        let params = match self.op("(") {
            Some(_) => self.parameters(Some(")"))?,
            None if matches!(
                self.peek().map(|t| &t.kind),
                Some(Kind::Newline | Kind::Op("="))
            ) =>
            {
                Vec::new()
            }
            None => self.parameters(None)?,
        };
        let (body, end) = if self.op("=").is_some() {
            self.skip_newlines();
            let value = self.expression(0)?;
            let end = value.place;
            (vec![value], end)
        } else {
            let body = self.body(&["end"])?;
            (body, self.end(start)?)
        };
        self.locals = outer;
        self.in_function = outer_function;
        let function = Function {
            name,
            kind: FunctionKind::Def,
            params,
            body,
        };
        Ok(Expr {
            form: Form::Def(Rc::new(function)),
            place: start.to(end),
        })
    }

    /// A function's parameters, up to the bracket or to the first token that belongs to none. They are variables from then on.
    fn parameters(&mut self, close: Option<&str>) -> Result<Vec<Parameter>, Unsupported> {
        let mut params = Vec::new();
        loop {
            if close.is_some() {
                self.skip_newlines();
            }
            if let Some(close) = close
                && self.op(close).is_some()
            {
                return Ok(params);
            }
            let Some(token) = self.next() else {
                return Err(self.unsupported_here("unfinished parameters"));
            };
            let (name, named) = match &token.kind {
                Kind::Ident(name) => (name.clone(), false),
                Kind::Label(name) => (name.clone(), true),
                _ => return Err(Unsupported::new("this parameter", token.place)),
            };
            let ends = matches!(
                self.peek().map(|t| &t.kind),
                None | Some(Kind::Newline | Kind::Op("," | ")" | "{"))
            );
            let default = match self.peek().map(|t| &t.kind) {
                Some(Kind::Op("=")) if !named => {
                    self.next();
                    Some(self.expression(0)?)
                }
                _ if named && !ends => Some(self.expression(0)?),
                _ => None,
            };
            self.locals.push(name.clone());
            params.push(Parameter {
                name,
                default,
                named,
            });
            if self.op(",").is_none() && close.is_none() {
                return Ok(params);
            }
        }
    }

    /// `for x in list` is `list.each`, but for the scope of its variables.
    pub(super) fn for_loop(&mut self, start: Place) -> Result<Expr, Unsupported> {
        let params = self.params(&["in"])?;
        if self.keyword("in").is_none() {
            return Err(self.unsupported_here("this `for`"));
        }
        let list = self.expression(0)?;
        let _ = self.keyword("do");
        let block = self.block_body(params, "end")?;
        let place = start.to(self.end(start)?);
        let call = super::ast::Call {
            receiver: Some(list),
            name: "each".to_owned(),
            args: Vec::new(),
            named: Vec::new(),
            block: Some(block),
            safe: false,
        };
        Ok(Expr {
            form: Form::Call(Box::new(call)),
            place,
        })
    }

    /// Parameters up to the given word or operator (left unread).
    pub(super) fn params(&mut self, ends: &[&str]) -> Result<Vec<Param>, Unsupported> {
        let mut params = Vec::new();
        loop {
            let Some(token) = self.next() else {
                return Err(self.unsupported_here("unfinished parameters"));
            };
            match &token.kind {
                Kind::Ident(name) => params.push(Param::One(name.clone())),
                Kind::Op("(") => {
                    let nested = self.params(&[")"])?;
                    self.next();
                    let names = nested.into_iter().map(|param| match param {
                        Param::One(name) => Ok(name),
                        Param::Many(_) => {
                            Err(Unsupported::new("parameters nested this deep", token.place))
                        }
                    });
                    params.push(Param::Many(names.collect::<Result<_, _>>()?));
                }
                _ => return Err(Unsupported::new("this parameter", token.place)),
            }
            match self.peek().map(|t| &t.kind) {
                Some(Kind::Op(",")) => {
                    self.next();
                }
                Some(Kind::Op(op)) if ends.contains(op) => return Ok(params),
                Some(Kind::Ident(word)) if ends.contains(&word.as_str()) => return Ok(params),
                _ => return Err(self.unsupported_here("this parameter list")),
            }
        }
    }

    /// The body of a block, with its parameters as local variables.
    pub(super) fn block_body(
        &mut self,
        params: Vec<Param>,
        end: &str,
    ) -> Result<Block, Unsupported> {
        let outer = self.locals.len();
        for param in &params {
            match param {
                Param::One(name) => self.locals.push(name.clone()),
                Param::Many(names) => self.locals.extend(names.iter().cloned()),
            }
        }
        let params = if params.is_empty() {
            // `it` and `_1` name the argument of a block that names none.
            self.locals.extend(["it".to_owned(), "_1".to_owned()]);
            Vec::new()
        } else {
            params
        };
        let body = self.body(&[end])?;
        self.locals.truncate(outer);
        Ok(Block::Code { params, body })
    }
}
