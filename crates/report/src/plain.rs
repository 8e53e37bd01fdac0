//! Events as Kamal and SSHKit print them: one line each, for people and scripts that search for them.
//!
//! Two kinds of lines, as there: status lines, and an execution log whose lines start with a level (`  INFO`, ` DEBUG`).

use std::fmt::Write;

use dhow_run::{Event, EventKind, Level, Stream};

use crate::colour::{self, Colour, Ink};
use crate::reporter::{Options, Verbosity};
use crate::steps::{Step, Steps};
use crate::trouble::{Trouble, Troubles};

/// Commands that end with `Finished all in …`.
const TIMED: [&str; 4] = ["deploy", "redeploy", "setup", "rollback"];

/// What Kamal writes to its execution log rather than as a status line, by how it begins.
const LOGGED: [&str; 17] = [
    "Cloning repo into ",
    "Resetting local clone ",
    "Error preparing clone",
    "Missing compatible builder",
    "Couldn't create remote builder",
    "First ",
    "Waiting for the first healthy ",
    "Container is ",
    "Container not ready",
    "Renaming container ",
    "Writing SSL certificates ",
    "Missing Docker on ",
    "Session refreshed ",
    "Following logs on ",
    "Uploading ",
    "Failed to boot ",
    "Could not fetch logs ",
];

/// The fold.
#[derive(Debug)]
pub(crate) struct Plain {
    verbosity: Verbosity,
    colour: Colour,
    local_user: Option<String>,
    command: String,
    /// Whether there are hosts that it is about.
    has_hosts: bool,
    steps: Steps,
    troubles: Troubles,
    ended: bool,
}

impl Plain {
    /// Nothing shown yet.
    pub(crate) fn new(options: Options) -> Self {
        Self {
            verbosity: options.verbosity,
            colour: options.colour,
            local_user: options.local_user,
            command: String::new(),
            has_hosts: false,
            steps: Steps::default(),
            troubles: Troubles::default(),
            ended: false,
        }
    }

    /// The lines of one event.
    pub(crate) fn event(&mut self, event: &Event) -> String {
        let mut out = self.line(event);
        if let EventKind::CommandFinished { ok, seconds, .. } = &event.kind {
            // One that fails for want of a host has not begun.
            if TIMED.contains(&self.command.as_str()) && (*ok || self.has_hosts) {
                let _ = writeln!(out, "  Finished all in {seconds:.1} seconds");
            }
            out.push_str(&self.finish());
        }
        out
    }

    /// The lines of one event as it happens, without what comes at the end.
    pub(crate) fn line(&mut self, event: &Event) -> String {
        let ended = self.steps.note(event);
        self.troubles.note(event, ended.as_ref());
        match &event.kind {
            EventKind::CommandStarted { command, hosts, .. } => {
                self.command.clone_from(command);
                self.has_hosts = !hosts.is_empty();
                String::new()
            }
            EventKind::Said { level, text } => self.said(*level, text),
            EventKind::StepStarted { id, .. } => match self.steps.get(id) {
                Some(step) => self.started(id, step),
                None => String::new(),
            },
            EventKind::Output { id, stream, text } => {
                let text = match stream {
                    Stream::Stdout => self.log_ink(Ink::Green, text),
                    Stream::Stderr => self.log_ink(Ink::Red, text),
                };
                let loud = self.steps.get(id).is_some_and(|step| step.loud);
                let level = if loud { Level::Info } else { Level::Debug };
                self.log(level, Some(id), &format!("\t{text}"))
            }
            EventKind::StepFinished {
                id,
                exit,
                seconds,
                tolerated,
                ..
            } => match ended {
                Some(step) => self.finished(id, &step, *exit, *seconds, *tolerated),
                None => String::new(),
            },
            EventKind::Block { header, host, text } => self.block(header, host, text),
            EventKind::Connecting { host } => {
                self.log(Level::Debug, None, &format!("Connecting to {host}"))
            }
            _ => String::new(),
        }
    }

    /// What went wrong, and Kamal's last line. Once.
    pub(crate) fn finish(&mut self) -> String {
        if std::mem::replace(&mut self.ended, true) {
            return String::new();
        }
        let mut out: String = self
            .troubles
            .all
            .iter()
            .map(|trouble| self.details(trouble))
            .collect();
        if let Some((class, text)) = self.troubles.in_kamals_words() {
            // Red whatever the terminal: scripts search for exactly this.
            let _ = writeln!(out, "  \u{1b}[31mERROR ({class}): {text}\u{1b}[0m");
        }
        out
    }

    /// All failures so far.
    pub(crate) fn troubles(&self) -> &Troubles {
        &self.troubles
    }

    fn said(&self, level: Level, text: &str) -> String {
        if level == Level::Debug || LOGGED.iter().any(|beginning| text.starts_with(beginning)) {
            return self.log(level, None, text);
        }
        if self.verbosity == Verbosity::Quiet {
            return String::new();
        }
        let ink = match level {
            Level::Error => Ink::Red,
            Level::Warn => Ink::Yellow,
            Level::Info | Level::Debug => Ink::Magenta,
        };
        let end = if text.ends_with([' ', '\t']) {
            ""
        } else {
            "\n"
        };
        format!("{}{end}", colour::status(self.colour.status, ink, text))
    }

