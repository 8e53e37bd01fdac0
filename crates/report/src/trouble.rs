//! Collects failures, and puts them the way Kamal puts its last line.

use std::collections::HashMap;

use dhow_run::{Event, EventKind, Failure};

use crate::steps::{Printed, Step};

/// A failure, and where it happened.
#[derive(Clone, Debug)]
pub(crate) struct Trouble {
    /// The host; none if it belongs to no host.
    pub(crate) host: Option<String>,
    /// What happened.
    pub(crate) failure: Failure,
    /// What the command that failed printed, where one did.
    pub(crate) printed: Option<Printed>,
}

/// All failures of a command, in the order they were told.
#[derive(Clone, Debug, Default)]
pub(crate) struct Troubles {
    pub(crate) all: Vec<Trouble>,
    last_printed: HashMap<Option<String>, Printed>,
}

impl Troubles {
    /// Takes note of an event; `ended` is the step that ended by it, if one did.
    pub(crate) fn note(&mut self, event: &Event, ended: Option<&Step>) {
        match (&event.kind, ended) {
            (
                EventKind::StepFinished {
                    exit, tolerated, ..
                },
                Some(step),
            ) if *exit != Some(0) && !tolerated => {
                self.last_printed
                    .insert(step.host.clone(), step.printed.clone());
            }
            (EventKind::HostFailed { host, failure }, _) => self.keep(Some(host.clone()), failure),
            (EventKind::Failed { failure }, _) => self.keep(None, failure),
            _ => {}
        }
    }

    /// The class and text of Kamal's last line: `SSHKit::Command::Failed` and `Exception while executing on host …`.
    pub(crate) fn in_kamals_words(&self) -> Option<(String, String)> {
        // What the command itself fails for stands behind what hosts fail for: it mostly follows from it.
        let on_hosts: Vec<(&str, &Trouble)> = self
            .all
            .iter()
            .filter_map(|trouble| Some((trouble.host.as_deref()?, trouble)))
            .collect();
        let line = |(host, trouble): &(&str, &Trouble)| {
            format!(
                "Exception while executing on host {host}: {}",
                trouble.body()
            )
        };
        match on_hosts.as_slice() {
            [] => {
                let first = self.all.first()?;
                Some((first.failure.class.clone(), first.body()))
            }
            [one] => Some((one.1.failure.class.clone(), line(one))),
            [first, ..] => {
                let lines: Vec<String> = on_hosts.iter().map(line).collect();
                let text = format!(
                    "Exceptions on {} hosts:\n{}",
                    on_hosts.len(),
                    lines.join("\n")
                );
                Some((first.1.failure.class.clone(), text))
            }
        }
    }

    fn keep(&mut self, host: Option<String>, failure: &Failure) {
        let printed = failure.exit.and_then(|_| self.last_printed.remove(&host));
        self.all.push(Trouble {
            host,
            failure: failure.clone(),
            printed,
        });
    }
}

impl Trouble {
    /// The failure as its exception's message: for a command its exit status and what it printed.
    fn body(&self) -> String {
        let Failure {
            message, output, ..
        } = &self.failure;
        let Some((program, _)) = message
            .split_once(" exit status: ")
            .filter(|_| self.failure.exit.is_some())
        else {
            return message.clone();
        };
        let written = |text: &str| match text.trim() {
            "" => "Nothing written".to_owned(),
            text => text.to_owned(),
        };
        let (stdout, stderr) = match &self.printed {
            Some(printed) => (written(&printed.stdout), written(&printed.stderr)),
            None => (written(""), written(output)),
        };
        format!("{message}\n{program} stdout: {stdout}\n{program} stderr: {stderr}\n")
    }
}
