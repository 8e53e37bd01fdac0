//! Single values as Ruby takes them: what counts as text, what counts as blank, what a number looks like.
//!
//! In: nodes of any type. Out: the value wanted, or nothing; saying what is wrong is the schema's part.

use dhow_text::shell::ShellValue;
use dhow_text::yaml::{Map, Node, Value, ruby_float};

use crate::model::Pairs;

/// The text of what Kamal accepts as a string: strings, symbols, numbers and booleans.
pub(crate) fn text(node: &Node) -> Option<String> {
    match &node.value {
        Value::Str(text) | Value::Symbol(text) | Value::BigInt(text) => Some(text.clone()),
        Value::Bool(bool) => Some(bool.to_string()),
        Value::Int(int) => Some(int.to_string()),
        Value::Float(float) => Some(ruby_float(*float)),
        _ => None,
    }
}

/// Ruby's `to_s` of any value; lists and maps in their `inspect` form.
pub(crate) fn to_s(node: &Node) -> String {
    match &node.value {
        Value::Null => String::new(),
        Value::Date(text) | Value::Time(text) => text.clone(),
        Value::Seq(_) | Value::Map(_) => inspect(node),
        _ => text(node).unwrap_or_default(),
    }
}

/// Rails' `present?`: neither missing, nil, false, empty nor all white space.
pub(crate) fn present(node: Option<&Node>) -> bool {
    node.is_some_and(|node| match &node.value {
        Value::Null | Value::Bool(false) => false,
        Value::Str(text) => !text.trim().is_empty(),
        Value::Symbol(text) => !text.is_empty(),
        Value::Seq(items) => !items.is_empty(),
        Value::Map(map) => !map.is_empty(),
        _ => true,
    })
}

/// Ruby's truth: everything but nil and false.
pub(crate) fn truthy(node: Option<&Node>) -> bool {
    node.is_some_and(|node| !matches!(node.value, Value::Null | Value::Bool(false)))
}

/// The text below a key.
pub(crate) fn text_at(map: &Map, key: &str) -> Option<String> {
    map.get(key).and_then(text)
}

/// The integer below a key.
pub(crate) fn int_at(map: &Map, key: &str) -> Option<i64> {
    map.get(key).and_then(|node| match node.value {
        Value::Int(int) => Some(int),
        _ => None,
    })
}

/// The boolean below a key.
pub(crate) fn bool_at(map: &Map, key: &str) -> Option<bool> {
    map.get(key).and_then(|node| match node.value {
        Value::Bool(bool) => Some(bool),
        _ => None,
    })
}

/// The map below a key.
pub(crate) fn map_at<'m>(map: &'m Map, key: &str) -> Option<&'m Map> {
    map.get(key).and_then(Node::as_map)
}

/// The texts of a list; of a single text, that one.
pub(crate) fn texts(node: &Node) -> Vec<String> {
    match node.as_seq() {
        Some(items) => items.iter().filter_map(text).collect(),
        None => text(node).into_iter().collect(),
    }
}

/// The texts of the list below a key.
pub(crate) fn texts_at(map: &Map, key: &str) -> Vec<String> {
    map.get(key).map(texts).unwrap_or_default()
}

/// A map as arguments are made from it.
pub(crate) fn pairs(map: &Map) -> Pairs {
    map.iter()
        .map(|(key, value)| (to_s(key), shell_value(value)))
        .collect()
}

/// The map below a key as arguments are made from it.
pub(crate) fn pairs_at(map: &Map, key: &str) -> Pairs {
    map_at(map, key).map(pairs).unwrap_or_default()
}

fn shell_value(node: &Node) -> ShellValue {
    match &node.value {
        Value::Null => ShellValue::Null,
        Value::Bool(bool) => ShellValue::Bool(*bool),
        Value::Seq(items) => ShellValue::List(items.iter().map(to_s).collect()),
        _ => ShellValue::Text(to_s(node)),
    }
}

/// Ruby's `inspect`, as far as it matters for values that no argument can hold.
fn inspect(node: &Node) -> String {
    match &node.value {
        Value::Null => "nil".to_owned(),
        Value::Str(text) => format!("{text:?}"),
        Value::Symbol(text) => format!(":{text}"),
        Value::Seq(items) => {
            let items: Vec<String> = items.iter().map(inspect).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Map(map) => {
            let pairs: Vec<String> = map
                .iter()
                .map(|(key, value)| format!("{}=>{}", inspect(key), inspect(value)))
                .collect();
            format!("{{{}}}", pairs.join(", "))
        }
        _ => to_s(node),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dhow_text::source::Span;

    #[test]
    fn what_is_present() {
        for (value, is) in [
            (Value::Null, false),
            (Value::Bool(false), false),
            (Value::Bool(true), true),
            (Value::Int(0), true),
            (Value::Str(" \t".into()), false),
            (Value::Str("a".into()), true),
            (Value::Seq(Vec::new()), false),
            (Value::Map(Map::new()), false),
        ] {
            let node = Node::new(value, Span::nowhere());
            assert_eq!(present(Some(&node)), is, "{node:?}");
        }
    }
}
