//! Calls: what follows a value, arguments, blocks.

use super::ast::{Block, Call, Expr, Form};
use super::expression::call;
use super::operators::MAX_CHAIN;
use super::parser::{Parser, describe};
use super::token::{Kind, Place, Token, Unsupported};

/// Arguments in order, named arguments, and where they end.
pub(super) type Arguments = (Vec<Expr>, Vec<(String, Expr)>, Place);

impl Parser<'_> {
    /// `.method`, `&.method`, `[index]`, `::method`, again and again.
    pub(super) fn postfix(&mut self, mut expr: Expr) -> Result<Expr, Unsupported> {
        for link in 0.. {
            if link > MAX_CHAIN {
                return Err(self.unsupported_here("a chain of calls this long"));
            }
            // A line may start with the dot.
            let mut ahead = 0;
            while matches!(self.peek_at(ahead).map(|t| &t.kind), Some(Kind::Newline)) {
                ahead += 1;
            }
            let dotted = matches!(
                self.peek_at(ahead).map(|t| &t.kind),
                Some(Kind::Op("." | "&."))
            );
            if ahead > 0 && dotted {
                self.skip_newlines();
            }
            let Some(token) = self.peek() else {
                return Ok(expr);
            };
            match &token.kind {
                Kind::Op(op @ ("." | "&." | "::")) => {
                    let safe = *op == "&.";
                    self.next();
                    expr = self.method(expr, safe)?;
                }
                Kind::Op("[") if !token.spaced => {
                    let start = token.place;
                    self.next();
                    let (args, named, end) = self.arguments("]", start)?;
                    if !named.is_empty() {
                        return Err(Unsupported::new("a key as an index", start));
                    }
                    let place = expr.place.to(end);
                    expr = Expr {
                        form: call(Some(expr), "[]", args),
                        place,
                    };
                }
                _ => return Ok(expr),
            }
        }
        Ok(expr)
    }

    fn method(&mut self, receiver: Expr, safe: bool) -> Result<Expr, Unsupported> {
        self.skip_newlines();
        let Some(token) = self.next() else {
            return Err(self.unsupported_here("an unfinished call"));
        };
        let name = match &token.kind {
            Kind::Ident(name) | Kind::Const(name) => name.clone(),
            // `f.(x)`
            Kind::Op("(") => {
                let (args, named, end) = self.arguments(")", token.place)?;
                let place = receiver.place.to(end);
                let form = Form::Call(Box::new(Call {
                    receiver: Some(receiver),
                    name: "call".to_owned(),
                    args,
                    named,
                    block: None,
                    safe,
                }));
                return Ok(Expr { form, place });
            }
            other => {
                return Err(Unsupported::new(
                    format!("a call of {}", describe(other)),
                    token.place,
                ));
            }
        };
        if !super::methods::is_known(&name) {
            return Err(Unsupported::new(
                format!("the method `{name}`"),
                token.place,
            ));
        }
        let mut place = receiver.place.to(token.place);
        let mut pass = None;
        let parenthesis = self
            .peek()
            .is_some_and(|t| t.kind == Kind::Op("(") && !t.spaced);
        let (args, named) = if parenthesis {
            let open = self.peek().map_or(place, |t| t.place);
            self.next();
            self.skip_newlines();
            if self.op("&").is_some() {
                pass = Some(self.method_block()?);
                let end = self
                    .op(")")
                    .ok_or_else(|| self.unsupported_here("this argument"))?;
                place = place.to(end);
                (Vec::new(), Vec::new())
            } else {
                let (args, named, end) = self.arguments(")", open)?;
                place = place.to(end);
                (args, named)
            }
        } else if self.passes_block() {
            self.next();
            let block = self.method_block()?;
            pass = Some(block);
            (Vec::new(), Vec::new())
        } else {
            let (args, named, end) = self.bare_arguments(place, false)?;
            place = place.to(end);
            (args, named)
        };
        let block = match pass {
            Some(block) => Some(block),
            None => self.block(&mut place)?,
        };
        let form = Form::Call(Box::new(Call {
            receiver: Some(receiver),
            name,
            args,
            named,
            block,
            safe,
        }));
        Ok(Expr { form, place })
    }

    /// `map &:name`
    fn passes_block(&self) -> bool {
        let pass = self
            .peek()
            .is_some_and(|t| t.spaced && t.kind == Kind::Op("&"));
        let name = self.peek_at(1);
        pass && name.is_some_and(|t| !t.spaced && matches!(t.kind, Kind::Symbol(_)))
    }

    /// `&:name`, after the `&`.
    fn method_block(&mut self) -> Result<Block, Unsupported> {
        match self.next() {
            Some(Token {
                kind: Kind::Symbol(name),
                place,
                ..
            }) => {
                if super::methods::is_known(name) {
                    Ok(Block::Method(name.clone()))
                } else {
                    Err(Unsupported::new(format!("the method `{name}`"), *place))
                }
            }
            _ => Err(self.unsupported_here("this block argument")),
        }
    }

    /// `{ |x| … }` or `do |x| … end`, if one comes here.
    pub(super) fn block(&mut self, place: &mut Place) -> Result<Option<Block>, Unsupported> {
        let close = if self.op("{").is_some() {
            "}"
        } else if self.keyword("do").is_some() {
            "end"
        } else {
            return Ok(None);
        };
        self.skip_newlines();
        let params = if self.op("||").is_some() || self.op("|").is_none() {
            Vec::new()
        } else {
            let params = self.params(&["|"])?;
            self.next();
            params
        };
        let block = self.block_body(params, close)?;
        let end = if close == "}" {
            self.op("}")
        } else {
            self.keyword("end")
        };
        let Some(end) = end else {
            return Err(Unsupported::new("a block that is not closed", *place));
        };
        *place = place.to(end);
        Ok(Some(block))
    }

    /// Arguments up to the closing bracket.
    pub(super) fn arguments(
        &mut self,
        close: &str,
        start: Place,
    ) -> Result<Arguments, Unsupported> {
        let (mut args, mut named) = (Vec::new(), Vec::new());
        loop {
            self.skip_newlines();
            if let Some(end) = self.op(close) {
                return Ok((args, named, end));
            }
            self.argument(&mut args, &mut named)?;
            self.skip_newlines();
            if self.op(",").is_none()
                && !matches!(self.peek().map(|t| &t.kind), Some(Kind::Op(op)) if *op == close)
            {
                return Err(Unsupported::new("a bracket that is not closed", start));
            }
        }
    }

    /// Arguments without parentheses, if some follow.
    pub(super) fn bare_arguments(
        &mut self,
        start: Place,
        function: bool,
    ) -> Result<Arguments, Unsupported> {
        let (mut args, mut named) = (Vec::new(), Vec::new());
        if !self.starts_argument(function) {
            return Ok((args, named, start));
        }
        loop {
            self.argument(&mut args, &mut named)?;
            if self.op(",").is_none() {
                break;
            }
            self.skip_newlines();
        }
        let last = args
            .iter()
            .map(|a| a.place)
            .chain(named.iter().map(|(_, a)| a.place))
            .last();
        Ok((args, named, last.unwrap_or(start)))
    }

    fn argument(
        &mut self,
        args: &mut Vec<Expr>,
        named: &mut Vec<(String, Expr)>,
    ) -> Result<(), Unsupported> {
        if let Some(Token {
            kind: Kind::Label(name),
            ..
        }) = self.peek()
        {
            self.next();
            self.skip_newlines();
            named.push((name.clone(), self.expression(0)?));
            return Ok(());
        }
        if let Some(Kind::Op(op @ ("*" | "**" | "&"))) = self.peek().map(|t| &t.kind) {
            return Err(self.unsupported_here(format!("a `{op}` argument")));
        }
        let arg = self.expression(0)?;
        if self.op("=>").is_some() {
            return Err(self.unsupported_here("a hash without braces"));
        }
        args.push(arg);
        Ok(())
    }

    fn starts_argument(&self, function: bool) -> bool {
        let Some(token) = self.peek() else {
            return false;
        };
        let keyword = |name: &str| {
            matches!(
                name,
                "if" | "unless"
                    | "and"
                    | "or"
                    | "then"
                    | "do"
                    | "end"
                    | "rescue"
                    | "while"
                    | "until"
                    | "in"
                    | "else"
                    | "elsif"
                    | "when"
            )
        };
        token.spaced
            && match &token.kind {
                Kind::Str(_)
                | Kind::Command(_)
                | Kind::Int(_)
                | Kind::Float(_)
                | Kind::Const(_)
                | Kind::Symbol(_)
                | Kind::Words(_)
                | Kind::Symbols(_)
                | Kind::Pattern(..)
                | Kind::Group(_)
                | Kind::Label(_) => true,
                Kind::Ident(name) => !keyword(name),
                Kind::Op("[") => function,
                _ => false,
            }
    }
}
