//! What a program that was run left: exit code, stdout, stderr.

use std::io::{Read, Write};
use std::process::{Command, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How long any one program may run.
pub(crate) const LIMIT: Duration = Duration::from_secs(240);

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
    /// If it cannot be started, or does not end within [`LIMIT`].
    pub fn of(command: &mut Command, stdin: &str) -> Self {
        let words = std::iter::once(command.get_program()).chain(command.get_args());
        let words: Vec<_> = words.map(|word| word.to_string_lossy()).collect();
        let name = words.join(" ");
        let start = Instant::now();
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("cannot run `{name}`: {error}"));
        let stdout = reader(child.stdout.take());
        let stderr = reader(child.stderr.take());
        if let Some(mut pipe) = child.stdin.take() {
            // One that does not read its stdin may have closed it.
            let _ = pipe.write_all(stdin.as_bytes());
        }
        let status = loop {
            let ended = child.try_wait();
            match ended.unwrap_or_else(|error| panic!("cannot wait for `{name}`: {error}")) {
                Some(status) => break status,
                None if start.elapsed() < LIMIT => std::thread::sleep(Duration::from_millis(3)),
                None => {
                    // It may end just now; the panic tells all the same.
                    let _ = child.kill();
                    panic!(
                        "`{name}` did not end within {LIMIT:?}\n--- stdout\n{}\n--- stderr\n{}",
                        text(stdout),
                        text(stderr)
                    );
                }
            }
        };
        Self {
            code: status.code().unwrap_or(-1),
            stdout: text(stdout),
            stderr: text(stderr),
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

/// Reads a pipe beside all else, so that the program never waits for us.
fn reader(pipe: Option<impl Read + Send + 'static>) -> JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut pipe) = pipe {
            pipe.read_to_end(&mut bytes).expect("read its output");
        }
        bytes
    })
}

fn text(reader: JoinHandle<Vec<u8>>) -> String {
    let bytes = reader.join().expect("its output");
    String::from_utf8_lossy(&bytes).into_owned()
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
