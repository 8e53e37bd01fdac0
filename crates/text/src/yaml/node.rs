//! The tree that a YAML text becomes: Ruby's types, in the file's order, each with its place.

use crate::source::Span;

/// A value and where it stands.
#[derive(Clone, Debug)]
pub struct Node {
    /// The value.
    pub value: Value,
    /// Where it stands (for an alias: where the alias stands).
    pub span: Span,
}

/// What Psych makes of a YAML node.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// `nil`
    Null,
    /// `true`, `false`, and `yes/no/on/off`
    Bool(bool),
    /// Any integer that fits; Ruby's larger ones are kept as [`Value::BigInt`].
    Int(i64),
    /// An integer past 64 bits, as its decimal digits.
    BigInt(String),
    /// A float.
    Float(f64),
    /// A string.
    Str(String),
    /// A symbol, without its colon.
    Symbol(String),
    /// A date, as written.
    Date(String),
    /// A date with a time, as written.
    Time(String),
    /// A list.
    Seq(Vec<Node>),
    /// A map.
    Map(Map),
}

/// Key-value pairs in the file's order; a repeated key keeps its first position and its last value.
#[derive(Clone, Debug, Default)]
pub struct Map {
    entries: Vec<(Node, Node)>,
    /// Where it was written down: copies made by aliases share it, maps made by merging have none.
    definition: Option<Span>,
}

/// Values are equal wherever they stand.
impl PartialEq for Node {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

/// Like Ruby's hashes: the same pairs, in whatever order.
impl PartialEq for Map {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len()
            && self
                .iter()
                .all(|(key, value)| other.get_node(&key.value) == Some(value))
    }
}

impl Node {
    /// A value at a place.
    pub fn new(value: Value, span: Span) -> Self {
        Self { value, span }
    }

    /// The text, if it is a string.
    pub fn as_str(&self) -> Option<&str> {
        match &self.value {
            Value::Str(text) => Some(text),
            _ => None,
        }
    }

    /// The list, if it is one.
    pub fn as_seq(&self) -> Option<&[Self]> {
        match &self.value {
            Value::Seq(items) => Some(items),
            _ => None,
        }
    }

    /// The map, if it is one.
    pub fn as_map(&self) -> Option<&Map> {
        match &self.value {
            Value::Map(map) => Some(map),
            _ => None,
        }
    }

    /// The value below a string key, if this is a map that has it.
    pub fn get(&self, key: &str) -> Option<&Self> {
        self.as_map().and_then(|map| map.get(key))
    }

    /// Ruby's `nil`.
    pub fn is_null(&self) -> bool {
        matches!(self.value, Value::Null)
    }
}

impl Map {
    /// No pairs.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many pairs.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The pairs in order.
    pub fn iter(&self) -> impl Iterator<Item = (&Node, &Node)> {
        self.entries.iter().map(|(key, value)| (key, value))
    }

    /// The value below a string key.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.iter()
            .find(|(k, _)| k.as_str() == Some(key))
            .map(|(_, v)| v)
    }

    /// The value below any key.
    pub fn get_node(&self, key: &Value) -> Option<&Node> {
        self.iter().find(|(k, _)| k.value == *key).map(|(_, v)| v)
    }

    /// The pairs themselves, in order.
    pub fn into_pairs(self) -> impl Iterator<Item = (Node, Node)> {
        self.entries.into_iter()
    }

    /// Where it was written down, if it was.
    pub(super) fn definition(&self) -> Option<Span> {
        self.definition
    }

    /// The same map, known to have been written down there.
    pub(super) fn defined_at(mut self, place: Span) -> Self {
        self.definition = Some(place);
        self
    }

    /// Adds a pair whose key is known to be new.
    pub(super) fn push(&mut self, key: Node, value: Node) {
        self.entries.push((key, value));
    }

    /// Replaces the value at a position that [`Map::push`] filled.
    pub(super) fn replace(&mut self, at: usize, value: Node) {
        if let Some(entry) = self.entries.get_mut(at) {
            entry.1 = value;
        }
    }

    /// Adds a pair; a key that is there keeps its place and gets the new value.
    pub fn insert(&mut self, key: Node, value: Node) {
        match self.entries.iter_mut().find(|(k, _)| k.value == key.value) {
            Some(entry) => entry.1 = value,
            None => self.entries.push((key, value)),
        }
    }
}

impl FromIterator<(Node, Node)> for Map {
    fn from_iter<I: IntoIterator<Item = (Node, Node)>>(pairs: I) -> Self {
        let mut map = Self::new();
        for (key, value) in pairs {
            map.insert(key, value);
        }
        map
    }
}
