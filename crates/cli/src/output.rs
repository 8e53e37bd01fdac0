//! The reporter at work: takes events until the last one, and redraws in between.

use std::io::Write as _;
use std::time::{Duration, Instant};

use dhow_report::{Colour, Format, Options, Reporter, TerminalInfo, Verbosity};
use dhow_run::{Event, EventKind, Sink};
use dhow_text::redact::Redactor;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use crate::args::Global;
use crate::commands::complain;
use crate::edge::Edge;
use crate::loggers::Loggers;

/// A reporter that runs beside the command.
pub(crate) struct Output {
    task: JoinHandle<()>,
    screen: Screen,
}

/// The way to have the terminal to oneself for a while: for a prompt, or for a command on a host that is connected to it.
#[derive(Clone, Debug)]
pub(crate) struct Screen(mpsc::UnboundedSender<Turn>);

/// Whose turn it is with the terminal.
#[derive(Debug)]
enum Turn {
    /// Somebody else's; told back once the view is gone.
    Theirs(oneshot::Sender<()>),
    /// The reporter's again.
    Ours,
}

/// Starts the reporter that the command line asks for. Beside a command whose bytes go to standard output as they are (`raw`) it
/// says nothing but errors.
pub(crate) fn start(
    edge: &Edge,
    global: &Global,
    raw: bool,
    redactor: Redactor,
    loggers: Loggers,
) -> (Output, Sink) {
    let format = match (global.json, edge.stdout_is_terminal && !raw) {
        (true, _) => Format::Json,
        (false, true) => Format::Human,
        (false, false) => Format::Plain,
    };
    let verbosity = match (global.quiet || raw, global.verbose && !raw) {
        (true, _) => Verbosity::Quiet,
        (false, true) => Verbosity::Verbose,
        (false, false) => Verbosity::Normal,
    };
    let options = Options {
        verbosity,
        colour: Colour::wanted(
            edge.stdout_is_terminal,
            edge.env("TERM"),
            edge.env("NO_COLOR"),
            edge.env("SSHKIT_COLOR"),
        ),
        terminal: edge.terminal(),
        local_user: edge.env("USER").map(str::to_owned),
        redactor,
    };
    let reporter = Reporter::new(format, options, Box::new(std::io::stdout()));
    let (sender, events) = mpsc::unbounded_channel();
    let (turns_sender, turns) = mpsc::unbounded_channel();
    let sink = Sink::new(sender, edge.started);
    let shown = Shown {
        reporter,
        loggers,
        for_people: format != Format::Json && !raw,
        events,
        turns,
        theirs: false,
        started: edge.started,
        size: edge.terminal(),
    };
    let output = Output {
        task: tokio::spawn(shown.run()),
        screen: Screen(turns_sender),
    };
    (output, sink)
}

impl Output {
    /// The terminal, for whoever needs it.
    pub(crate) fn screen(&self) -> Screen {
        self.screen.clone()
    }

    /// Waits until everything is written. The last event must have been sent.
    pub(crate) async fn finish(self) {
        let _ = self.task.await;
    }
}

impl Screen {
    /// Waits until everything said so far is shown and the view is gone. Until [`Screen::give_back`] nothing is drawn.
    pub(crate) async fn take(&self) {
        let (gone, told) = oneshot::channel();
        if self.0.send(Turn::Theirs(gone)).is_ok() {
            let _ = told.await;
        }
    }

    /// The same for a thread that may block.
    pub(crate) fn take_blocking(&self) {
        let (gone, told) = oneshot::channel();
        if self.0.send(Turn::Theirs(gone)).is_ok() {
            let _ = told.blocking_recv();
        }
    }

    /// The reporter may draw again.
    pub(crate) fn give_back(&self) {
        let _ = self.0.send(Turn::Ours);
    }
}

/// The reporter with what comes to it.
struct Shown {
    reporter: Reporter,
    loggers: Loggers,
    /// Whether a line may be added to standard output.
    for_people: bool,
    events: mpsc::UnboundedReceiver<Event>,
    turns: mpsc::UnboundedReceiver<Turn>,
    theirs: bool,
    started: Instant,
    size: Option<TerminalInfo>,
}

impl Shown {
    async fn run(mut self) {
        let mut tick = tokio::time::interval(Duration::from_millis(100));
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
        loop {
            tokio::select! {
                biased;
                event = self.events.recv() => match event {
                    Some(event) => {
                        if self.event(&event) {
                            break;
                        }
                    }
                    None => break,
                },
                Some(turn) = self.turns.recv() => self.turn(turn),
                _ = tick.tick() => {
                    self.loggers.tick();
                    if !self.theirs {
                        self.tick();
                    }
                }
            }
        }
        // A reader that went away (`| head`) is no reason to fail.
        let _ = self.reporter.finish();
        let farewell = self.loggers.finish().await;
        for line in farewell.said {
            if self.for_people {
                let _ = writeln!(std::io::stdout(), "{line}");
            } else {
                complain(&line);
            }
        }
        farewell.failed.iter().for_each(|line| complain(line));
    }

    /// Shows an event; true if it was the last one. Nobody reading any more is no reason to stop: the command goes on.
    fn event(&mut self, event: &Event) -> bool {
        let _ = self.reporter.event(event);
        self.loggers.event(event);
        matches!(event.kind, EventKind::CommandFinished { .. })
    }

    fn turn(&mut self, turn: Turn) {
        match turn {
            Turn::Theirs(gone) => {
                self.theirs = true;
                let _ = self.reporter.tick(self.started.elapsed());
                let _ = self.reporter.pause();
                let _ = gone.send(());
            }
            Turn::Ours => self.theirs = false,
        }
    }

    fn tick(&mut self) {
        let size = crate::edge::terminal_size();
        if self.size.is_some() && size != self.size {
            self.size = size;
            if let Some(size) = size {
                self.reporter.resized(size);
            }
        }
        let _ = self.reporter.tick(self.started.elapsed());
    }
}
