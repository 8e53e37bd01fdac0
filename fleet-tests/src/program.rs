//! The program under test, run as a person runs it in the folder of an app.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::fleet::project_root;
use crate::outcome::Outcome;

/// `dhow`, or with `$DHOW` set another program that keeps the same contract.
#[derive(Clone)]
pub struct Dhow {
    program: PathBuf,
    dir: PathBuf,
    environment: Vec<(String, String)>,
}

impl Dhow {
    /// The program, to be run in `dir` with a home of its own: no key, agent or configuration of this machine gets in.
    ///
    /// # Panics
    /// If the program is not built.
    pub(crate) fn in_dir(dir: &Path, home: &Path) -> Self {
        let program = std::env::var_os("DHOW")
            .map_or_else(|| project_root().join("target/release/dhow"), PathBuf::from);
        assert!(
            program.exists(),
            "`{}` is not built: run bin/build",
            program.display()
        );
        Self {
            program,
            dir: dir.to_owned(),
            environment: vec![("HOME".to_owned(), home.display().to_string())],
        }
    }

    /// With one more variable in its environment.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Runs it to its end.
    pub fn run(&self, arguments: &[&str]) -> Outcome {
        Outcome::of(&mut self.command(arguments), "")
    }

    /// Starts it and returns at once, for a test that disturbs it. Its output is discarded.
    ///
    /// # Panics
    /// If it cannot be started.
    pub fn start(&self, arguments: &[&str]) -> Child {
        self.command(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("start the program")
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command
            .args(arguments)
            .current_dir(&self.dir)
            .env_remove("SSH_AUTH_SOCK")
            .env_remove("DOCKER_CONFIG")
            .envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }
}
