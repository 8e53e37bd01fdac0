//! A directory for files that nobody else is to read, and that go again.

use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use crate::edge::Edge;

/// A directory of mode 0700. It goes, with everything in it, when this value does: also when a command fails or is interrupted.
#[derive(Debug)]
pub(super) struct Scratch {
    path: PathBuf,
}

impl Scratch {
    /// A new one under the system's directory for temporary files.
    pub(super) fn new(edge: &Edge) -> io::Result<Self> {
        let random = getrandom::u64().map_err(io::Error::other)?;
        let path = Path::new(temporary(edge)).join(format!("dhow-{random:016x}"));
        DirBuilder::new().mode(0o700).create(&path)?;
        Ok(Self { path })
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The path of something in it, as text for a command line.
    pub(super) fn file(&self, name: &str) -> String {
        self.path.join(name).display().to_string()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // Links in it are removed, not followed. What can't be removed is readable for its owner only.
        let _ = std::fs::remove_dir_all(&self.path);
    }
}

/// The system's directory for temporary files.
pub(super) fn temporary(edge: &Edge) -> &str {
    edge.env("TMPDIR")
        .filter(|path| !path.is_empty())
        .unwrap_or("/tmp")
}
