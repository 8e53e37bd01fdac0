//! Ruby code to tokens.
//!
//! In: the pieces of a template. Out: one stream of [`Token`]s for all of them, since `if` and its `end` stand in different tags.

use super::tags::{Code, Piece};
use super::token::{Kind, Part, Place, Token, Unsupported};

/// How deep `#{…}` may be nested.
const MAX_DEPTH: usize = 16;

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

struct Lexer<'c> {
    code: &'c str,
    at: usize,
    base: usize,
    depth: usize,
    tokens: Vec<Token>,
    /// How many `?` of this statement still lack their `:`.
    ternaries: usize,
}

impl<'c> Lexer<'c> {
    fn new(code: &'c str, base: usize, depth: usize) -> Self {
        Self {
            code,
            at: 0,
            base,
            depth,
            tokens: Vec::new(),
            ternaries: 0,
        }
    }

    /// All tokens, or (in a string) those up to the brace that closes the interpolation.
    fn run(&mut self, interpolation: bool) -> Result<Vec<Token>, Unsupported> {
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
            '\n' | ';' => {
                self.at += 1;
                Ok(Kind::Newline)
            }
            '"' => {
                self.at += 1;
                let parts = self.parts('"', None)?;
                Ok(self.string_or_label(parts))
            }
            '\'' => {
                self.at += 1;
                let text = self.raw('\'', None)?;
                Ok(self.string_or_label(vec![Part::Text(text)]))
            }
            '`' => {
                self.at += 1;
                Ok(Kind::Command(self.parts('`', None)?))
            }
            '0'..='9' => self.number(),
            '%' if operand => self.percent(),
            '/' if operand => Err(self.unsupported("a regular expression", start)),
            '?' if operand => Err(self.unsupported("a character literal", start)),
            '<' if operand => Err(self.unsupported("a here-document", start)),
            '@' => Err(self.unsupported("an instance variable", start)),
            '$' => Err(self.unsupported("a global variable", start)),
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
                );
                // `puts %w[a]`, `puts :a`: a command with its argument.
                let next_is_spaced = self.rest_at(1).starts_with([' ', '=', '\n']);
                let argument = spaced && !next_is_spaced && self.rest_at(0).starts_with([':', '%']);
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
                match self.parts('"', None)?.as_slice() {
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

    fn percent(&mut self) -> Result<Kind, Unsupported> {
        let start = self.at;
        let rest = self.rest_at(1);
        let (form, open) = match rest.chars().next() {
            Some(form @ ('w' | 'i' | 'x' | 'q' | 'Q' | 'W')) => (form, rest.chars().nth(1)),
            other => ('Q', other),
        };
        let close = match open {
            Some('(') => ')',
            Some('[') => ']',
            Some('{') => '}',
            Some('<') => '>',
            Some(c) if c.is_ascii_punctuation() => c,
            _ => return Err(self.unsupported("this `%` literal", start)),
        };
        self.at += 2 + usize::from(rest.starts_with(form));
        let nests = open.filter(|open| *open != close);
        match form {
            'w' | 'i' => {
                let words = self.raw(close, nests)?;
                let words: Vec<String> = words.split_whitespace().map(str::to_owned).collect();
                Ok(if form == 'w' {
                    Kind::Words(words)
                } else {
                    Kind::Symbols(words)
                })
            }
            'x' => Ok(Kind::Command(self.parts(close, nests)?)),
            'q' => Ok(Kind::Str(vec![Part::Text(self.raw(close, nests)?)])),
            'Q' => Ok(Kind::Str(self.parts(close, nests)?)),
            _ => Err(self.unsupported(format!("`%{form}`"), start)),
        }
    }

    /// Text without escapes but those of the delimiter and of the backslash.
    fn raw(&mut self, close: char, open: Option<char>) -> Result<String, Unsupported> {
        let start = self.at;
        let mut out = String::new();
        let mut depth = 0;
        while let Some(c) = self.bump() {
            if c == close && depth == 0 {
                return Ok(out);
            }
            depth += i32::from(Some(c) == open) - i32::from(c == close);
            match (c, self.peek()) {
                ('\\', Some(next)) if next == close || next == '\\' || Some(next) == open => {
                    out.push(next);
                    self.bump();
                }
                _ => out.push(c),
            }
        }
        Err(self.unsupported("an unclosed string", start))
    }

    /// Text with escapes and `#{…}`.
    fn parts(&mut self, close: char, open: Option<char>) -> Result<Vec<Part>, Unsupported> {
        let start = self.at;
        let mut parts = Vec::new();
        let mut text = String::new();
        let mut depth = 0;
        while let Some(c) = self.bump() {
            if c == close && depth == 0 {
                if !text.is_empty() || parts.is_empty() {
                    parts.push(Part::Text(text));
                }
                return Ok(parts);
            }
            depth += i32::from(Some(c) == open) - i32::from(c == close);
            match c {
                '\\' => self.escape(&mut text, start)?,
                '#' if self.peek() == Some('{') => {
                    self.at += 1;
                    if self.depth >= MAX_DEPTH {
                        return Err(self.unsupported("`#{` nested this deep", start));
                    }
                    let mut inner =
                        Lexer::new(self.rest_at(0), self.base + self.at, self.depth + 1);
                    let tokens = inner.run(true)?;
                    self.at += inner.at;
                    if !text.is_empty() {
                        parts.push(Part::Text(std::mem::take(&mut text)));
                    }
                    parts.push(Part::Code(tokens));
                }
                '#' if matches!(self.peek(), Some('@' | '$')) => {
                    return Err(
                        self.unsupported("an instance or global variable in a string", start)
                    );
                }
                c => text.push(c),
            }
        }
        Err(self.unsupported("an unclosed string", start))
    }

    fn escape(&mut self, text: &mut String, start: usize) -> Result<(), Unsupported> {
        let Some(c) = self.bump() else {
            return Err(self.unsupported("an unclosed string", start));
        };
        match c {
            'n' => text.push('\n'),
            't' => text.push('\t'),
            'r' => text.push('\r'),
            '0' if !self.rest_at(0).starts_with(|c: char| c.is_ascii_digit()) => text.push('\0'),
            'e' => text.push('\x1b'),
            's' => text.push(' '),
            'a' => text.push('\x07'),
            'b' => text.push('\x08'),
            'f' => text.push('\x0c'),
            'v' => text.push('\x0b'),
            '\n' => {}
            'u' => {
                let hex = if self.peek() == Some('{') {
                    self.at += 1;
                    let hex = self.take(|c| c.is_ascii_hexdigit());
                    self.at += usize::from(self.peek() == Some('}'));
                    hex
                } else {
                    let hex = self.rest_at(0).get(..4).unwrap_or("").to_owned();
                    self.at += hex.len();
                    hex
                };
                let decoded = u32::from_str_radix(&hex, 16).ok().and_then(char::from_u32);
                match decoded {
                    Some(c) => text.push(c),
                    None => return Err(self.unsupported("this `\\u` escape", start)),
                }
            }
            'x' | 'c' | 'C' | 'M' | '0'..='7' => {
                return Err(self.unsupported(format!("the escape `\\{c}`"), start));
            }
            c => text.push(c),
        }
        Ok(())
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

    fn take(&mut self, fits: impl Fn(char) -> bool) -> String {
        let rest = self.rest_at(0);
        let end = rest.find(|c| !fits(c)).unwrap_or(rest.len());
        self.at += end;
        rest.get(..end).unwrap_or("").to_owned()
    }

    fn bump(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += c.len_utf8();
        Some(c)
    }

    fn peek(&self) -> Option<char> {
        self.rest_at(0).chars().next()
    }

    fn rest_at(&self, ahead: usize) -> &'c str {
        self.code.get(self.at + ahead..).unwrap_or("")
    }

    fn place(&self, start: usize) -> Place {
        Place {
            start: self.base + start,
            end: self.base + self.at,
        }
    }

    /// A complaint about the word that starts there.
    fn unsupported(&self, what: impl Into<String>, start: usize) -> Unsupported {
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
