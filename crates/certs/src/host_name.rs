//! A DNS name that a certificate can be ordered for, in the one form used as key and as file name.
//!
//! In: a host as configured or as a client named it. Out: lower case, no trailing dot, at least one dot, only letters, digits,
//! `-` and `_` in its labels. Names beyond ASCII are written in their `xn--` form, as clients send them.

use std::borrow::Borrow;
use std::fmt;
use std::net::Ipv4Addr;

/// A name fit for a certificate of its own.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostName(String);

/// A name no certificate is ordered for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HostNameError {
    /// A certificate for a wildcard needs a challenge by DNS.
    #[error("`{0}` is a wildcard, which needs a certificate of your own")]
    Wildcard(String),
    /// Certificate authorities give none for names of one label or for addresses.
    #[error("`{0}` is not a public host name")]
    NotPublic(String),
    /// Not a host name.
    #[error("`{0}` is not a host name")]
    Malformed(String),
}

impl HostName {
    /// Reads a name.
    ///
    /// # Errors
    /// A name that no certificate can be ordered for.
    pub fn parse(text: &str) -> Result<Self, HostNameError> {
        let name = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
        let refused = |kind: fn(String) -> HostNameError| Err(kind(text.to_owned()));
        if name.starts_with("*.") {
            return refused(HostNameError::Wildcard);
        }
        if name.is_empty() || name.len() > 253 || !name.split('.').all(is_label) {
            return refused(HostNameError::Malformed);
        }
        if !name.contains('.') || name.parse::<Ipv4Addr>().is_ok() {
            return refused(HostNameError::NotPublic);
        }
        Ok(Self(name))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for HostName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn is_label(label: &str) -> bool {
    !label.is_empty()
        && label.len() <= 63
        && label
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_form_for_every_spelling() {
        for spelling in ["app.example.com", "APP.Example.com", "app.example.com."] {
            assert_eq!(
                HostName::parse(spelling).unwrap().as_str(),
                "app.example.com"
            );
        }
        assert_eq!(
            HostName::parse("xn--bcher-kva.example").unwrap().as_str(),
            "xn--bcher-kva.example"
        );
    }

    #[test]
    fn refused_names() {
        let reason = |text: &str| HostName::parse(text).unwrap_err().to_string();
        assert_eq!(
            reason("*.example.com"),
            "`*.example.com` is a wildcard, which needs a certificate of your own"
        );
        assert_eq!(reason("localhost"), "`localhost` is not a public host name");
        assert_eq!(reason("192.0.2.1"), "`192.0.2.1` is not a public host name");
        for text in [
            "",
            ".",
            "a..b",
            "../etc/passwd",
            "a.b/c",
            "a.b\\c",
            "a.b+token",
            "bücher.example",
            "[::1]",
            "a.example:443",
        ] {
            assert_eq!(reason(text), format!("`{text}` is not a host name"));
        }
        assert!(HostName::parse(&format!("{}.example", "a".repeat(64))).is_err());
    }
}
