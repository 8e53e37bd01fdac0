//! Ruby's regular expressions, as far as they mean the same to the `regex` crate.
//!
//! In: the source of a pattern and its flags. Out: a program, or what is not supported. Ruby's classes are those of ASCII and `^` and
//! `$` those of lines; what looks around, refers back or is possessive is refused, and so is what would be read otherwise.

use regex::{Captures, Regex, RegexBuilder};

use super::interpreter::{Eval, Stop, unsupported};
use super::token::{Place, Unsupported};

/// How long a pattern may be, in bytes, and its program.
const MAX_SOURCE: usize = 4096;
const MAX_PROGRAM: usize = 1 << 20;

/// A pattern. Equal to one of the same source and flags.
#[derive(Debug)]
pub(super) struct Pattern {
    source: String,
    flags: String,
    program: Regex,
    /// Means the same in Ruby for ASCII only.
    ascii_only: bool,
    /// Holds a `^`: behind the last line break of a text that is no start of a line in Ruby.
    anchored: bool,
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        (&self.source, &self.flags) == (&other.source, &other.flags)
    }
}

impl Pattern {
    pub(super) fn new(source: &str, flags: &str, place: Place) -> Eval<Self> {
        let mut flags: Vec<char> = flags.chars().collect();
        flags.sort_unstable();
        flags.dedup();
        // The order in which Ruby shows them.
        let flags: String = "mix".chars().filter(|flag| flags.contains(flag)).collect();
        if source.len() > MAX_SOURCE {
            return Err(unsupported("a regular expression this long", place));
        }
        let mut translation = Translation::new(source, flags.contains('x'));
        translation
            .run()
            .map_err(|what| Stop::Unsupported(Unsupported::new(what, place)))?;
        let ascii_only = translation.ascii_only || flags.contains('i');
        let program = RegexBuilder::new(&translation.out)
            .multi_line(true)
            .dot_matches_new_line(flags.contains('m'))
            .case_insensitive(flags.contains('i'))
            .size_limit(MAX_PROGRAM)
            .nest_limit(32)
            .build()
            .map_err(|_| unsupported("this regular expression", place))?;
        Ok(Self {
            source: source.to_owned(),
            flags,
            program,
            ascii_only,
            anchored: translation.anchored,
        })
    }

    /// One that matches this very text.
    pub(super) fn plain(text: &str, place: Place) -> Eval<Self> {
        let source = regex::escape(text);
        let built = RegexBuilder::new(&source).size_limit(MAX_PROGRAM).build();
        Ok(Self {
            program: built.map_err(|_| unsupported("a text this long", place))?,
            source,
            flags: String::new(),
            ascii_only: false,
            anchored: false,
        })
    }

    /// The first match from a byte on.
    pub(super) fn captures<'t>(
        &self,
        text: &'t str,
        from: usize,
        place: Place,
    ) -> Eval<Option<Captures<'t>>> {
        if self.ascii_only && !text.is_ascii() {
            let what = "a regular expression like this on a text that is not ASCII";
            return Err(unsupported(what, place));
        }
        let found = self.program.captures_at(text, from);
        let end = found
            .as_ref()
            .and_then(|found| found.get(0))
            .map(|whole| whole.end());
        if self.anchored && text.ends_with('\n') && end == Some(text.len()) {
            return Err(unsupported("a `^` at the end of a text", place));
        }
        Ok(found)
    }

    /// The names of its groups; none for those without.
    pub(super) fn names(&self) -> impl Iterator<Item = Option<&str>> {
        self.program.capture_names()
    }

    pub(super) fn source(&self) -> &str {
        &self.source
    }

    /// `/…/i`
    pub(super) fn inspect(&self) -> String {
        format!("/{}/{}", slashed(&self.source), self.flags)
    }

    /// `(?i-mx:…)`
    pub(super) fn to_s(&self) -> String {
        let off: String = "mix"
            .chars()
            .filter(|flag| !self.flags.contains(*flag))
            .collect();
        let minus = if off.is_empty() { "" } else { "-" };
        format!("(?{}{minus}{off}:{})", self.flags, slashed(&self.source))
    }
}

/// `Regexp.escape`
pub(super) fn pattern_escaped(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            '\x0c' => out.push_str("\\f"),
            '\x0b' => out.push_str("\\v"),
            c if " .*?+^$|\\()[]{}-#".contains(c) => out.extend(['\\', c]),
            c => out.push(c),
        }
    }
    out
}

/// A source as it stands between slashes.
fn slashed(source: &str) -> String {
    let mut out = String::new();
    let mut escaped = false;
    for c in source.chars() {
        if c == '/' && !escaped {
            out.push('\\');
        }
        out.push(c);
        escaped = c == '\\' && !escaped;
    }
    out
}

