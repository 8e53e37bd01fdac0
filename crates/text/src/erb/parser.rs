//! Tokens to a tree: statements and everything that has a keyword. Operators are in [`super::operators`], operands in
//! [`super::expression`], blocks and functions in [`super::definition`].

use super::ast::{Body, Expr, Form};
use super::token::{Kind, Place, Token, Unsupported};

/// How deep code may be nested.
const MAX_DEPTH: usize = 64;

/// The tree of a template.
pub(super) fn parse(tokens: &[Token]) -> Result<Body, Unsupported> {
    parse_with(tokens, Vec::new(), Vec::new())
}

/// The same where these local variables and functions exist already.
pub(super) fn parse_with(
    tokens: &[Token],
    locals: Vec<String>,
    functions: Vec<String>,
) -> Result<Body, Unsupported> {
    let mut parser = Parser {
        tokens,
        at: 0,
        locals,
        functions,
        in_function: false,
        depth: 0,
    };
    let body = parser.body(&[])?;
    match parser.peek() {
        None => Ok(body),
        Some(token) => Err(Unsupported::new(
            format!("this {}", describe(&token.kind)),
            token.place,
        )),
    }
}

pub(super) struct Parser<'t> {
    tokens: &'t [Token],
    at: usize,
    /// Names that are local variables here: a name that is none is a call.
    pub(super) locals: Vec<String>,
    /// What `def` has named so far.
    pub(super) functions: Vec<String>,
    /// In the body of a function: `return` has somewhere to go, and no text can stand there.
    pub(super) in_function: bool,
    pub(super) depth: usize,
}

