//! The secrets of an app: the files of its destination, read when the first value is needed.

use std::sync::{Arc, Mutex, PoisonError};

use dhow_text::diagnostic::Diagnostic;
use dhow_text::dotenv::{self, Existing, Expander};
use dhow_text::redact::Secret;
use dhow_text::source::Sources;

use crate::SecretsError;

/// What reading secrets files needs: their text, the environment, commands.
pub trait Outside: Expander {
    /// The text of a file; none if it does not exist. The error is what the system says.
    fn read_file(&mut self, path: &str) -> Result<Option<String>, String>;
}

/// The secrets of one destination. Shared by reference; the first to ask reads the files, others wait.
#[derive(Debug)]
pub struct Secrets<W> {
    paths: [String; 2],
    state: Mutex<State<W>>,
}

#[derive(Debug)]
enum State<W> {
    Unread(W),
    Read(Result<Loaded, SecretsError>),
    /// While reading; seen only if reading panicked.
    Reading,
}

#[derive(Clone, Debug)]
struct Loaded {
    pairs: Arc<[(String, Secret)]>,
    files: Vec<String>,
    warnings: Arc<[Diagnostic]>,
    sources: Arc<Sources>,
}

impl<W: Outside> Secrets<W> {
    /// The secrets in `<secrets_path>-common` and in `<secrets_path>`, or with a destination `<secrets_path>.<destination>`.
    /// Nothing is read yet.
    pub fn new(secrets_path: &str, destination: Option<&str>, outside: W) -> Self {
        let own = match destination {
            Some(destination) => format!("{secrets_path}.{destination}"),
            None => secrets_path.to_owned(),
        };
        Self {
            paths: [format!("{secrets_path}-common"), own],
            state: Mutex::new(State::Unread(outside)),
        }
    }

    /// A secret. One that is defined and empty is a secret too.
    pub fn get(&self, name: &str) -> Result<Secret, SecretsError> {
        let loaded = self.loaded()?;
        let found = loaded.pairs.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.clone()).ok_or_else(|| {
            let name = name.to_owned();
            if loaded.files.is_empty() {
                SecretsError::NoFiles {
                    name,
                    files: self.paths.to_vec(),
                }
            } else {
                SecretsError::NotFound {
                    name,
                    files: loaded.files.clone(),
                }
            }
        })
    }

    /// All of them, the common ones first.
    pub fn to_pairs(&self) -> Result<Vec<(String, Secret)>, SecretsError> {
        Ok(self.loaded()?.pairs.to_vec())
    }

    /// What `secrets print` writes: `NAME=value` lines.
    pub fn print(&self) -> Result<Secret, SecretsError> {
        let pairs = self.to_pairs()?;
        let lines = pairs
            .iter()
            .map(|(name, value)| format!("{name}={}\n", value.reveal()));
        Ok(Secret::new(lines.collect::<String>()))
    }

    /// What is likely not as meant in the files, and the sources to show it with (their lines stay hidden).
    pub fn warnings(&self) -> Result<(Arc<[Diagnostic]>, Arc<Sources>), SecretsError> {
        let loaded = self.loaded()?;
        Ok((loaded.warnings, loaded.sources))
    }

    fn loaded(&self) -> Result<Loaded, SecretsError> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let State::Read(result) = &*state {
            return result.clone();
        }
        let State::Unread(mut outside) = std::mem::replace(&mut *state, State::Reading) else {
            return Err(SecretsError::adapter("reading the secrets failed before"));
        };
        let result = load(&self.paths, &mut outside);
        *state = State::Read(result.clone());
        result
    }
}