struct Translation<'s> {
    rest: std::iter::Peekable<std::str::Chars<'s>>,
    extended: bool,
    out: String,
    ascii_only: bool,
    anchored: bool,
    /// Where open groups start in `out`.
    groups: Vec<usize>,
    named: bool,
    numbered: bool,
    /// Where the last item starts in `out`, if a quantifier can follow it.
    item: Option<usize>,
}

impl<'s> Translation<'s> {
    fn new(source: &'s str, extended: bool) -> Self {
        Self {
            rest: source.chars().peekable(),
            extended,
            out: String::new(),
            ascii_only: false,
            anchored: false,
            groups: Vec::new(),
            named: false,
            numbered: false,
            item: None,
        }
    }

    fn run(&mut self) -> Result<(), String> {
        while let Some(c) = self.rest.next() {
            let start = self.out.len();
            match c {
                '\\' => self.escape(false)?,
                '[' => self.class()?,
                '(' => {
                    self.group()?;
                    continue;
                }
                ')' => {
                    let open = self
                        .groups
                        .pop()
                        .ok_or("an unmatched `)` in a regular expression")?;
                    self.out.push(')');
                    self.item = Some(open);
                    continue;
                }
                '*' | '+' | '?' => {
                    self.quantifier(&c.to_string())?;
                    continue;
                }
                '{' => match self.counted() {
                    Some(count) => {
                        self.quantifier(&count)?;
                        continue;
                    }
                    None => self.out.push_str("\\{"),
                },
                '|' => {
                    self.out.push('|');
                    self.item = None;
                    continue;
                }
                '^' | '$' => {
                    self.anchored |= c == '^';
                    self.out.push(c);
                    self.item = None;
                    continue;
                }
                '#' if self.extended => {
                    while self.rest.next_if(|c| *c != '\n').is_some() {}
                    continue;
                }
                c if self.extended && c.is_ascii_whitespace() => continue,
                '}' | ']' => self.out.extend(['\\', c]),
                '.' => self.out.push('.'),
                c => self.literal(c),
            }
            self.item = Some(start);
        }
        if !self.groups.is_empty() {
            return Err("an unclosed `(` in a regular expression".to_owned());
        }
        if self.named && self.numbered {
            return Err("a regular expression with groups of both kinds".to_owned());
        }
        Ok(())
    }

    fn literal(&mut self, c: char) {
        self.ascii_only |= !c.is_ascii();
        self.out
            .push_str(&regex::escape(c.encode_utf8(&mut [0; 4])));
    }

    /// What follows a backslash.
    fn escape(&mut self, in_class: bool) -> Result<(), String> {
        let refused = |c: char| Err(format!("`\\{c}` in a regular expression"));
        let Some(c) = self.rest.next() else {
            return Err("a backslash at the end of a regular expression".to_owned());
        };
        let plain = match c {
            'd' => "[0-9]",
            'D' => "[^0-9]",
            'w' => "[a-zA-Z0-9_]",
            'W' => "[^a-zA-Z0-9_]",
            's' => "[ \\t\\r\\n\\f\\v]",
            'S' => "[^ \\t\\r\\n\\f\\v]",
            'h' => "[0-9a-fA-F]",
            'H' => "[^0-9a-fA-F]",
            'n' => "\\n",
            't' => "\\t",
            'r' => "\\r",
            'f' => "\\f",
            'v' => "\\v",
            'a' => "\\a",
            'e' => "\\x1B",
            'A' | 'z' | 'b' | 'B' if !in_class => {
                self.ascii_only |= matches!(c, 'b' | 'B');
                self.out.extend(['\\', c]);
                return Ok(());
            }
            c if c.is_ascii_punctuation() || c == ' ' => {
                self.literal_in(c, in_class);
                return Ok(());
            }
            c => return refused(c),
        };
        self.out.push_str(plain);
        Ok(())
    }

    fn literal_in(&mut self, c: char, in_class: bool) {
        if in_class && c.is_ascii_punctuation() && !matches!(c, '<' | '>') {
            self.out.extend(['\\', c]);
        } else {
            self.literal(c);
        }
    }

