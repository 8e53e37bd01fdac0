//! Finds a command by its name or by a beginning of it.

use clap::Command;

use super::super::definition::OWN;

/// The built-in command that shows help; at the top and in every group.
pub(super) const HELP: &str = "help";

/// What a word means among the commands of one level.
#[derive(Clone, Copy, Debug)]
pub(super) enum Found<'c> {
    /// A command.
    Command(&'c Command),
    /// `help`
    Help,
}

/// Why a word means no command.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum NotFound {
    /// Nothing begins like this.
    Unknown,
    /// More than one does: these.
    Ambiguous(Vec<String>),
}

/// What `word` means below `parent`.
///
/// Kamal's commands come first, then hidden ones, then those only dhow has: what a new command is called never makes a beginning
/// ambiguous that Kamal understands.
pub(super) fn find<'c>(parent: &'c Command, word: &str) -> Result<Found<'c>, NotFound> {
    let name = word.replace('-', "_");
    if name == HELP {
        return Ok(Found::Help);
    }
    if let Some(command) = parent.get_subcommands().find(|c| c.get_name() == name) {
        return Ok(Found::Command(command));
    }
    let visible = |c: &&Command| !c.is_hide_set() && !is_own(c);
    let hidden = |c: &&Command| c.is_hide_set();
    let own = |c: &&Command| is_own(c);
    let tiers: [&dyn Fn(&&Command) -> bool; 3] = [&visible, &hidden, &own];
    for (tier, with_help) in tiers.into_iter().zip([true, false, false]) {
        let mut found: Vec<(&str, Found<'c>)> = parent
            .get_subcommands()
            .filter(tier)
            .filter(|c| c.get_name().starts_with(&name))
            .map(|c| (c.get_name(), Found::Command(c)))
            .collect();
        if with_help && HELP.starts_with(&name) {
            found.push((HELP, Found::Help));
        }
        match found.as_slice() {
            [] => {}
            [(_, one)] => return Ok(*one),
            _ => {
                let mut names: Vec<String> =
                    found.iter().map(|(name, _)| (*name).to_owned()).collect();
                names.sort();
                return Err(NotFound::Ambiguous(names));
            }
        }
    }
    Err(NotFound::Unknown)
}

/// Whether Kamal lacks this command.
pub(super) fn is_own(command: &Command) -> bool {
    command.get_next_help_heading() == Some(OWN)
}
