//! How tests name items: numbers, their spellings in names and doc comments, and their order in a list.

use std::fmt;

use super::list_name::ListName;

/// The number of an item within its list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Id {
    /// `131`
    Number(u32),
    /// `5.03`: section and item
    Section(u32, u32),
    /// `D7`
    Fault(u32),
}

/// An item of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Item {
    pub(crate) list: ListName,
    pub(crate) id: Id,
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Section(section, item) => write!(f, "{section}.{item:02}"),
            Self::Fault(number) => write!(f, "D{number}"),
        }
    }
}

impl Id {
    /// Reads an id as the list writes it: `131`, `5.03` or `D7`.
    pub(crate) fn parse(list: ListName, text: &str) -> Option<Self> {
        match list {
            ListName::Config => {
                let (section, item) = text.split_once('.')?;
                Some(Self::Section(number(section)?, two_digits(item)?))
            }
            ListName::Commands => number(text).map(Self::Number),
            ListName::Proxy => match text.strip_prefix(['D', 'd']) {
                Some(fault) => number(fault).map(Self::Fault),
                None => number(text).map(Self::Number),
            },
        }
    }

    /// The ids that may follow this one in a complete list.
    pub(crate) fn next(self) -> [Self; 2] {
        match self {
            Self::Number(number) => [Self::Number(number + 1), Self::Fault(1)],
            Self::Section(section, item) => [
                Self::Section(section, item + 1),
                Self::Section(section + 1, 1),
            ],
            Self::Fault(number) => [Self::Fault(number + 1); 2],
        }
    }

    /// This id and those after it up to `last`, when both are of one kind and section.
    fn up_to(self, last: Self) -> Option<Vec<Self>> {
        match (self, last) {
            (Self::Number(a), Self::Number(b)) if a < b => {
                Some((a..=b).map(Self::Number).collect())
            }
            (Self::Fault(a), Self::Fault(b)) if a < b => Some((a..=b).map(Self::Fault).collect()),
            (Self::Section(s, a), Self::Section(t, b)) if s == t && a < b => {
                Some((a..=b).map(|item| Self::Section(s, item)).collect())
            }
            _ => None,
        }
    }
}

/// The items that a function's name (or a word like one) names. `default` is the list meant when the name does not say.
pub(crate) fn in_name(name: &str, default: Option<ListName>) -> Result<Vec<Item>, String> {
    let words: Vec<&str> = name.split('_').collect();
    let mut items = Vec::new();
    for (at, word) in words.iter().enumerate() {
        let rest = &words[at + 1..];
        let many = match *word {
            "item" => false,
            "items" => true,
            _ => continue,
        };
        // `item` as an ordinary word is not followed by a number.
        if !rest.first().is_some_and(|word| {
            number(word).is_some() || word.strip_prefix('d').and_then(number).is_some()
        }) {
            continue;
        }
        let said = at
            .checked_sub(1)
            .and_then(|before| ListName::from_word(words[before]));
        let list = said.or(default).ok_or_else(|| {
            format!(
                "`{name}` does not say of which list: config_item_, commands_item_ or proxy_item_"
            )
        })?;
        items.extend(
            numbers(list, rest, many)
                .ok_or_else(|| {
                    format!(
                        "`{name}` names an item in no form of the {} list",
                        list.word()
                    )
                })?
                .into_iter()
                .map(|id| Item { list, id }),
        );
    }
    Ok(items)
}

/// The items in a doc comment's `parity: LIST 1, 2-4; LIST 5`, and in words like `item_131`.
pub(crate) fn in_doc(doc: &str, default: Option<ListName>) -> Result<Vec<Item>, String> {
    let mut items = Vec::new();
    for word in doc.split(|c: char| !c.is_ascii_alphanumeric() && c != '_') {
        items.extend(in_name(word, default)?);
    }
    let Some((_, said)) = doc.split_once("parity: ") else {
        return Ok(items);
    };
    for part in said.trim().trim_end_matches('.').split(';') {
        let wrong = || format!("`parity: {}` is not `parity: LIST 1, 2-4`", part.trim());
        let (list, ids) = part.trim().split_once(' ').ok_or_else(wrong)?;
        let list = ListName::from_word(list).ok_or_else(wrong)?;
        for id in ids.split(',').map(str::trim) {
            let ids = match id.split_once('-') {
                Some((first, last)) => Id::parse(list, first)
                    .zip(Id::parse(list, last))
                    .and_then(|(first, last)| first.up_to(last)),
                None => Id::parse(list, id).map(|id| vec![id]),
            };
            items.extend(
                ids.ok_or_else(wrong)?
                    .into_iter()
                    .map(|id| Item { list, id }),
            );
        }
    }
    Ok(items)
}

