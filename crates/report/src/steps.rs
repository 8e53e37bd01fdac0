//! Steps under way: what later events, which carry only an id, are about.

use std::collections::HashMap;
use std::time::Duration;

use dhow_run::{Event, EventKind, Stream};

/// How many bytes of each stream are kept: enough for any error text.
const KEPT: usize = 64 * 1024;

/// A step under way.
#[derive(Clone, Debug, Default)]
pub(crate) struct Step {
    /// The host; none on the deployer's machine.
    pub(crate) host: Option<String>,
    /// The role.
    pub(crate) role: Option<String>,
    /// What it does, for people.
    pub(crate) title: String,
    /// The command as it may be shown.
    pub(crate) command: String,
    /// Whether it is bookkeeping.
    pub(crate) debug: bool,
    /// Whether its output is shown without `-v`.
    pub(crate) loud: bool,
    /// When it began.
    pub(crate) since: Duration,
    /// How far it is, and of how much.
    pub(crate) progress: Option<(u64, Option<u64>)>,
    /// What it printed.
    pub(crate) printed: Printed,
}

/// What a step printed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Printed {
    /// To standard output.
    pub(crate) stdout: String,
    /// To standard error.
    pub(crate) stderr: String,
}

/// All steps under way.
#[derive(Clone, Debug, Default)]
pub(crate) struct Steps {
    by_id: HashMap<String, Step>,
    /// The ids of each host's steps, oldest first; the deployer's machine has no name.
    by_host: HashMap<String, Vec<String>>,
}

impl Steps {
    /// Takes note of an event. A step that ends is given back.
    pub(crate) fn note(&mut self, event: &Event) -> Option<Step> {
        match &event.kind {
            EventKind::StepStarted {
                id,
                host,
                role,
                title,
                command,
                debug,
                loud,
            } => {
                let step = Step {
                    host: host.clone(),
                    role: role.clone(),
                    title: title.clone(),
                    command: command.clone(),
                    debug: *debug,
                    loud: *loud,
                    since: event.at,
                    ..Step::default()
                };
                self.by_host
                    .entry(host.clone().unwrap_or_default())
                    .or_default()
                    .push(id.clone());
                self.by_id.insert(id.clone(), step);
            }
            EventKind::Progress { id, done, total } => {
                if let Some(step) = self.by_id.get_mut(id) {
                    step.progress = Some((*done, *total));
                }
            }
            EventKind::Output { id, stream, text } => {
                if let Some(step) = self.by_id.get_mut(id) {
                    let kept = match stream {
                        Stream::Stdout => &mut step.printed.stdout,
                        Stream::Stderr => &mut step.printed.stderr,
                    };
                    if kept.len() < KEPT {
                        kept.push_str(text);
                        kept.push('\n');
                    }
                }
            }
            EventKind::StepFinished { id, .. } => {
                let step = self.by_id.remove(id)?;
                let host = step.host.as_deref().unwrap_or_default();
                if let Some(ids) = self.by_host.get_mut(host) {
                    ids.retain(|known| known != id);
                }
                return Some(step);
            }
            _ => {}
        }
        None
    }

    /// The step of this id.
    pub(crate) fn get(&self, id: &str) -> Option<&Step> {
        self.by_id.get(id)
    }

    /// Those on a host (or on the deployer's machine), oldest first.
    pub(crate) fn on(&self, host: Option<&str>) -> Vec<&Step> {
        let ids = self.by_host.get(host.unwrap_or_default());
        ids.into_iter()
            .flatten()
            .filter_map(|id| self.by_id.get(id))
            .collect()
    }
}
