//! What is wrong with a deploy file, collected in the order in which Kamal looks.
//!
//! In: one call per problem, with the path of keys that leads to it. Out: diagnostics; the first error is the one that Kamal would
//! have stopped at.

use std::collections::HashSet;

use dhow_text::diagnostic::{CONFIGURATION_ERROR, Diagnostic, Severity};
use dhow_text::source::{Sources, Span};

/// More errors than anybody reads, and as many warnings.
const MOST: usize = 200;

/// Problems with the paths they were found at (`servers/web/proxy`; empty for the whole file).
#[derive(Default)]
pub(crate) struct Findings {
    found: Vec<(String, Diagnostic)>,
    messages: HashSet<String>,
}

/// The path of `key` below `path`.
pub(crate) fn below(path: &str, key: impl std::fmt::Display) -> String {
    if path.is_empty() {
        key.to_string()
    } else {
        format!("{path}/{key}")
    }
}

impl Findings {
    /// A configuration error, worded as Kamal words them: `path: text`, or the text alone for the whole file. What is missing
    /// altogether is [`Span::nowhere`].
    pub(crate) fn error(&mut self, path: &str, text: &str, span: Span) {
        self.push(path, Self::worded(path, text).at(span, ""));
    }

    /// The same with a way out.
    pub(crate) fn hinted(&mut self, path: &str, text: &str, span: Span, hint: &str) {
        self.push(path, Self::worded(path, text).at(span, "").hinted(hint));
    }

    /// A warning. It never stands in a file's way.
    pub(crate) fn warning(&mut self, path: &str, text: &str, span: Span) {
        let mut diagnostic = Self::worded(path, text).at(span, "");
        diagnostic.severity = Severity::Warning;
        self.push(path, diagnostic);
    }

    /// A problem with a class or labels of its own. The same message twice says no more than once.
    pub(crate) fn push(&mut self, path: &str, diagnostic: Diagnostic) {
        let alike = |(_, d): &&(String, Diagnostic)| d.severity == diagnostic.severity;
        if self.found.iter().filter(alike).count() < MOST
            && self.messages.insert(diagnostic.message.clone())
        {
            self.found.push((path.to_owned(), diagnostic));
        }
    }

    /// A diagnostic with Kamal's wording and no place yet.
    pub(crate) fn worded(path: &str, text: &str) -> Diagnostic {
        let message = if path.is_empty() {
            text.to_owned()
        } else {
            format!("{path}: {text}")
        };
        Diagnostic::error(CONFIGURATION_ERROR, message)
    }

    /// Whether an error was found at this path or below it: what is built on it had better not be judged.
    pub(crate) fn faulty(&self, path: &str) -> bool {
        self.errors().any(|(at, _)| {
            at.strip_prefix(path)
                .is_some_and(|rest| path.is_empty() || rest.is_empty() || rest.starts_with('/'))
        })
    }

    /// How many errors there are.
    pub(crate) fn error_count(&self) -> usize {
        self.errors().count()
    }

    /// All diagnostics, errors first, each kind in the order found. Places that go over several lines are cut to the first.
    pub(crate) fn into_diagnostics(self, sources: &Sources) -> Vec<Diagnostic> {
        let (errors, warnings): (Vec<_>, Vec<_>) = self
            .found
            .into_iter()
            .map(|(_, diagnostic)| diagnostic)
            .partition(|d| d.severity == Severity::Error);
        let mut all: Vec<Diagnostic> = errors.into_iter().chain(warnings).collect();
        for diagnostic in &mut all {
            let nowhere = Span::nowhere();
            diagnostic.labels.retain(|label| label.span != nowhere);
            for label in &mut diagnostic.labels {
                label.span = first_line(label.span, sources);
            }
        }
        all
    }

    fn errors(&self) -> impl Iterator<Item = &(String, Diagnostic)> {
        self.found
            .iter()
            .filter(|(_, d)| d.severity == Severity::Error)
    }
}

fn first_line(span: Span, sources: &Sources) -> Span {
    let text = sources.get(span.source).map_or("", |source| &source.text);
    let marked = text.get(span.start as usize..span.end as usize);
    let end = match marked.and_then(|marked| marked.find('\n')) {
        Some(length) => span.start + u32::try_from(length).unwrap_or(0),
        None => span.end,
    };
    Span::new(span.source, span.start, end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_seen_from_the_paths_above_it_and_from_no_other() {
        let mut findings = Findings::default();
        findings.error("servers/web/proxy", "should be a hash", Span::nowhere());
        findings.warning("builder", "odd", Span::nowhere());
        for (path, faulty) in [
            ("", true),
            ("servers", true),
            ("servers/web", true),
            ("servers/web/proxy", true),
            ("servers/web/proxy/host", false),
            ("servers/we", false),
            ("builder", false),
        ] {
            assert_eq!(findings.faulty(path), faulty, "{path}");
        }
    }

    #[test]
    fn places_are_cut_to_their_first_line() {
        let mut sources = Sources::default();
        let id = sources.add("a.yml", "env:\n  a: 1\n  b: 2\n");
        let mut findings = Findings::default();
        findings.error("env", "x", Span::new(id, 7, 18));
        findings.error("", "y", Span::nowhere());
        let diagnostics = findings.into_diagnostics(&sources);
        assert_eq!(diagnostics[0].labels[0].span, Span::new(id, 7, 11));
        assert!(diagnostics[1].labels.is_empty());
    }

    #[test]
    fn a_flood_of_warnings_hides_no_error() {
        let mut findings = Findings::default();
        for at in 0..MOST + 5 {
            findings.warning("a", &at.to_string(), Span::nowhere());
            findings.error("b", &at.to_string(), Span::nowhere());
        }
        assert_eq!(findings.error_count(), MOST);
    }

    #[test]
    fn errors_come_before_warnings_and_repeated_messages_once() {
        let mut findings = Findings::default();
        findings.warning("a", "careful", Span::nowhere());
        findings.error("", "wrong", Span::nowhere());
        findings.error("", "wrong", Span::nowhere());
        let messages: Vec<String> = findings
            .into_diagnostics(&Sources::default())
            .into_iter()
            .map(|d| d.message)
            .collect();
        assert_eq!(messages, ["wrong", "a: careful"]);
    }
}
