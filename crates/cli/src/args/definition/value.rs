//! Values of options that are more than text.

use std::convert::Infallible;
use std::num::ParseFloatError;
use std::str::FromStr;

/// `NAME:value`, as `app exec -e` takes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pair {
    /// Before the first colon.
    pub(crate) name: String,
    /// All that follows it.
    pub(crate) value: String,
}

impl FromStr for Pair {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        let (name, value) = text.split_once(':').unwrap_or((text, ""));
        Ok(Self {
            name: name.to_owned(),
            value: value.to_owned(),
        })
    }
}

/// An entry of a comma list: blanks around it mean nothing.
pub(super) fn entry(text: &str) -> Result<String, Infallible> {
    Ok(text.trim().to_owned())
}

/// Seconds, at least none and at most some thirty years: what a duration can hold.
pub(super) fn seconds(text: &str) -> Result<f64, ParseFloatError> {
    text.parse::<f64>().map(|seconds| seconds.clamp(0.0, 1e9))
}
