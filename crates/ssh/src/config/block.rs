//! Configuration files as directives, and the files an `Include` names.

use std::path::{Path, PathBuf};

use thiserror::Error;

use super::lex::{self, Words};
use super::matching::matches_pattern;
use super::tokens;
use crate::settings::Place;

/// A configuration file that can't be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{}:{line}: {reason}", file.display())]
pub struct ConfigError {
    /// The file.
    pub file: PathBuf,
    /// Line, from 1; 0 when the whole file is meant.
    pub line: usize,
    /// What is wrong, as a fragment.
    pub reason: String,
}

/// One line of a file that says something.
#[derive(Debug, Clone)]
pub(crate) struct Directive {
    pub(crate) line: usize,
    pub(crate) words: Words,
}

/// Reads a file into its directives. A file that does not exist has none.
pub(crate) fn read(file: &Path) -> Result<Vec<Directive>, ConfigError> {
    let text = match std::fs::read(file) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => {
            return Err(ConfigError {
                file: file.to_owned(),
                line: 0,
                reason: error.to_string(),
            });
        }
    };
    directives(&text).map_err(|(line, reason)| ConfigError {
        file: file.to_owned(),
        line,
        reason,
    })
}

fn directives(text: &str) -> Result<Vec<Directive>, (usize, String)> {
    let mut out = Vec::new();
    for (index, line) in text.lines().enumerate() {
        match lex::words(line) {
            Ok(Some(words)) => out.push(Directive {
                line: index + 1,
                words,
            }),
            Ok(None) => {}
            Err(reason) => return Err((index + 1, reason)),
        }
    }
    Ok(out)
}

/// The files that one argument of `Include` in `from` names, in the order of their names. Relative ones are sought in `/etc/ssh` for the
/// system's files and in `~/.ssh` for all others.
pub(crate) fn included(argument: &str, from: &Path, place: &Place) -> Vec<PathBuf> {
    let path = if argument.starts_with('~') || argument.starts_with('/') {
        tokens::home(argument, place)
    } else if from.starts_with("/etc/ssh") {
        Path::new("/etc/ssh").join(argument)
    } else {
        place.home.join(".ssh").join(argument)
    };
    glob(&path)
}

fn glob(path: &Path) -> Vec<PathBuf> {
    let mut found = vec![PathBuf::new()];
    for part in path.components() {
        let Some(name) = part.as_os_str().to_str().filter(|n| n.contains(['*', '?'])) else {
            for base in &mut found {
                base.push(part);
            }
            continue;
        };
        found = found.iter().flat_map(|base| entries(base, name)).collect();
    }
    found.retain(|file| file.is_file());
    found
}

fn entries(base: &Path, pattern: &str) -> Vec<PathBuf> {
    let Ok(dir) = std::fs::read_dir(base) else {
        return Vec::new();
    };
    let mut names: Vec<String> = dir
        .filter_map(Result::ok)
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| pattern.starts_with('.') || !name.starts_with('.'))
        .filter(|name| matches_pattern(name, pattern))
        .collect();
    names.sort();
    names.into_iter().map(|name| base.join(name)).collect()
}