    /// `[…]`, nested ones too.
    fn class(&mut self) -> Result<(), String> {
        self.out.push('[');
        let mut depth = 1;
        let mut first = true;
        while depth > 0 {
            let Some(c) = self.rest.next() else {
                return Err("an unclosed `[` in a regular expression".to_owned());
            };
            let at_start = std::mem::take(&mut first);
            match c {
                ']' if at_start => {
                    return Err("a `]` first in a regular expression's class".to_owned());
                }
                ']' => {
                    self.out.push(']');
                    depth -= 1;
                }
                '[' if self.rest.peek() == Some(&':') => {
                    // `[:alpha:]` is Unicode's in Ruby.
                    self.ascii_only = true;
                    self.out.push('[');
                    loop {
                        match self.rest.next() {
                            Some(']') => break,
                            Some(c) if c.is_ascii_lowercase() || matches!(c, ':' | '^') => {
                                self.out.push(c);
                            }
                            _ => return Err("this class in a regular expression".to_owned()),
                        }
                    }
                    self.out.push(']');
                }
                '[' => {
                    self.out.push('[');
                    depth += 1;
                    first = true;
                }
                '^' if at_start => {
                    self.out.push('^');
                    first = true;
                    if self.rest.peek() == Some(&'^') {
                        return Err("this class in a regular expression".to_owned());
                    }
                }
                '\\' => self.escape(true)?,
                '&' if self.rest.next_if_eq(&'&').is_some() => self.out.push_str("&&"),
                '-' => {
                    if self.rest.peek() == Some(&'-') {
                        return Err("this class in a regular expression".to_owned());
                    }
                    self.out.push('-');
                }
                '~' | '&' | '#' => self.out.extend(['\\', c]),
                c => {
                    self.ascii_only |= !c.is_ascii();
                    self.out.push(c);
                }
            }
        }
        Ok(())
    }

    /// What follows a `(`.
    fn group(&mut self) -> Result<(), String> {
        self.groups.push(self.out.len());
        self.item = None;
        if self.groups.len() > 32 {
            return Err("a regular expression nested this deep".to_owned());
        }
        if self.rest.next_if_eq(&'?').is_none() {
            self.numbered = true;
            self.out.push('(');
            return Ok(());
        }
        match self.rest.next() {
            Some(':') => self.out.push_str("(?:"),
            Some('i') if self.rest.next_if_eq(&':').is_some() => {
                self.ascii_only = true;
                self.out.push_str("(?i:");
            }
            Some('<')
                if self
                    .rest
                    .peek()
                    .is_some_and(|c| c.is_ascii_lowercase() || *c == '_') =>
            {
                self.named = true;
                self.out.push_str("(?<");
                for c in self.rest.by_ref() {
                    match c {
                        '>' => break,
                        c if c.is_ascii_alphanumeric() || c == '_' => self.out.push(c),
                        _ => return Err("this name of a group".to_owned()),
                    }
                }
                self.out.push('>');
            }
            Some(c) => {
                let rest = self.rest.peek().filter(|_| c == '<').map(char::to_string);
                return Err(format!(
                    "`(?{c}{}` in a regular expression",
                    rest.unwrap_or_default()
                ));
            }
            None => return Err("an unclosed `(` in a regular expression".to_owned()),
        }
        Ok(())
    }

    /// `{2}`, `{2,}`, `{2,3}`, `{,3}` after its brace; none if that is a brace and nothing more.
    fn counted(&mut self) -> Option<String> {
        let ahead: String = self
            .rest
            .clone()
            .take_while(|c| *c != '}')
            .take(12)
            .collect();
        let digits = |text: &str| text.chars().all(|c| c.is_ascii_digit());
        let (least, most) = match ahead.split_once(',') {
            Some((least, most)) => (least, Some(most)),
            None => (ahead.as_str(), None),
        };
        let closed = self.rest.clone().nth(ahead.chars().count()) == Some('}');
        let some = !least.is_empty() || most.is_some_and(|most| !most.is_empty());
        if !closed || !some || !digits(least) || !most.is_none_or(digits) {
            return None;
        }
        for _ in 0..=ahead.chars().count() {
            self.rest.next();
        }
        let least = if least.is_empty() { "0" } else { least };
        Some(match most {
            Some(most) => format!("{{{least},{most}}}"),
            None => format!("{{{least}}}"),
        })
    }

    fn quantifier(&mut self, quantifier: &str) -> Result<(), String> {
        let Some(start) = self.item.take() else {
            return Err(format!(
                "a `{quantifier}` after nothing in a regular expression"
            ));
        };
        let item = self.out.get(start..).unwrap_or("");
        // What may be empty and comes again and again ends at different places in the two.
        let group = item.starts_with('(') && quantifier != "?";
        if group && Regex::new(&format!("\\A(?:{item})\\z")).is_ok_and(|whole| whole.is_match("")) {
            return Err("repeating what may be empty in a regular expression".to_owned());
        }
        self.out.push_str(quantifier);
        if self.rest.next_if_eq(&'?').is_some() {
            if quantifier.starts_with('{') && !quantifier.contains(',') {
                return Err(format!("`{quantifier}?` in a regular expression"));
            }
            self.out.push('?');
        }
        if let Some(next) = self.rest.peek().filter(|c| matches!(c, '*' | '+' | '?')) {
            return Err(format!("`{quantifier}{next}` in a regular expression"));
        }
        Ok(())
    }
}