/// The ids that `words` (after `item` or `items`) begin with.
fn numbers(list: ListName, words: &[&str], many: bool) -> Option<Vec<Id>> {
    let (first, mut rest) = id(list, words)?;
    let mut ids = vec![first];
    loop {
        match rest {
            ["to", tail @ ..] if id(list, tail).is_some() => {
                let (last, tail) = id(list, tail)?;
                let run = ids.pop()?.up_to(last)?;
                ids.extend(run);
                rest = tail;
            }
            ["and", tail @ ..] if id(list, tail).is_some() => {
                let (next, tail) = id(list, tail)?;
                ids.push(next);
                rest = tail;
            }
            [word, ..] if !word.is_empty() && word.bytes().all(|b| b.is_ascii_digit()) => {
                // `item_15_05` where items have one number: of another list, or a plural is missing.
                if !many {
                    return None;
                }
                let (next, tail) = id(list, rest)?;
                ids.push(next);
                rest = tail;
            }
            _ => return Some(ids),
        }
    }
}

fn id<'w>(list: ListName, words: &'w [&'w str]) -> Option<(Id, &'w [&'w str])> {
    match (list, words) {
        (ListName::Config, [section, item, rest @ ..]) => {
            Some((Id::Section(number(section)?, two_digits(item)?), rest))
        }
        (ListName::Config, _) => None,
        (_, [word, rest @ ..]) => Some((Id::parse(list, word)?, rest)),
        (_, []) => None,
    }
}

fn number(text: &str) -> Option<u32> {
    let plain = text.bytes().all(|b| b.is_ascii_digit()) && !text.starts_with('0');
    plain.then(|| text.parse().ok()).flatten()
}

fn two_digits(text: &str) -> Option<u32> {
    let two = text.len() == 2 && text.bytes().all(|b| b.is_ascii_digit());
    two.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(name: &str, default: ListName) -> String {
        match in_name(name, Some(default)) {
            Ok(items) => shown(&items),
            Err(error) => error,
        }
    }

    fn shown(items: &[Item]) -> String {
        let shown: Vec<String> = items
            .iter()
            .map(|item| format!("{} {}", item.list.word(), item.id))
            .collect();
        shown.join(", ")
    }

    #[test]
    fn names_of_functions() {
        use ListName::{Commands, Config, Proxy};
        for (name, default, expected) in [
            ("item_131_order_of_flags", Commands, "commands 131"),
            ("item_5_03_role_types", Config, "config 5.03"),
            ("items_3_and_5_options", Commands, "commands 3, commands 5"),
            (
                "items_6_to_8_prefixes",
                Commands,
                "commands 6, commands 7, commands 8",
            ),
            (
                "items_9_11_and_13_x",
                Commands,
                "commands 9, commands 11, commands 13",
            ),
            (
                "items_5_03_to_5_05",
                Config,
                "config 5.03, config 5.04, config 5.05",
            ),
            ("config_item_15_05_escapes", Commands, "config 15.05"),
            ("item_d7_state", Proxy, "proxy D7"),
            ("proxy_item_64_plain_http_400", Commands, "proxy 64"),
            ("item_88_and_more", Proxy, "proxy 88"),
            ("an_item_is_kept", Config, ""),
            ("one_item", Config, ""),
        ] {
            assert_eq!(named(name, default), expected, "{name}");
        }
    }

    #[test]
    fn names_that_could_mean_another_item_are_refused() {
        assert!(named("item_15_05_escapes", ListName::Commands).contains("no form"));
        assert!(named("item_15_escapes", ListName::Config).contains("no form"));
        assert!(in_name("item_15_escapes", None).is_err());
        assert_eq!(in_name("config_item_1_01", None).map(|i| i.len()), Ok(1));
    }

    #[test]
    fn doc_comments() {
        let items = in_doc(
            "What holds. parity: proxy 42, 44-46, D7; config 5.03.",
            None,
        );
        assert_eq!(
            items.map(|items| shown(&items)),
            Ok("proxy 42, proxy 44, proxy 45, proxy 46, proxy D7, config 5.03".to_owned())
        );
        assert_eq!(
            in_doc("as item_131 has it", Some(ListName::Commands)).map(|items| shown(&items)),
            Ok("commands 131".to_owned())
        );
        assert!(in_doc("parity: everything", None).is_err());
        assert!(in_doc("parity: proxy 7-3", None).is_err());
        assert_eq!(in_doc("on parity in general", None), Ok(vec![]));
    }
}
