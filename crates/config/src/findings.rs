//! What is wrong with a deploy file, collected in the order in which Kamal looks.
//!
//! In: one call per problem, with the path of keys that leads to it. Out: diagnostics; the first error is the one that Kamal would
//! have stopped at.

use dhow_text::diagnostic::{CONFIGURATION_ERROR, Diagnostic, Severity};
use dhow_text::source::Span;

/// Problems with the paths they were found at (`servers/web/proxy`; empty for the whole file).
#[derive(Default)]
pub(crate) struct Findings {
    found: Vec<(String, Diagnostic)>,
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
    /// A configuration error, worded as Kamal words them: `path: text`, or the text alone for the whole file.
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
        let known = |(_, d): &(String, Diagnostic)| d.message == diagnostic.message;
        if !self.found.iter().any(known) {
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

    /// All diagnostics, errors first, each kind in the order found.
    pub(crate) fn into_diagnostics(self) -> Vec<Diagnostic> {
        let (errors, warnings): (Vec<_>, Vec<_>) = self
            .found
            .into_iter()
            .map(|(_, diagnostic)| diagnostic)
            .partition(|d| d.severity == Severity::Error);
        errors.into_iter().chain(warnings).collect()
    }

    fn errors(&self) -> impl Iterator<Item = &(String, Diagnostic)> {
        self.found
            .iter()
            .filter(|(_, d)| d.severity == Severity::Error)
    }
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
    fn errors_come_before_warnings_and_repeated_messages_once() {
        let mut findings = Findings::default();
        findings.warning("a", "careful", Span::nowhere());
        findings.error("", "wrong", Span::nowhere());
        findings.error("", "wrong", Span::nowhere());
        let messages: Vec<String> = findings
            .into_diagnostics()
            .into_iter()
            .map(|d| d.message)
            .collect();
        assert_eq!(messages, ["wrong", "a: careful"]);
    }
}
