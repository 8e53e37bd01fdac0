//! What is wrong with a text, where, and what to do about it.
//!
//! In: problems found by any reader. Out: values that the edge renders with the source line and a caret.

use crate::source::Span;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// The file can't be used.
    Error,
    /// It can, but probably not as meant.
    Warning,
}

/// One problem. `message` holds Kamal's own text where Kamal reports the same thing, so that it can be searched for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// The error class Kamal would print: `Kamal::ConfigurationError`, `ArgumentError`, `RuntimeError`, `Psych::SyntaxError`, …
    pub class: &'static str,
    /// The problem, e.g. `servers/web: unknown key: traefik`.
    pub message: String,
    /// Where; the first is the main one. Empty for problems of the whole file or of the command line.
    pub labels: Vec<Label>,
    /// What to do about it.
    pub hint: Option<String>,
}

/// A marked place with a short remark (may be empty).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// The place.
    pub span: Span,
    /// What is to be said about it.
    pub text: String,
}

/// The class of most problems of a deploy file.
pub const CONFIGURATION_ERROR: &str = "Kamal::ConfigurationError";

impl Diagnostic {
    /// An error of the given Kamal class.
    pub fn error(class: &'static str, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            class,
            message: message.into(),
            labels: Vec::new(),
            hint: None,
        }
    }

    /// The same, pointing at `span`.
    #[must_use]
    pub fn at(mut self, span: Span, text: impl Into<String>) -> Self {
        self.labels.push(Label {
            span,
            text: text.into(),
        });
        self
    }

    /// The same, with a way out.
    #[must_use]
    pub fn hinted(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}
