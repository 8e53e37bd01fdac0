//! From words to a command: dispatch, help, aliases, and the checks Thor makes before it calls a command.

use clap::{Arg, Command};

use super::super::definition::switches;
use super::super::help;
use super::super::invocation::ArgsError;
use super::super::shell_words::shell_words;
use super::inspect;
use super::names::{self, Found, NotFound};
use super::scanner::{Given, Item, Scanner};
use super::switch::{self, Kind};

/// What an alias is looked up by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AliasQuery {
    /// The word that is no command.
    pub(crate) name: String,
    /// `--config-file`, where the command line has it.
    pub(crate) config_file: Option<String>,
    /// `--destination`, where the command line has it.
    pub(crate) destination: Option<String>,
}

/// What words came to.
#[derive(Debug)]
pub(crate) enum Resolved<'c> {
    /// Show the page of the last of these commands (the first is the program).
    Help(Vec<&'c Command>),
    /// Do something.
    Run {
        /// The command's words in full.
        path: Vec<String>,
        /// The command line in strict form, program first.
        canonical: Vec<String>,
    },
}

/// Words that mean help in the first place (and only there, for `-h`).
const HELP_SWITCHES: [&str; 4] = ["-h", "--help", "-?", "-D"];

/// What `words` ask of the commands below `root`.
pub(crate) fn resolve<'c, E>(
    root: &'c Command,
    program: &str,
    words: &[String],
    mut resolve_alias: impl FnMut(&AliasQuery) -> Result<Option<String>, E>,
) -> Result<Resolved<'c>, ArgsError<E>> {
    let mut words = words.to_vec();
    let mut seen: Vec<String> = Vec::new();
    loop {
        let Some((first, rest)) = words.split_first() else {
            return Ok(Resolved::Help(vec![root]));
        };
        if HELP_SWITCHES.contains(&first.as_str()) {
            return help_on(root, rest);
        }
        if first.starts_with('-') {
            return help_on(root, &words);
        }
        let found = names::find(root, first);
        let alias = match &found {
            Err(NotFound::Ambiguous(_)) => None,
            _ if seen.contains(first) => None,
            Err(NotFound::Unknown) => {
                resolve_alias(&alias_query(root, first, rest)).map_err(ArgsError::Alias)?
            }
            // A name only dhow has must not take an alias away, and must work without a deploy file.
            Ok(Found::Command(command)) if names::is_own(command) => {
                resolve_alias(&alias_query(root, first, rest))
                    .ok()
                    .flatten()
            }
            Ok(_) => None,
        };
        if let Some(text) = alias {
            seen.push(first.clone());
            let expanded = shell_words(&text)
                .map_err(|problem| ArgsError::Usage(format!("alias `{first}`: {problem}")))?;
            words = expanded.into_iter().chain(rest.iter().cloned()).collect();
            continue;
        }
        return match found {
            Ok(Found::Help) => help_on(root, rest),
            Ok(Found::Command(command)) => run(root, program, command, rest),
            Err(problem) => Err(not_found(first, problem)),
        };
    }
}

fn alias_query(root: &Command, name: &str, rest: &[String]) -> AliasQuery {
    let mut scanner = Scanner::new(switches(root), rest);
    // Options of the aliased command are not known yet: whatever is unclear is passed over.
    while !matches!(scanner.next(true), Ok(None)) {}
    AliasQuery {
        name: name.to_owned(),
        config_file: scanner.text("config-file").map(str::to_owned),
        destination: scanner.text("destination").map(str::to_owned),
    }
}

fn help_on<'c, E>(root: &'c Command, words: &[String]) -> Result<Resolved<'c>, ArgsError<E>> {
    let mut scanner = Scanner::new(switches(root), words);
    let mut path = vec![root];
    let mut last = root;
    // An option that is not right matters no more to help than one that is.
    while let Ok(Some(item)) = scanner.next(false) {
        let Item::Word(word) = item else { continue };
        if !last.has_subcommands() {
            break;
        }
        match names::find(last, &word) {
            Ok(Found::Command(command)) => {
                path.push(command);
                last = command;
            }
            Ok(Found::Help) => {}
            Err(problem) => return Err(not_found(&word, problem)),
        }
    }
    Ok(Resolved::Help(path))
}

fn run<'c, E>(
    root: &'c Command,
    program: &str,
    top: &'c Command,
    rest: &[String],
) -> Result<Resolved<'c>, ArgsError<E>> {
    let mut scanner = Scanner::new(switches(root), rest);
    let mut path = vec![root, top];
    let mut command = top;
    let mut asked = false;
    while command.has_subcommands() {
        let word = match scanner.next(false).map_err(ArgsError::Usage)? {
            None => return Ok(Resolved::Help(path)),
            Some(Item::Word(word) | Item::Unknown(word)) => word,
        };
        match names::find(command, &word) {
            Ok(Found::Help) => asked = true,
            Ok(Found::Command(sub)) => {
                path.push(sub);
                command = sub;
            }
            Err(problem) => return Err(not_found(&word, problem)),
        }
    }
    if asked || scanner.help {
        return Ok(Resolved::Help(path));
    }
    scanner.learn(switches(command));
    leaf(root, program, path, scanner)
}

