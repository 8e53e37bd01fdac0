//! Values that can't be shown by accident.
//!
//! [`Secret`] holds text from a secrets file, a password or a key. It has no `Display`, no `Serialize`, and its `Debug` says only
//! that it is there; whoever needs the value says so with [`Secret::reveal`], which is easy to search for.

use std::fmt;
use std::sync::Arc;

use zeroize::Zeroizing;

/// What stands where a secret is.
pub const REDACTED: &str = "[REDACTED]";

/// A text that is not to be shown. Cheap to clone; wiped when the last clone goes.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Arc<Zeroizing<String>>);

impl Secret {
    /// Takes the text in.
    pub fn new(value: impl Into<String>) -> Self {
        Self(Arc::new(Zeroizing::new(value.into())))
    }

    /// The text itself. Only for writing it where it has to go.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret([REDACTED])")
    }
}

/// Replaces every known secret in a text by [`REDACTED`], whichever way the text came to hold it.
///
/// Values shorter than four bytes are left alone: replacing them would shred ordinary output. Multi-line secrets are also looked
/// for line by line, and JSON-escaped forms too.
#[derive(Clone, Debug, Default)]
pub struct Redactor {
    /// Longest first, so that a secret inside another does not spoil it.
    needles: Vec<Secret>,
}

impl Redactor {
    /// A redactor for these values.
    pub fn new(secrets: impl IntoIterator<Item = Secret>) -> Self {
        let mut needles: Vec<Secret> = Vec::new();
        for secret in secrets {
            let value = secret.reveal();
            for piece in std::iter::once(value).chain(value.lines()) {
                let piece = piece.trim();
                if piece.len() >= 4 && !needles.iter().any(|n| n.reveal() == piece) {
                    needles.push(Secret::new(piece));
                }
            }
        }
        needles.sort_by_key(|n| std::cmp::Reverse(n.reveal().len()));
        Self { needles }
    }

    /// `text` with every known secret replaced.
    pub fn redact<'t>(&self, text: &'t str) -> std::borrow::Cow<'t, str> {
        let mut out = std::borrow::Cow::Borrowed(text);
        for needle in &self.needles {
            if out.contains(needle.reveal()) {
                out = std::borrow::Cow::Owned(out.replace(needle.reveal(), REDACTED));
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_shows_nothing() {
        assert_eq!(
            format!("{:?}", Secret::new("hunter22")),
            "Secret([REDACTED])"
        );
    }

    #[test]
    fn every_occurrence_goes_and_the_longest_first() {
        let redactor = Redactor::new([
            Secret::new("pass"),
            Secret::new("password1"),
            Secret::new("a"),
        ]);
        assert_eq!(
            redactor.redact("a password1 pass"),
            "a [REDACTED] [REDACTED]"
        );
    }
}
