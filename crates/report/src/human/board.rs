//! What each host is doing, and how that looks in a few lines.

use std::collections::HashMap;
use std::time::Duration;

use dhow_run::{Event, EventKind};

use super::live::{columns, fit};
use crate::colour::{self, Ink};
use crate::reporter::TerminalInfo;
use crate::steps::{Step, Steps};

/// More hosts than this are shown as counts.
const ONE_BY_ONE: usize = 15;

/// From this many columns on, a progress bar says of how much.
const WIDE: usize = 79;

/// How many hosts are named beside the counts: those that failed, then those that take longest.
const NAMED: usize = 6;

/// The hosts of a command, in the order they were told.
#[derive(Debug, Default)]
pub(super) struct Board {
    command: String,
    version: Option<String>,
    stage: Option<String>,
    hosts: Vec<Host>,
    places: HashMap<String, usize>,
}

#[derive(Debug)]
struct Host {
    name: String,
    /// Takes part in the stage that runs now.
    on: bool,
    connecting: Option<Duration>,
    waits_since: Duration,
    failed: bool,
    steps: u32,
    seconds: f64,
}

/// What a host is doing, most urgent first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Doing {
    Failed,
    Working,
    Waiting,
    Idle,
}

/// What became of a host.
pub(super) struct Summary<'b> {
    pub(super) name: &'b str,
    pub(super) failed: bool,
    pub(super) steps: u32,
    pub(super) seconds: f64,
}

impl Board {
    /// Takes note of an event.
    pub(super) fn note(&mut self, event: &Event) {
        match &event.kind {
            EventKind::CommandStarted {
                command,
                version,
                hosts,
            } => {
                self.command.clone_from(command);
                self.version.clone_from(version);
                for host in hosts {
                    self.host(host);
                }
            }
            EventKind::StageStarted { stage, hosts } => {
                self.stage = Some(stage.clone());
                for host in &mut self.hosts {
                    host.on = false;
                }
                for host in hosts {
                    let host = self.host(host);
                    host.on = true;
                    host.waits_since = event.at;
                }
            }
            EventKind::StageFinished { .. } => {
                self.stage = None;
                for host in &mut self.hosts {
                    host.on = false;
                }
            }
            EventKind::Connecting { host } => self.host(host).connecting = Some(event.at),
            EventKind::Connected { host, .. } => self.host(host).connecting = None,
            EventKind::HostFailed { host, .. } => {
                let host = self.host(host);
                host.failed = true;
                host.connecting = None;
            }
            EventKind::HostFinished {
                host,
                seconds,
                steps,
            } => {
                let host = self.host(host);
                host.seconds = *seconds;
                host.steps = *steps;
            }
            _ => {}
        }
    }

    /// A step on this host has ended.
    pub(super) fn stepped(&mut self, host: &str, at: Duration) {
        let host = self.host(host);
        host.steps += 1;
        host.waits_since = at;
    }

    /// The version the command is about.
    pub(super) fn version(&self) -> Option<&str> {
        self.version.as_deref()
    }

    /// The command.
    pub(super) fn command(&self) -> &str {
        &self.command
    }

