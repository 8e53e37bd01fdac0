//! The reference of all commands and options, as Markdown, from the same declarations the parser uses.
//!
//! `docs/cli-reference.md` holds it; a test keeps the two equal, and writes the file anew when `DHOW_BLESS` is set.

use std::fmt::Write;

use clap::{Arg, Command, CommandFactory};

use super::definition::{Cli, OWN, switches};
use super::help::{about, option_about, option_form, usage};

/// The whole of `docs/cli-reference.md`.
pub(super) fn reference_markdown() -> String {
    let mut root = Cli::command();
    root.build();
    let mut out = String::from(
        "# Commands and options\n\n\
         Generated from the program's own declarations. Called as `kamal`, it takes the same words.\n\n\
         A unique beginning of a command is enough, and dashes and underscores mean the same. Options may stand anywhere after the \
         command; a yes-or-no option `--x` is denied by `--no-x`, `--skip-x` or `--x false`. `-h` means hosts: help is `--help` or \
         `dhow help COMMAND`. Words after `--` are never options.\n\n\
         Commands that run a command elsewhere (`app exec`, `accessory exec`, `server exec`) keep that command's own options: `dhow app \
         exec ls -la` runs `ls -la`. After the command's first word only Kamal's own options are still taken (`dhow app exec 'ls' \
         --reuse`). Where both know an option, as in `mkdir -p`, quote the command or put `--` before it.\n\n\
         ## Options of every command\n\n",
    );
    out.push_str(&table(switches(&root)));
    section(&mut out, &[&root]);
    out
}

fn section(out: &mut String, path: &[&Command]) {
    let Some(parent) = path.last() else { return };
    let mut commands: Vec<&Command> = parent.get_subcommands().collect();
    commands.sort_by_key(|c| c.get_name());
    for command in commands {
        let path: Vec<&Command> = path.iter().copied().chain([command]).collect();
        let level = "#".repeat(path.len());
        let mut remarks = String::new();
        if command.is_hide_set() {
            remarks.push_str(" Not shown in lists of commands.");
        }
        if command.get_next_help_heading() == Some(OWN) {
            remarks.extend([" ", OWN, "."]);
        }
        let _ = write!(
            out,
            "\n{level} `{}`\n\n{}.{remarks}\n",
            usage("dhow", &path),
            about(command)
        );
        if switches(command).next().is_some() {
            out.push('\n');
            out.push_str(&table(switches(command)));
        }
        section(out, &path);
    }
}

fn table<'c>(args: impl Iterator<Item = &'c Arg>) -> String {
    let mut out = String::from("| option | meaning |\n|---|---|\n");
    for arg in args.filter(|arg| !arg.is_hide_set()) {
        let own = if arg.get_help_heading() == Some(OWN) {
            format!(" {OWN}.")
        } else {
            String::new()
        };
        let text = |text: String| text.replace('|', "\\|");
        let _ = writeln!(
            out,
            "| `{}` | {}.{own} |",
            text(option_form(arg).trim_start().to_owned()),
            text(option_about(arg)),
        );
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/cli-reference.md");

    #[test]
    fn the_file_in_docs_is_current() {
        if std::env::var_os("DHOW_BLESS").is_some() {
            std::fs::write(FILE, reference_markdown()).unwrap();
        }
        let file = std::fs::read_to_string(FILE).unwrap();
        assert!(
            file == reference_markdown(),
            "docs/cli-reference.md is stale: run the tests once with DHOW_BLESS=1"
        );
    }

    #[test]
    fn every_command_and_option_is_in_it() {
        fn check(text: &str, command: &Command) {
            for arg in switches(command).filter(|arg| !arg.is_hide_set()) {
                let long = arg.get_long().unwrap();
                assert!(text.contains(&format!("-{long}")), "{long}");
                assert!(!option_about(arg).is_empty(), "{long} says nothing");
            }
            for sub in command.get_subcommands() {
                assert!(text.contains(sub.get_name()), "{}", sub.get_name());
                assert!(!about(sub).is_empty(), "{} says nothing", sub.get_name());
                check(text, sub);
            }
        }
        let mut root = Cli::command();
        root.build();
        check(&reference_markdown(), &root);
    }
}
