//! What was asked for, and the way there.

use clap::error::{ContextKind, ContextValue};
use clap::{CommandFactory, FromArgMatches};

use super::definition::{Cli, Command, Global};
use super::help;
use super::thor::{self, AliasQuery, Resolved};

/// A command line, understood.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Invocation {
    /// The name the program was called by, without its folder: `dhow`, `kamal`.
    pub(crate) program: String,
    /// The full names of the command's words: `["app", "boot"]`.
    pub(crate) path: Vec<String>,
    /// What holds for any command.
    pub(crate) global: Global,
    /// What to do.
    pub(crate) command: Command,
}

/// What a command line came to.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Parsed {
    /// Something to do.
    Run(Box<Invocation>),
    /// A help page for standard output; the exit code is 0.
    Show(String),
}

/// Why a command line can't be followed. The exit code is 1, as Kamal's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ArgsError<E> {
    /// It is wrong. For standard error, as it is: these lines are Kamal's.
    #[error("{0}")]
    Usage(String),
    /// The look-up of an alias failed.
    #[error("{0}")]
    Alias(E),
}

/// Reads a command line. `args` starts with the program's name; `width` is the terminal's, for help pages.
///
/// `resolve_alias` is asked only for a first word that is no command, and answers with the alias' text as the deploy file has it.
pub(crate) fn parse<E>(
    args: &[String],
    width: usize,
    resolve_alias: impl FnMut(&AliasQuery) -> Result<Option<String>, E>,
) -> Result<Parsed, ArgsError<E>> {
    let (program, words) = match args.split_first() {
        Some((called, words)) => (base_name(called), words),
        None => ("dhow", args),
    };
    let mut root = Cli::command();
    root.build();
    let (path, canonical) = match thor::resolve(&root, program, words, resolve_alias)? {
        Resolved::Help(commands) => return Ok(Parsed::Show(help::page(program, &commands, width))),
        Resolved::Run { path, canonical } => (path, canonical),
    };
    let cli = root
        .try_get_matches_from_mut(canonical)
        .and_then(|matches| Cli::from_arg_matches(&matches))
        .map_err(|error| ArgsError::Usage(bad_value(&error)))?;
    Ok(Parsed::Run(Box::new(Invocation {
        program: program.to_owned(),
        path,
        global: cli.global,
        command: cli.command,
    })))
}

fn base_name(called: &str) -> &str {
    match called.rsplit('/').next() {
        Some("") | None => "dhow",
        Some(name) => name,
    }
}

/// The strict form can fail only by a number that is out of range.
fn bad_value(error: &clap::Error) -> String {
    let text = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => text.clone(),
        _ => String::new(),
    };
    let (option, value) = (
        text(ContextKind::InvalidArg),
        text(ContextKind::InvalidValue),
    );
    match option.split(' ').next() {
        Some(option) if !option.is_empty() => {
            format!(
                "Expected numeric value for '{option}'; got {}",
                thor::inspect(&value)
            )
        }
        _ => error.to_string(),
    }
}