/// Each file by itself: what the common one defines is no variable in the other.
fn load(paths: &[String], outside: &mut dyn Outside) -> Result<Loaded, SecretsError> {
    let mut sources = Sources::default();
    let mut pairs: Vec<(String, Secret)> = Vec::new();
    let mut files = Vec::new();
    let mut warnings = Vec::new();
    for path in paths {
        let text = outside
            .read_file(path)
            .map_err(|reason| SecretsError::Unreadable {
                path: path.clone(),
                reason,
            })?;
        let Some(text) = text else { continue };
        files.push(path.clone());
        let source = sources.add_hidden(path.as_str(), text.as_str());
        let expander: &mut dyn Expander = &mut *outside;
        let parsed = match dotenv::parse(source, &text, Existing::Overridden, expander) {
            Ok(parsed) => parsed,
            Err(diagnostic) => {
                return Err(SecretsError::Malformed {
                    diagnostic: Box::new(diagnostic),
                    sources: Arc::new(sources),
                });
            }
        };
        warnings.extend(parsed.warnings);
        for entry in parsed.entries {
            match pairs.iter_mut().find(|(known, _)| *known == entry.name) {
                Some(pair) => pair.1 = entry.value,
                None => pairs.push((entry.name, entry.value)),
            }
        }
    }
    Ok(Loaded {
        pairs: pairs.into(),
        files,
        warnings: warnings.into(),
        sources: Arc::new(sources),
    })
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::rc::Rc;

    use dhow_text::dotenv::{CommandFailure, CommandOutput};
    use dhow_text::render::render;

    use super::*;

    struct Disk {
        files: Vec<(&'static str, &'static str)>,
        reads: Rc<Cell<usize>>,
    }

    impl Expander for Disk {
        fn env(&self, name: &str) -> Option<String> {
            (name == "FROM_ENV").then(|| "env".to_owned())
        }

        fn command(&mut self, line: &str) -> Result<CommandOutput, CommandFailure> {
            Err(CommandFailure::NotFound {
                program: line.to_owned(),
            })
        }

        fn secrets(&mut self, argv: &[String]) -> Result<String, String> {
            Ok(argv.join("+"))
        }
    }

    impl Outside for Disk {
        fn read_file(&mut self, path: &str) -> Result<Option<String>, String> {
            self.reads.set(self.reads.get() + 1);
            if path.ends_with("locked") {
                return Err("Permission denied".to_owned());
            }
            Ok(self
                .files
                .iter()
                .find(|(name, _)| *name == path)
                .map(|(_, text)| (*text).to_owned()))
        }
    }

    fn secrets(
        path: &str,
        destination: Option<&str>,
        files: &[(&'static str, &'static str)],
    ) -> (Secrets<Disk>, Rc<Cell<usize>>) {
        let reads = Rc::new(Cell::new(0));
        let disk = Disk {
            files: files.to_vec(),
            reads: Rc::clone(&reads),
        };
        (Secrets::new(path, destination, disk), reads)
    }

    #[test]
    fn files_are_read_once_and_only_when_asked() {
        let (secrets, reads) = secrets(".kamal/secrets", None, &[(".kamal/secrets", "A=1\n")]);
        assert_eq!(reads.get(), 0);
        assert_eq!(secrets.get("A").unwrap().reveal(), "1");
        assert_eq!(secrets.get("A").unwrap().reveal(), "1");
        assert_eq!(reads.get(), 2, "two files, each once");
    }

    #[test]
    fn the_destination_replaces_the_plain_file() {
        let files = [
            (".kamal/secrets-common", "C=common\nA=common\nE=\n"),
            (".kamal/secrets", "A=plain\nP=1\n"),
            (".kamal/secrets.st", "A=st\nX=$C\nY=$FROM_ENV\n"),
        ];
        let (plain, _) = secrets(".kamal/secrets", None, &files);
        assert_eq!(
            plain.print().unwrap().reveal(),
            "C=common\nA=plain\nE=\nP=1\n"
        );
        let (st, _) = secrets(".kamal/secrets", Some("st"), &files);
        assert_eq!(
            st.print().unwrap().reveal(),
            "C=common\nA=st\nE=\nX=\nY=env\n"
        );
        assert_eq!(st.get("E").unwrap().reveal(), "");
        assert_eq!(
            st.get("P").unwrap_err().to_string(),
            "Secret 'P' not found in .kamal/secrets-common, .kamal/secrets.st"
        );
    }

    #[test]
    fn without_files_the_candidates_are_named() {
        let (none, _) = secrets("own/path", None, &[]);
        let error = none.get("X").unwrap_err();
        assert_eq!(
            error.to_string(),
            "Secret 'X' not found, no secret files (own/path-common, own/path) provided"
        );
        assert_eq!(error.class(), "Kamal::ConfigurationError");
        assert_eq!(none.to_pairs().unwrap().len(), 0);
    }

    #[test]
    fn a_line_that_fails_is_named_without_its_text() {
        let (broken, reads) = secrets("s", None, &[("s", "A=hunter2\nB=hunter2$(nope)\n")]);
        let error = broken.get("A").unwrap_err();
        let SecretsError::Malformed {
            diagnostic,
            sources,
        } = &error
        else {
            panic!("{error}");
        };
        let shown = render(std::slice::from_ref(&**diagnostic), sources, false);
        assert!(
            shown.contains("s:2:1") && !shown.contains("hunter2"),
            "{shown}"
        );
        assert!(broken.get("A").is_err());
        assert_eq!(reads.get(), 2, "a failure is remembered too");
        let (locked, _) = secrets("locked", None, &[]);
        assert_eq!(
            locked.get("A").unwrap_err().to_string(),
            "locked: Permission denied"
        );
    }
}
