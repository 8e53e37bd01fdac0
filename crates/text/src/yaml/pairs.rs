//! A map while it is read: repeated keys and the merge key `<<`, by Psych's rules.

use std::collections::HashMap;

use super::compose::{Composed, Form};
use super::{Map, Node, Value};

/// A map under construction, with string keys looked up at once.
#[derive(Default)]
pub(super) struct Pairs {
    pub(super) map: Map,
    strings: HashMap<String, usize>,
}

impl Pairs {
    pub(super) fn set(&mut self, key: Node, value: Node) {
        let Value::Str(name) = &key.value else {
            self.map.insert(key, value);
            return;
        };
        match self.strings.get(name) {
            Some(at) => self.map.replace(*at, value),
            None => {
                self.strings.insert(name.clone(), self.map.len());
                self.map.push(key, value);
            }
        }
    }

    /// `<<`: the pairs of a map, or of the maps in a list with the earlier ones winning, written over what is there so far.
    /// Anything else is an ordinary value under `<<`.
    pub(super) fn merge(&mut self, key: Node, value: Composed) {
        let maps = match (value.form, &value.node.value) {
            (Form::Alias | Form::Map, Value::Map(map)) => vec![map.clone()],
            (Form::Seq, Value::Seq(items)) if items.iter().all(|item| item.as_map().is_some()) => {
                // `Hash#merge!` by `Hash#merge!` from the last to the first, into a hash of their own.
                let mut own = Self::default();
                for map in items.iter().rev().filter_map(Node::as_map) {
                    for (key, value) in map.iter() {
                        own.set(key.clone(), value.clone());
                    }
                }
                vec![own.map]
            }
            _ => {
                self.set(key, value.node);
                return;
            }
        };
        for (key, value) in maps.into_iter().flat_map(Map::into_pairs) {
            self.set(key, value);
        }
    }
}
