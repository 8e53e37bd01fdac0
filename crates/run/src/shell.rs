//! One `sh` on a host that takes programs on its standard input.
//!
//! In: the steps of a track. Out: events while they run, and what they printed. One exec for the whole life of the shell.

use std::time::Instant;

use dhow_plan::{Action, Step, Tolerate};
use dhow_ssh::{Event as Said, Exec, ExecOptions, Session, Stdin};

use crate::event::{EventKind, Failure, Stream};
use crate::failure::{from_ssh, from_step};
use crate::frames::{Demux, Signal};
use crate::program::{preamble, program};
use crate::sink::Sink;

/// How much of a step's output is kept. More than that goes to the reporters only.
const KEPT: usize = 8 << 20;

/// A shell that is ready for programs.
pub(crate) struct HostShell {
    exec: Exec,
    stdin: Stdin,
    demux: Demux,
    mark: String,
}

/// What became of a program.
#[derive(Debug, Default)]
pub(crate) struct Ran {
    /// Standard output of each step that ran, by its number in `steps`.
    pub(crate) outputs: Vec<String>,
    /// The first failure that counts, with the clean-up's output as evidence.
    pub(crate) failure: Option<Failure>,
    /// Whether the shell can take another program.
    pub(crate) alive: bool,
    /// How many steps ran.
    pub(crate) steps: u32,
}

/// For whom a program runs: goes into its events.
#[derive(Clone, Copy)]
pub(crate) struct Whose<'a> {
    pub(crate) host: &'a str,
    pub(crate) role: Option<&'a str>,
}

impl HostShell {
    /// Starts the shell. Costs one exchange.
    pub(crate) async fn open(session: &Session, mark: &str) -> Result<Self, Failure> {
        let exec = session.exec("sh", &ExecOptions::default()).await;
        let mut exec = exec.map_err(|e| from_ssh(&e))?;
        let Some(mut stdin) = exec.stdin() else {
            return Err(Failure::new("IOError", "the shell has no standard input"));
        };
        let written = stdin.write(preamble(mark).into()).await;
        written.map_err(|e| from_ssh(&e))?;
        Ok(Self {
            exec,
            stdin,
            demux: Demux::new(mark),
            mark: mark.to_owned(),
        })
    }

    /// Runs a track's steps, and `on_failure` if one of them fails.
    pub(crate) async fn run(
        &mut self,
        whose: Whose<'_>,
        steps: &[Step],
        on_failure: &[Step],
        sink: &Sink,
    ) -> Ran {
        let text = program(&self.mark, steps, on_failure);
        self.demux.next_program();
        let mut fold = Fold::new(whose, steps, on_failure, sink);
        let mut write = std::pin::pin!(self.stdin.write(text.into()));
        let mut written = false;
        loop {
            let said = tokio::select! {
                result = &mut write, if !written => {
                    written = true;
                    match result {
                        Ok(()) => continue,
                        Err(error) => return fold.lost(from_ssh(&error)),
                    }
                }
                said = self.exec.next() => said,
            };
            let signals = match said {
                Some(Said::Stdout(bytes)) => self.demux.stdout(&bytes),
                Some(Said::Stderr(bytes)) => self.demux.stderr(&bytes),
                None => {
                    return fold.lost(Failure::new(
                        "IOError",
                        "the connection, or the shell on this host, ended early",
                    ));
                }
            };
            for signal in signals {
                if fold.take(signal) {
                    return fold.finish();
                }
            }
        }
    }
}

/// Folds signals into events and a [`Ran`].
struct Fold<'a> {
    whose: Whose<'a>,
    steps: Vec<&'a Step>,
    regular: usize,
    sink: &'a Sink,
    current: Option<Current>,
    done: Vec<Done>,
    ran: Ran,
}

struct Current {
    index: usize,
    id: String,
    started: Instant,
    stdout: Lines,
    stderr: Lines,
    both: String,
}

struct Done {
    index: usize,
    stdout: String,
    both: String,
}

impl<'a> Fold<'a> {
    fn new(whose: Whose<'a>, steps: &'a [Step], on_failure: &'a [Step], sink: &'a Sink) -> Self {
        Self {
            whose,
            steps: steps.iter().chain(on_failure).collect(),
            regular: steps.len(),
            sink,
            current: None,
            done: Vec::new(),
            ran: Ran::default(),
        }
    }

    /// Takes one signal; true once the program has ended.
    fn take(&mut self, signal: Signal) -> bool {
        match signal {
            Signal::Started { step } => self.start(step),
            Signal::Stdout { text, .. } => self.output(Stream::Stdout, &text),
            Signal::Stderr { text, .. } => self.output(Stream::Stderr, &text),
            Signal::Ended { exit, .. } => self.end(exit),
            Signal::Batch { .. } => return true,
        }
        false
    }