/// The command itself is found: what remains are its options and words.
fn leaf<'c, E>(
    root: &'c Command,
    program: &str,
    path: Vec<&'c Command>,
    mut scanner: Scanner<'c>,
) -> Result<Resolved<'c>, ArgsError<E>> {
    let command = path.last().copied().unwrap_or(root);
    let foreign_from = command
        .get_positionals()
        .position(Arg::is_trailing_var_arg_set);
    let mut words: Vec<String> = Vec::new();
    let mut unknown = None;
    while let Some(item) = scanner
        .next(foreign_from.is_some_and(|at| words.len() > at))
        .map_err(ArgsError::Usage)?
    {
        match item {
            Item::Word(word) => words.push(word),
            Item::Unknown(word) => {
                unknown.get_or_insert_with(|| word.clone());
                words.push(word);
            }
        }
    }
    if scanner.help {
        return Ok(Resolved::Help(path));
    }
    let missing: Vec<String> = switches(command)
        .filter(|arg| arg.is_required_set())
        .filter(|arg| {
            !scanner
                .given()
                .iter()
                .any(|(given, _)| given.get_id() == arg.get_id())
        })
        .map(|arg| format!("'--{}'", arg.get_long().unwrap_or_default()))
        .collect();
    if !missing.is_empty() {
        return Err(ArgsError::Usage(format!(
            "No value provided for required options {}",
            missing.join(", ")
        )));
    }
    if unknown.is_some() || !arity_fits(command, words.len()) {
        return Err(ArgsError::Usage(bad_arity(program, &path, &words)));
    }
    let names: Vec<String> = path
        .iter()
        .skip(1)
        .map(|c| c.get_name().to_owned())
        .collect();
    let mut canonical = vec![program.to_owned()];
    canonical.extend(strict(&scanner, |arg| {
        switches(root).any(|o| o.get_id() == arg.get_id())
    }));
    canonical.extend(names.iter().cloned());
    canonical.extend(strict(&scanner, |arg| {
        !switches(root).any(|o| o.get_id() == arg.get_id())
    }));
    if !words.is_empty() {
        canonical.push("--".to_owned());
        canonical.extend(words);
    }
    Ok(Resolved::Run {
        path: names,
        canonical,
    })
}

fn strict(scanner: &Scanner<'_>, wanted: impl Fn(&Arg) -> bool) -> Vec<String> {
    let mut out = Vec::new();
    for (arg, given) in scanner.given().iter().filter(|(arg, _)| wanted(arg)) {
        let long = arg.get_long().unwrap_or_default();
        match given {
            Given::Bool(yes) if matches!(arg.get_action(), clap::ArgAction::SetTrue) => {
                out.extend(yes.then(|| format!("--{long}")));
            }
            Given::Bool(yes) => out.push(format!("--{long}={yes}")),
            // Of pairs with the same name the last one counts.
            Given::Texts(texts) if switch::kind(arg) == Kind::Pairs => {
                let name = |text: &str| text.split(':').next().unwrap_or_default().to_owned();
                out.extend(texts.iter().enumerate().filter_map(|(at, text)| {
                    let later = texts
                        .iter()
                        .skip(at + 1)
                        .any(|other| name(other) == name(text));
                    (!later).then(|| format!("--{long}={text}"))
                }));
            }
            Given::Texts(texts) => out.extend(texts.iter().map(|text| format!("--{long}={text}"))),
            Given::Nothing => {}
        }
    }
    out
}

fn arity_fits(command: &Command, words: usize) -> bool {
    let mut least = 0;
    let mut most = Some(0usize);
    for arg in command.get_positionals() {
        least += usize::from(arg.is_required_set());
        let many = arg.get_num_args().is_some_and(|n| n.max_values() > 1);
        most = most.filter(|_| !many).map(|n| n + 1);
    }
    words >= least && most.is_none_or(|most| words <= most)
}

fn bad_arity(program: &str, path: &[&Command], words: &[String]) -> String {
    let names: Vec<&str> = path.iter().skip(1).map(|c| c.get_name()).collect();
    let called = if words.is_empty() {
        "no arguments".to_owned()
    } else {
        let words: Vec<String> = words.iter().map(|w| inspect(w)).collect();
        format!("arguments [{}]", words.join(", "))
    };
    format!(
        "ERROR: \"{program} {}\" was called with {called}\nUsage: \"{}\"",
        names.join(" "),
        help::usage(program, path)
    )
}

fn not_found<E>(word: &str, problem: NotFound) -> ArgsError<E> {
    ArgsError::Usage(match problem {
        NotFound::Unknown => format!("Could not find command {}.", inspect(word)),
        NotFound::Ambiguous(names) => {
            format!("Ambiguous command {word} matches [{}]", names.join(", "))
        }
    })
}

#[cfg(test)]
mod tests {
    use super::super::names::HELP;
    use super::*;

    #[test]
    fn help_is_a_word_of_every_level() {
        assert_eq!(HELP, "help");
        let root = Command::new("x").subcommand(Command::new("hello"));
        assert!(matches!(names::find(&root, "help"), Ok(Found::Help)));
        assert_eq!(
            names::find(&root, "he").err(),
            Some(NotFound::Ambiguous(vec![
                "hello".to_owned(),
                "help".to_owned()
            ]))
        );
    }
}
