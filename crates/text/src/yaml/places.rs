//! Where things stand in the text, for the tree and for complaints.
//!
//! In: the parser's positions, which count characters of the text that was parsed. Out: byte spans of the source, which is the
//! template if the text was rendered from one.

use saphyr_parser::ScanError;

use super::compose::{Failure, MAX_BYTES, SYNTAX_ERROR};
use super::repair::{Repair, Repaired};
use crate::diagnostic::Diagnostic;
use crate::rendered::{OffsetMap, line_column};
use crate::source::{SourceId, Span};

/// A character range of the text.
pub(super) type Range = saphyr_parser::Span;

/// Turns the parser's character positions into byte spans of the source.
pub(super) struct Places<'t> {
    source: SourceId,
    /// The text that is parsed.
    pub(super) text: &'t str,
    repaired: &'t Repaired<'t>,
    map: Option<&'t OffsetMap>,
    /// Byte offset of every character; none if they are the same.
    bytes: Option<Vec<u32>>,
}

impl<'t> Places<'t> {
    pub(super) fn new(
        source: SourceId,
        repaired: &'t Repaired<'t>,
        map: Option<&'t OffsetMap>,
    ) -> Self {
        let text = repaired.text();
        let bytes = (!text.is_ascii() && text.len() <= MAX_BYTES)
            .then(|| text.char_indices().map(|(at, _)| to_u32(at)).collect());
        Self {
            source,
            text,
            repaired,
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
        let (start, end) = (self.repaired.original(start), self.repaired.original(end));
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
        let at = self.byte(error.marker().index());
        let before = self.text.get(..at).unwrap_or("");
        let tab = before.rfind(['\t', '\n']).filter(|tab| {
            before
                .get(*tab..)
                .is_some_and(|rest| rest.starts_with('\t'))
        });
        let repair = match (error.info(), tab) {
            (info, Some(tab)) if info.starts_with("':' must be followed") => Repair::Tab(tab),
            ("invalid indentation" | "invalid indentation in flow construct", _) => {
                Repair::Indent(at)
            }
            // Tabs and spaces at the start of a line within quotes are nothing to Psych.
            ("tab cannot be used as indentation", _) => Repair::Tab(at),
            ("wrongly indented line in block scalar", _) if self.ends_document(at) => {
                Repair::End(at)
            }
            ("invalid indentation in quoted scalar", _) => match self.shallow_line_after(at) {
                Some(line) => Repair::Indent(line),
                None => return self.scan_error(error).into(),
            },
            _ => return self.scan_error(error).into(),
        };
        Failure::Repairable(repair, Box::new(self.scan_error(error)))
    }

    /// The next line that is indented no more than the one at `at`.
    fn shallow_line_after(&self, at: usize) -> Option<usize> {
        let depth = |line: &str| line.len() - line.trim_start_matches([' ', '-', '\t']).len();
        let start = self.text.get(..at)?.rfind('\n').map_or(0, |end| end + 1);
        let most = depth(self.text.get(start..)?.lines().next()?);
        let mut next = start;
        for line in self.text.get(start..)?.split_inclusive('\n') {
            if next > at && !line.trim().is_empty() && depth(line) <= most {
                return Some(next);
            }
            next += line.len();
        }
        None
    }

    /// Whether a line that ends the document starts there.
    fn ends_document(&self, at: usize) -> bool {
        let starts_line = at == 0 || self.text.get(..at).is_some_and(|t| t.ends_with('\n'));
        let rest = self.text.get(at..).unwrap_or("");
        starts_line && (rest.starts_with("...") || rest.starts_with("---"))
    }

    /// Line and column in the text before repairs: lines are the same, columns less what was put in.
    fn line_column(&self, at: usize) -> (usize, usize) {
        let (line, column) = line_column(self.text, at);
        let line_start = self
            .text
            .get(..at)
            .and_then(|before| before.rfind('\n'))
            .map_or(0, |end| end + 1);
        let put_in =
            (at - line_start) - (self.repaired.original(at) - self.repaired.original(line_start));
        (line, column.saturating_sub(put_in))
    }

    fn scan_error(&self, error: &ScanError) -> Diagnostic {
        let at = self.byte(error.marker().index());
        let info = error.info();
        if info.ends_with("found unknown anchor") {
            let rest = self.text.get(at..).unwrap_or("");
            let starred = rest.trim_start_matches('*');
            let name: String = starred
                .chars()
                .take_while(|c| !c.is_whitespace() && !"[]{},".contains(*c))
                .collect();
            let message = format!("An alias referenced an unknown anchor: {name}");
            return Diagnostic::error("Psych::AnchorNotDefined", message)
                .at(self.span(at, at + rest.len() - starred.len() + name.len()), "no `&` with this name stands before it")
                .hinted("anchors hold for one file: a destination's file can't use those of the base file");
        }
        let problem = in_psychs_words(info);
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
            Some(map) => map.line_column(self.repaired.original(start)),
            None => self.line_column(start),
        };
        let message = format!("(<unknown>): {problem} at line {line} column {column}");
        Diagnostic::error(class, message).at(self.span(start, end), "")
    }
}

/// The parser's complaint as libyaml words it, so that people find it: the problem first, and then what was being done.
fn in_psychs_words(info: &str) -> String {
    if info.starts_with("unexpected character: ") {
        return "found character that cannot start any token while scanning for the next token"
            .to_owned();
    }
    let (doing, problem) = match info {
        "simple key expect ':'" => ("scanning a simple key", "could not find expected ':'"),
        "a block scalar content cannot start with a tab" => (
            "scanning a block scalar",
            "found a tab character where an indentation space is expected",
        ),
        _ => match info
            .strip_prefix("while ")
            .and_then(|rest| rest.split_once(", "))
        {
            Some(("parsing a node", problem)) => ("parsing a flow node", problem),
            Some((doing, "found a tab")) => {
                (doing, "found a tab character that violates indentation")
            }
            Some((doing, "expected ',' or ']'")) => (doing, "did not find expected ',' or ']'"),
            Some(parts) => parts,
            None => return info.to_owned(),
        },
    };
    format!("{problem} while {doing}")
}

fn to_u32(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}
