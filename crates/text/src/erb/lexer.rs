//! Ruby code to tokens.
//!
//! In: the pieces of a template. Out: one stream of [`Token`]s for all of them, since `if` and its `end` stand in different tags.

use super::tags::{Code, Piece};
use super::token::{Kind, Part, Place, Token, Unsupported};

/// Longest first, so that the first that fits is the right one.
const OPERATORS: &[&str] = &[
    "<=>", "===", "...", "||=", "&&=", "**=", "<<=", ">>=", "::", "&.", "&&", "||", "==", "!=",
    "=~", "!~", "<=", ">=", "=>", "->", "..", "**", "<<", ">>", "+=", "-=", "*=", "/=", "%=", "|=",
    "+", "-", "*", "/", "%", "=", "<", ">", "!", "?", ":", ".", ",", "(", ")", "[", "]", "{", "}",
    "|", "&", "^", "~",
];

/// The tokens of a whole template.
pub(super) fn tokens(pieces: &[Piece]) -> Result<Vec<Token>, Unsupported> {
    let mut tokens = Vec::new();
    for (index, piece) in pieces.iter().enumerate() {
        match piece {
            Piece::Text { start, end } | Piece::Literal { start, end, .. } => {
                let place = Place {
                    start: *start,
                    end: *end,
                };
                tokens.extend([Kind::Text(index), Kind::Newline].map(|kind| mark(kind, place)));
            }
            Piece::Code(code) => of_tag(code, &mut tokens)?,
        }
    }
    Ok(tokens)
}

/// Text and tags are statements of their own: a line break stands after each.
fn of_tag(code: &Code, tokens: &mut Vec<Token>) -> Result<(), Unsupported> {
    let place = Place {
        start: code.start,
        end: code.end,
    };
    let inner = Lexer::new(&code.text, code.base, 0).run(false)?;
    if code.output {
        tokens.push(mark(Kind::Output, place));
        tokens.extend(inner);
        tokens.push(mark(Kind::OutputEnd, place));
    } else {
        tokens.extend(inner);
    }
    tokens.push(mark(Kind::Newline, place));
    Ok(())
}

fn mark(kind: Kind, place: Place) -> Token {
    Token {
        kind,
        place,
        spaced: true,
    }
}

pub(super) struct Lexer<'c> {
    pub(super) code: &'c str,
    pub(super) at: usize,
    pub(super) base: usize,
    pub(super) depth: usize,
    tokens: Vec<Token>,
    /// How many `?` of this statement still lack their `:`.
    ternaries: usize,
    /// The line break after which a here-document stands, and where reading goes on after it.
    pub(super) document: Option<(usize, usize)>,
}

impl<'c> Lexer<'c> {
    pub(super) fn new(code: &'c str, base: usize, depth: usize) -> Self {
        Self {
            code,
            at: 0,
            base,
            depth,
            tokens: Vec::new(),
            ternaries: 0,
            document: None,
        }
    }

    /// All tokens, or (in a string) those up to the brace that closes the interpolation.
    pub(super) fn run(&mut self, interpolation: bool) -> Result<Vec<Token>, Unsupported> {
        let mut braces = 0_usize;
        loop {
            let spaced = self.skip_blanks();
            let start = self.at;
            let Some(c) = self.peek() else {
                if interpolation {
                    return Err(self.unsupported("an unclosed `#{`", start));
                }
                return Ok(std::mem::take(&mut self.tokens));
            };
            if interpolation && c == '}' && braces == 0 {
                self.at += 1;
                return Ok(std::mem::take(&mut self.tokens));
            }
            let kind = self.token(c, spaced)?;
            match kind {
                Kind::Op("{") => braces += 1,
                Kind::Op("}") => braces = braces.saturating_sub(1),
                Kind::Op("?") => self.ternaries += 1,
                Kind::Op(":") => self.ternaries = self.ternaries.saturating_sub(1),
                Kind::Newline => self.ternaries = 0,
                _ => {}
            }
            self.tokens.push(Token {
                kind,
                place: self.place(start),
                spaced,
            });
        }
    }

