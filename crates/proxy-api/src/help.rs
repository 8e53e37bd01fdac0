//! Help texts, built from the same tables the parser reads.

use std::ffi::OsString;
use std::fmt::Write as _;

use crate::command::{COMMANDS, Entry, ROLLOUT_COMMANDS};
use crate::flags::Kind;

/// Help for the program.
pub(crate) fn program() -> String {
    overview("kamal-proxy [command]", COMMANDS)
}

/// Help for `rollout`.
pub(crate) fn rollout() -> String {
    overview("kamal-proxy rollout [command]", ROLLOUT_COMMANDS)
}

/// Help for the command that `help` was asked about; the program's for anything unknown.
pub(crate) fn topic(words: &[OsString]) -> String {
    let word = |index: usize| {
        words
            .get(index)
            .map(|word| word.to_string_lossy().into_owned())
    };
    let (table, name) = match word(0).as_deref() {
        Some("rollout") => match word(1) {
            Some(name) => (ROLLOUT_COMMANDS, name),
            None => return rollout(),
        },
        Some("ls") => (COMMANDS, "list".to_owned()),
        Some("rm") => (COMMANDS, "remove".to_owned()),
        Some(name) => (COMMANDS, name.to_owned()),
        None => return program(),
    };
    table
        .iter()
        .find(|entry| entry.name == name)
        .map_or_else(program, command)
}

/// Help for one command.
pub(crate) fn command(entry: &Entry) -> String {
    let mut out = format!(
        "{}\n\nUsage:\n  kamal-proxy {} [flags]\n\nFlags:\n",
        entry.about, entry.usage
    );
    let label = |name: &str, kind: Kind| match kind {
        Kind::Bool => format!("--{name}"),
        Kind::Int => format!("--{name} int"),
        Kind::Duration => format!("--{name} duration"),
        Kind::Text => format!("--{name} string"),
        Kind::List => format!("--{name} strings"),
    };
    for spec in entry.flags {
        let _ = write!(
            out,
            "      {:<36} {}",
            label(spec.name, spec.kind),
            spec.help
        );
        if !matches!(spec.default, "" | "false" | "0") {
            let _ = write!(out, " (default {})", spec.default);
        }
        out.push('\n');
    }
    let _ = writeln!(out, "  -h, {:<36} Show this help", "--help");
    out
}

fn overview(usage: &str, entries: &[Entry]) -> String {
    let mut out =
        format!("HTTP proxy for deploys without downtime\n\nUsage:\n  {usage}\n\nCommands:\n");
    for entry in entries {
        let _ = writeln!(out, "  {:<10} {}", entry.name, entry.about);
    }
    out.push_str("\nUse \"kamal-proxy help [command]\" for the flags of a command.\n");
    out
}