    /// All hosts that did something or failed.
    pub(super) fn summaries(&self) -> Vec<Summary<'_>> {
        self.hosts
            .iter()
            .filter(|host| host.failed || host.steps > 0)
            .map(|host| Summary {
                name: &host.name,
                failed: host.failed,
                steps: host.steps,
                seconds: host.seconds,
            })
            .collect()
    }

    /// The view: a headline and a line per host, or counts where there are too many. Empty before anything begins.
    pub(super) fn view(
        &self,
        steps: &Steps,
        now: Duration,
        terminal: TerminalInfo,
        colour: bool,
    ) -> Vec<String> {
        if self.command.is_empty() {
            return Vec::new();
        }
        let width = terminal.width.saturating_sub(1);
        let mut lines = vec![colour::bold(colour, &fit(&self.headline(now), width))];
        for step in steps.on(None) {
            lines.push(row("here", step, now, width, 4));
        }
        let room = terminal.height.saturating_sub(lines.len() + 2);
        if self.hosts.len() > ONE_BY_ONE.min(room) {
            lines.extend(self.counts(steps, now, width, room, colour));
        } else {
            let longest = self
                .hosts
                .iter()
                .map(|host| columns(&host.name))
                .max()
                .unwrap_or(0)
                .min(width / 3);
            lines.extend(
                self.hosts
                    .iter()
                    .map(|host| host.line(steps, now, width, longest, colour)),
            );
        }
        lines
    }

    fn headline(&self, now: Duration) -> String {
        let mut text = self.command.clone();
        for part in [self.version.as_deref().map(short), self.stage.as_deref()]
            .into_iter()
            .flatten()
        {
            text.push_str(" · ");
            text.push_str(part);
        }
        text.push_str(" · ");
        text.push_str(&time(now.as_secs_f64()));
        text
    }

    fn counts(
        &self,
        steps: &Steps,
        now: Duration,
        width: usize,
        room: usize,
        colour: bool,
    ) -> Vec<String> {
        let count = |doing| {
            self.hosts
                .iter()
                .filter(|host| host.doing(steps) == doing)
                .count()
        };
        let parts: Vec<String> = [
            (Doing::Failed, "failed"),
            (Doing::Working, "at work"),
            (Doing::Waiting, "waiting"),
            (Doing::Idle, "done"),
        ]
        .into_iter()
        .filter_map(|(doing, word)| match count(doing) {
            0 => None,
            count => Some(format!("{count} {word}")),
        })
        .collect();
        let mut lines = vec![fit(
            &format!("  {} hosts: {}", self.hosts.len(), parts.join(", ")),
            width,
        )];
        let mut named: Vec<&Host> = self
            .hosts
            .iter()
            .filter(|host| host.doing(steps) <= Doing::Working)
            .collect();
        named.sort_by_key(|host| (host.doing(steps), host.since(steps)));
        named.truncate(NAMED.min(room.saturating_sub(1)));
        let longest = named
            .iter()
            .map(|host| columns(&host.name))
            .max()
            .unwrap_or(0)
            .min(width / 3);
        lines.extend(
            named
                .iter()
                .map(|host| host.line(steps, now, width, longest, colour)),
        );
        lines
    }

    fn host(&mut self, name: &str) -> &mut Host {
        let at = match self.places.get(name) {
            Some(at) => *at,
            None => {
                self.places.insert(name.to_owned(), self.hosts.len());
                self.hosts.push(Host {
                    name: name.to_owned(),
                    on: false,
                    connecting: None,
                    waits_since: Duration::ZERO,
                    failed: false,
                    steps: 0,
                    seconds: 0.0,
                });
                self.hosts.len() - 1
            }
        };
        #[expect(clippy::indexing_slicing, reason = "the place was just found or made")]
        &mut self.hosts[at]
    }
}

impl Host {
    fn doing(&self, steps: &Steps) -> Doing {
        if self.failed {
            Doing::Failed
        } else if self.connecting.is_some() || !steps.on(Some(&self.name)).is_empty() {
            Doing::Working
        } else if self.on {
            Doing::Waiting
        } else {
            Doing::Idle
        }
    }

    /// Since when it has been doing that.
    fn since(&self, steps: &Steps) -> Duration {
        let oldest = steps.on(Some(&self.name)).first().map(|step| step.since);
        oldest.or(self.connecting).unwrap_or(self.waits_since)
    }

    fn line(
        &self,
        steps: &Steps,
        now: Duration,
        width: usize,
        name_width: usize,
        colour: bool,
    ) -> String {
        let name = fit(&self.name, name_width);
        let plain = |text: &str, since: Option<Duration>| {
            let elapsed = since.map(|since| time(now.saturating_sub(since).as_secs_f64()));
            columned(&name, text, "", elapsed.as_deref(), width, name_width)
        };
        match (self.doing(steps), steps.on(Some(&self.name)).as_slice()) {
            (Doing::Failed, _) => colour::status(colour, Ink::Red, &plain("failed", None)),
            (_, [step]) => row(&name, step, now, width, name_width),
            (_, [step, others @ ..]) => {
                let text = format!("{} (and {} more)", step.title, others.len());
                plain(&text, Some(step.since))
            }
            (Doing::Working, []) => plain("connecting", self.connecting),
            (Doing::Waiting, []) => colour::dim(colour, &plain("waiting", Some(self.waits_since))),
            (_, []) => colour::dim(colour, &plain("", None)),
        }
    }
}

