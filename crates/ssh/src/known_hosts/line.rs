//! One line of a `known_hosts` file.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use hmac::{Hmac, Mac};
use sha1::Sha1;
use sha2::{Digest, Sha256};

use crate::config::matches_list;

/// What a line says about its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Marker {
    /// The key of the host itself.
    HostKey,
    /// The key of an authority whose certificates are good for these hosts.
    CertAuthority,
    /// The key must not be accepted.
    Revoked,
}

/// A line, borrowed from the file's text; the key is not decoded before it is needed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Line<'a> {
    pub(crate) marker: Marker,
    hosts: &'a str,
    pub(crate) algorithm: &'a str,
    key: &'a str,
}

impl<'a> Line<'a> {
    /// Reads a line; `None` for blank lines, comments and what is no such line (OpenSSH skips those too).
    pub(crate) fn parse(text: &'a str) -> Option<Self> {
        let mut words = text.split_ascii_whitespace();
        let mut first = words.next().filter(|word| !word.starts_with('#'))?;
        let marker = match first {
            "@cert-authority" => Marker::CertAuthority,
            "@revoked" => Marker::Revoked,
            word if word.starts_with('@') => return None,
            _ => Marker::HostKey,
        };
        if marker != Marker::HostKey {
            first = words.next()?;
        }
        Some(Self {
            marker,
            hosts: first,
            algorithm: words.next()?,
            key: words.next()?,
        })
    }

    /// Whether the line is about `name`, which is `host` or `[host]:port` in lower case.
    pub(crate) fn is_about(&self, name: &str) -> bool {
        match self.hosts.strip_prefix("|1|") {
            Some(hashed) => is_hash_of(hashed, name),
            None => matches_list(name, self.hosts.split(',')),
        }
    }

    /// The key in wire form, if it can be decoded.
    pub(crate) fn blob(&self) -> Option<Vec<u8>> {
        STANDARD.decode(self.key).ok()
    }
}

/// `|1|salt|hash` compared as OpenSSH does: HMAC-SHA1 over the name, keyed with the salt.
fn is_hash_of(hashed: &str, name: &str) -> bool {
    let Some((salt, hash)) = hashed.split_once('|') else {
        return false;
    };
    let (Ok(salt), Ok(hash)) = (STANDARD.decode(salt), STANDARD.decode(hash)) else {
        return false;
    };
    keyed_hash(&salt, name).is_some_and(|computed| computed == hash)
}

fn keyed_hash(salt: &[u8], name: &str) -> Option<Vec<u8>> {
    let mut mac = Hmac::<Sha1>::new_from_slice(salt).ok()?;
    mac.update(name.as_bytes());
    Some(mac.finalize().into_bytes().to_vec())
}

/// The hashed form of a name, `|1|salt|hash`; `None` when `salt` can't be used.
pub(crate) fn hashed(name: &str, salt: &[u8]) -> Option<String> {
    let hash = keyed_hash(salt, name)?;
    Some(format!(
        "|1|{}|{}",
        STANDARD.encode(salt),
        STANDARD.encode(hash)
    ))
}

/// The key in the base64 form of the files.
pub(crate) fn encoded(blob: &[u8]) -> String {
    STANDARD.encode(blob)
}

/// `SHA256:…` of a public key in wire form, as `ssh-keygen -l` prints it.
#[must_use]
pub fn fingerprint(blob: &[u8]) -> String {
    format!("SHA256:{}", STANDARD_NO_PAD.encode(Sha256::digest(blob)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "AAAAC3NzaC1lZDI1NTE5AAAAIPYIG5fovB9oIGjUl/wVSLiMG+sjq6k3h3n0bMzNHrre";

    #[test]
    fn plain_names_and_patterns() {
        let text = format!("*.example.com,!old.example.com,[gate]:2222 ssh-ed25519 {KEY} note");
        let line = Line::parse(&text).unwrap();
        assert!(line.is_about("web.example.com"));
        assert!(!line.is_about("old.example.com"));
        assert!(line.is_about("[gate]:2222"));
        assert!(!line.is_about("gate"));
        assert_eq!(line.algorithm, "ssh-ed25519");
        assert!(line.blob().is_some());
    }

    #[test]
    fn markers_and_noise() {
        for (text, marker) in [
            (
                "@cert-authority * ssh-rsa AAAA",
                Some(Marker::CertAuthority),
            ),
            ("@revoked * ssh-rsa AAAA", Some(Marker::Revoked)),
            ("@other * ssh-rsa AAAA", None),
            ("# host ssh-rsa AAAA", None),
            ("host ssh-rsa", None),
            ("", None),
        ] {
            assert_eq!(Line::parse(text).map(|l| l.marker), marker, "{text}");
        }
    }

    #[test]
    fn hashing_round_trips_and_broken_hashes_match_nothing() {
        let hosts = hashed("[gate]:2222", &[7; 20]).unwrap();
        let text = format!("{hosts} ssh-ed25519 {KEY}");
        let line = Line::parse(&text).unwrap();
        assert!(line.is_about("[gate]:2222"));
        assert!(!line.is_about("gate"));
        for broken in ["|1|", "|1|x", "|1|x|y", "|1|AAAA|", "|2|AAAA|AAAA"] {
            let text = format!("{broken} ssh-ed25519 {KEY}");
            assert!(!Line::parse(&text).unwrap().is_about("gate"), "{broken}");
        }
    }
}
