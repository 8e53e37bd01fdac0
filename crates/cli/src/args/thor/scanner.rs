//! Takes words off a command line one by one, keeping the options among them.

use std::collections::VecDeque;

use clap::Arg;

use super::inspect;
use super::switch::{self, Kind, Reading};

/// What is left of a command line, and the options met so far.
#[derive(Debug)]
pub(super) struct Scanner<'c> {
    switches: Vec<&'c Arg>,
    pile: VecDeque<String>,
    given: Vec<(&'c Arg, Given)>,
    /// After `--`.
    literal: bool,
    /// Whether `--help` was among the options.
    pub(super) help: bool,
}

/// What an option was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Given {
    /// Yes or no.
    Bool(bool),
    /// Values.
    Texts(Vec<String>),
    /// `--no-x` for an option with a value: as if it were not there.
    Nothing,
}

/// What comes next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Item {
    /// A positional word.
    Word(String),
    /// A word with the form of an option that means none.
    Unknown(String),
}

impl<'c> Scanner<'c> {
    /// All of `words`, with these options known.
    pub(super) fn new(switches: impl IntoIterator<Item = &'c Arg>, words: &[String]) -> Self {
        Self {
            switches: switches.into_iter().collect(),
            pile: words.iter().cloned().collect(),
            given: Vec::new(),
            literal: false,
            help: false,
        }
    }

    /// Knows these options too from here on.
    pub(super) fn learn(&mut self, switches: impl IntoIterator<Item = &'c Arg>) {
        self.switches.extend(switches);
    }

    /// The options met so far, each once.
    pub(super) fn given(&self) -> &[(&'c Arg, Given)] {
        &self.given
    }

    /// The value of the option with this long name, if it was given one.
    pub(super) fn text(&self, long: &str) -> Option<&str> {
        self.given.iter().find_map(|(arg, given)| match given {
            Given::Texts(texts) if arg.get_long() == Some(long) => {
                texts.first().map(String::as_str)
            }
            _ => None,
        })
    }

    /// The next word that is no option. With `foreign`, words belong to a command that is run elsewhere, and an option is taken
    /// only if it is Kamal's and complete.
    pub(super) fn next(&mut self, foreign: bool) -> Result<Option<Item>, String> {
        while let Some(word) = self.pile.pop_front() {
            if self.literal {
                return Ok(Some(Item::Word(word)));
            }
            if word == "--" {
                self.literal = true;
                // Kamal's own way to say it, one level for the group and one for the command.
                if self.pile.front().is_some_and(|next| next == "--") {
                    self.pile.pop_front();
                }
                continue;
            }
            if !foreign && (word == "--help" || word == "-?") {
                self.help = true;
                continue;
            }
            match switch::read(&self.switches, &word) {
                Reading::Word => return Ok(Some(Item::Word(word))),
                Reading::Unknown if foreign => return Ok(Some(Item::Word(word))),
                Reading::Unknown => return Ok(Some(Item::Unknown(word))),
                Reading::Cluster(letters) => {
                    if foreign && !self.stand_alone(&letters) {
                        return Ok(Some(Item::Word(word)));
                    }
                    for letter in letters.chars().rev() {
                        self.pile.push_front(format!("-{letter}"));
                    }
                }
                Reading::Switch { arg, .. } if foreign && switch::is_own(arg) => {
                    return Ok(Some(Item::Word(word)));
                }
                Reading::Switch {
                    arg,
                    name,
                    negated,
                    value,
                } => match self.value(arg, negated, value) {
                    Ok(given) => self.keep(arg, given),
                    Err(Missing::Value) if foreign => return Ok(Some(Item::Word(word))),
                    Err(Missing::Value) => return Err(no_value(&word, &name)),
                    Err(Missing::Number(got)) => {
                        return Err(format!(
                            "Expected numeric value for '{name}'; got {}",
                            inspect(&got)
                        ));
                    }
                },
            }
        }
        Ok(None)
    }

    fn value(
        &mut self,
        arg: &Arg,
        negated: bool,
        inline: Option<String>,
    ) -> Result<Given, Missing> {
        let kind = switch::kind(arg);
        if kind == Kind::Bool {
            let explicit = match inline.as_deref() {
                Some(value) => switch::boolean(value),
                None => self
                    .pile
                    .front()
                    .and_then(|next| switch::boolean(next))
                    .inspect(|_| {
                        self.pile.pop_front();
                    }),
            };
            // Thor lets an explicit value beat the negation.
            return Ok(Given::Bool(explicit.unwrap_or(!negated)));
        }
        if negated {
            return Ok(Given::Nothing);
        }
        let texts = match kind {
            Kind::List | Kind::Pairs => {
                let mut texts: Vec<String> = inline.into_iter().collect();
                while let Some(next) = self
                    .front_value()
                    .filter(|v| kind == Kind::List || v.contains(':'))
                {
                    texts.push(next);
                    self.pile.pop_front();
                }
                texts
            }
            _ => match inline {
                Some(value) => vec![value],
                None => match (self.front_value(), arg.get_default_values().first()) {
                    (Some(value), _) => {
                        self.pile.pop_front();
                        vec![value]
                    }
                    (None, Some(default)) if kind == Kind::Text => {
                        vec![default.to_string_lossy().into_owned()]
                    }
                    (None, _) => return Err(Missing::Value),
                },
            },
        };
        if texts.is_empty() {
            return Err(Missing::Value);
        }
        match texts.first() {
            Some(text) if kind == Kind::Number && !switch::is_number(text) => {
                Err(Missing::Number(text.clone()))
            }
            _ => Ok(Given::Texts(texts)),
        }
    }

    /// The next word, if it can be a value.
    fn front_value(&self) -> Option<String> {
        self.pile
            .front()
            .filter(|word| *word != "--" && !switch::is_formed(word))
            .cloned()
    }

    /// What is given later wins, except for options that add up.
    fn keep(&mut self, arg: &'c Arg, given: Given) {
        let adds_up = matches!(switch::kind(arg), Kind::Repeatable | Kind::Pairs);
        match self
            .given
            .iter_mut()
            .find(|(known, _)| known.get_id() == arg.get_id())
        {
            Some((_, Given::Texts(texts))) if adds_up && matches!(given, Given::Texts(_)) => {
                if let Given::Texts(more) = given {
                    texts.extend(more);
                }
            }
            Some((_, known)) => *known = given,
            None => self.given.push((arg, given)),
        }
    }

    /// Whether every letter is an option that stands alone: otherwise a cluster behind a foreign command is that command's.
    fn stand_alone(&self, letters: &str) -> bool {
        letters.chars().all(|c| {
            switch::by_letter(&self.switches, c).is_some_and(|arg| switch::kind(arg) == Kind::Bool)
        })
    }
}

enum Missing {
    Value,
    Number(String),
}

fn no_value(word: &str, name: &str) -> String {
    let line = format!("No value provided for option '{name}'");
    match word {
        "-h" => format!("{line}\n-h means hosts here; --help shows help"),
        _ => line,
    }
}
