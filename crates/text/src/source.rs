//! Where text came from: named sources and byte ranges in them.
//!
//! In: file names and contents, given by the caller. Out: [`Span`]s small enough to travel with every value, and lines and
//! columns for people.

use std::sync::Arc;

/// Which of the [`Sources`] a [`Span`] points into.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SourceId(pub u32);

/// A byte range in one source; `start <= end`, both on character boundaries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Span {
    /// The source the range is in.
    pub source: SourceId,
    /// First byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

impl Span {
    /// A range in `source`.
    pub fn new(source: SourceId, start: u32, end: u32) -> Self {
        Self { source, start, end }
    }

    /// A place for values that no file holds: defaults and command-line values.
    pub fn nowhere() -> Self {
        Self::new(SourceId(u32::MAX), 0, 0)
    }
}

/// One text with the name people know it by.
#[derive(Clone, Debug)]
pub struct Source {
    /// The path as the user would type it, or a description such as `--config-file`.
    pub name: String,
    /// The whole text, as it is on disk (before ERB).
    pub text: Arc<str>,
}

/// All texts that took part in one load.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    all: Vec<Source>,
    hidden: Vec<SourceId>,
}

impl Sources {
    /// Adds a text and names it from now on.
    pub fn add(&mut self, name: impl Into<String>, text: impl Into<Arc<str>>) -> SourceId {
        let id = SourceId(u32::try_from(self.all.len()).unwrap_or(u32::MAX));
        self.all.push(Source {
            name: name.into(),
            text: text.into(),
        });
        id
    }

    /// Adds a text whose lines are never to be put in front of people: a secrets file.
    pub fn add_hidden(&mut self, name: impl Into<String>, text: impl Into<Arc<str>>) -> SourceId {
        let id = self.add(name, text);
        self.hidden.push(id);
        id
    }

    /// Whether only places in it may be shown.
    pub fn is_hidden(&self, id: SourceId) -> bool {
        self.hidden.contains(&id)
    }

    /// The text behind an id; none for [`Span::nowhere`].
    pub fn get(&self, id: SourceId) -> Option<&Source> {
        self.all.get(id.0 as usize)
    }

    /// Line and column (both from 1, columns in characters) of a span's start.
    pub fn line_column(&self, span: Span) -> Option<(usize, usize)> {
        let text = &self.get(span.source)?.text;
        let before = text.get(..(span.start as usize).min(text.len()))?;
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
        Some((line, column))
    }
}
