//! The fold: which events are worth a line of their own, and when the view is drawn.

use std::time::Duration;

use dhow_run::{Event, EventKind, Level};

use super::board::{Board, time};
use super::ending;
use super::live::Live;
use crate::colour::{self, Ink};
use crate::reporter::{Options, TerminalInfo, Verbosity};
use crate::steps::{Step, Steps};
use crate::trouble::Troubles;

/// A stage or step that took longer is worth a line when it ends.
const WORTH_A_LINE: f64 = 1.0;

/// The fold.
#[derive(Debug)]
pub(crate) struct Human {
    verbosity: Verbosity,
    colour: bool,
    terminal: Option<TerminalInfo>,
    board: Board,
    steps: Steps,
    troubles: Troubles,
    live: Live,
    /// Lines for the next frame.
    above: String,
    paused: bool,
    ended: bool,
}

impl Human {
    /// Nothing shown yet.
    pub(crate) fn new(options: &Options) -> Self {
        Self {
            verbosity: options.verbosity,
            colour: options.colour.status,
            // Who wants quiet wants no moving lines.
            terminal: options
                .terminal
                .filter(|_| options.verbosity != Verbosity::Quiet),
            board: Board::default(),
            steps: Steps::default(),
            troubles: Troubles::default(),
            live: Live::default(),
            above: String::new(),
            paused: false,
            ended: false,
        }
    }

    /// Takes an event in. Where there is a view, lines wait for its next tick: drawing for each of many would be slow.
    pub(crate) fn event(&mut self, event: &Event) -> String {
        let ended = self.steps.note(event);
        self.troubles.note(event, ended.as_ref());
        self.board.note(event);
        if let Some(host) = ended.as_ref().and_then(|step| step.host.as_deref()) {
            self.board.stepped(host, event.at);
        }
        let line = self.line(event, ended.as_ref());
        self.above.push_str(&line);
        if let EventKind::CommandFinished { ok, seconds, .. } = &event.kind {
            if self.verbosity != Verbosity::Quiet {
                let summary = ending::summary(&self.board, *ok, *seconds, self.colour);
                self.above.push_str(&summary);
            }
            return self.finish();
        }
        if self.above.is_empty() || (self.terminal.is_some() && !self.paused) {
            return String::new();
        }
        self.draw(event.at)
    }

    /// The view as it is now.
    pub(crate) fn tick(&mut self, at: Duration) -> String {
        if self.ended {
            return String::new();
        }
        self.paused = false;
        self.draw(at)
    }

    /// The terminal has another size.
    pub(crate) fn resized(&mut self, terminal: TerminalInfo) {
        if let Some(known) = &mut self.terminal {
            *known = terminal;
        }
    }

    /// Takes the view away until the next tick.
    pub(crate) fn pause(&mut self) -> String {
        self.paused = true;
        let above = std::mem::take(&mut self.above);
        self.live.frame(&above, Vec::new())
    }

    /// Takes the view away and says what went wrong. Once.
    pub(crate) fn finish(&mut self) -> String {
        if std::mem::replace(&mut self.ended, true) {
            return String::new();
        }
        self.above
            .push_str(&ending::errors(&self.troubles, self.colour));
        self.pause()
    }

    fn draw(&mut self, at: Duration) -> String {
        let lines = match self.terminal {
            Some(terminal) if !self.paused => {
                self.board.view(&self.steps, at, terminal, self.colour)
            }
            _ => Vec::new(),
        };
        let above = std::mem::take(&mut self.above);
        self.live.frame(&above, lines)
    }

    fn line(&self, event: &Event, ended: Option<&Step>) -> String {
        let verbose = self.verbosity == Verbosity::Verbose;
        match &event.kind {
            EventKind::Said { level, text } => self.said(*level, text),
            EventKind::StageFinished { stage, seconds, ok } => self.ended(stage, *seconds, *ok),
            EventKind::StepStarted { host, command, .. } if verbose => {
                let place = self.place(host.as_deref());
                format!("{place} $ {command}\n")
            }
            EventKind::Output { id, text, .. }
                if verbose || self.steps.get(id).is_some_and(|step| step.loud) =>
            {
                let host = self.steps.get(id).and_then(|step| step.host.as_deref());
                format!("{}   {text}\n", self.place(host))
            }
            EventKind::StepFinished {
                exit,
                seconds,
                tolerated,
                ..
            } => match ended {
                Some(step) => self.step_ended(step, *exit, *seconds, *tolerated),
                None => String::new(),
            },
            EventKind::Block { header, text, .. } if header.is_empty() => text.clone(),
            EventKind::Block { header, host, text } => {
                let header = match self.verbosity {
                    Verbosity::Quiet => String::new(),
                    _ => format!(
                        "{}\n",
                        colour::bold(self.colour, &format!("{header}: {host}"))
                    ),
                };
                format!("{header}{}\n\n", text.trim_end_matches('\n'))
            }
            // Errors come last; whoever wants quiet hears of them only once.
            EventKind::HostFailed { host, failure } if self.verbosity != Verbosity::Quiet => {
                let mark = colour::status(self.colour, Ink::Red, "✗");
                format!(
                    "  {mark} {host}: {}\n",
                    failure.message.lines().next().unwrap_or_default()
                )
            }
            _ => String::new(),
        }
    }

    fn said(&self, level: Level, text: &str) -> String {
        let shown = match self.verbosity {
            Verbosity::Quiet => level == Level::Error,
            Verbosity::Normal => level != Level::Debug,
            Verbosity::Verbose => true,
        };
        let text = match level {
            _ if !shown => return String::new(),
            Level::Debug => colour::dim(self.colour, text),
            Level::Info => text.to_owned(),
            Level::Warn => colour::status(self.colour, Ink::Yellow, text),
            Level::Error => colour::status(self.colour, Ink::Red, text),
        };
        format!("{text}\n")
    }

    fn ended(&self, stage: &str, seconds: f64, ok: bool) -> String {
        if self.verbosity == Verbosity::Quiet || (ok && seconds < WORTH_A_LINE) {
            return String::new();
        }
        let mark = if ok {
            colour::status(self.colour, Ink::Green, "✓")
        } else {
            colour::status(self.colour, Ink::Red, "✗")
        };
        format!("  {mark} {stage}  {}\n", time(seconds))
    }

    /// With `-v` every step; otherwise those on this machine that took a while (a build, a hook).
    fn step_ended(&self, step: &Step, exit: Option<i32>, seconds: f64, tolerated: bool) -> String {
        let good = exit == Some(0) || tolerated;
        let place = self.place(step.host.as_deref());
        match self.verbosity {
            Verbosity::Verbose => {
                let exit = exit.map_or_else(
                    || "no exit status".to_owned(),
                    |exit| format!("exit {exit}"),
                );
                format!("{place}   ({exit}, {})\n", time(seconds))
            }
            Verbosity::Normal if good && step.host.is_none() && seconds >= WORTH_A_LINE => {
                format!(
                    "  {} {}  {}\n",
                    colour::status(self.colour, Ink::Green, "✓"),
                    step.title,
                    time(seconds)
                )
            }
            _ => String::new(),
        }
    }

    fn place(&self, host: Option<&str>) -> String {
        colour::status(
            self.colour,
            Ink::Blue,
            &format!("[{}]", host.unwrap_or("here")),
        )
    }
}
