//! The tests of a source file and the items they name.

use super::list_name::ListName;
use super::reference::{Item, in_doc, in_name};
use crate::Findings;
use crate::tree::Source;

/// A test that names items.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Test {
    path: String,
    name: String,
    /// Runs with `bin/test --full` only.
    long: bool,
    pub(crate) items: Vec<Item>,
}

impl Test {
    /// As the table shows it.
    pub(crate) fn shown(&self) -> String {
        let long = if self.long { " (long)" } else { "" };
        format!("`{}::{}`{long}", self.path, self.name)
    }
}

/// The tests in `source` that name items; names that are wrong are findings.
pub(crate) fn tests(source: &Source) -> Result<Vec<Test>, Findings> {
    let default = ListName::of_source(&source.path);
    let mut tests = Vec::new();
    let mut findings = Vec::new();
    let mut head = Head::default();
    let mut lines = source.text.lines().map(str::trim);
    while let Some(line) = lines.next() {
        if let Some(doc) = line.strip_prefix("///") {
            head.doc.push(' ');
            head.doc.push_str(doc.trim());
        } else if line.starts_with("#[") {
            let mut attribute = line.to_owned();
            // An attribute may span lines.
            while !attribute.ends_with(']') {
                let Some(line) = lines.next() else { break };
                attribute.push_str(line);
            }
            head.read(&attribute);
        } else {
            let head = std::mem::take(&mut head);
            if !head.test {
                continue;
            }
            let Some(name) = function(line) else { continue };
            let items = in_name(name, default)
                .and_then(|mut items| {
                    items.extend(in_doc(&head.doc, default)?);
                    Ok(items)
                })
                .map(distinct);
            match items {
                Ok(items) if items.is_empty() => {}
                Ok(items) => tests.push(Test {
                    path: source.path.clone(),
                    name: name.to_owned(),
                    long: head.long,
                    items,
                }),
                Err(error) => {
                    findings.push(format!("parity: {}::{name}: {error}", source.path));
                }
            }
        }
    }
    if findings.is_empty() {
        Ok(tests)
    } else {
        Err(findings)
    }
}

/// What stands before a function.
#[derive(Default)]
struct Head {
    doc: String,
    test: bool,
    long: bool,
}

impl Head {
    fn read(&mut self, attribute: &str) {
        let name = attribute
            .trim_start_matches("#[")
            .split(['(', ']', ' ', '='])
            .next()
            .unwrap_or_default();
        match name {
            "test" => self.test = true,
            "ignore" => self.long = true,
            _ if name.ends_with("::test") => self.test = true,
            _ => {}
        }
    }
}

/// The name of the function that begins on this line.
fn function(line: &str) -> Option<&str> {
    let (before, after) = line.split_once("fn ")?;
    let plain = before
        .split_whitespace()
        .all(|word| matches!(word, "async" | "pub" | "pub(crate)"));
    let name = after.split(['(', '<']).next()?;
    plain.then_some(name)
}

/// Without repetitions: a name and its doc comment may say the same.
fn distinct(items: Vec<Item>) -> Vec<Item> {
    items.into_iter().fold(Vec::new(), |mut kept, item| {
        if !kept.contains(&item) {
            kept.push(item);
        }
        kept
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, text: &str) -> Result<Vec<String>, Findings> {
        let source = Source {
            path: path.to_owned(),
            text: text.to_owned(),
        };
        Ok(tests(&source)?
            .iter()
            .map(|test| {
                let ids: Vec<String> = test.items.iter().map(|i| i.id.to_string()).collect();
                format!("{} {}", test.shown(), ids.join(","))
            })
            .collect())
    }

    #[test]
    fn tests_count_and_other_functions_do_not() {
        let text = "
            /// Speaks of item_7.
            fn item_1_no_test() {}

            /// What item_4 says.
            #[test]
            fn item_4_version() {}

            #[tokio::test(
                start_paused = true
            )]
            #[ignore = \"an hour\"]
            async fn item_5_soak() {}

            #[test]
            /// parity: proxy 9
            fn other() {}

            #[test]
            fn plain() {}

            #[cfg(test)]
            fn item_6_no_test_either() {}
        ";
        assert_eq!(
            found("crates/cli/src/a.rs", text),
            Ok(vec![
                "`crates/cli/src/a.rs::item_4_version` 4".to_owned(),
                "`crates/cli/src/a.rs::item_5_soak` (long) 5".to_owned(),
                "`crates/cli/src/a.rs::other` 9".to_owned(),
            ])
        );
    }

    #[test]
    fn outside_crates_the_list_has_to_be_said() {
        let bare = "#[test]\nfn item_4_x() {}\n";
        let said = "#[test]\nfn commands_item_4_x() {}\n";
        assert!(found("fleet-tests/tests/a.rs", bare).is_err());
        assert_eq!(
            found("fleet-tests/tests/a.rs", said),
            Ok(vec![
                "`fleet-tests/tests/a.rs::commands_item_4_x` 4".to_owned()
            ])
        );
    }
}