/// A step as a line: who, what, how far, how long.
fn row(name: &str, step: &Step, now: Duration, width: usize, name_width: usize) -> String {
    let elapsed = time(now.saturating_sub(step.since).as_secs_f64());
    let text = match &step.role {
        Some(role) => format!("{role}: {}", step.title),
        None => step.title.clone(),
    };
    let far = match step.progress {
        Some((done, Some(total))) if total > 0 => {
            let of = if width < WIDE {
                String::new()
            } else {
                format!(" of {}", amount(total))
            };
            format!(" {}{of}", bar(done, total))
        }
        Some((done, _)) => format!(" {}", amount(done)),
        None => String::new(),
    };
    columned(name, &text, &far, Some(&elapsed), width, name_width)
}

/// A line in columns. Where it is too narrow, `text` is cut first.
fn columned(
    name: &str,
    text: &str,
    far: &str,
    elapsed: Option<&str>,
    width: usize,
    name_width: usize,
) -> String {
    let pad = " ".repeat(name_width.saturating_sub(columns(name)));
    let left = format!("  {name}{pad}  ");
    let elapsed = elapsed.unwrap_or_default();
    let room = width.saturating_sub(columns(&left) + columns(elapsed) + 1);
    let text = fit(text, room.saturating_sub(columns(far)));
    let gap = " ".repeat(room.saturating_sub(columns(&text) + columns(far)) + 1);
    let line = format!("{left}{text}{far}{gap}{elapsed}");
    fit(line.trim_end(), width)
}

fn bar(done: u64, total: u64) -> String {
    const CELLS: u64 = 10;
    let done = done.min(total);
    let cells = usize::try_from(u128::from(done) * u128::from(CELLS) / u128::from(total.max(1)))
        .unwrap_or(0);
    let percent = u128::from(done) * 100 / u128::from(total.max(1));
    let left = 10usize.saturating_sub(cells);
    format!("[{}{}] {percent:>3}%", "#".repeat(cells), "-".repeat(left))
}

fn amount(bytes: u64) -> String {
    const STEPS: [(u64, &str); 3] = [(1_000_000_000, "GB"), (1_000_000, "MB"), (1_000, "kB")];
    for (size, unit) in STEPS {
        if bytes >= size {
            let tenths = bytes / (size / 10);
            return format!("{}.{} {unit}", tenths / 10, tenths % 10);
        }
    }
    format!("{bytes} B")
}

/// A version as people know it: commit hashes are cut.
pub(super) fn short(version: &str) -> &str {
    let hash = version.len() == 40 && version.bytes().all(|b| b.is_ascii_hexdigit());
    if hash {
        version.get(..7).unwrap_or(version)
    } else {
        version
    }
}

/// A time span for people.
pub(super) fn time(seconds: f64) -> String {
    if seconds < 60.0 {
        format!("{seconds:.1}s")
    } else {
        format!(
            "{:.0}m{:02.0}s",
            (seconds / 60.0).floor(),
            (seconds % 60.0).floor()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_and_times() {
        assert_eq!(amount(999), "999 B");
        assert_eq!(amount(12_340_000), "12.3 MB");
        assert_eq!(bar(1, 3), "[###-------]  33%");
        assert_eq!(bar(9, 3), "[##########] 100%");
        assert_eq!(time(59.94), "59.9s");
        assert_eq!(time(61.5), "1m01s");
        assert_eq!(short("0123456789012345678901234567890123456789"), "0123456");
        assert_eq!(short("v1.2"), "v1.2");
    }
}
