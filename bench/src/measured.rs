//! Processes, measured from outside.
//!
//! In: commands. Out: how long they took together, what processor time they used and how much memory the largest of them held.

use std::ffi::OsStr;
use std::io::Read;
use std::process::{Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use wait4::Wait4;

use crate::failed::Failed;

/// What one or more processes, started at the same time, took.
#[derive(Clone, Debug, Default)]
pub struct Measured {
    /// From before the first started until the last had ended.
    pub wall: Duration,
    /// User and system time of all of them, their children included.
    pub cpu: Duration,
    /// The most memory that one of them held, in KiB.
    pub rss_kib: u64,
    /// What each printed to its standard output.
    pub outputs: Vec<String>,
}

impl Measured {
    /// Runs these commands at the same time, to their ends. Fails if one of them does.
    ///
    /// # Errors
    /// A command does not start or ends with a failure.
    pub fn run(commands: Vec<Command>) -> Result<Self, Failed> {
        let started = Instant::now();
        let running: Vec<_> = commands
            .into_iter()
            .map(|command| thread::spawn(move || one(command)))
            .collect();
        let mut all = Self::default();
        let mut failed = None;
        for thread in running {
            match thread.join() {
                Ok(Ok((cpu, rss_kib, output))) => {
                    all.cpu += cpu;
                    all.rss_kib = all.rss_kib.max(rss_kib);
                    all.outputs.push(output);
                }
                Ok(Err(error)) => failed = Some(error),
                Err(_) => failed = Some(Failed::Wrong("a measuring thread died".to_owned())),
            }
        }
        all.wall = started.elapsed();
        match failed {
            Some(error) => Err(error),
            None => Ok(all),
        }
    }

    /// `program`, given up after two minutes: a benchmark must not wait forever, least of all with the fleet in its hands.
    #[must_use]
    pub fn limited(program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new("timeout");
        command.args(["--kill-after=5", "120"]).arg(program);
        command
    }

    /// Runs one command to its end and returns what it printed, without measuring anything.
    ///
    /// # Errors
    /// As for [`Measured::run`].
    pub fn output(command: Command) -> Result<String, Failed> {
        let run = Self::run(vec![command])?;
        Ok(run.outputs.into_iter().next().unwrap_or_default())
    }
}

fn one(mut command: Command) -> Result<(Duration, u64, String), Failed> {
    // Not its environment, which may hold secrets.
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let words: Vec<_> = words.map(|word| word.to_string_lossy()).collect();
    let program = words.join(" ");
    let run = |source| Failed::Run {
        program: program.clone(),
        source,
    };
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().map_err(run)?;
    let stderr = child.stderr.take();
    let complaints = thread::spawn(move || {
        let mut text = Vec::new();
        if let Some(mut stderr) = stderr {
            // What can't be read is missing in the message only.
            let _ = stderr.read_to_end(&mut text);
        }
        text
    });
    let mut output = Vec::new();
    if let Some(mut stdout) = child.stdout.take() {
        stdout.read_to_end(&mut output).map_err(run)?;
    }
    let used = child.wait4().map_err(run)?;
    let output = String::from_utf8_lossy(&output).into_owned();
    if !used.status.success() {
        let complaints = complaints.join().unwrap_or_default();
        return Err(failure(program, used.status, &output, &complaints));
    }
    let cpu = used.rusage.utime + used.rusage.stime;
    Ok((cpu, used.rusage.maxrss / 1024, output))
}

fn failure(program: String, status: ExitStatus, output: &str, complaints: &[u8]) -> Failed {
    let text = format!("{output}{}", String::from_utf8_lossy(complaints));
    let lines: Vec<&str> = text.lines().collect();
    let tail = lines.get(lines.len().saturating_sub(15)..);
    Failed::Program {
        program,
        status,
        output: tail.unwrap_or_default().join("\n"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processes_are_measured_and_failures_told() {
        let shell = |text: &str| {
            let mut command = Command::new("sh");
            command.args(["-c", text]);
            command
        };
        let busy = "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done; echo done";
        let measured = Measured::run(vec![shell(busy), shell("sleep 0.2")]).unwrap();
        assert!(measured.wall >= Duration::from_millis(200));
        assert!(measured.cpu >= Duration::from_millis(10), "{measured:?}");
        assert!(
            measured.rss_kib > 500 && measured.rss_kib < 500_000,
            "{measured:?}"
        );
        assert_eq!(measured.outputs, ["done\n", ""]);
        let failed = Measured::run(vec![shell("echo why >&2; exit 3")]).unwrap_err();
        assert!(failed.to_string().contains("why"), "{failed}");
    }
}
