//! The deploy file and its destination overlay as one tree.
//!
//! In: two trees. Out: one, in which every value still knows which file it came from.

use super::{Map, Node, Value};

/// Overlays one tree onto another: maps merge key by key (a key that was there keeps its place), anything else replaces.
///
/// Lists replace too, and so does an empty value: `env:` in the overlay wipes the base's `env`.
#[must_use]
pub fn merge(base: Node, overlay: Node) -> Node {
    let span = overlay.span;
    match (base.value, overlay.value) {
        (Value::Map(base), Value::Map(overlay)) => {
            Node::new(Value::Map(merge_maps(base, overlay)), span)
        }
        (_, overlay) => Node::new(overlay, span),
    }
}

/// The same tree with its outermost symbol keys as string keys, so that `:service:` and `service:` are the same key.
///
/// Only the outermost: Kamal looks nested keys up as they are written.
#[must_use]
pub fn string_keys(node: Node) -> Node {
    let Value::Map(map) = node.value else {
        return node;
    };
    let pairs = map.into_pairs().map(|(mut key, value)| {
        if let Value::Symbol(name) = key.value {
            key.value = Value::Str(name);
        }
        (key, value)
    });
    Node::new(Value::Map(pairs.collect()), node.span)
}

fn merge_maps(base: Map, overlay: Map) -> Map {
    let mut overlay: Vec<Option<(Node, Node)>> = overlay.into_pairs().map(Some).collect();
    let mut take = |key: &Node| {
        overlay
            .iter_mut()
            .find(|pair| pair.as_ref().is_some_and(|(k, _)| k == key))
            .and_then(Option::take)
    };
    let mut merged = Map::new();
    for (key, value) in base.into_pairs() {
        match take(&key) {
            // The overlay's own key: a complaint about its value is a complaint about the overlay.
            Some((overlay_key, overlay_value)) => {
                merged.push(overlay_key, merge(value, overlay_value));
            }
            None => merged.push(key, value),
        }
    }
    for (key, value) in overlay.into_iter().flatten() {
        merged.push(key, value);
    }
    merged
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::SourceId;
    use crate::yaml::parse;

    fn merged(base: &str, overlay: &str) -> Node {
        merge(
            parse(SourceId(0), base).unwrap(),
            parse(SourceId(1), overlay).unwrap(),
        )
    }

    fn plain(text: &str) -> Node {
        parse(SourceId(9), text).unwrap()
    }

    #[test]
    fn maps_merge_and_everything_else_replaces() {
        let result = merged(
            "{a: 1, b: {x: 1, y: 2}, c: [1, 2], d: {z: 1}, e: [1], f: 1}",
            "{g: 3, b: {y: 3, w: 4}, c: [9], d: null, e: {k: v}, f: [2]}",
        );
        let expected =
            plain("{a: 1, b: {x: 1, y: 3, w: 4}, c: [9], d: null, e: {k: v}, f: [2], g: 3}");
        assert_eq!(result, expected);
        let keys: Vec<_> = result
            .as_map()
            .unwrap()
            .iter()
            .map(|(k, _)| k.as_str().unwrap())
            .collect();
        assert_eq!(keys, ["a", "b", "c", "d", "e", "f", "g"]);
    }

    #[test]
    fn every_value_remembers_its_file() {
        let result = merged("env: {A: 1, B: 2}", "env: {B: 3}");
        let env = result.get("env").unwrap();
        assert_eq!(env.get("A").unwrap().span.source, SourceId(0));
        assert_eq!(env.get("B").unwrap().span.source, SourceId(1));
    }

    #[test]
    fn symbols_and_strings_meet_at_the_root_only() {
        let tree = string_keys(plain(":service: a\nenv:\n  :A: 1\n"));
        assert_eq!(tree.get("service").unwrap().as_str(), Some("a"));
        assert!(tree.get("env").unwrap().get("A").is_none());
    }
}
