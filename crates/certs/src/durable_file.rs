//! Files that are either the old ones or the new ones, whatever happens in between: written beside their place, flushed to
//! the disk, then moved there.
//!
//! In: a folder, a name and bytes. Out: the file with mode 0600 in a folder with mode 0700.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

/// Writes `content` as `name` in `folder`, which is made if it is not there.
pub(crate) fn write(folder: &Path, name: &str, content: &[u8]) -> io::Result<()> {
    make_folder(folder)?;
    let temporary = folder.join(temporary_name(name));
    let written = write_new(&temporary, content)
        .and_then(|()| fs::rename(&temporary, folder.join(name)))
        .and_then(|()| File::open(folder)?.sync_all());
    if written.is_err() {
        // Already failing: the first error is the one to tell.
        let _ = fs::remove_file(&temporary);
    }
    written
}

/// Makes `folder` and those above it, with mode 0700; existing ones keep theirs.
pub(crate) fn make_folder(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

fn write_new(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(content)?;
    file.sync_all()
}

/// Several proxies may share a folder, each the first process of its container: their numbers are no help, chance is.
fn temporary_name(name: &str) -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let mut random = [0_u8; 8];
    // Without randomness the name is still unique within the process.
    let _ = aws_lc_rs::rand::fill(&mut random);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    format!(
        ".{name}.{}-{count}-{:016x}",
        std::process::id(),
        u64::from_ne_bytes(random)
    )
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn modes_and_nothing_left_beside() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("a/b");
        write(&folder, "file", b"one").unwrap();
        write(&folder, "file", b"two").unwrap();
        assert_eq!(fs::read(folder.join("file")).unwrap(), b"two");
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&folder.join("file")), 0o600);
        assert_eq!(mode(&folder), 0o700);
        assert_eq!(mode(&root.path().join("a")), 0o700);
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
    }

    #[test]
    fn a_failure_leaves_the_old_file_and_no_temporary_one() {
        let root = tempfile::tempdir().unwrap();
        // A folder cannot be replaced by a file.
        fs::create_dir(root.path().join("taken")).unwrap();
        assert!(write(root.path(), "taken", b"x").is_err());
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 1);
    }
}