impl<'t> Parser<'t> {
    /// A parser of other tokens in the same surroundings.
    pub(super) fn within<'o>(&self, tokens: &'o [Token]) -> Parser<'o> {
        Parser {
            tokens,
            at: 0,
            locals: self.locals.clone(),
            functions: self.functions.clone(),
            in_function: self.in_function,
            depth: self.depth,
        }
    }

    /// Statements up to one of the given keywords or operators (left unread), or to the end.
    pub(super) fn body(&mut self, ends: &[&str]) -> Result<Body, Unsupported> {
        let mut body = Vec::new();
        loop {
            self.skip_newlines();
            let Some(token) = self.peek() else {
                return Ok(body);
            };
            let ends_here = match &token.kind {
                Kind::Ident(name) => ends.contains(&name.as_str()),
                Kind::Op(op) => ends.contains(op),
                Kind::OutputEnd => true,
                _ => false,
            };
            if ends_here {
                return Ok(body);
            }
            let statement = self.statement()?;
            let text = matches!(statement.form, Form::Text(_) | Form::Output(_));
            body.push(statement);
            let separated = match self.peek().map(|t| &t.kind) {
                None | Some(Kind::Newline | Kind::Text(_) | Kind::Output | Kind::OutputEnd) => true,
                Some(Kind::Ident(name)) => ends.contains(&name.as_str()),
                Some(Kind::Op(op)) => ends.contains(op),
                Some(_) => false,
            };
            if !separated
                && !text
                && let Some(token) = self.peek()
            {
                let what = format!("this {} after a complete expression", describe(&token.kind));
                return Err(Unsupported::new(what, token.place));
            }
        }
    }

    /// An expression with `and`, `or` and trailing `if`, `unless`, `rescue`.
    pub(super) fn statement(&mut self) -> Result<Expr, Unsupported> {
        self.deeper()?;
        let mut left = match self.several()? {
            Some(assigned) => assigned,
            None => self.not_expression()?,
        };
        let mut links = 0;
        loop {
            links += 1;
            if links > MAX_DEPTH {
                return Err(self.unsupported_here("a statement this long"));
            }
            let Some(Kind::Ident(word)) = self.peek().map(|t| &t.kind) else {
                break;
            };
            let word = word.clone();
            if !matches!(
                word.as_str(),
                "and" | "or" | "if" | "unless" | "rescue" | "while" | "until"
            ) {
                break;
            }
            self.next();
            let place = left.place;
            if matches!(word.as_str(), "and" | "or" | "rescue") {
                self.skip_newlines();
            }
            let right = self.not_expression()?;
            let place = place.to(right.place);
            let (left_box, right_box) = (Box::new(left), Box::new(right));
            let form = match word.as_str() {
                "and" => Form::And(left_box, right_box),
                "or" => Form::Or(left_box, right_box),
                "rescue" => Form::Rescue {
                    tried: left_box,
                    otherwise: right_box,
                },
                "while" | "until" => Form::While {
                    condition: right_box,
                    wanted: word == "while",
                    body_first: matches!(left_box.form, Form::Begin(_)),
                    body: vec![*left_box],
                },
                "if" => Form::If {
                    condition: right_box,
                    then: vec![*left_box],
                    otherwise: Vec::new(),
                },
                _ => Form::If {
                    condition: right_box,
                    then: Vec::new(),
                    otherwise: vec![*left_box],
                },
            };
            left = Expr { form, place };
        }
        self.depth -= 1;
        Ok(left)
    }

    fn not_expression(&mut self) -> Result<Expr, Unsupported> {
        if let Some(place) = self.keyword("not") {
            let inner = self.not_expression()?;
            let place = place.to(inner.place);
            return Ok(Expr {
                form: Form::Not(Box::new(inner)),
                place,
            });
        }
        self.expression(0)
    }

    /// What a keyword begins, if there is one here.
    pub(super) fn keyword_form(&mut self) -> Result<Option<Expr>, Unsupported> {
        let Some(Token {
            kind: Kind::Ident(word),
            place,
            ..
        }) = self.peek()
        else {
            return Ok(None);
        };
        let (word, place) = (word.clone(), *place);
        let form = match word.as_str() {
            "nil" => Form::Nil,
            "true" => Form::Bool(true),
            "false" => Form::Bool(false),
            "if" | "unless" => {
                self.next();
                return self.conditional(word == "unless", place).map(Some);
            }
            "case" => {
                self.next();
                return self.case(place).map(Some);
            }
            "begin" => {
                self.next();
                return self.begin(place).map(Some);
            }
            "next" | "break" => {
                self.next();
                let value = self.given_value()?;
                let form = if word == "next" {
                    Form::Next(value)
                } else {
                    Form::Break(value)
                };
                return Ok(Some(Expr { form, place }));
            }
            "for" => {
                self.next();
                return self.for_loop(place).map(Some);
            }
            "while" | "until" => {
                self.next();
                return self.while_loop(word == "while", place).map(Some);
            }
            "loop" | "lambda" | "proc" => {
                self.next();
                return self.with_own_block(&word, place).map(Some);
            }
            "def" => {
                self.next();
                return self.definition(place).map(Some);
            }
            "return" if self.in_function => {
                self.next();
                let value = self.given_value()?;
                let form = Form::Return(value);
                return Ok(Some(Expr { form, place }));
            }
            "class" | "module" | "return" | "yield" | "defined?" | "self" | "super" | "alias"
            | "undef" | "redo" | "retry" | "ensure" | "BEGIN" | "END" | "__method__"
            | "__FILE__" | "__dir__" => {
                return Err(Unsupported::new(format!("`{word}`"), place));
            }
            "end" | "else" | "elsif" | "when" | "then" | "do" | "in" | "and" | "or" | "rescue" => {
                return Err(Unsupported::new(format!("`{word}` here"), place));
            }
            _ => return Ok(None),
        };
        self.next();
        Ok(Some(Expr { form, place }))
    }

    /// What `next`, `break` or `return` gives, if anything.
    fn given_value(&mut self) -> Result<Option<Box<Expr>>, Unsupported> {
        let ends = match self.peek().map(|t| &t.kind) {
            None | Some(Kind::Newline | Kind::OutputEnd | Kind::Op("}" | ")")) => true,
            Some(Kind::Ident(next)) => matches!(next.as_str(), "if" | "unless" | "end"),
            Some(_) => false,
        };
        if ends {
            return Ok(None);
        }
        Ok(Some(Box::new(self.expression(0)?)))
    }

    fn conditional(&mut self, negated: bool, start: Place) -> Result<Expr, Unsupported> {
        let condition = Box::new(self.statement()?);
        self.then()?;
        let then = self.body(&["else", "elsif", "end"])?;
        let otherwise = if let Some(place) = self.keyword("elsif") {
            // The nested conditional reads the `end` of this one.
            self.deeper()?;
            let nested = self.conditional(false, place)?;
            self.depth -= 1;
            let place = start.to(nested.place);
            let otherwise = vec![nested];
            return Ok(Expr {
                form: branches(condition, then, otherwise, negated),
                place,
            });
        } else if self.keyword("else").is_some() {
            self.body(&["end"])?
        } else {
            Vec::new()
        };
        let place = start.to(self.end(start)?);
        Ok(Expr {
            form: branches(condition, then, otherwise, negated),
            place,
        })
    }

    fn case(&mut self, start: Place) -> Result<Expr, Unsupported> {
        let subject = match self.peek().map(|t| &t.kind) {
            Some(Kind::Newline) => None,
            Some(Kind::Ident(word)) if word == "when" => None,
            _ => Some(Box::new(self.statement()?)),
        };
        let mut whens = Vec::new();
        // What stands between `case` and the first `when` is white space of the template: Ruby refuses it, ERB users write it.
        loop {
            self.skip_newlines();
            if let Some(Kind::Text(_)) = self.peek().map(|t| &t.kind) {
                return Err(self.unsupported_here("text between `case` and `when`"));
            }
            if self.keyword("when").is_none() {
                break;
            }
            let mut values = vec![self.expression(0)?];
            while self.op(",").is_some() {
                self.skip_newlines();
                values.push(self.expression(0)?);
            }
            self.then()?;
            whens.push((values, self.body(&["when", "else", "end"])?));
        }
        let otherwise = if self.keyword("else").is_some() {
            self.body(&["end"])?
        } else {
            Vec::new()
        };
        let place = start.to(self.end(start)?);
        Ok(Expr {
            form: Form::Case {
                subject,
                whens,
                otherwise,
            },
            place,
        })
    }

    fn begin(&mut self, start: Place) -> Result<Expr, Unsupported> {
        let body = self.body(&["rescue", "ensure", "else", "end"])?;
        let Some(rescue) = self.keyword("rescue") else {
            let place = start.to(self.end(start)?);
            return Ok(Expr {
                form: Form::Begin(body),
                place,
            });
        };
        if !matches!(self.peek().map(|t| &t.kind), Some(Kind::Newline)) {
            return Err(Unsupported::new("`rescue` with a class", rescue));
        }
        let otherwise = self.body(&["rescue", "ensure", "else", "end"])?;
        let place = start.to(self.end(start)?);
        let begin = |body| {
            Box::new(Expr {
                form: Form::Begin(body),
                place,
            })
        };
        Ok(Expr {
            form: Form::Rescue {
                tried: begin(body),
                otherwise: begin(otherwise),
            },
            place,
        })
    }

    fn then(&mut self) -> Result<(), Unsupported> {
        let newline = matches!(
            self.peek().map(|t| &t.kind),
            Some(Kind::Newline | Kind::Text(_) | Kind::Output)
        );
        self.skip_newlines();
        if self.keyword("then").is_some() || newline {
            Ok(())
        } else {
            Err(self.unsupported_here("this condition"))
        }
    }

    pub(super) fn end(&mut self, start: Place) -> Result<Place, Unsupported> {
        self.keyword("end")
            .ok_or_else(|| Unsupported::new("a block without its `end`", start))
    }

    pub(super) fn deeper(&mut self) -> Result<(), Unsupported> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(self.unsupported_here("code nested this deep"));
        }
        Ok(())
    }

    pub(super) fn skip_newlines(&mut self) {
        while matches!(self.peek().map(|t| &t.kind), Some(Kind::Newline)) {
            self.at += 1;
        }
    }

    /// Reads the keyword if it is next.
    pub(super) fn keyword(&mut self, word: &str) -> Option<Place> {
        let token = self.peek()?;
        let place = token.place;
        matches!(&token.kind, Kind::Ident(name) if name == word).then(|| {
            self.at += 1;
            place
        })
    }

    /// Reads the operator if it is next.
    pub(super) fn op(&mut self, op: &str) -> Option<Place> {
        let token = self.peek()?;
        let place = token.place;
        matches!(&token.kind, Kind::Op(found) if *found == op).then(|| {
            self.at += 1;
            place
        })
    }

    pub(super) fn peek(&self) -> Option<&'t Token> {
        self.tokens.get(self.at)
    }

    pub(super) fn peek_at(&self, ahead: usize) -> Option<&'t Token> {
        self.tokens.get(self.at + ahead)
    }

    pub(super) fn next(&mut self) -> Option<&'t Token> {
        let token = self.tokens.get(self.at)?;
        self.at += 1;
        Some(token)
    }

    pub(super) fn unsupported_here(&self, what: impl Into<String>) -> Unsupported {
        let token = self.peek().or_else(|| self.tokens.last());
        Unsupported::new(what, token.map(|t| t.place).unwrap_or_default())
    }
}

fn branches(condition: Box<Expr>, then: Body, otherwise: Body, negated: bool) -> Form {
    let (then, otherwise) = if negated {
        (otherwise, then)
    } else {
        (then, otherwise)
    };
    Form::If {
        condition,
        then,
        otherwise,
    }
}

/// A token as it is named in a complaint.
pub(super) fn describe(kind: &Kind) -> String {
    match kind {
        Kind::Ident(name) | Kind::Const(name) => format!("`{name}`"),
        Kind::Label(name) => format!("`{name}:`"),
        Kind::Op(op) => format!("`{op}`"),
        Kind::Int(_) | Kind::Float(_) => "number".to_owned(),
        Kind::Str(_) | Kind::Words(_) => "string".to_owned(),
        Kind::Command(_) => "command".to_owned(),
        Kind::Symbol(_) | Kind::Symbols(_) => "symbol".to_owned(),
        Kind::Pattern(..) => "regular expression".to_owned(),
        Kind::Group(_) => "global variable".to_owned(),
        Kind::Newline => "line break".to_owned(),
        Kind::Text(_) => "text".to_owned(),
        Kind::Output | Kind::OutputEnd => "tag".to_owned(),
    }
}
