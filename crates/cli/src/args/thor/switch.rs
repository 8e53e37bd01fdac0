//! One option as Thor sees it: its kind, and which spellings mean it.

use std::any::TypeId;

use clap::{Arg, ArgAction};

use super::super::definition::{OWN, Pair};

/// What follows an option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Nothing, or yes or no.
    Bool,
    /// A number.
    Number,
    /// One word.
    Text,
    /// One word, each time it is given.
    Repeatable,
    /// Words up to the next option.
    List,
    /// Words with a colon.
    Pairs,
}

/// The kind of a declared option.
pub(super) fn kind(arg: &Arg) -> Kind {
    let value = arg.get_value_parser().type_id();
    let many = arg.get_num_args().is_some_and(|n| n.max_values() > 1);
    if matches!(arg.get_action(), ArgAction::SetTrue) || value == TypeId::of::<bool>() {
        Kind::Bool
    } else if value == TypeId::of::<Pair>() {
        Kind::Pairs
    } else if value == TypeId::of::<i64>()
        || value == TypeId::of::<u16>()
        || value == TypeId::of::<f64>()
    {
        Kind::Number
    } else if many {
        Kind::List
    } else if matches!(arg.get_action(), ArgAction::Append) && arg.get_value_delimiter().is_none() {
        Kind::Repeatable
    } else {
        Kind::Text
    }
}

/// How a word that starts with a dash is to be taken.
#[derive(Debug)]
pub(super) enum Reading<'c> {
    /// It has no form of an option.
    Word,
    /// It has the form of one, but means none.
    Unknown,
    /// Several letters in one word.
    Cluster(String),
    /// An option.
    Switch {
        /// Which.
        arg: &'c Arg,
        /// Its long name, with dashes in front: what messages call it.
        name: String,
        /// Given as `--no-x` or `--skip-x`.
        negated: bool,
        /// The value that hung on to it.
        value: Option<String>,
    },
}

/// What `word` means among `switches`.
pub(super) fn read<'c>(switches: &[&'c Arg], word: &str) -> Reading<'c> {
    match form(word) {
        Form::None => Reading::Word,
        Form::Long(name, value) => long(switches, name, value),
        Form::Short(letter, value) => match by_letter(switches, letter) {
            Some(arg) => switch(arg, false, value),
            None => Reading::Unknown,
        },
        Form::Number(letter, value) => match by_letter(switches, letter) {
            Some(arg) if kind(arg) != Kind::Bool => switch(arg, false, Some(value)),
            _ => Reading::Unknown,
        },
        Form::Cluster(letters) => {
            if letters.chars().any(|c| by_letter(switches, c).is_some()) {
                Reading::Cluster(letters.to_owned())
            } else {
                Reading::Unknown
            }
        }
    }
}

/// Whether `word` has the form of an option, so that it can't be the value of the one before it.
pub(super) fn is_formed(word: &str) -> bool {
    !matches!(form(word), Form::None)
}

/// The option of this letter.
pub(super) fn by_letter<'c>(switches: &[&'c Arg], letter: char) -> Option<&'c Arg> {
    switches
        .iter()
        .copied()
        .find(|arg| arg.get_short() == Some(letter))
}

/// Whether Kamal lacks this option.
pub(super) fn is_own(arg: &Arg) -> bool {
    arg.get_help_heading() == Some(OWN)
}

/// Thor's idea of a number: digits, perhaps a sign and a fraction.
pub(super) fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let all_digits = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
    match digits.split_once('.') {
        Some((whole, fraction)) => (whole.is_empty() || all_digits(whole)) && all_digits(fraction),
        None => all_digits(digits),
    }
}

/// A yes or no as Thor takes it.
pub(super) fn boolean(text: &str) -> Option<bool> {
    match text {
        "true" | "TRUE" | "t" | "T" => Some(true),
        "false" | "FALSE" | "f" | "F" => Some(false),
        _ => None,
    }
}

enum Form<'w> {
    None,
    Long(&'w str, Option<String>),
    Short(char, Option<String>),
    Number(char, String),
    Cluster(&'w str),
}

fn form(word: &str) -> Form<'_> {
    if let Some(long) = word.strip_prefix("--") {
        let (name, value) = match long.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (long, None),
        };
        let well_formed = name
            .split('-')
            .all(|part| !part.is_empty() && part.chars().all(|c| c.is_alphanumeric() || c == '_'));
        return if well_formed {
            Form::Long(name, value)
        } else {
            Form::None
        };
    }
    let Some(letters) = word.strip_prefix('-') else {
        return Form::None;
    };
    let mut chars = letters.chars();
    let (Some(letter), rest) = (
        chars.next().filter(char::is_ascii_alphabetic),
        chars.as_str(),
    ) else {
        return Form::None;
    };
    if rest.is_empty() {
        Form::Short(letter, None)
    } else if let Some(value) = rest.strip_prefix('=') {
        Form::Short(letter, Some(value.to_owned()))
    } else if is_number(rest) {
        Form::Number(letter, rest.to_owned())
    } else if rest.chars().all(|c| c.is_ascii_alphabetic()) {
        Form::Cluster(letters)
    } else {
        Form::None
    }
}

fn long<'c>(switches: &[&'c Arg], name: &str, value: Option<String>) -> Reading<'c> {
    let name = name.replace('_', "-");
    let find = |name: &str| {
        switches
            .iter()
            .copied()
            .find(|arg| arg.get_long() == Some(name))
    };
    if let Some(arg) = find(&name) {
        return switch(arg, false, value);
    }
    let positive = name
        .strip_prefix("no-")
        .or_else(|| name.strip_prefix("skip-"));
    match positive.and_then(find) {
        Some(arg) => switch(arg, true, value),
        None => Reading::Unknown,
    }
}

fn switch(arg: &Arg, negated: bool, value: Option<String>) -> Reading<'_> {
    // A boolean takes only what is one.
    if kind(arg) == Kind::Bool && value.as_deref().is_some_and(|v| boolean(v).is_none()) {
        return Reading::Unknown;
    }
    let name = format!("--{}", arg.get_long().unwrap_or_default());
    Reading::Switch {
        arg,
        name,
        negated,
        value,
    }
}
