//! The reporter at work: takes events until the last one, and redraws in between.

use std::time::Duration;

use dhow_report::{Colour, Format, Options, Reporter, Verbosity};
use dhow_run::{Event, EventKind, Sink};
use dhow_text::redact::Redactor;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::args::Global;
use crate::edge::Edge;

/// A reporter that runs beside the command.
pub(crate) struct Output {
    task: JoinHandle<()>,
}

/// Starts the reporter that the command line asks for.
pub(crate) fn start(edge: &Edge, global: &Global, redactor: Redactor) -> (Output, Sink) {
    let format = match (global.json, edge.stdout_is_terminal) {
        (true, _) => Format::Json,
        (false, true) => Format::Human,
        (false, false) => Format::Plain,
    };
    let verbosity = match (global.quiet, global.verbose) {
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
    let (sender, receiver) = mpsc::unbounded_channel();
    let sink = Sink::new(sender, edge.started);
    let task = tokio::spawn(report(reporter, receiver, edge.started));
    (Output { task }, sink)
}

impl Output {
    /// Waits until everything is written. The last event must have been sent.
    pub(crate) async fn finish(self) {
        let _ = self.task.await;
    }
}

async fn report(
    mut reporter: Reporter,
    mut events: mpsc::UnboundedReceiver<Event>,
    started: std::time::Instant,
) {
    let mut tick = tokio::time::interval(Duration::from_millis(100));
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    loop {
        let written = tokio::select! {
            event = events.recv() => match event {
                Some(event) => {
                    let last = matches!(event.kind, EventKind::CommandFinished { .. });
                    let written = reporter.event(&event);
                    if last {
                        break;
                    }
                    written
                }
                None => break,
            },
            _ = tick.tick() => reporter.tick(started.elapsed()),
        };
        if written.is_err() {
            // Nobody reads any more (`| head`): the command goes on, silently.
            while events.recv().await.is_some() {}
            return;
        }
    }
    let _ = reporter.finish();
}
