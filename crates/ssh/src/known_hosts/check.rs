//! Compares an offered host key with the files.

use std::path::PathBuf;

use super::line::{Line, Marker, fingerprint};

/// The text of the `known_hosts` files, in order.
#[derive(Debug, Clone, Default)]
pub struct KnownHosts {
    files: Vec<(PathBuf, String)>,
}

/// How the key came: as it is, or inside a certificate signed by an authority.
#[derive(Debug, Clone, Copy)]
pub enum KeyUse<'a> {
    /// The plain host key, in wire form.
    Plain(&'a [u8]),
    /// A certificate that is valid now for this host, with the authority's key in wire form.
    Certified {
        /// The host key.
        key: &'a [u8],
        /// The authority's key.
        authority: &'a [u8],
    },
}

/// What the files say about an offered key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The key (or its authority) is on record for the host.
    Known,
    /// Nothing is on record for the host.
    Unknown,
    /// Other keys are on record, this one is not.
    Changed {
        /// File of the record.
        file: PathBuf,
        /// Line, from 1.
        line: usize,
        /// Fingerprint on record.
        known: String,
    },
    /// The key is marked as revoked.
    Revoked {
        /// File of the record.
        file: PathBuf,
        /// Line, from 1.
        line: usize,
    },
}

impl KnownHosts {
    /// Reads the files; those that don't exist are empty.
    ///
    /// # Errors
    /// The file that could not be read, and why.
    pub fn read(files: &[PathBuf]) -> Result<Self, (PathBuf, std::io::Error)> {
        let mut known = Self::default();
        for file in files {
            match std::fs::read(file) {
                Ok(bytes) => {
                    let text = String::from_utf8_lossy(&bytes).into_owned();
                    known.files.push((file.clone(), text));
                }
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => return Err((file.clone(), error)),
            }
        }
        Ok(known)
    }

    /// Adds a file's text after the others.
    pub fn push(&mut self, file: impl Into<PathBuf>, text: impl Into<String>) {
        self.files.push((file.into(), text.into()));
    }

    /// Judges a key offered by `host` (a name or address, or a `HostKeyAlias`) at `port`.
    ///
    /// A key of another type than those on record counts as changed, not as new: else whoever stands in between would only have to offer
    /// a type that was never seen. For a port other than 22 a record of the bare host is good enough to accept, as in OpenSSH.
    #[must_use]
    pub fn judge(&self, host: &str, port: u16, key: KeyUse<'_>) -> Verdict {
        let verdict = self.judge_name(&record_name(host, port), key);
        if verdict == Verdict::Unknown && port != 22 {
            let bare = self.judge_name(&host.to_lowercase(), key);
            if matches!(bare, Verdict::Known | Verdict::Revoked { .. }) {
                return bare;
            }
        }
        verdict
    }

    /// The types of the keys on record for a host, so that the server can be asked for one of them.
    #[must_use]
    pub fn algorithms(&self, host: &str, port: u16) -> Vec<String> {
        let types = |name: &str| {
            self.about(name)
                .filter(|(_, _, line)| line.marker == Marker::HostKey)
                .map(|(_, _, line)| line.algorithm.to_owned())
                .collect::<Vec<_>>()
        };
        let found = types(&record_name(host, port));
        if found.is_empty() && port != 22 {
            return types(&host.to_lowercase());
        }
        found
    }

    /// Whether any authority is on record for a host, so that certificates are worth asking for.
    #[must_use]
    pub fn has_authority(&self, host: &str, port: u16) -> bool {
        [record_name(host, port), host.to_lowercase()]
            .iter()
            .any(|name| {
                self.about(name)
                    .any(|(_, _, line)| line.marker == Marker::CertAuthority)
            })
    }

    fn judge_name(&self, name: &str, key: KeyUse<'_>) -> Verdict {
        let (key, authority) = match key {
            KeyUse::Plain(key) => (key, None),
            KeyUse::Certified { key, authority } => (key, Some(authority)),
        };
        let mut verdict = Verdict::Unknown;
        for (file, number, line) in self.about(name) {
            let Some(blob) = line.blob() else { continue };
            match line.marker {
                Marker::Revoked if blob == key || Some(blob.as_slice()) == authority => {
                    return Verdict::Revoked {
                        file: file.clone(),
                        line: number,
                    };
                }
                Marker::Revoked => {}
                Marker::CertAuthority => {
                    if Some(blob.as_slice()) == authority {
                        verdict = Verdict::Known;
                    }
                }
                Marker::HostKey if blob == key => verdict = Verdict::Known,
                Marker::HostKey => {
                    if verdict == Verdict::Unknown {
                        verdict = Verdict::Changed {
                            file: file.clone(),
                            line: number,
                            known: fingerprint(&blob),
                        };
                    }
                }
            }
        }
        verdict
    }

