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

/// What a command wants of the secrets files.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted<'w> {
    /// Secrets that have to be there.
    pub(crate) names: &'w [String],
    /// `ssh.key_data`: names of secrets, or keys as they are.
    pub(crate) keys: &'w [String],
    /// Whether a hook gets everything.
    pub(crate) all: bool,
}

/// What the secrets files gave.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// The wanted ones, by name.
    pub(crate) secrets: SecretMap,
    /// Everything, if anything was read at all.
    pub(crate) all: Vec<(String, Secret)>,
    /// Keys to log in with.
    pub(crate) keys: Vec<Secret>,
    /// What is odd, for standard error.
    pub(crate) warnings: Vec<String>,
}

/// Looks secrets up. Reads nothing, and so runs nothing, where nothing is wanted.
pub(crate) fn look_up(
    edge: &Edge,
    secrets_path: &str,
    destination: Option<&str>,
    wanted: Wanted<'_>,
) -> Result<Found, Failed> {
    let files = files(edge, secrets_path, destination);
    let mut found = Found::default();
    for name in wanted.names {
        let value = files.get(name).map_err(|error| told(&error))?;
        found.secrets.insert(name.clone(), value);
    }
    let mut inline = false;
    for entry in wanted.keys {
        let key = key(&files, entry).map_err(|error| told(&error))?;
        inline |= key.is_none();
        found
            .keys
            .push(key.unwrap_or_else(|| Secret::new(entry.as_str())));
    }
    if inline {
        found.warnings.push(INLINE_KEY.to_owned());
    }
    // Everything that the files hold is kept out of sight, not only what this command needs.
    let names_a_secret = |entry: &String| !is_key(entry);
    if wanted.all || !wanted.names.is_empty() || wanted.keys.iter().any(names_a_secret) {
        found.all = files.to_pairs().map_err(|error| told(&error))?;
        found
            .warnings
            .extend(warnings(&files).map_err(|error| told(&error))?);
    }
    Ok(found)
}

/// What is odd about the files, with places; their lines are never shown.
pub(crate) fn warnings(files: &Secrets<RealWorld<'_>>) -> Result<Vec<String>, SecretsError> {
    let (warnings, sources) = files.warnings()?;
    let shown = warnings
        .iter()
        .map(|warning| render(std::slice::from_ref(warning), &sources, false));
    Ok(shown.collect())
}

/// What Kamal says of a key that stands in the deploy file itself.
const INLINE_KEY: &str = "Inline key_data usage is deprecated and will be removed in Kamal 3. Please store your key_data in a secret.";

/// The secret of this name; none if there is none, or a blank one, and the entry is itself the key.
fn key(files: &Secrets<RealWorld<'_>>, entry: &str) -> Result<Option<Secret>, SecretsError> {
    if is_key(entry) {
        return Ok(None);
    }
    match files.get(entry) {
        Ok(key) => Ok(Some(key).filter(|key| !key.reveal().trim().is_empty())),
        Err(SecretsError::NotFound { .. } | SecretsError::NoFiles { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether a text can't be the name of a secret.
fn is_key(entry: &str) -> bool {
    let in_names = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.';
    !entry.chars().all(in_names)
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
        let mut command = Command::new(program);
        for (name, value) in self.0.changes() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        let output = command
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
