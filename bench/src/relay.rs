//! The program that makes the fleet far away, for as long as it is needed.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::failed::Failed;

/// A running relay. It ends, and takes its wiring away, when this value is dropped.
pub struct Relay(Child);

impl Relay {
    /// Starts it, so that a question to a far address and its answer take `round_trip_ms`.
    ///
    /// # Errors
    /// It does not start.
    pub fn start(root: &Path, round_trip_ms: f64) -> Result<Self, Failed> {
        let program = root.join("target/release/lab-relay");
        let mut child = Command::new(&program)
            .args(["--delay-ms", &format!("{}", round_trip_ms / 2.0)])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|source| Failed::Run {
                program: program.display().to_string(),
                source,
            })?;
        let mut line = String::new();
        if let Some(stdout) = child.stdout.take() {
            let read = BufReader::new(stdout).read_line(&mut line);
            read.map_err(Failed::file(&program))?;
        }
        let relay = Self(child);
        if line.trim() == "ready" {
            Ok(relay)
        } else {
            Err(Failed::Wrong("the relay did not start".to_owned()))
        }
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        // Its own signal handler takes the firewall rules away, so it is asked, not killed.
        let asked = Command::new("kill").arg(self.0.id().to_string()).status();
        if asked.is_err() {
            let _ = self.0.kill();
        }
        let _ = self.0.wait();
    }
}
