//! From the texts of a deploy file and its overlay to a checked [`Config`].
//!
//! In: [`Inputs`], everything that loading needs to know of the outside world. Out: [`Loaded`], or a [`Failure`] with every
//! problem there is; its first error is the one that Kamal stops at.

use std::cell::RefCell;
use std::fmt;

use dhow_text::diagnostic::Diagnostic;
use dhow_text::erb::World;
use dhow_text::redact::Secret;
use dhow_text::source::{Source, Sources};

use crate::extension;
use crate::findings::Findings;
use crate::model::Config;
use crate::raw::Raw;

/// The version of Kamal that Dhow stands in for: what `minimum_version` is held against.
pub const KAMAL_VERSION: &str = "2.12.0";

/// What loading asks about the world around the files. The answers must not change during a load.
pub trait Outside {
    /// Whether a file exists; the path is as written in the deploy file, relative to the working directory.
    fn file_exists(&self, path: &str) -> bool;

    /// The architecture of the deployer's docker (`amd64`). Asked only where it decides something: a local registry together
    /// with a remote builder that is not reached by SSH.
    fn docker_architecture(&self) -> String;

    /// What ERB tags may ask of. Without a world, a file that has tags is refused.
    fn world(&self) -> Option<&RefCell<dyn World + '_>> {
        None
    }
}

/// Texts and circumstances of a load.
pub struct Inputs<'a> {
    /// The deploy file: its name as people know it, and its text before ERB.
    pub base: Source,
    /// The destination's overlay; must be there if there is a destination.
    pub overlay: Option<Source>,
    /// `-d`
    pub destination: Option<String>,
    /// Files and docker.
    pub outside: &'a dyn Outside,
}

/// A deploy file that passed every check.
#[derive(Debug)]
pub struct Loaded {
    /// What it says.
    pub config: Config,
    /// What is odd about it, but no error.
    pub warnings: Vec<Diagnostic>,
    /// The tree it was read from.
    pub raw: Raw,
}

/// Why a deploy file can't be used.
#[derive(thiserror::Error)]
#[error("{}", .diagnostics.first().map_or("", |d| d.message.as_str()))]
pub struct Failure {
    /// Everything that is wrong: errors first, the first of them Kamal's.
    pub diagnostics: Vec<Diagnostic>,
    /// The texts that the diagnostics point into.
    pub sources: Sources,
    /// Credentials that stand in the texts, to be redacted where these are shown.
    pub credentials: Vec<Secret>,
}

/// The texts may hold credentials, and are left out.
impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Failure")
            .field("diagnostics", &self.diagnostics)
            .finish_non_exhaustive()
    }
}

/// Reads, merges and checks.
///
/// # Errors
/// If a text can't be read at all (that alone is reported then), or the whole fails a check (all failures are reported).
pub fn load(inputs: &Inputs<'_>) -> Result<Loaded, Box<Failure>> {
    Raw::read(inputs)?.check(inputs.outside)
}

impl Raw {
    /// Checks a tree that was read before.
    ///
    /// # Errors
    /// All that is wrong with it.
    pub fn check(self, outside: &dyn Outside) -> Result<Loaded, Box<Failure>> {
        let mut findings = Findings::default();
        let destination = self.destination.as_deref();
        let mut config = crate::parse::parse(&self.root, destination, outside, &mut findings);
        config.extension = extension::read(&self.root, &config, &mut findings);
        if findings.error_count() > 0 {
            return Err(Box::new(Failure {
                diagnostics: findings.into_diagnostics(&self.sources),
                credentials: self.credentials(),
                sources: self.sources,
            }));
        }
        Ok(Loaded {
            config,
            warnings: findings.into_diagnostics(&self.sources),
            raw: self,
        })
    }
}

/// The overlay's path: the base's with its last extension replaced by `.<destination>.yml`.
pub fn overlay_path(base: &str, destination: &str) -> String {
    let name_at = base.rfind('/').map_or(0, |slash| slash + 1);
    // A name that begins with its only dot has no extension.
    let stem = match base.rfind('.') {
        Some(dot) if dot > name_at => base.get(..dot).unwrap_or(base),
        _ => base,
    };
    format!("{stem}.{destination}.yml")
}

/// What is reported when a deploy file or overlay is not there.
pub fn not_found(absolute_path: &str) -> Diagnostic {
    let message = format!("Configuration file not found in {absolute_path}");
    Diagnostic::error("RuntimeError", message)
}
