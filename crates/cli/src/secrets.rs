//! The secrets files of the app in the working directory, read when a command needs them and not before.

use std::process::{Command, Stdio};

use dhow_run::{Failed, Failure};
use dhow_secrets::{Invocation, NotFound, Output, Outside, Runner, Secrets, SecretsError};
use dhow_text::redact::Secret;
use dhow_text::render::render;

use crate::edge::Edge;
use crate::failed;
use crate::job::SecretMap;
use crate::world::RealWorld;

/// The secrets files of a destination; nothing is read yet.
pub(crate) fn files<'e>(
    edge: &'e Edge,
    secrets_path: &str,
    destination: Option<&str>,
) -> Secrets<RealWorld<'e>> {
    Secrets::new(secrets_path, destination, RealWorld::new(edge))
}

/// The secrets with these names, and all pairs (for hooks that get everything). Reads nothing if no name is wanted and `all` is not.
pub(crate) fn look_up(
    edge: &Edge,
    secrets_path: &str,
    destination: Option<&str>,
    names: &[String],
    all: bool,
) -> Result<(SecretMap, Vec<(String, Secret)>), Failed> {
    let files = files(edge, secrets_path, destination);
    let mut found = SecretMap::new();
    for name in names {
        found.insert(name.clone(), files.get(name).map_err(|error| told(&error))?);
    }
    // Everything that the files hold is kept out of sight, not only what this command needs.
    let pairs = if all || !names.is_empty() {
        files.to_pairs().map_err(|error| told(&error))?
    } else {
        Vec::new()
    };
    Ok((found, pairs))
}

/// A failure of the secrets files, with the place; their lines are never shown.
pub(crate) fn told(error: &SecretsError) -> Failed {
    let mut failure = Failure::new(error.class(), error.to_string());
    if let SecretsError::Malformed {
        diagnostic,
        sources,
    } = error
    {
        failure.hint.clone_from(&diagnostic.hint);
        let place = render(std::slice::from_ref(diagnostic.as_ref()), sources, false);
        failure.evidence.push(("where".to_owned(), place));
    }
    failed::here(failure)
}

impl Outside for RealWorld<'_> {
    fn read_file(&mut self, path: &str) -> Result<Option<String>, String> {
        match std::fs::read(self.edge().path(path)) {
            Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error.to_string()),
        }
    }
}

/// Password managers run with this process' own environment and terminal.
pub(crate) struct Programs<'e>(pub(crate) &'e Edge);

impl Runner for Programs<'_> {
    fn run(&mut self, invocation: &Invocation) -> Result<Output, NotFound> {
        let [program, arguments @ ..] = invocation.argv.as_slice() else {
            return Err(NotFound);
        };
        let stderr = if invocation.quiet {
            Stdio::null()
        } else {
            Stdio::inherit()
        };
        let output = Command::new(program)
            .args(arguments)
            .envs(
                invocation
                    .env
                    .iter()
                    .map(|(name, value)| (name, value.reveal())),
            )
            .current_dir(&self.0.cwd)
            .stdin(Stdio::inherit())
            .stderr(stderr)
            .output()
            .map_err(|_| NotFound)?;
        Ok(Output {
            stdout: Secret::new(String::from_utf8_lossy(&output.stdout)),
            success: output.status.success(),
        })
    }

    fn env(&self, name: &str) -> Option<String> {
        self.0.env(name).map(str::to_owned)
    }
}
