//! Writes a new host key down.
//!
//! Several deployers may do so at the same time: the line is written in one piece under an exclusive lock on the file, and only if nobody
//! put the host there in the meantime.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;

use rustix::fs::{FlockOperation, flock};

use super::check::{KeyUse, KnownHosts, Verdict, record_name};
use super::line::{encoded, hashed};

/// What became of a key that was to be written.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Added {
    /// It is in the file now.
    Written,
    /// Somebody else put a key there first; this is what it says about ours.
    Meanwhile(Verdict),
}

/// Appends the key of `host` at `port` to `file`, creating the file (0600) and its folder (0700) as needed. Blocks on the lock.
pub(crate) fn append(
    file: &Path,
    host: &str,
    port: u16,
    algorithm: &str,
    blob: &[u8],
    hash_names: bool,
) -> io::Result<Added> {
    if let Some(folder) = file.parent().filter(|folder| !folder.exists()) {
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)?;
    }
    let mut open = OpenOptions::new()
        .read(true)
        .append(true)
        .create(true)
        .mode(0o600)
        .open(file)?;
    flock(&open, FlockOperation::LockExclusive)?;
    let text = read_text(&mut open)?;

    let mut known = KnownHosts::default();
    let ends_open = !text.is_empty() && !text.ends_with('\n');
    known.push(file, text);
    let verdict = known.judge(host, port, KeyUse::Plain(blob));
    if verdict != Verdict::Unknown {
        return Ok(Added::Meanwhile(verdict));
    }

    let mut name = record_name(host, port);
    if hash_names {
        let mut salt = [0_u8; 20];
        getrandom::fill(&mut salt).map_err(io::Error::other)?;
        name = hashed(&name, &salt).unwrap_or(name);
    }
    let start = if ends_open { "\n" } else { "" };
    let line = format!("{start}{name} {algorithm} {}\n", encoded(blob));
    open.write_all(line.as_bytes())?;
    Ok(Added::Written)
}

fn read_text(file: &mut File) -> io::Result<String> {
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    const KEY: &[u8] = b"\0\0\0\x0bssh-ed25519A";
    const OTHER: &[u8] = b"\0\0\0\x0bssh-ed25519B";

    #[test]
    fn creates_appends_and_keeps_the_last_line_whole() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("new/known_hosts");
        assert_eq!(
            append(&file, "web", 22, "ssh-ed25519", KEY, false).unwrap(),
            Added::Written
        );
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        std::fs::write(&file, "a ssh-rsa AAAA").unwrap();
        append(&file, "Web", 2222, "ssh-ed25519", KEY, false).unwrap();
        assert_eq!(
            std::fs::read_to_string(&file).unwrap(),
            format!("a ssh-rsa AAAA\n[web]:2222 ssh-ed25519 {}\n", encoded(KEY))
        );
    }

    #[test]
    fn hashes_names_so_that_they_are_found_again() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("known_hosts");
        append(&file, "web", 22, "ssh-ed25519", KEY, true).unwrap();
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(text.starts_with("|1|") && !text.contains("web"), "{text}");
        let known = KnownHosts::read(&[file]).unwrap();
        assert_eq!(known.judge("web", 22, KeyUse::Plain(KEY)), Verdict::Known);
    }

    #[test]
    fn many_at_once_write_it_once_and_the_second_key_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("known_hosts");
        let written = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8)
                .map(|_| {
                    scope.spawn(|| append(&file, "web", 22, "ssh-ed25519", KEY, false).unwrap())
                })
                .collect();
            threads
                .into_iter()
                .map(|t| t.join().unwrap())
                .filter(|a| *a == Added::Written)
                .count()
        });
        assert_eq!(written, 1);
        assert_eq!(std::fs::read_to_string(&file).unwrap().lines().count(), 1);
        assert!(matches!(
            append(&file, "web", 22, "ssh-ed25519", OTHER, false).unwrap(),
            Added::Meanwhile(Verdict::Changed { .. })
        ));
    }
}
