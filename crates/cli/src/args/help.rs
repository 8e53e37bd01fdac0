//! Help pages, laid out as Thor lays them out: `Commands:` and `Options:` for a list, `Usage:` and `Options:` for one command.

use std::fmt::Write;

use clap::{Arg, Command};

use super::definition::{OWN, switches};

/// The page of the last command of `path`, whose first one is the program itself.
pub(super) fn page(program: &str, path: &[&Command], width: usize) -> String {
    let Some(command) = path.last() else {
        return String::new();
    };
    let root: &[&Command] = path.get(..1).unwrap_or_default();
    let globals = root.iter().flat_map(|root| switches(root));
    let mut out = String::new();
    if command.has_subcommands() {
        out.push_str("Commands:\n");
        out.push_str(&rows(listing(program, path), width));
        out.push('\n');
        out.push_str(&options(globals, width));
    } else {
        let _ = write!(out, "Usage:\n  {}\n\n", usage(program, path));
        out.push_str(&options(switches(command).chain(globals), width));
        let _ = write!(out, "\n{}\n", about(command));
    }
    out
}

/// How a command is called: `kamal accessory exec [NAME] [CMD...]`.
pub(super) fn usage(program: &str, path: &[&Command]) -> String {
    let mut words = vec![program.to_owned()];
    words.extend(path.iter().skip(1).map(|c| c.get_name().to_owned()));
    if let Some(command) = path.last() {
        words.extend(command.get_positionals().map(positional));
    }
    words.join(" ")
}

/// How an option is written: `-n, --lines N`.
pub(super) fn option_form(arg: &Arg) -> String {
    let mut out = match arg.get_short() {
        Some(letter) => format!("-{letter}, "),
        None => "    ".to_owned(),
    };
    let long = arg.get_long().unwrap_or_default();
    // A yes that is the default is only ever denied.
    let denied =
        !arg.get_action().takes_values() || arg.get_default_values().iter().all(|v| v != "true");
    out.push_str(if denied { "--" } else { "--no-" });
    out.push_str(long);
    if arg.get_action().takes_values() && denied {
        for name in arg.get_value_names().unwrap_or_default() {
            out.push(' ');
            out.push_str(name);
        }
        if arg.get_num_args().is_some_and(|n| n.max_values() > 1) {
            out.push_str(" ...");
        }
    }
    out
}

/// What an option does, with its default.
pub(super) fn option_about(arg: &Arg) -> String {
    let about = arg.get_help().map(ToString::to_string).unwrap_or_default();
    let defaults: Vec<_> = arg
        .get_default_values()
        .iter()
        .map(|v| v.to_string_lossy())
        .collect();
    match defaults.first() {
        Some(default) if arg.get_action().takes_values() && default != "true" => {
            format!("{about} (default: {default})")
        }
        _ => about,
    }
}

/// What a command does.
pub(super) fn about(command: &Command) -> String {
    command
        .get_about()
        .map(ToString::to_string)
        .unwrap_or_default()
}

/// How a positional word is written; all in brackets, as Kamal writes them.
fn positional(arg: &Arg) -> String {
    let name = arg
        .get_value_names()
        .and_then(|names| names.first())
        .map(ToString::to_string)
        .unwrap_or_default();
    let many = arg.get_num_args().is_some_and(|n| n.max_values() > 1);
    match (name.contains('|'), many) {
        (true, _) => format!("<{name}>"),
        (false, true) => format!("[{name}...]"),
        (false, false) => format!("[{name}]"),
    }
}

fn listing(program: &str, path: &[&Command]) -> Vec<(String, String)> {
    let mut rows: Vec<(String, String)> = path
        .last()
        .into_iter()
        .flat_map(|parent| parent.get_subcommands())
        .filter(|command| !command.is_hide_set())
        .map(|command| {
            let path: Vec<&Command> = path.iter().copied().chain([command]).collect();
            (usage(program, &path), about(command))
        })
        .collect();
    let help = match path.len() {
        0 | 1 => "help [COMMAND]".to_owned(),
        _ => format!(
            "{} help [COMMAND]",
            path.iter()
                .skip(1)
                .map(|c| c.get_name())
                .collect::<Vec<_>>()
                .join(" ")
        ),
    };
    rows.push((
        format!("{program} {help}"),
        "Describe commands, or one of them".to_owned(),
    ));
    rows.sort();
    rows
}

fn options<'c>(args: impl Iterator<Item = &'c Arg>, width: usize) -> String {
    let (own, shared): (Vec<&Arg>, Vec<&Arg>) = args
        .filter(|arg| !arg.is_hide_set())
        .partition(|arg| arg.get_help_heading() == Some(OWN));
    let both = |args: &[&Arg]| {
        args.iter()
            .map(|arg| (option_form(arg), option_about(arg)))
            .collect::<Vec<_>>()
    };
    format!(
        "Options:\n{}\n{OWN}:\n{}",
        rows(both(&shared), width),
        rows(both(&own), width)
    )
}

/// Two columns; the second is cut at the terminal's edge.
fn rows(rows: Vec<(String, String)>, width: usize) -> String {
    let first = rows
        .iter()
        .map(|(left, _)| left.chars().count())
        .max()
        .unwrap_or(0);
    let mut out = String::new();
    for (left, right) in rows {
        let line = format!("  {left:first$}  # {right}");
        if line.chars().count() > width {
            out.extend(line.chars().take(width.saturating_sub(3)));
            out.push_str("...");
        } else {
            out.push_str(&line);
        }
        out.push('\n');
    }
    out
}
