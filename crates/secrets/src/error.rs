//! What can go wrong with secrets. The messages are Kamal's; none holds a value.

use std::sync::Arc;

use dhow_text::diagnostic::Diagnostic;
use dhow_text::source::Sources;

/// Why there is no secret.
#[derive(Clone, Debug, thiserror::Error)]
pub enum SecretsError {
    /// No file defines it.
    #[error("Secret '{name}' not found in {}", files.join(", "))]
    NotFound {
        /// The name.
        name: String,
        /// The files that were read.
        files: Vec<String>,
    },
    /// There is no file.
    #[error("Secret '{name}' not found, no secret files ({}) provided", files.join(", "))]
    NoFiles {
        /// The name.
        name: String,
        /// The files that would be read.
        files: Vec<String>,
    },
    /// A file is there and can't be read.
    #[error("{path}: {reason}")]
    Unreadable {
        /// The file.
        path: String,
        /// What the system says.
        reason: String,
    },
    /// A file says something that can't be carried out.
    #[error("{}", diagnostic.message)]
    Malformed {
        /// What and where; show it with `sources`, whose lines stay hidden.
        diagnostic: Box<Diagnostic>,
        /// The files.
        sources: Arc<Sources>,
    },
    /// A password manager, or what was asked of one.
    #[error("{message}")]
    Adapter {
        /// Kamal's text.
        message: String,
    },
    /// An adapter was asked in a way it does not take.
    #[error("{message}")]
    Argument {
        /// Kamal's text.
        message: String,
    },
    /// A text that should be JSON is not. The text is not shown.
    #[error("{what} is not valid JSON (line {line}, column {column})")]
    Json {
        /// Whose text.
        what: String,
        /// Where it stops to be, from 1.
        line: usize,
        /// Where in the line.
        column: usize,
    },
}

impl SecretsError {
    /// The error class Kamal prints.
    pub fn class(&self) -> &'static str {
        match self {
            Self::NotFound { .. } | Self::NoFiles { .. } => "Kamal::ConfigurationError",
            Self::Unreadable { .. } => "SystemCallError",
            Self::Malformed { diagnostic, .. } => diagnostic.class,
            Self::Adapter { .. } => "RuntimeError",
            Self::Argument { .. } => "ArgumentError",
            Self::Json { .. } => "JSON::ParserError",
        }
    }

    pub(crate) fn adapter(message: impl Into<String>) -> Self {
        Self::Adapter {
            message: message.into(),
        }
    }

    pub(crate) fn json(what: impl Into<String>, error: &serde_json::Error) -> Self {
        Self::Json {
            what: what.into(),
            line: error.line(),
            column: error.column(),
        }
    }
}
