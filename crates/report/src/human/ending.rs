//! The end of a report: a line per host, then everything about each failure.

use std::fmt::Write;

use dhow_run::Failure;

use super::board::{Board, Summary, short, time};
use crate::colour::{self, Ink};
use crate::trouble::Troubles;

/// More hosts than this are summed up.
const ONE_BY_ONE: usize = 15;

/// What became of each host, and of the whole.
pub(super) fn summary(board: &Board, ok: bool, seconds: f64, colour: bool) -> String {
    let mut out = String::new();
    let hosts = board.summaries();
    let longest = hosts
        .iter()
        .map(|host| host.name.chars().count())
        .max()
        .unwrap_or(0);
    let version = board.version().map(short);
    let line = |host: &Summary<'_>| {
        let mark = if host.failed {
            colour::status(colour, Ink::Red, "✗")
        } else {
            colour::status(colour, Ink::Green, "✓")
        };
        let mut text = format!("  {mark} {:longest$}", host.name);
        match version {
            Some(_) if host.failed => text.push_str("  failed"),
            Some(version) => {
                text.push_str("  ");
                text.push_str(version);
            }
            None => {}
        }
        let plural = if host.steps == 1 { "" } else { "s" };
        let _ = writeln!(
            text,
            "  {} step{plural}  {}",
            host.steps,
            time(host.seconds)
        );
        text
    };
    if hosts.len() <= ONE_BY_ONE {
        out.extend(hosts.iter().map(line));
    } else {
        let (failed, good): (Vec<&Summary<'_>>, Vec<&Summary<'_>>) =
            hosts.iter().partition(|host| host.failed);
        let by_time = |a: &&&Summary<'_>, b: &&&Summary<'_>| a.seconds.total_cmp(&b.seconds);
        if let (Some(fast), Some(slow)) = (good.iter().min_by(by_time), good.iter().max_by(by_time))
        {
            let mark = colour::status(colour, Ink::Green, "✓");
            let _ = writeln!(
                out,
                "  {mark} {} hosts  {} to {} ({})",
                good.len(),
                time(fast.seconds),
                time(slow.seconds),
                slow.name
            );
        }
        out.extend(failed.into_iter().map(line));
    }
    let (ink, word) = if ok {
        (Ink::Green, "done")
    } else {
        (Ink::Red, "failed")
    };
    let text = format!("{} {word} in {}", board.command(), time(seconds));
    out.push_str(&colour::status(colour, ink, &text));
    out.push('\n');
    out
}

/// Everything about each failure, hosts with the same one together.
pub(super) fn errors(troubles: &Troubles, colour: bool) -> String {
    let mut groups: Vec<(Vec<&str>, &Failure)> = Vec::new();
    for trouble in &troubles.all {
        let host = trouble.host.as_deref();
        match groups.iter_mut().find(|(hosts, failure)| {
            !hosts.is_empty() && host.is_some() && **failure == trouble.failure
        }) {
            Some((hosts, _)) => hosts.extend(host),
            None => groups.push((host.into_iter().collect(), &trouble.failure)),
        }
    }
    groups
        .iter()
        .map(|(hosts, failure)| error(hosts, failure, colour))
        .collect()
}

fn error(hosts: &[&str], failure: &Failure, colour: bool) -> String {
    let place = match hosts {
        [] => String::new(),
        hosts => format!(" on {}", hosts.join(", ")),
    };
    let head = colour::status(colour, Ink::Red, &format!("error{place}:"));
    let mut out = format!(
        "\n{head} {} {}\n",
        failure.message.trim_end(),
        colour::dim(colour, &format!("({})", failure.class))
    );
    let mut part = |title: &str, text: &str| {
        let mut lines = text.trim_end().lines();
        match (lines.next(), lines.next()) {
            (None, _) => {}
            (Some(only), None) => {
                let _ = writeln!(out, "  {}: {only}", colour::bold(colour, title));
            }
            _ => {
                let _ = writeln!(out, "  {}:", colour::bold(colour, title));
                for line in text.trim_end().lines() {
                    let _ = writeln!(out, "    {line}");
                }
            }
        }
    };
    if let Some(command) = &failure.command {
        part("command", command);
    }
    if let Some(exit) = failure.exit {
        part("exit status", &exit.to_string());
    }
    part("output", &failure.output);
    for (title, text) in &failure.evidence {
        part(title, text);
    }
    if let Some(hint) = &failure.hint {
        part("what to do", hint);
    }
    out
}
