//! Takes known secrets out of events before any sink sees them.
//!
//! Names of hosts, roles and stages stay: they are the deploy file's own words, and a secret such as a database's address that
//! happens to equal a host's name must not make a report unreadable.

use dhow_run::{Event, EventKind, Failure};
use dhow_text::redact::Redactor;

/// The same event without known secrets.
pub(crate) fn redacted(event: &Event, redactor: &Redactor) -> Event {
    let text = |text: &String| redactor.redact(text).into_owned();
    let maybe =
        |text: &Option<String>| text.as_ref().map(|text| redactor.redact(text).into_owned());
    let kind = match &event.kind {
        EventKind::CommandStarted {
            command,
            version,
            hosts,
        } => EventKind::CommandStarted {
            command: text(command),
            version: maybe(version),
            hosts: hosts.clone(),
        },
        EventKind::Said { level, text: said } => EventKind::Said {
            level: *level,
            text: text(said),
        },
        EventKind::StepStarted {
            id,
            host,
            role,
            title,
            command,
            debug,
            loud,
        } => EventKind::StepStarted {
            id: id.clone(),
            host: host.clone(),
            role: maybe(role),
            title: text(title),
            command: text(command),
            debug: *debug,
            loud: *loud,
        },
        EventKind::Output {
            id,
            stream,
            text: line,
        } => EventKind::Output {
            id: id.clone(),
            stream: *stream,
            text: text(line),
        },
        EventKind::Block {
            header,
            host,
            text: block,
        } => EventKind::Block {
            header: text(header),
            host: host.clone(),
            text: text(block),
        },
        EventKind::HostFailed { host, failure } => EventKind::HostFailed {
            host: host.clone(),
            failure: redacted_failure(failure, redactor),
        },
        EventKind::Failed { failure } => EventKind::Failed {
            failure: redacted_failure(failure, redactor),
        },
        // Names and numbers.
        EventKind::StageStarted { .. }
        | EventKind::StageFinished { .. }
        | EventKind::Connecting { .. }
        | EventKind::Connected { .. }
        | EventKind::Progress { .. }
        | EventKind::StepFinished { .. }
        | EventKind::Gate { .. }
        | EventKind::HostFinished { .. }
        | EventKind::CommandFinished { .. } => event.kind.clone(),
    };
    Event { at: event.at, kind }
}

fn redacted_failure(failure: &Failure, redactor: &Redactor) -> Failure {
    let text = |text: &String| redactor.redact(text).into_owned();
    Failure {
        class: failure.class.clone(),
        message: text(&failure.message),
        command: failure.command.as_ref().map(text),
        exit: failure.exit,
        output: text(&failure.output),
        evidence: failure
            .evidence
            .iter()
            .map(|(title, body)| (text(title), text(body)))
            .collect(),
        hint: failure.hint.as_ref().map(text),
    }
}