    fn about<'a>(&'a self, name: &'a str) -> impl Iterator<Item = (&'a PathBuf, usize, Line<'a>)> {
        self.files.iter().flat_map(move |(file, text)| {
            text.lines()
                .enumerate()
                .filter_map(move |(index, line)| Some((file, index + 1, Line::parse(line)?)))
                .filter(move |(_, _, line)| line.is_about(name))
        })
    }
}

/// The name under which a host is recorded: `host`, or `[host]:port` when the port is not 22; in lower case.
pub(crate) fn record_name(host: &str, port: u16) -> String {
    let host = host.to_lowercase();
    if port == 22 {
        host
    } else {
        format!("[{host}]:{port}")
    }
}

#[cfg(test)]
mod tests {
    use super::super::line::encoded;
    use super::*;

    const A: &[u8] = b"\0\0\0\x0bssh-ed25519A";
    const B: &[u8] = b"\0\0\0\x0bssh-ed25519B";
    const CA: &[u8] = b"\0\0\0\x0bssh-ed25519C";

    fn known(lines: &[(&str, &[u8])]) -> KnownHosts {
        let mut known = KnownHosts::default();
        let text: String = lines
            .iter()
            .map(|(hosts, key)| format!("{hosts} ssh-ed25519 {}\n", encoded(key)))
            .collect();
        known.push("kh", text);
        known
    }

    #[test]
    fn known_unknown_changed() {
        let hosts = known(&[("web,10.0.0.1", A), ("# other", B), ("[web]:2222", B)]);
        assert_eq!(hosts.judge("web", 22, KeyUse::Plain(A)), Verdict::Known);
        assert_eq!(hosts.judge("WEB", 22, KeyUse::Plain(A)), Verdict::Known);
        assert_eq!(
            hosts.judge("10.0.0.1", 22, KeyUse::Plain(A)),
            Verdict::Known
        );
        assert_eq!(hosts.judge("db", 22, KeyUse::Plain(A)), Verdict::Unknown);
        assert_eq!(hosts.judge("web", 2222, KeyUse::Plain(B)), Verdict::Known);
        assert_eq!(
            hosts.judge("web", 22, KeyUse::Plain(B)),
            Verdict::Changed {
                file: "kh".into(),
                line: 1,
                known: fingerprint(A)
            }
        );
        assert!(matches!(
            hosts.judge("web", 2222, KeyUse::Plain(A)),
            Verdict::Changed { line: 3, .. }
        ));
    }

    #[test]
    fn another_port_may_use_the_bare_record_but_is_not_bound_by_it() {
        let hosts = known(&[("web", A)]);
        assert_eq!(hosts.judge("web", 2222, KeyUse::Plain(A)), Verdict::Known);
        assert_eq!(hosts.judge("web", 2222, KeyUse::Plain(B)), Verdict::Unknown);
        assert_eq!(hosts.algorithms("web", 2222), ["ssh-ed25519"]);
    }

    #[test]
    fn any_of_several_keys_is_good() {
        let hosts = known(&[("web", A), ("web", B)]);
        assert_eq!(hosts.judge("web", 22, KeyUse::Plain(B)), Verdict::Known);
    }

    #[test]
    fn revoked_beats_known() {
        let hosts = known(&[("web", A), ("@revoked *", A)]);
        assert_eq!(
            hosts.judge("web", 22, KeyUse::Plain(A)),
            Verdict::Revoked {
                file: "kh".into(),
                line: 2
            }
        );
        let hosts = known(&[("@cert-authority *", CA), ("@revoked *", CA)]);
        let certified = KeyUse::Certified {
            key: A,
            authority: CA,
        };
        assert!(matches!(
            hosts.judge("web", 22, certified),
            Verdict::Revoked { .. }
        ));
    }

    #[test]
    fn authorities() {
        let hosts = known(&[("@cert-authority *.example.com", CA)]);
        assert!(hosts.has_authority("web.example.com", 2222));
        assert!(!hosts.has_authority("web", 22));
        let certified = KeyUse::Certified {
            key: A,
            authority: CA,
        };
        assert_eq!(
            hosts.judge("web.example.com", 22, certified),
            Verdict::Known
        );
        assert_eq!(
            hosts.judge("web.example.com", 22, KeyUse::Plain(A)),
            Verdict::Unknown
        );
        let other = KeyUse::Certified {
            key: A,
            authority: B,
        };
        assert_eq!(hosts.judge("web.example.com", 22, other), Verdict::Unknown);
    }
}
