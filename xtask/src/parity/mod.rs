//! Which test shows which item of the parity lists in `docs/parity/`.
//!
//! A list is a Markdown table written by hand, but for its last column: that is filled from the tests of the tree. A test names the
//! items it shows in its name (`item_131_…`, `item_5_03_…`, `items_3_and_5_…`, `items_6_to_8_…`) or in its doc comment
//! (`parity: proxy 42, 43, D7`). Which list a bare `item_` means is decided by the crate; in others' crates and outside `crates/`
//! the list stands before it (`config_item_15_05_…`).

mod list;
mod list_name;
mod reference;
mod scan;

use std::path::Path;

use crate::Findings;
use crate::tree::sources;
use list::List;
pub(crate) use list_name::ListName;
use scan::{Test, tests};

/// Fills the last column of all lists.
pub(crate) fn write(root: &Path) -> Findings {
    each(root, |list, path, old, new| {
        if old == new {
            return None;
        }
        match std::fs::write(path, new) {
            Ok(()) => {
                println!("parity: {} written", list.path());
                None
            }
            Err(error) => Some(format!("parity: {}: {error}", list.path())),
        }
    })
}

/// Finds lists whose last column is not what the tests say.
pub(crate) fn compare(root: &Path) -> Findings {
    each(root, |list, _, old, new| {
        (old != new).then(|| format!("parity: {} is stale: run `cargo xtask parity`", list.path()))
    })
}

/// Finds items of `list` that no test shows.
pub(crate) fn strict(root: &Path, list: ListName) -> Findings {
    let mut findings = compare(root);
    match load(root).and_then(|(mut lists, tests)| {
        lists.retain(|(name, ..)| *name == list);
        filled(lists, &tests)
    }) {
        Ok(lists) => {
            for (name, list) in lists {
                findings.extend(
                    list.gaps().map(|(id, text)| {
                        format!("parity: {} {id} has no test: {text}", name.word())
                    }),
                );
            }
        }
        Err(mut errors) => findings.append(&mut errors),
    }
    findings.dedup();
    findings
}

fn each(root: &Path, act: impl Fn(ListName, &Path, &str, &str) -> Option<String>) -> Findings {
    let loaded = load(root).and_then(|(lists, tests)| {
        let old: Vec<String> = lists.iter().map(|(_, text, _)| text.clone()).collect();
        Ok((old, filled(lists, &tests)?))
    });
    match loaded {
        Ok((old, lists)) => lists
            .iter()
            .zip(old)
            .filter_map(|((name, list), old)| {
                let (items, shown, changed) = list.counts();
                println!(
                    "parity: {}: {items} items, {shown} shown by tests, {changed} changed on purpose",
                    name.word()
                );
                act(*name, &root.join(name.path()), &old, &list.render())
            })
            .collect(),
        Err(errors) => errors,
    }
}

type Loaded = (Vec<(ListName, String, List)>, Vec<Test>);

fn load(root: &Path) -> Result<Loaded, Findings> {
    let mut findings = Vec::new();
    let mut lists = Vec::new();
    for name in ListName::ALL {
        let read = std::fs::read_to_string(root.join(name.path()))
            .map_err(|error| error.to_string())
            .and_then(|text| Ok((name, List::parse(name, &text)?, text)));
        match read {
            Ok((name, list, text)) => lists.push((name, text, list)),
            Err(error) => findings.push(format!("parity: {}: {error}", name.path())),
        }
    }
    let mut found = Vec::new();
    match sources(root) {
        Ok(sources) => {
            // This crate's own tests hold made-up sources.
            for source in sources.iter().filter(|s| !s.path.starts_with("xtask/")) {
                match tests(source) {
                    Ok(tests) => found.extend(tests),
                    Err(mut errors) => findings.append(&mut errors),
                }
            }
        }
        Err(error) => findings.push(error),
    }
    if findings.is_empty() {
        Ok((lists, found))
    } else {
        Err(findings)
    }
}

fn filled(
    lists: Vec<(ListName, String, List)>,
    tests: &[Test],
) -> Result<Vec<(ListName, List)>, Findings> {
    let mut findings = Vec::new();
    let lists = lists
        .into_iter()
        .map(|(name, _, mut list)| {
            for test in tests {
                for item in test.items.iter().filter(|item| item.list == name) {
                    if !list.add(item.id, test.shown()) {
                        findings.push(format!(
                            "parity: {} names {} {}, which does not exist",
                            test.shown(),
                            name.word(),
                            item.id
                        ));
                    }
                }
            }
            (name, list)
        })
        .collect();
    if findings.is_empty() {
        Ok(lists)
    } else {
        Err(findings)
    }
}
