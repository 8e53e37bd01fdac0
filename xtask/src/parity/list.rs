//! A parity list: Markdown whose tables have the columns item, what holds, shown by. The last one is filled by the tool.

use std::fmt::Write;

use super::list_name::ListName;
use super::reference::Id;

/// Marks an item where dhow differs on purpose.
const CHANGED: &str = "**changed:**";

/// What stands in the last column of an item that no test shows.
const NONE: &str = "—";

/// A list as read from its file.
#[derive(Debug)]
pub(crate) struct List {
    parts: Vec<Part>,
}

#[derive(Debug)]
enum Part {
    /// A line that is no item, kept as it is.
    Line(String),
    Row(Row),
}

#[derive(Debug)]
struct Row {
    id: Id,
    text: String,
    tests: Vec<String>,
}

impl List {
    /// Reads a list and checks that no item is missing, twice or out of order. Tests in the file are not read.
    pub(crate) fn parse(name: ListName, text: &str) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut last: Option<Id> = None;
        let mut size = 0;
        for line in text.lines() {
            let Some((id, text)) = row(name, line)? else {
                parts.push(Part::Line(line.to_owned()));
                continue;
            };
            let fits = match last {
                Some(last) => last.next().contains(&id),
                None => matches!(id, Id::Number(1) | Id::Section(1, 1)),
            };
            if !fits {
                return Err(match last {
                    Some(last) => format!("item {id} stands after {last}"),
                    None => format!("the first item is {id}"),
                });
            }
            last = Some(id);
            size += 1;
            parts.push(Part::Row(Row {
                id,
                text: text.to_owned(),
                tests: Vec::new(),
            }));
        }
        if size != name.size() {
            return Err(format!("{size} items instead of {}", name.size()));
        }
        Ok(Self { parts })
    }

    /// Notes that `test` shows item `id`. False when there is no such item.
    pub(crate) fn add(&mut self, id: Id, test: String) -> bool {
        let row = self.parts.iter_mut().find_map(|part| match part {
            Part::Row(row) if row.id == id => Some(row),
            _ => None,
        });
        row.map(|row| row.tests.push(test)).is_some()
    }

    /// The file's text.
    pub(crate) fn render(&self) -> String {
        let mut out = String::new();
        for part in &self.parts {
            match part {
                Part::Line(line) => out.push_str(line),
                Part::Row(row) => {
                    let tests = if row.tests.is_empty() {
                        NONE.to_owned()
                    } else {
                        row.tests.join("<br>")
                    };
                    let _ = write!(out, "| {} | {} | {tests} |", row.id, row.text);
                }
            }
            out.push('\n');
        }
        out
    }

    /// Items that no test shows.
    pub(crate) fn gaps(&self) -> impl Iterator<Item = (Id, &str)> {
        self.rows()
            .filter(|row| row.tests.is_empty())
            .map(|row| (row.id, row.text.as_str()))
    }

    /// How many items there are, how many of them tests show, and how many are marked as changed.
    pub(crate) fn counts(&self) -> (usize, usize, usize) {
        (
            self.rows().count(),
            self.rows().filter(|row| !row.tests.is_empty()).count(),
            self.rows().filter(|row| row.text.contains(CHANGED)).count(),
        )
    }

    fn rows(&self) -> impl Iterator<Item = &Row> {
        self.parts.iter().filter_map(|part| match part {
            Part::Row(row) => Some(row),
            Part::Line(_) => None,
        })
    }
}

/// An item's id and text, when the line is a row of the table.
fn row(name: ListName, line: &str) -> Result<Option<(Id, &str)>, String> {
    let Some(cells) = line.strip_prefix("| ") else {
        return Ok(None);
    };
    let Some((id, rest)) = cells.split_once(" | ") else {
        return Err(format!(
            "a row that is not `| item | what holds | shown by |`: {line}"
        ));
    };
    if id == "item" {
        return Ok(None);
    }
    let id = Id::parse(name, id).ok_or_else(|| format!("`{id}` is no number of an item"))?;
    // Tests have no ` | ` in them, the text may.
    let (text, _) = rest
        .rsplit_once(" | ")
        .ok_or_else(|| format!("item {id} has no last column"))?;
    Ok(Some((id, text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A whole proxy list, with `edit` applied to the row of each id.
    fn text(edit: impl Fn(&str, String) -> String) -> String {
        let ids = (1..=140)
            .map(|n| n.to_string())
            .chain((1..=19).map(|n| format!("D{n}")));
        let rows: Vec<String> = ids
            .map(|id| edit(&id, format!("| {id} | fact `a \\| b` | old |")))
            .collect();
        format!(
            "# Head\n\n| item | what holds | shown by |\n|---|---|---|\n{}\n",
            rows.join("\n")
        )
    }

    fn parse(text: &str) -> Result<List, String> {
        List::parse(ListName::Proxy, text)
    }

    #[test]
    fn rows_are_filled_and_the_rest_stays() {
        let mut list = parse(&text(|_, row| row)).unwrap();
        assert!(list.add(Id::Number(2), "`one`".to_owned()));
        assert!(list.add(Id::Number(2), "`two`".to_owned()));
        assert!(!list.add(Id::Number(141), "`three`".to_owned()));
        assert_eq!(
            list.render(),
            text(|id, row| {
                let tests = if id == "2" { "`one`<br>`two`" } else { NONE };
                row.replace("old", tests)
            })
        );
        assert_eq!(list.counts(), (159, 1, 0));
        assert_eq!(list.gaps().count(), 158);
    }

    #[test]
    fn items_can_not_get_lost() {
        let without =
            |lost: &'static str| text(|id, row| if id == lost { String::new() } else { row });
        assert!(
            parse(&without("7"))
                .unwrap_err()
                .contains("8 stands after 6")
        );
        assert!(parse(&without("D19")).unwrap_err().contains("158 items"));
        assert!(
            parse(&without("1"))
                .unwrap_err()
                .contains("first item is 2")
        );
    }

    #[test]
    fn changed_items_are_counted() {
        let text = text(|id, row| {
            if id == "5" {
                row.replace(" | old", " **changed:** because | old")
            } else {
                row
            }
        });
        assert_eq!(parse(&text).unwrap().counts(), (159, 0, 1));
    }
}
