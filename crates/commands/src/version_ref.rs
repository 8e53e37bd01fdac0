//! A version that is known now, or only on the host.
//!
//! In: a version, or the name of a shell variable that will hold one. Out: text for a command line.

use std::fmt;

/// A version in a command line.
///
/// Displayed, it is the version itself or `${name}`: right wherever the text stands bare or in double quotes. Where Kamal has it
/// in single quotes, [`VersionRef::name_filter`] chooses the quotes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VersionRef<'v> {
    /// The version.
    Known(&'v str),
    /// The name of a shell variable, without `$`.
    Variable(&'v str),
}

impl VersionRef<'_> {
    /// `'name=^prefix-version$'`: the value of a `--filter` that finds one container.
    pub fn name_filter(&self, prefix: &str) -> String {
        match self {
            Self::Known(version) => format!("'name=^{prefix}-{version}$'"),
            Self::Variable(_) => format!("\"name=^{prefix}-{self}\\$\""),
        }
    }
}

impl fmt::Display for VersionRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Known(version) => f.write_str(version),
            Self::Variable(name) => write!(f, "${{{name}}}"),
        }
    }
}

impl<'v> From<&'v str> for VersionRef<'v> {
    fn from(version: &'v str) -> Self {
        Self::Known(version)
    }
}

impl<'v> From<&'v String> for VersionRef<'v> {
    fn from(version: &'v String) -> Self {
        Self::Known(version)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_stays_open_to_the_shell() {
        assert_eq!(
            VersionRef::from("123").name_filter("app-web"),
            "'name=^app-web-123$'"
        );
        assert_eq!(
            VersionRef::Variable("old").name_filter("app-web"),
            r#""name=^app-web-${old}\$""#
        );
    }
}
