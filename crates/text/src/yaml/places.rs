//! Where things stand in the text, for the tree and for complaints.
//!
//! In: the parser's positions, which count characters of the text that was parsed. Out: byte spans of the source, which is the
//! template if the text was rendered from one.

use saphyr_parser::ScanError;

use super::compose::{Failure, MAX_BYTES, SYNTAX_ERROR};
use crate::diagnostic::Diagnostic;
use crate::rendered::{OffsetMap, line_column};
use crate::source::{SourceId, Span};

/// A character range of the text.
pub(super) type Range = saphyr_parser::Span;

/// Turns the parser's character positions into byte spans of the source.
pub(super) struct Places<'t> {
    source: SourceId,
    pub(super) text: &'t str,
    map: Option<&'t OffsetMap>,
    /// Byte offset of every character; none if they are the same.
    bytes: Option<Vec<u32>>,
}

impl<'t> Places<'t> {
    pub(super) fn new(source: SourceId, text: &'t str, map: Option<&'t OffsetMap>) -> Self {
        let bytes = (!text.is_ascii() && text.len() <= MAX_BYTES)
            .then(|| text.char_indices().map(|(at, _)| to_u32(at)).collect());
        Self {
            source,
            text,
            map,
            bytes,
        }
    }

    fn byte(&self, character: usize) -> usize {
        let at = match &self.bytes {
            Some(bytes) => bytes
                .get(character)
                .map_or(self.text.len(), |at| *at as usize),
            None => character,
        };
        at.min(self.text.len())
    }

    /// A span from byte offsets of the text.
    pub(super) fn span(&self, start: usize, end: usize) -> Span {
        let (start, end) = self.map.map_or((start, end), |map| map.locate(start, end));
        Span::new(self.source, to_u32(start), to_u32(end))
    }

    /// The place of a range, less the white space at its end: a block scalar's range ends where the next thing starts.
    pub(super) fn of_range(&self, range: Range) -> Span {
        let (start, end) = self.trimmed(range);
        self.span(start, end)
    }

    /// From a collection's first token to its closing bracket, or to its last value.
    pub(super) fn of_collection(&self, start: Range, end: Range, last: Option<Span>) -> Span {
        let (from, _) = self.trimmed(start);
        let first = self.span(from, from);
        let closing = (!end.is_empty()).then(|| self.of_range(end));
        let to = closing.or(last).map_or(first.end, |span| span.end);
        Span::new(self.source, first.start, to.max(first.start))
    }

    fn trimmed(&self, range: Range) -> (usize, usize) {
        let start = self.byte(range.start.index());
        let end = self.byte(range.end.index()).max(start);
        let text = self.text.get(start..end).unwrap_or("");
        (start, start + text.trim_end().len())
    }

    pub(super) fn error(&self, range: Range, problem: &str) -> Diagnostic {
        let (start, end) = self.trimmed(range);
        self.diagnostic(SYNTAX_ERROR, problem, start, end)
    }

    /// What libyaml refuses before it looks at anything: control characters, and a tab where the first key should be indented.
    pub(super) fn bad_character(&self) -> Option<Diagnostic> {
        let control = |c: char| {
            (c.is_control() && !matches!(c, '\t' | '\n' | '\r' | '\u{85}'))
                || matches!(c, '\u{fffe}' | '\u{ffff}')
        };
        if let Some((at, c)) = self.text.char_indices().find(|(_, c)| control(*c)) {
            let problem = "control characters are not allowed";
            return Some(self.diagnostic(SYNTAX_ERROR, problem, at, at + c.len_utf8()));
        }
        let mut start = 0;
        for line in self.text.split_inclusive('\n') {
            let content = line.trim_start();
            if !content.is_empty() && !content.starts_with('#') {
                let indentation = line.get(..line.len() - content.len()).unwrap_or("");
                return indentation.find('\t').map(|tab| {
                    let problem = "found character that cannot start any token while scanning for the next token";
                    self.diagnostic(SYNTAX_ERROR, problem, start + tab, start + tab + 1)
                });
            }
            start += line.len();
        }
        None
    }

    /// What to make of the parser's complaint.
    pub(super) fn failure(&self, error: &ScanError) -> Failure {
        if error.info().starts_with("':' must be followed") {
            let at = self.byte(error.marker().index());
            let before = self.text.get(..at).unwrap_or("");
            if let Some(tab) = before.rfind(['\t', '\n'])
                && before.get(tab..).is_some_and(|rest| rest.starts_with('\t'))
            {
                return Failure::TabAfterColon { tab };
            }
        }
        self.scan_error(error).into()
    }

    fn scan_error(&self, error: &ScanError) -> Diagnostic {
        let at = self.byte(error.marker().index());
        let info = error.info();
        if info.ends_with("found unknown anchor") {
            let rest = self.text.get(at..).unwrap_or("");
            let name: String = rest
                .trim_start_matches('*')
                .chars()
                .take_while(|c| !c.is_whitespace() && !"[]{},".contains(*c))
                .collect();
            let message = format!("An alias referenced an unknown anchor: {name}");
            return Diagnostic::error("Psych::AnchorNotDefined", message)
                .at(self.span(at, at + 1 + name.len()), "no `&` with this name stands before it")
                .hinted("anchors hold for one file: a destination's file can't use those of the base file");
        }
        // Psych tells the problem first and then what it was doing.
        let problem = match info
            .strip_prefix("while ")
            .and_then(|rest| rest.split_once(", "))
        {
            Some((doing, problem)) => format!("{problem} while {doing}"),
            None => info.to_owned(),
        };
        let next = self.text.get(at..).and_then(|rest| rest.chars().next());
        let end = at + next.filter(|c| *c != '\n').map_or(0, char::len_utf8);
        self.diagnostic(SYNTAX_ERROR, &problem, at, end)
    }

    fn diagnostic(
        &self,
        class: &'static str,
        problem: &str,
        start: usize,
        end: usize,
    ) -> Diagnostic {
        let (line, column) = match self.map {
            Some(map) => map.line_column(start),
            None => line_column(self.text, start),
        };
        let message = format!("(<unknown>): {problem} at line {line} column {column}");
        Diagnostic::error(class, message).at(self.span(start, end), "")
    }
}

fn to_u32(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}
