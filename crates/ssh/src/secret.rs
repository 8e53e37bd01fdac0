//! A string that never shows itself: passphrases, passwords and private key text.

use std::fmt;

use zeroize::Zeroizing;

/// Text that is wiped when dropped and prints as `[secret]`.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes over `text`.
    pub fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// The text itself; the caller must not print it.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn never_prints_its_text() {
        assert_eq!(format!("{:?}", Secret::new("hunter2")), "[secret]");
    }
}
