//! What a program that was run left: exit code, stdout, stderr.

use std::io::Write;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// A program that has ended.
#[derive(Clone)]
pub struct Outcome {
    /// Its exit code; -1 if a signal ended it.
    pub code: i32,
    /// What it wrote on stdout.
    pub stdout: String,
    /// What it wrote on stderr.
    pub stderr: String,
    /// How long it ran.
    pub took: Duration,
}

impl Outcome {
    /// Runs a program to its end, with this on its stdin.
    ///
    /// # Panics
    /// If it cannot be started.
    pub fn of(command: &mut Command, stdin: &str) -> Self {
        let name = format!("{}", command.get_program().display());
        let start = Instant::now();
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("cannot run `{name}`: {error}"));
        if let Some(mut pipe) = child.stdin.take() {
            // One that does not read its stdin may have closed it.
            let _ = pipe.write_all(stdin.as_bytes());
        }
        let output = child
            .wait_with_output()
            .unwrap_or_else(|error| panic!("cannot wait for `{name}`: {error}"));
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
            took: start.elapsed(),
        }
    }

    /// Whether the exit code is 0.
    pub fn ok(&self) -> bool {
        self.code == 0
    }

    /// What it says went wrong: stdout from the first line with `ERROR` in it on, then stderr.
    pub fn errors(&self) -> String {
        let from = self.stdout.lines().position(|line| line.contains("ERROR"));
        let lines = self.stdout.lines().skip(from.unwrap_or(usize::MAX));
        lines
            .chain(self.stderr.lines())
            .map(|line| format!("{line}\n"))
            .collect()
    }

    /// Its stdout without white space around it, if the exit code is 0.
    ///
    /// # Panics
    /// If it is another, with all that the program said.
    #[track_caller]
    pub fn expect(&self) -> &str {
        assert!(self.ok(), "{self:?}");
        self.stdout.trim()
    }
}

impl std::fmt::Debug for Outcome {
    /// As a person wants to read it in a failed test: with line feeds.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "exit code {} after {:.1} s\n--- stdout\n{}\n--- stderr\n{}",
            self.code,
            self.took.as_secs_f64(),
            self.stdout,
            self.stderr
        )
    }
}
