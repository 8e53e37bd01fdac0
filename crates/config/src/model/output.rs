//! `output`: where logs of deploys go besides the terminal.

/// Sinks that are switched on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Output {
    /// `otel.endpoint`
    pub otel_endpoint: Option<String>,
    /// `file.path`
    pub file_path: Option<String>,
}
