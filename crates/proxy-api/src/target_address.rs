//! A target's address as an operator writes it: a name or IPv4 address, optionally with a port.

use std::fmt;

/// `host[:port]`, checked; without a port it is 80.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TargetAddress {
    text: String,
    host_len: usize,
    port: u16,
}

/// The text is no target. The odd spacing is the original's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0} :invalid host pattern")]
pub struct InvalidTarget(pub String);

impl TargetAddress {
    /// Reads `host[:port]`: a word character, then one or more of word characters, `-`, `.` and `+`.
    ///
    /// # Errors
    /// [`InvalidTarget`] with the text.
    pub fn parse(text: &str) -> Result<Self, InvalidTarget> {
        let invalid = || InvalidTarget(text.to_owned());
        let (host, port) = match text.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        };
        let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
        let mut bytes = host.bytes();
        let first = bytes.next().is_some_and(word);
        let rest = bytes.len() > 0 && bytes.all(|b| word(b) || matches!(b, b'-' | b'.' | b'+'));
        if !first || !rest {
            return Err(invalid());
        }
        let port = match port {
            None => 80,
            Some(port) if !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()) => {
                port.parse().map_err(|_| invalid())?
            }
            Some(_) => return Err(invalid()),
        };
        Ok(Self {
            text: text.to_owned(),
            host_len: host.len(),
            port,
        })
    }

    /// The address as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The part before the port.
    #[must_use]
    pub fn host(&self) -> &str {
        self.text.get(..self.host_len).unwrap_or_default()
    }

    /// The port, 80 unless written.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }
}

impl fmt::Display for TargetAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn good_ones() {
        for (text, host, port) in [
            ("web-1.internal:3000", "web-1.internal", 3000),
            ("127.0.0.1:8080", "127.0.0.1", 8080),
            ("0123456789ab", "0123456789ab", 80),
            ("a_", "a_", 80),
        ] {
            let target = TargetAddress::parse(text).unwrap();
            assert_eq!(
                (target.host(), target.port(), target.as_str()),
                (host, port, text)
            );
        }
    }

    /// parity: proxy 83
    #[test]
    fn bad_ones() {
        for text in [
            "",
            "_",
            "/",
            "a",
            "a:80",
            "[::1]:80",
            "http://web",
            "web/up",
            "web:",
            "web:x",
            "-web",
            "web:99999",
        ] {
            assert_eq!(
                TargetAddress::parse(text).unwrap_err().to_string(),
                format!("{text} :invalid host pattern")
            );
        }
    }
}
