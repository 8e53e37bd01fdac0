//! What happens while a command runs: the only output of the engine, and the contract with every reporter.
//!
//! Serialised as NDJSON by `--json`: one object a line, `{"v":1,"at":1.234,"event":"step_started",…}`. Texts in events may hold
//! whatever a host printed; reporters redact by value before they show anything.

use std::time::Duration;

use serde::Serialize;

/// The version of the event format, the field `v`.
pub const VERSION: u32 = 1;

/// Something that happened, `at` so long after the command started.
#[derive(Clone, Debug)]
pub struct Event {
    /// Since the start of the command.
    pub at: Duration,
    /// What happened.
    pub kind: EventKind,
}

/// Everything that can happen.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum EventKind {
    /// The command begins. Always the first event.
    CommandStarted {
        /// `deploy`, `app boot`
        command: String,
        /// The version it is about, where there is one.
        version: Option<String>,
        /// The hosts it is about.
        hosts: Vec<String>,
    },
    /// A status line, such as `Acquiring the deploy lock...`.
    Said {
        /// How important.
        level: Level,
        /// The text.
        text: String,
    },
    /// A stage begins.
    StageStarted {
        /// `pull`, `boot`
        stage: String,
        /// The hosts that take part; none for local work.
        hosts: Vec<String>,
    },
    /// A stage has ended for all hosts.
    StageFinished {
        /// Its name.
        stage: String,
        /// How long it took.
        seconds: f64,
        /// Whether all went well.
        ok: bool,
    },
    /// A connection is being made.
    Connecting {
        /// The host.
        host: String,
    },
    /// A connection stands.
    Connected {
        /// The host.
        host: String,
        /// How long it took.
        seconds: f64,
    },
    /// A step begins. `id` names it in later events (8 hex digits, as Kamal prints).
    StepStarted {
        /// Its id.
        id: String,
        /// The host; none on the deployer's machine.
        host: Option<String>,
        /// The role, where it belongs to one.
        role: Option<String>,
        /// What it does, for people.
        title: String,
        /// The command, redacted; for an upload `upload PATH`.
        command: String,
        /// Whether it is bookkeeping.
        debug: bool,
        /// Whether its output is worth showing without `-v`: builds, and hooks that ask for it.
        loud: bool,
    },
    /// A step printed something: whole lines, without their line feeds, or the last incomplete one.
    Output {
        /// The step.
        id: String,
        /// Where to.
        stream: Stream,
        /// What.
        text: String,
    },
    /// How far a transfer is.
    Progress {
        /// The step.
        id: String,
        /// Bytes (or parts) done.
        done: u64,
        /// Of so many, if known.
        total: Option<u64>,
    },
    /// A step has ended.
    StepFinished {
        /// The step.
        id: String,
        /// Its exit status; none if it never said one (connection lost).
        exit: Option<i32>,
        /// How long it took.
        seconds: f64,
        /// Whether a failure counts.
        tolerated: bool,
    },
    /// The output of a step that is the command's result.
    Block {
        /// `App Host`, `Proxy Host`; empty for raw text.
        header: String,
        /// The host.
        host: String,
        /// The text, with its line feeds.
        text: String,
    },
    /// A barrier between roles was opened or closed.
    Gate {
        /// The role whose container decided.
        role: String,
        /// On this host.
        host: String,
        /// Opened (healthy) or closed.
        open: bool,
    },
    /// A host takes no further part.
    HostFailed {
        /// The host.
        host: String,
        /// Why.
        failure: Failure,
    },
    /// The command fails for a reason that belongs to no host: the deploy file, the lock, a hook, a build.
    Failed {
        /// Why.
        failure: Failure,
    },
    /// A host has done everything asked of it.
    HostFinished {
        /// The host.
        host: String,
        /// Seconds of work on it.
        seconds: f64,
        /// Commands run on it.
        steps: u32,
    },
    /// The command has ended. Always the last event.
    CommandFinished {
        /// Whether all went well.
        ok: bool,
        /// How long it took.
        seconds: f64,
        /// The exit code.
        exit: i32,
    },
}

/// How important a status line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// Shown with `-v`.
    Debug,
    /// A status line.
    Info,
    /// Something to look at.
    Warn,
    /// Something went wrong.
    Error,
}

/// Where a step printed to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// Why something failed, with everything a person needs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// The class Kamal would name: `SSHKit::Command::Failed`, `Net::SSH::AuthenticationFailed`, …
    pub class: String,
    /// What went wrong, in one line.
    pub message: String,
    /// The command, redacted, if one failed.
    pub command: Option<String>,
    /// Its exit status.
    pub exit: Option<i32>,
    /// What it printed last (both streams), at most some dozens of lines.
    pub output: String,
    /// More evidence: the container's last log lines, its state, the last probe. Pairs of a title and a text.
    pub evidence: Vec<(String, String)>,
    /// What to do about it.
    pub hint: Option<String>,
}