    fn token(&mut self, c: char, spaced: bool) -> Result<Kind, Unsupported> {
        let start = self.at;
        let operand = self.expects_operand(spaced);
        match c {
            '\n' => {
                self.at += 1;
                self.after_document(start)?;
                Ok(Kind::Newline)
            }
            ';' => {
                self.at += 1;
                Ok(Kind::Newline)
            }
            '"' => {
                self.at += 1;
                let parts = self.parts(Some('"'), None)?;
                Ok(self.string_or_label(parts))
            }
            '\'' => {
                self.at += 1;
                let text = self.raw('\'', None)?;
                Ok(self.string_or_label(vec![Part::Text(text)]))
            }
            '`' => {
                self.at += 1;
                Ok(Kind::Command(self.parts(Some('`'), None)?))
            }
            '0'..='9' => self.number(),
            '%' if operand => self.percent(),
            '/' if operand => {
                self.at += 1;
                self.pattern('/', None)
            }
            '?' if operand => Err(self.unsupported("a character literal", start)),
            '<' if operand => self.here_document(),
            '@' => Err(self.unsupported("an instance variable", start)),
            '$' => self.global(),
            '\\' => Err(self.unsupported("a backslash", start)),
            ':' if operand => self.symbol(),
            c if c.is_alphabetic() || c == '_' => Ok(self.word()),
            _ => {
                let rest = self.rest_at(0);
                let found = OPERATORS.iter().find(|op| rest.starts_with(**op));
                match found {
                    Some(op) => {
                        self.at += op.len();
                        Ok(Kind::Op(op))
                    }
                    None => Err(self.unsupported(format!("`{c}`"), start)),
                }
            }
        }
    }

    /// Whether a value has to come here: what tells `/` from a regular expression and `%` from `%w`.
    fn expects_operand(&self, spaced: bool) -> bool {
        let Some(last) = self.tokens.last() else {
            return true;
        };
        match &last.kind {
            Kind::Op(op) => !matches!(*op, ")" | "]" | "}"),
            Kind::Newline | Kind::Label(_) | Kind::Output | Kind::Text(_) => true,
            Kind::Ident(name) => {
                let keyword = matches!(
                    name.as_str(),
                    "if" | "unless"
                        | "elsif"
                        | "when"
                        | "and"
                        | "or"
                        | "not"
                        | "then"
                        | "do"
                        | "else"
                        | "case"
                        | "in"
                        | "return"
                        | "rescue"
                        | "while"
                        | "until"
                );
                // `puts %w[a]`, `puts :a`: a command with its argument. After a dot stands no variable that could be divided.
                let next_is_spaced = self.rest_at(1).starts_with([' ', '=', '\n']);
                let called = self.tokens.iter().rev().nth(1);
                let called = called.is_some_and(|t| matches!(t.kind, Kind::Op("." | "&.")));
                let argument = spaced
                    && !next_is_spaced
                    && (self.rest_at(0).starts_with([':', '%'])
                        || called && self.rest_at(0).starts_with('/')
                        || name == "puts" && self.rest_at(0).starts_with("<<"));
                keyword || (argument && !self.open_ternary())
            }
            _ => false,
        }
    }

    /// `"a": 1` is a key where a key can stand.
    fn string_or_label(&mut self, parts: Vec<Part>) -> Kind {
        let rest = self.rest_at(0);
        let key_place = self
            .tokens
            .iter()
            .rev()
            .find(|t| t.kind != Kind::Newline)
            .is_some_and(|t| matches!(t.kind, Kind::Op("{" | "," | "(")));
        if key_place
            && rest.starts_with(':')
            && !rest.starts_with("::")
            && let [Part::Text(text)] = parts.as_slice()
        {
            self.at += 1;
            return Kind::Label(text.clone());
        }
        Kind::Str(parts)
    }

