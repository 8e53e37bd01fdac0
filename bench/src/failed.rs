//! Why a benchmark can't go on.

use std::path::{Path, PathBuf};
use std::process::ExitStatus;

/// Why a benchmark can't go on. There is no figure without every run having done what it should.
#[derive(Debug, thiserror::Error)]
pub enum Failed {
    /// A file or folder.
    #[error("`{path}`: {source}")]
    File {
        /// Which.
        path: PathBuf,
        /// What the kernel said.
        source: std::io::Error,
    },
    /// A program that did not start.
    #[error("cannot run `{program}`: {source}")]
    Run {
        /// Which.
        program: String,
        /// What the kernel said.
        source: std::io::Error,
    },
    /// A program that failed.
    #[error("`{program}` failed ({status}): {output}")]
    Program {
        /// Its command line.
        program: String,
        /// How it ended.
        status: ExitStatus,
        /// What it printed last.
        output: String,
    },
    /// A connection or another thing of the system's.
    #[error(transparent)]
    System(#[from] std::io::Error),
    /// Something else came out than should.
    #[error("{0}")]
    Wrong(String),
}

impl Failed {
    pub(crate) fn file(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File { path, source }
    }
}
