//! Literals: strings in all their quotes, `%` forms, patterns, here-documents.
//!
//! In: a [`Lexer`] at (or just behind) the opening. Out: one token.

use super::lexer::Lexer;
use super::token::{Kind, Part, Token, Unsupported};

/// How deep `#{…}` may be nested.
const MAX_DEPTH: usize = 16;

impl Lexer<'_> {
    pub(super) fn percent(&mut self) -> Result<Kind, Unsupported> {
        let start = self.at;
        let rest = self.rest_at(1);
        let (form, open) = match rest.chars().next() {
            Some(form @ ('w' | 'i' | 'x' | 'q' | 'Q' | 'W' | 'r')) => (form, rest.chars().nth(1)),
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
            'x' => Ok(Kind::Command(self.parts(Some(close), nests)?)),
            'r' => self.pattern(close, nests),
            'q' => Ok(Kind::Str(vec![Part::Text(self.raw(close, nests)?)])),
            'Q' => Ok(Kind::Str(self.parts(Some(close), nests)?)),
            _ => Err(self.unsupported(format!("`%{form}`"), start)),
        }
    }

    /// Text without escapes but those of the delimiter and of the backslash.
    pub(super) fn raw(&mut self, close: char, open: Option<char>) -> Result<String, Unsupported> {
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
    pub(super) fn parts(
        &mut self,
        close: Option<char>,
        open: Option<char>,
    ) -> Result<Vec<Part>, Unsupported> {
        let start = self.at;
        let mut parts = Vec::new();
        let mut text = String::new();
        let mut depth = 0;
        while let Some(c) = self.bump() {
            if Some(c) == close && depth == 0 {
                if !text.is_empty() || parts.is_empty() {
                    parts.push(Part::Text(text));
                }
                return Ok(parts);
            }
            depth += i32::from(Some(c) == open) - i32::from(Some(c) == close);
            match c {
                '\\' => self.escape(&mut text, start)?,
                '#' if self.peek() == Some('{') => {
                    let tokens = self.interpolation(start)?;
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
        if close.is_none() {
            parts.push(Part::Text(text));
            return Ok(parts);
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

    /// `/…/` or `%r{…}` after its opening: escapes are the pattern's own and stay.
    pub(super) fn pattern(&mut self, close: char, open: Option<char>) -> Result<Kind, Unsupported> {
        let start = self.at;
        let mut parts = Vec::new();
        let mut text = String::new();
        let mut depth = 0;
        loop {
            let Some(c) = self.bump() else {
                return Err(self.unsupported("an unclosed regular expression", start));
            };
            if c == close && depth == 0 {
                break;
            }
            depth += i32::from(Some(c) == open) - i32::from(c == close);
            match c {
                '\\' => match self.bump() {
                    Some('/') => text.push('/'),
                    Some(escaped) => text.extend(['\\', escaped]),
                    None => {}
                },
                '#' if self.peek() == Some('{') => {
                    let tokens = self.interpolation(start)?;
                    if !text.is_empty() {
                        parts.push(Part::Text(std::mem::take(&mut text)));
                    }
                    parts.push(Part::Code(tokens));
                }
                c => text.push(c),
            }
        }
        parts.push(Part::Text(text));
        let flags = self.take(|c| c.is_ascii_alphabetic());
        if flags.contains(|c| !matches!(c, 'i' | 'm' | 'x')) {
            return Err(self.unsupported("a regular expression with these flags", start));
        }
        Ok(Kind::Pattern(parts, flags))
    }

    /// `<<~NAME`, `<<-NAME`, `<<NAME`: the lines after this one, up to the name.
    pub(super) fn here_document(&mut self) -> Result<Kind, Unsupported> {
        let start = self.at;
        let refused = |lexer: &Self| lexer.unsupported("this here-document", start);
        let rest = self.rest_at(2);
        let (indent, name) = match rest.strip_prefix(['~', '-']) {
            Some(name) => (rest.chars().next(), name),
            None => (None, rest),
        };
        let quote = name.chars().next().filter(|c| matches!(c, '\'' | '"'));
        let name = quote
            .and_then(|quote| name.strip_prefix(quote))
            .unwrap_or(name);
        let end = name
            .find(|c: char| !c.is_alphanumeric() && c != '_')
            .unwrap_or(name.len());
        let (name, after) = name.split_at(end);
        let closed = quote.is_none_or(|quote| after.starts_with(quote));
        // One a line, in the code itself: what else Ruby allows is not written in deploy files.
        if !self.rest_at(0).starts_with("<<")
            || name.is_empty()
            || !closed
            || self.depth > 0
            || self.document.is_some()
        {
            return Err(refused(self));
        }
        self.at = self.code.len() - after.len() + usize::from(quote.is_some());
        let Some(line_end) = self.rest_at(0).find('\n').map(|offset| self.at + offset) else {
            return Err(refused(self));
        };
        let mut lines = Vec::new();
        let mut at = line_end + 1;
        loop {
            let Some(line) = self
                .code
                .get(at..)
                .and_then(|rest| rest.split_inclusive('\n').next())
            else {
                return Err(refused(self));
            };
            let bare = line.trim_end_matches(['\n', '\r']);
            if bare == name || indent.is_some() && bare.trim_start() == name {
                self.document = Some((line_end, at + line.len()));
                break;
            }
            lines.push((at, line));
            at += line.len();
        }
        let blank = |line: &str| line.trim().is_empty();
        if lines.iter().any(|(_, line)| {
            line.contains('\r')
                || indent == Some('~')
                    && (line.trim_end_matches(blank_end).contains('\t') || line.ends_with("\\\n"))
        }) {
            return Err(refused(self));
        }
        let indented = |line: &str| line.len() - line.trim_start_matches(' ').len();
        let margin = match indent {
            Some('~') => lines
                .iter()
                .filter(|(_, line)| !blank(line))
                .map(|(_, line)| indented(line))
                .min(),
            _ => None,
        };
        let mut parts = Vec::new();
        for (at, line) in lines {
            let cut = margin.unwrap_or(0).min(indented(line));
            let line = line.get(cut..).unwrap_or("");
            if quote == Some('\'') {
                parts.push(Part::Text(line.to_owned()));
            } else {
                let mut inner = Lexer::new(line, self.base + at + cut, self.depth);
                parts.extend(inner.parts(None, None)?);
            }
        }
        Ok(Kind::Str(parts))
    }

    /// At a line break: behind the here-document that was begun on this line.
    pub(super) fn after_document(&mut self, line_break: usize) -> Result<(), Unsupported> {
        match self.document.take() {
            None => Ok(()),
            Some((expected, next)) if expected == line_break => {
                self.at = next;
                Ok(())
            }
            Some(_) => Err(self.unsupported("this here-document", line_break)),
        }
    }

    /// `#{…}`, at its brace.
    fn interpolation(&mut self, start: usize) -> Result<Vec<Token>, Unsupported> {
        self.at += 1;
        if self.depth >= MAX_DEPTH {
            return Err(self.unsupported("`#{` nested this deep", start));
        }
        let mut inner = Lexer::new(self.rest_at(0), self.base + self.at, self.depth + 1);
        let tokens = inner.run(true)?;
        self.at += inner.at;
        Ok(tokens)
    }
}

fn blank_end(c: char) -> bool {
    c == '\n'
}