    fn start(&mut self, index: usize) {
        let Some(step) = self.steps.get(index) else {
            return;
        };
        let id = step_id();
        self.sink.emit(EventKind::StepStarted {
            id: id.clone(),
            host: Some(self.whose.host.to_owned()),
            role: self.whose.role.map(str::to_owned),
            title: step.title.clone(),
            command: shown(step),
            debug: step.debug,
            loud: false,
        });
        self.ran.steps += 1;
        self.current = Some(Current {
            index,
            id,
            started: Instant::now(),
            stdout: Lines::default(),
            stderr: Lines::default(),
            both: String::new(),
        });
    }

    fn output(&mut self, stream: Stream, bytes: &[u8]) {
        let Some(current) = &mut self.current else {
            return;
        };
        let text = String::from_utf8_lossy(bytes);
        if current.both.len() < KEPT {
            current.both.push_str(&text);
        }
        let lines = match stream {
            Stream::Stdout => &mut current.stdout,
            Stream::Stderr => &mut current.stderr,
        };
        for line in lines.push(&text) {
            self.sink.emit(EventKind::Output {
                id: current.id.clone(),
                stream,
                text: line,
            });
        }
    }

    fn end(&mut self, exit: i32) {
        let Some(mut current) = self.current.take() else {
            return;
        };
        for (stream, lines) in [
            (Stream::Stdout, &mut current.stdout),
            (Stream::Stderr, &mut current.stderr),
        ] {
            if let Some(text) = lines.rest() {
                let id = current.id.clone();
                self.sink.emit(EventKind::Output { id, stream, text });
            }
        }
        let Some(step) = self.steps.get(current.index).copied() else {
            return;
        };
        let counts = step.tolerate != Tolerate::Anything && current.index < self.regular;
        self.sink.emit(EventKind::StepFinished {
            id: current.id,
            exit: Some(exit),
            seconds: current.started.elapsed().as_secs_f64(),
            tolerated: !counts,
        });
        if let Some(header) = &step.block {
            self.sink.emit(EventKind::Block {
                header: header.clone(),
                host: self.whose.host.to_owned(),
                text: current.stdout.all.clone(),
            });
        }
        if exit != 0 && counts && self.ran.failure.is_none() {
            self.ran.failure = Some(from_step(&shown(step), exit, &current.both));
        }
        self.done.push(Done {
            index: current.index,
            stdout: current.stdout.all,
            both: current.both,
        });
    }

    fn finish(mut self) -> Ran {
        self.ran.alive = true;
        self.close()
    }

    /// The shell is gone, whatever it was doing.
    fn lost(mut self, failure: Failure) -> Ran {
        let mut failure = failure;
        if let Some(current) = self.current.take() {
            self.sink.emit(EventKind::StepFinished {
                id: current.id,
                exit: None,
                seconds: current.started.elapsed().as_secs_f64(),
                tolerated: false,
            });
            if let Some(step) = self.steps.get(current.index) {
                failure.command = Some(shown(step));
                failure.output = crate::failure::tail(&current.both);
            }
        }
        self.ran.failure.get_or_insert(failure);
        self.close()
    }

    fn close(mut self) -> Ran {
        self.ran.outputs = vec![String::new(); self.regular];
        for done in self.done {
            match self.ran.outputs.get_mut(done.index) {
                Some(output) => *output = done.stdout,
                None => {
                    let title = self.steps.get(done.index).map(|s| s.title.clone());
                    let text = crate::failure::tail(&done.both);
                    if let (Some(failure), Some(title), false) =
                        (&mut self.ran.failure, title, text.is_empty())
                    {
                        failure.evidence.push((title, text));
                    }
                }
            }
        }
        self.ran
    }
}

/// Cuts a stream into lines, and keeps the whole.
#[derive(Default)]
struct Lines {
    all: String,
    cut: usize,
}

impl Lines {
    fn push(&mut self, text: &str) -> Vec<String> {
        if self.all.len() + text.len() > KEPT {
            self.all.clear();
            self.cut = 0;
        }
        self.all.push_str(text);
        let fresh = self.all.get(self.cut..).unwrap_or("");
        let Some(end) = fresh.rfind('\n') else {
            return Vec::new();
        };
        let lines = fresh
            .get(..end)
            .unwrap_or("")
            .split('\n')
            .map(|line| line.trim_end_matches('\r').to_owned())
            .collect();
        self.cut += end + 1;
        lines
    }

    fn rest(&mut self) -> Option<String> {
        let rest = self.all.get(self.cut..).unwrap_or("").to_owned();
        self.cut = self.all.len();
        (!rest.is_empty()).then_some(rest)
    }
}

/// A step's command as it may be shown.
pub(crate) fn shown(step: &Step) -> String {
    match &step.action {
        Action::Run(cmd) | Action::Capture { cmd, .. } | Action::Feed { cmd, .. } => cmd.redacted(),
        Action::Upload(upload) => format!("upload {}", upload.path),
    }
}

/// Eight hex digits.
pub(crate) fn step_id() -> String {
    format!("{:08x}", getrandom::u32().unwrap_or_default())
}
