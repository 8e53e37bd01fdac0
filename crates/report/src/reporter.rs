//! The one way from events to a writer.

use std::io::{self, Write};
use std::time::Duration;

use dhow_run::Event;
use dhow_text::redact::Redactor;

use crate::colour::Colour;
use crate::human::Human;
use crate::json;
use crate::plain::Plain;
use crate::redacted::redacted;

/// How events are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// For a person: a live view where there is a terminal, a summary, errors last.
    Human,
    /// Kamal's own lines, for people and scripts that search them.
    Plain,
    /// Every event as a JSON object on a line of its own.
    Json,
}

/// How much is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Verbosity {
    /// Errors and results: `-q`.
    Quiet,
    /// What is going on.
    #[default]
    Normal,
    /// Every command, with its output: `-v`.
    Verbose,
}

/// The size of a terminal, in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TerminalInfo {
    /// Columns.
    pub width: usize,
    /// Lines.
    pub height: usize,
}

/// What a report looks like.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// How much is shown.
    pub verbosity: Verbosity,
    /// Where colour is wanted.
    pub colour: Colour,
    /// The terminal that the report is written to, if it is one: there is a live view then.
    pub terminal: Option<TerminalInfo>,
    /// `USER`, which Kamal's lines name for commands on the deployer's machine.
    pub local_user: Option<String>,
    /// What must not be shown.
    pub redactor: Redactor,
}

/// Shows events as they happen.
pub struct Reporter {
    fold: Fold,
    redactor: Redactor,
    out: Box<dyn Write + Send>,
}

enum Fold {
    Human(Box<Human>),
    Plain(Box<Plain>),
    Json,
}

impl Reporter {
    /// A report in this format on `out`.
    pub fn new(format: Format, options: Options, out: Box<dyn Write + Send>) -> Self {
        let redactor = options.redactor.clone();
        let fold = match format {
            Format::Human => Fold::Human(Box::new(Human::new(&options))),
            Format::Plain => Fold::Plain(Box::new(Plain::new(options))),
            Format::Json => Fold::Json,
        };
        Self {
            fold,
            redactor,
            out,
        }
    }

    /// Shows one event. An error means that nobody reads any more.
    pub fn event(&mut self, event: &Event) -> io::Result<()> {
        let event = redacted(event, &self.redactor);
        let text = match &mut self.fold {
            Fold::Human(human) => human.event(&event),
            Fold::Plain(plain) => plain.event(&event),
            Fold::Json => json::line(&event),
        };
        self.write(&text)
    }

    /// Draws the live view anew; `at` is the time since the command started. To be called some ten times a second.
    pub fn tick(&mut self, at: Duration) -> io::Result<()> {
        let text = match &mut self.fold {
            Fold::Human(human) => human.tick(at),
            _ => String::new(),
        };
        self.write(&text)
    }

    /// The terminal has another size now.
    pub fn resized(&mut self, terminal: TerminalInfo) {
        if let Fold::Human(human) = &mut self.fold {
            human.resized(terminal);
        }
    }

    /// Takes the live view away, so that something else can use the terminal: a prompt, an interactive session. The next tick
    /// brings it back.
    pub fn pause(&mut self) -> io::Result<()> {
        let text = match &mut self.fold {
            Fold::Human(human) => human.pause(),
            _ => String::new(),
        };
        self.write(&text)
    }

    /// Ends the report, also one without a last event.
    pub fn finish(mut self) -> io::Result<()> {
        self.close()
    }

    fn close(&mut self) -> io::Result<()> {
        let text = match &mut self.fold {
            Fold::Human(human) => human.finish(),
            Fold::Plain(plain) => plain.finish(),
            Fold::Json => String::new(),
        };
        self.write(&text)
    }

    fn write(&mut self, text: &str) -> io::Result<()> {
        if text.is_empty() {
            return Ok(());
        }
        self.out.write_all(text.as_bytes())?;
        self.out.flush()
    }
}

impl Drop for Reporter {
    fn drop(&mut self) {
        // Whatever goes wrong, no half-drawn view stays behind; if writing fails too, nobody is looking.
        let _ = self.close();
    }
}

#[cfg(test)]
pub(crate) mod tests;