    fn started(&self, id: &str, step: &Step) -> String {
        let level = level(step);
        if is_upload(step) {
            return String::new();
        }
        let blue = |text: &str| self.log_ink(Ink::Blue, text);
        let place = match (&step.host, &self.local_user) {
            (Some(host), _) => format!("on {}", blue(host)),
            (None, Some(user)) if !user.is_empty() => {
                format!("as {}@{}", blue(user), blue("localhost"))
            }
            (None, _) => format!("on {}", blue("localhost")),
        };
        let command = colour::log(self.colour.log, Ink::Yellow, true, &step.command);
        let mut out = self.log(level, Some(id), &format!("Running {command} {place}"));
        let command = blue(&step.command);
        out.push_str(&self.log(Level::Debug, Some(id), &format!("Command: {command}")));
        out
    }

    fn finished(
        &self,
        id: &str,
        step: &Step,
        exit: Option<i32>,
        seconds: f64,
        tolerated: bool,
    ) -> String {
        let level = level(step);
        let good = exit == Some(0);
        if !good && !tolerated {
            return String::new();
        }
        if is_upload(step) {
            let path = step.command.trim_start_matches("upload ");
            return if good {
                self.log(level, None, &format!("Uploading {path} 100.0%"))
            } else {
                String::new()
            };
        }
        let (ink, word) = if good {
            (Ink::Green, "successful")
        } else {
            (Ink::Red, "failed")
        };
        let word = colour::log(self.colour.log, ink, true, word);
        let exit = exit.map_or_else(|| "unknown".to_owned(), |exit| exit.to_string());
        self.log(
            level,
            Some(id),
            &format!("Finished in {seconds:.3} seconds with exit status {exit} ({word})."),
        )
    }

    fn block(&self, header: &str, host: &str, text: &str) -> String {
        if header.is_empty() {
            return text.to_owned();
        }
        let header = match self.verbosity {
            Verbosity::Quiet => String::new(),
            _ => format!("{header}: {host}\n"),
        };
        format!("{header}{}\n\n", text.trim_end_matches('\n'))
    }

    /// Everything known about a failure, in lines that a search for `ERROR` finds.
    fn details(&self, trouble: &Trouble) -> String {
        let failure = &trouble.failure;
        let mut texts: Vec<(&str, String)> = Vec::new();
        if let Some(command) = &failure.command {
            texts.push(("Command", command.clone()));
        }
        if let Some(exit) = failure.exit {
            texts.push(("Exit status", exit.to_string()));
        }
        texts.push(("Output", failure.output.clone()));
        texts.extend(
            failure
                .evidence
                .iter()
                .map(|(title, text)| (title.as_str(), text.clone())),
        );
        texts.extend(failure.hint.iter().map(|hint| ("Hint", hint.clone())));
        texts.retain(|(_, text)| !text.trim().is_empty());
        if texts.is_empty() {
            return String::new();
        }
        let mut out = match &trouble.host {
            Some(host) => self.log(Level::Error, None, &format!("Failed on {host}")),
            None => self.log(Level::Error, None, "Failed"),
        };
        for (title, text) in texts {
            let mut lines = text.trim_end().lines();
            match (lines.next(), lines.next()) {
                (Some(only), None) => {
                    out.push_str(&self.log(Level::Error, None, &format!("{title}: {only}")));
                }
                _ => {
                    out.push_str(&self.log(Level::Error, None, &format!("{title}:")));
                    for line in text.trim_end().lines() {
                        out.push_str(&self.log(Level::Error, None, &format!("\t{line}")));
                    }
                }
            }
        }
        out
    }

    fn log_ink(&self, ink: Ink, text: &str) -> String {
        colour::log(self.colour.log, ink, false, text)
    }

    fn log(&self, level: Level, id: Option<&str>, text: &str) -> String {
        let shown = match self.verbosity {
            Verbosity::Quiet => level == Level::Error,
            Verbosity::Normal => level != Level::Debug,
            Verbosity::Verbose => true,
        };
        if !shown {
            return String::new();
        }
        let (ink, word) = match level {
            Level::Debug => (Ink::Black, "DEBUG"),
            Level::Info => (Ink::Blue, "INFO"),
            Level::Warn => (Ink::Yellow, "WARN"),
            Level::Error => (Ink::Red, "ERROR"),
        };
        let word = self.log_ink(ink, &format!("{word:>6}"));
        match id {
            Some(id) => format!("{word} [{}] {text}\n", self.log_ink(Ink::Green, id)),
            None => format!("{word} {text}\n"),
        }
    }
}

fn level(step: &Step) -> Level {
    if step.debug {
        Level::Debug
    } else {
        Level::Info
    }
}

fn is_upload(step: &Step) -> bool {
    step.command.starts_with("upload ")
}

#[cfg(test)]
mod tests;
