//! What a reference page says about each key: the comment above it.
//!
//! In: a page of `docs/`. Out: texts by the path of the key they belong to. A key without a comment of its own is told about by the
//! one above it if they stand together, or by the section that it is in. Keys that are commented out count like the others.

use crate::docs::docs;

/// The comments of a page.
pub(super) struct Page {
    /// What stands under the title.
    head: String,
    notes: Vec<(Vec<String>, String)>,
}

impl Page {
    /// The page of a section, or of the whole file.
    pub(super) fn of(section: Option<&str>) -> Self {
        Self::read(docs(section).unwrap_or_default())
    }

    /// What the page says about its subject.
    pub(super) fn head(&self) -> &str {
        &self.head
    }

    /// What it says about a key, or about the nearest section around it.
    pub(super) fn about(&self, path: &[&str]) -> &str {
        let own = |path: &[&str]| {
            let found = self.notes.iter().find(|(known, _)| known == path);
            found.map(|(_, note)| note.as_str())
        };
        (1..=path.len())
            .rev()
            .filter_map(|length| path.get(..length))
            .find_map(own)
            .unwrap_or(&self.head)
    }

    fn read(page: &str) -> Self {
        let (title, rest) = page.split_once('\n').unwrap_or((page, ""));
        let mut reader = Reader::default();
        if !title.starts_with('#') {
            reader.line(title);
        }
        for line in rest.lines() {
            reader.line(line);
        }
        let head = reader.head.unwrap_or_default();
        Self {
            head,
            notes: reader.notes,
        }
    }
}

/// Where a walk through a page is.
#[derive(Default)]
struct Reader {
    head: Option<String>,
    notes: Vec<(Vec<String>, String)>,
    /// The comment lines just passed.
    comment: Vec<String>,
    /// What the keys of the current group have in common.
    shared: Option<String>,
    /// The open keys, with their columns.
    open: Vec<(usize, String)>,
    /// Whether the lines just passed are keys that are commented out.
    disabled: bool,
}

impl Reader {
    fn line(&mut self, line: &str) {
        let indent = line.len() - line.trim_start().len();
        let content = line.trim();
        if content.is_empty() {
            self.close_head();
            self.comment.clear();
            self.shared = None;
            self.disabled = false;
        } else if let Some(comment) = content.strip_prefix('#') {
            let comment = comment.strip_prefix(' ').unwrap_or(comment);
            self.comment_line(indent, comment);
        } else {
            self.disabled = false;
            self.key_line(indent, content);
        }
    }

    fn comment_line(&mut self, indent: usize, comment: &str) {
        let inset = comment.len() - comment.trim_start().len();
        let key = split_key(comment.trim_start());
        // Prose has no lower-case word with a colon at its beginning; the head's examples are indented.
        let begins = inset == 0 && key.is_some() && self.head.is_some();
        if begins || (inset > 0 && self.disabled) {
            self.disabled = true;
            self.key_line(indent + inset, comment.trim_start());
            return;
        }
        self.disabled = false;
        if inset > 0
            && self.head.is_some()
            && let Some((name, text)) = key
        {
            self.alternative(indent, name, text);
        }
        self.comment.push(comment.to_owned());
    }

    /// A key that a comment lists with its meaning: `host: one host`.
    fn alternative(&mut self, indent: usize, name: &str, text: &str) {
        let mut path = self.path_at(indent);
        path.push(name.to_owned());
        let subject = self.comment.first().and_then(|line| line.split('.').next());
        let subject = subject.unwrap_or_default();
        self.notes.push((path, format!("{subject}: {text}.")));
    }

    fn key_line(&mut self, indent: usize, content: &str) {
        let (indent, content) = match content.strip_prefix("- ") {
            Some(item) => (indent + 2, item),
            None => (indent, content),
        };
        let Some((name, _)) = split_key(content) else {
            self.comment.clear();
            return;
        };
        let mut path = self.path_at(indent);
        path.push(name.to_owned());
        self.open.push((indent, name.to_owned()));
        if self.head.is_none() {
            self.close_head();
            return;
        }
        if !self.comment.is_empty() {
            self.shared = Some(prose(&self.comment));
            self.comment.clear();
        } else if self.open.len() > 1
            && self
                .notes
                .last()
                .is_some_and(|(last, _)| path.split_last().is_some_and(|(_, above)| last == above))
        {
            // The first key of a section has nothing above it in that section.
            self.shared = None;
        }
        if let Some(note) = &self.shared {
            self.notes.push((path, note.clone()));
        }
    }

    /// The keys around a column.
    fn path_at(&mut self, indent: usize) -> Vec<String> {
        self.open.retain(|(column, _)| *column < indent);
        self.open.iter().map(|(_, name)| name.clone()).collect()
    }

    fn close_head(&mut self) {
        if self.head.is_none() {
            self.head = Some(prose(&self.comment));
            self.comment.clear();
        }
    }
}

/// `key` and what follows it on the line.
fn split_key(content: &str) -> Option<(&str, &str)> {
    let (name, rest) = content.split_once(':')?;
    let is_name = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
    let fits = !name.is_empty() && name.chars().all(is_name);
    let fits = fits
        && !name.starts_with(|c: char| c.is_ascii_uppercase())
        && (rest.is_empty() || rest.starts_with(' '));
    fits.then(|| (name, rest.trim()))
}

/// Comment lines as text: wrapped lines joined, examples on lines of their own.
fn prose(lines: &[String]) -> String {
    let mut text = String::new();
    let mut inside = false;
    for line in lines {
        let example = line.starts_with(' ');
        if line.is_empty() {
            inside = false;
            continue;
        }
        if inside && !example {
            text.push(' ');
        } else if !text.is_empty() {
            text.push_str(if example && text_ends_in_example(&text) {
                "\n"
            } else {
                "\n\n"
            });
        }
        text.push_str(if example { "    " } else { "" });
        text.push_str(if example {
            line.get(2..).unwrap_or_default()
        } else {
            line
        });
        inside = !example;
    }
    // What follows a colon at the end is not shown.
    if let Some(whole) = text.strip_suffix(':') {
        text = format!("{whole}.");
    }
    text.replace("`docs ", "`dhow docs ")
}

fn text_ends_in_example(text: &str) -> bool {
    text.lines()
        .next_back()
        .is_some_and(|line| line.starts_with("    "))
}