    fn number(&mut self) -> Result<Kind, Unsupported> {
        let start = self.at;
        let digits = self.take(|c| c.is_ascii_alphanumeric() || c == '_');
        let fraction = self
            .rest_at(0)
            .strip_prefix('.')
            .filter(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
        if fraction.is_some() {
            self.at += 1;
            let fraction = self.take(|c| c.is_ascii_digit() || c == '_');
            let text = format!("{digits}.{fraction}").replace('_', "");
            return text
                .parse()
                .map(Kind::Float)
                .map_err(|_| self.unsupported("this number", start));
        }
        let text = digits.replace('_', "");
        let parsed = match text.get(..2) {
            Some("0x") => i64::from_str_radix(text.get(2..).unwrap_or(""), 16),
            Some("0b") => i64::from_str_radix(text.get(2..).unwrap_or(""), 2),
            Some(two) if two.starts_with('0') => i64::from_str_radix(&text, 8),
            _ => text.parse(),
        };
        parsed
            .map(Kind::Int)
            .map_err(|_| self.unsupported(format!("the number `{digits}`"), start))
    }

    /// What the last match left: `$1`, `$~`.
    fn global(&mut self) -> Result<Kind, Unsupported> {
        let name = self.rest_at(1).chars().next();
        match name {
            Some('~') => {
                self.at += 2;
                Ok(Kind::Group(0))
            }
            Some(digit @ '1'..='9')
                if !self.rest_at(2).starts_with(|c: char| c.is_ascii_digit()) =>
            {
                self.at += 2;
                let group = digit.to_digit(10).unwrap_or_default();
                Ok(Kind::Group(usize::try_from(group).unwrap_or_default()))
            }
            _ => Err(self.unsupported("a global variable", self.at)),
        }
    }

    fn word(&mut self) -> Kind {
        let mut word = self.take(|c| c.is_alphanumeric() || c == '_');
        let after_dot = self
            .tokens
            .last()
            .is_some_and(|t| matches!(t.kind, Kind::Op("." | "&.")));
        let rest = self.rest_at(0);
        let marked = rest.starts_with(['?', '!'])
            && !rest
                .get(1..)
                .is_some_and(|r| r.starts_with('=') && !r.starts_with("=="));
        let ternary = rest.starts_with("? ") && !after_dot && !word.ends_with("defined");
        if marked && !ternary {
            word.extend(self.peek());
            self.at += 1;
        }
        let rest = self.rest_at(0);
        let in_ternary = self.open_ternary();
        if rest.starts_with(':') && !rest.starts_with("::") && !after_dot && !in_ternary {
            self.at += 1;
            return Kind::Label(word);
        }
        if word.starts_with(char::is_uppercase) {
            Kind::Const(word)
        } else {
            Kind::Ident(word)
        }
    }

    /// Within `a ? b : c` before the colon: there `b:` is no key.
    fn open_ternary(&self) -> bool {
        self.ternaries > 0
    }

    fn symbol(&mut self) -> Result<Kind, Unsupported> {
        let start = self.at;
        if self.rest_at(0).starts_with("::") {
            self.at += 2;
            return Ok(Kind::Op("::"));
        }
        self.at += 1;
        match self.peek() {
            Some('"') => {
                self.at += 1;
                match self.parts(Some('"'), None)?.as_slice() {
                    [] => Ok(Kind::Symbol(String::new())),
                    [Part::Text(text)] => Ok(Kind::Symbol(text.clone())),
                    _ => Err(self.unsupported("a symbol with `#{`", start)),
                }
            }
            Some('\'') => {
                self.at += 1;
                Ok(Kind::Symbol(self.raw('\'', None)?))
            }
            Some(c) if c.is_alphabetic() || c == '_' => {
                let mut name = self.take(|c| c.is_alphanumeric() || c == '_');
                if self.rest_at(0).starts_with(['?', '!']) {
                    name.extend(self.peek());
                    self.at += 1;
                }
                Ok(Kind::Symbol(name))
            }
            Some('+') => {
                self.at += 1;
                Ok(Kind::Symbol("+".to_owned()))
            }
            _ => Ok(Kind::Op(":")),
        }
    }

    /// Blanks, comments and continued lines.
    fn skip_blanks(&mut self) -> bool {
        let start = self.at;
        loop {
            let rest = self.rest_at(0);
            if rest.starts_with([' ', '\t', '\r']) {
                self.at += 1;
            } else if rest.starts_with("\\\n") {
                self.at += 2;
            } else if rest.starts_with('#') {
                self.at += rest.find('\n').unwrap_or(rest.len());
            } else {
                return self.at > start || self.at == 0;
            }
        }
    }

    pub(super) fn take(&mut self, fits: impl Fn(char) -> bool) -> String {
        let rest = self.rest_at(0);
        let end = rest.find(|c| !fits(c)).unwrap_or(rest.len());
        self.at += end;
        rest.get(..end).unwrap_or("").to_owned()
    }

    pub(super) fn bump(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += c.len_utf8();
        Some(c)
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.rest_at(0).chars().next()
    }

    pub(super) fn rest_at(&self, ahead: usize) -> &'c str {
        self.code.get(self.at + ahead..).unwrap_or("")
    }

    fn place(&self, start: usize) -> Place {
        Place {
            start: self.base + start,
            end: self.base + self.at,
        }
    }

    /// A complaint about the word that starts there.
    pub(super) fn unsupported(&self, what: impl Into<String>, start: usize) -> Unsupported {
        let rest = self.code.get(start..).unwrap_or("");
        let word = rest.find(|c: char| c.is_whitespace() || matches!(c, ',' | ')'));
        let end = start + word.filter(|end| *end > 0).unwrap_or(rest.len());
        Unsupported::new(
            what,
            Place {
                start: self.base + start,
                end: self.base + end,
            },
        )
    }
}
