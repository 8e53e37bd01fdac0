//! Which quotes a string needs when it is written: Psych's choice, and what libyaml's emitter allows.
//!
//! In: a string and whether it is a key. Out: the style it is written in. The aim is the very text that Ruby's `YAML.dump` gives.

use super::Value;
use super::scalar;

/// How a scalar is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    Plain,
    Single,
    Double,
    Literal,
}

/// Psych's choice for a string; libyaml has the last word ([`Analysis::allowed`]).
pub(super) fn preferred(text: &str) -> Style {
    if has_inner_newline(text) {
        Style::Literal
    } else if matches!(text, "y" | "n") || starts_oddly(text) {
        Style::Double
    } else if !matches!(scalar::resolve(text), Ok(Value::Str(_))) && !text.is_empty()
        || text.is_empty()
        || broken_octal(text)
    {
        Style::Single
    } else {
        Style::Plain
    }
}

/// A line break that is not part of the end of the text.
fn has_inner_newline(text: &str) -> bool {
    text.trim_end_matches('\n').contains('\n')
        || text
            .strip_suffix("\n\n")
            .is_some_and(|rest| rest.ends_with('\n'))
}

/// Some line starts with a character no word has, and holds no `"` after it.
fn starts_oddly(text: &str) -> bool {
    let starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1));
    starts.filter_map(|at| text.get(at..)).any(|rest| {
        let mut chars = rest.chars();
        let odd = chars
            .next()
            .is_some_and(|c| !c.is_alphanumeric() && c != '_');
        let line = chars.as_str().split('\n').next().unwrap_or("");
        odd && !line.contains('"')
    })
}

/// `0189`: digits that look octal and are not.
fn broken_octal(text: &str) -> bool {
    text.strip_prefix('0').is_some_and(|rest| {
        rest.trim_start_matches(|c| ('0'..='7').contains(&c))
            .starts_with(['8', '9'])
    })
}

/// What libyaml's emitter finds out about a scalar before it writes it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Analysis {
    pub(super) multiline: bool,
    plain: bool,
    single: bool,
    block: bool,
    empty: bool,
}

impl Analysis {
    pub(super) fn of(text: &str) -> Self {
        if text.is_empty() {
            return Self {
                multiline: false,
                plain: true,
                single: true,
                block: false,
                empty: true,
            };
        }
        let mut marks = Marks {
            indicator: text.starts_with("---") || text.starts_with("..."),
            ..Marks::default()
        };
        let mut before = None;
        let mut chars = text.chars().peekable();
        while let Some(c) = chars.next() {
            marks.note(before, c, chars.peek().copied());
            before = Some(c);
        }
        let ends_spaced = [text.chars().next(), text.chars().next_back()]
            .into_iter()
            .flatten()
            .any(|c| c == ' ' || is_break(c));
        let broken = marks.space_break || marks.special;
        Self {
            multiline: marks.line_breaks,
            plain: !(ends_spaced
                || marks.break_space
                || broken
                || marks.line_breaks
                || marks.indicator),
            single: !(marks.break_space || broken),
            block: !(text.ends_with(' ') || broken),
            empty: false,
        }
    }

    /// The style that is used when `wanted` is asked for, outside of brackets.
    pub(super) fn allowed(self, wanted: Style, key: bool) -> Style {
        let mut style = if key && self.multiline {
            Style::Double
        } else {
            wanted
        };
        if style == Style::Plain && (!self.plain || (self.empty && key)) {
            style = Style::Single;
        }
        if style == Style::Single && !self.single || style == Style::Literal && (!self.block || key)
        {
            style = Style::Double;
        }
        style
    }
}

#[derive(Default)]
struct Marks {
    indicator: bool,
    special: bool,
    line_breaks: bool,
    break_space: bool,
    space_break: bool,
}

impl Marks {
    fn note(&mut self, before: Option<char>, c: char, after: Option<char>) {
        let blank =
            |c: Option<char>| c.is_none_or(|c| matches!(c, ' ' | '\t' | '\0') || is_break(c));
        self.indicator |= match (before, c) {
            (
                None,
                '#' | ',' | '[' | ']' | '{' | '}' | '&' | '*' | '!' | '|' | '>' | '\'' | '"' | '%'
                | '@' | '`',
            ) => true,
            (None, '?' | '-') | (_, ':') => blank(after),
            (Some(_), '#') => blank(before),
            _ => false,
        };
        self.special |= !is_printable(c);
        self.line_breaks |= is_break(c);
        self.break_space |= c == ' ' && before.is_some_and(is_break);
        self.space_break |= is_break(c) && before == Some(' ');
    }
}

pub(super) fn is_break(c: char) -> bool {
    matches!(c, '\n' | '\r' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

/// libyaml's notion: no tab, and nothing past the basic plane.
pub(super) fn is_printable(c: char) -> bool {
    c == '\n'
        || (' '..='~').contains(&c)
        || (('\u{a0}'..='\u{fffd}').contains(&c) && c != '\u{feff}')
}
