//! Which parts of a text are assignments.
//!
//! In: a text whose lines end in LF. Out: [`Line`]s. A line that is not as a whole `[export] KEY [separator value] [# comment]` is
//! passed over. The rules are those of one regular expression of dotenv's, its backtracking included.

use std::ops::Range;

/// One assignment, as byte ranges of the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    /// From the first white space to the end of the comment.
    pub(super) whole: Range<usize>,
    pub(super) export: bool,
    pub(super) key: Range<usize>,
    /// With its quotes and the space around it; none if there was nothing to take.
    pub(super) value: Option<Range<usize>>,
}

/// All assignments in order.
pub(super) fn lines(text: &str) -> Vec<Line> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < text.len() {
        if let Some(line) = match_line(text, at) {
            at = line.whole.end;
            found.push(line);
        } else {
            // Whatever stands after the blank lines here was just refused, and would be from each of them.
            at = skip_space(text, at);
        }
        at = match tail(text, at).find('\n') {
            Some(end) => at + end + 1,
            None => text.len(),
        };
    }
    found
}

/// What dotenv quotes in its complaint about a line: white space, line breaks and a comment after it too.
pub(super) fn with_what_follows<'t>(text: &'t str, line: &Line) -> &'t str {
    let after_key = text.get(line.key.end..line.whole.end).unwrap_or("");
    if after_key.contains('#') {
        return text.get(line.whole.clone()).unwrap_or("");
    }
    let next = skip_space(text, line.whole.end);
    let rest = tail(text, next);
    let end = if rest.is_empty() || rest.starts_with('#') {
        next + rest.find('\n').unwrap_or(rest.len())
    } else {
        let space = text.get(line.whole.end..next).unwrap_or("");
        line.whole.end + space.rfind('\n').unwrap_or(0)
    };
    text.get(line.whole.start..end).unwrap_or("")
}

fn match_line(text: &str, start: usize) -> Option<Line> {
    let after_space = skip_space(text, start);
    if let Some(rest) = tail(text, after_space).strip_prefix("export") {
        let after_export = text.len() - rest.len();
        let key = skip_space(text, after_export);
        if key > after_export
            && let Some(line) = match_assignment(text, start, key, true)
        {
            return Some(line);
        }
    }
    match_assignment(text, start, after_space, false)
}

fn match_assignment(text: &str, start: usize, key_start: usize, export: bool) -> Option<Line> {
    let name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.';
    let rest = tail(text, key_start);
    let key_end = key_start + rest.find(|c| !name(c)).unwrap_or(rest.len());
    if key_end == key_start {
        return None;
    }
    let line = |value, end| Line {
        whole: start..end,
        export,
        key: key_start..key_end,
        value,
    };
    let equals = skip_space(text, key_end);
    let after_separator = if tail(text, equals).starts_with('=') {
        Some(equals + 1)
    } else {
        // A colon at the end of the line is a separator without a value: the next line is its own.
        let after = tail(text, key_end).strip_prefix(':');
        after
            .filter(|rest| rest.starts_with(char::is_whitespace))
            .map(|rest| key_end + 1 + usize::from(!rest.starts_with('\n')))
    };
    if let Some(at) = after_separator {
        for quote in ['\'', '"'] {
            if let Some((value, end)) = quoted(text, at, quote) {
                return Some(line(Some(value), end));
            }
        }
        let rest = tail(text, at);
        let length = rest.find(['#', '\n']).unwrap_or(rest.len());
        let value = (length > 0).then_some(at..at + length);
        if let Some(end) = line_end(text, at + length) {
            return Some(line(value, end));
        }
    }
    line_end(text, key_end).map(|end| line(None, end))
}

/// A quoted value that has nothing but a comment after it. A quote after a backslash ends it only if nothing else can.
fn quoted(text: &str, at: usize, quote: char) -> Option<(Range<usize>, usize)> {
    let open = skip_space(text, at);
    let inside = tail(text, open).strip_prefix(quote)?;
    let base = open + 1;
    let mut escaped = Vec::new();
    let mut closing = None;
    for (offset, _) in inside.match_indices(quote) {
        if offset > 0
            && inside
                .get(..offset)
                .is_some_and(|before| before.ends_with('\\'))
        {
            escaped.push(offset);
        } else {
            closing = Some(offset);
            break;
        }
    }
    closing
        .into_iter()
        .chain(escaped.into_iter().rev())
        .map(|offset| base + offset + 1)
        .find_map(|end| line_end(text, end).map(|line_end| (at..end, line_end)))
}

/// The end of a line on which nothing but white space and a comment follows.
fn line_end(text: &str, at: usize) -> Option<usize> {
    let rest = tail(text, at);
    let content = rest.trim_start_matches([' ', '\t', '\x0b', '\x0c', '\r']);
    let from = text.len() - content.len();
    if content.is_empty() || content.starts_with('\n') {
        return Some(from);
    }
    content.strip_prefix('#')?;
    Some(from + content.find('\n').unwrap_or(content.len()))
}

fn skip_space(text: &str, at: usize) -> usize {
    let rest = tail(text, at);
    let space = |c: char| c.is_ascii_whitespace() || c == '\x0b';
    at + rest.find(|c| !space(c)).unwrap_or(rest.len())
}

fn tail(text: &str, at: usize) -> &str {
    text.get(at..).unwrap_or("")
}
