//! What a plan is made of: stages, tracks and steps.

use std::sync::Arc;

use dhow_commands::Upload;
use dhow_text::redact::Secret;
use dhow_text::shell::Cmd;

/// Everything a command will do, in order. Stages run one after the other; a stage that fails ends the plan.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// What runs, in order.
    pub stages: Vec<Stage>,
}

/// A part of a plan that ends for all hosts before the next one starts.
#[derive(Clone, Debug)]
pub struct Stage {
    /// A short name for events: `pull`, `boot`, `prune`.
    pub name: String,
    /// The status line Kamal prints before it, e.g. `Pull app image...`.
    pub say: Option<String>,
    /// What it does.
    pub work: Work,
}

/// The two places where work happens.
#[derive(Clone, Debug)]
pub enum Work {
    /// On hosts: tracks of different hosts at once; tracks of one host in order, or at once if `parallel_roles`.
    Hosts {
        /// The tracks; those of one host in the order they run.
        tracks: Vec<Track>,
        /// `boot.parallel_roles`.
        parallel_roles: bool,
    },
    /// On the deployer's machine, in order.
    Local(Vec<LocalStep>),
}

/// The steps of one host (and role), in order. The first step that fails ends it.
#[derive(Clone, Debug)]
pub struct Track {
    /// The host, as the deploy file names it.
    pub host: String,
    /// The role, where the track belongs to one.
    pub role: Option<String>,
    /// Before the first step: wait until this gate is open; if it was closed, the track fails with `Halted at barrier`.
    pub waits_for: Option<Gate>,
    /// After the last step (or on failure): open (or close) this gate. The first one to say counts.
    pub opens: Option<Gate>,
    /// What to do.
    pub steps: Vec<Step>,
    /// What to do when a step failed: evidence and clean-up, each tolerated. Runs on the host in the same exchange.
    pub on_failure: Vec<Step>,
}

/// A barrier inside a stage, by name (`first healthy web container`).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Gate(pub String);

/// One thing that is done on a host.
#[derive(Clone, Debug)]
pub struct Step {
    /// What it does, for people, in the present participle: `pulling the image`.
    pub title: String,
    /// The doing.
    pub action: Action,
    /// Which failures are none.
    pub tolerate: Tolerate,
    /// Bookkeeping, shown only with `-v`: audit lines, directories, looks.
    pub debug: bool,
    /// Whether its output is the command's result (`app logs`, `details`): shown as a block under a header such as `App Host`.
    pub block: Option<String>,
}

/// What a step does.
#[derive(Clone, Debug)]
pub enum Action {
    /// Runs a command. Its standard input is [`Cmd::input`], or empty.
    Run(Cmd),
    /// Runs a command and keeps its standard output in a shell variable that later steps of the same track may use.
    Capture {
        /// The variable's name.
        name: String,
        /// The command.
        cmd: Cmd,
    },
    /// Writes a file.
    Upload(Upload),
    /// Runs a command with a large input (an image) in an exchange of its own, with progress.
    Feed {
        /// The command.
        cmd: Cmd,
        /// Its standard input.
        content: Arc<[u8]>,
    },
}

/// Failures that do not end a track.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Tolerate {
    /// Every failure counts.
    #[default]
    Nothing,
    /// No failure counts.
    Anything,
    /// A failure whose error output holds this text does not count.
    Containing(String),
}

/// One thing that is done on the deployer's machine.
#[derive(Clone, Debug)]
pub enum LocalStep {
    /// Runs a hook, if its file is there.
    Hook {
        /// `pre-deploy`
        name: String,
        /// Variables for it, on top of the process environment.
        env: Vec<(String, String)>,
        /// Whether all secrets are added.
        secrets: bool,
        /// Whether only `-v` shows that it runs (`hooks_output: quiet`).
        debug: bool,
        /// Whether its output is shown without `-v` too (`hooks_output: verbose`).
        loud: bool,
    },
    /// Runs a program.
    Run {
        /// What it does, for people.
        title: String,
        /// Program and arguments.
        argv: Vec<String>,
        /// What is shown in their place, where something in them is not to be seen.
        shown: Option<String>,
        /// Variables for it; values are not shown.
        env: Vec<(String, Secret)>,
        /// Its standard input, if any.
        stdin: Option<Secret>,
        /// Where it runs; none is the current directory.
        directory: Option<String>,
        /// Which failures are none.
        tolerate: Tolerate,
        /// Whether its output is shown without `-v` too: a build's.
        loud: bool,
    },
    /// Waits (`boot.wait`).
    Wait {
        /// Seconds.
        seconds: u64,
    },
}

impl Stage {
    /// A stage on hosts.
    pub fn hosts(name: &str, tracks: Vec<Track>) -> Self {
        Self {
            name: name.to_owned(),
            say: None,
            work: Work::Hosts {
                tracks,
                parallel_roles: false,
            },
        }
    }

    /// A stage on the deployer's machine.
    pub fn local(name: &str, steps: Vec<LocalStep>) -> Self {
        Self {
            name: name.to_owned(),
            say: None,
            work: Work::Local(steps),
        }
    }

    /// The same with a status line.
    #[must_use]
    pub fn saying(mut self, text: impl Into<String>) -> Self {
        self.say = Some(text.into());
        self
    }
}

impl Track {
    /// A track without gates.
    pub fn new(host: &str, role: Option<&str>, steps: Vec<Step>) -> Self {
        Self {
            host: host.to_owned(),
            role: role.map(str::to_owned),
            waits_for: None,
            opens: None,
            steps,
            on_failure: Vec::new(),
        }
    }
}

impl Step {
    /// Runs `cmd`.
    pub fn run(title: impl Into<String>, cmd: Cmd) -> Self {
        Self::new(title, Action::Run(cmd))
    }

    /// Runs `cmd` and keeps its output as `$name`.
    pub fn capture(title: impl Into<String>, name: &str, cmd: Cmd) -> Self {
        let name = name.to_owned();
        Self::new(title, Action::Capture { name, cmd })
    }

    /// Runs `cmd` with `content` on its standard input.
    pub fn feed(title: impl Into<String>, cmd: Cmd, content: Arc<[u8]>) -> Self {
        Self::new(title, Action::Feed { cmd, content })
    }

    /// Writes a file.
    pub fn upload(upload: Upload) -> Self {
        Self::new(format!("writing {}", upload.path), Action::Upload(upload))
    }

    /// The same, shown only with `-v`.
    #[must_use]
    pub fn debug(mut self) -> Self {
        self.debug = true;
        self
    }

    /// The same, whose failure does not count.
    #[must_use]
    pub fn tolerated(mut self) -> Self {
        self.tolerate = Tolerate::Anything;
        self
    }

    /// The same, whose failure does not count if its error output holds `text`.
    #[must_use]
    pub fn tolerating(mut self, text: &str) -> Self {
        self.tolerate = Tolerate::Containing(text.to_owned());
        self
    }

    /// The same, whose output is a result shown under `header`.
    #[must_use]
    pub fn block(mut self, header: &str) -> Self {
        self.block = Some(header.to_owned());
        self
    }

    fn new(title: impl Into<String>, action: Action) -> Self {
        Self {
            title: title.into(),
            action,
            tolerate: Tolerate::Nothing,
            debug: false,
            block: None,
        }
    }
}
