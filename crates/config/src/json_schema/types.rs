//! The shapes of values as JSON Schema.
//!
//! In: a [`Shape`], and the texts to show for the keys below it. Out: a schema. The first of several types is the one that editors
//! offer to complete; `string` is among the types of everything, held down by a pattern, for ERB tags.

use serde_json::{Map, Value, json};

use crate::schema::Shape;
use crate::schema::keys::Field;

/// A text with an ERB tag, which may become anything.
const TEMPLATE: &str = "<%";
/// Integers that only YAML 1.1 takes for such.
const INTEGER: &str = r"^[-+]?[0-9]+([_,][0-9]+)+$|<%";
/// Booleans that only YAML 1.1 takes for such.
const BOOLEAN: &str = "^([Yy]es|YES|[Nn]o|NO|[Oo]n|ON|[Oo]ff|OFF)$|<%";

/// A text, number or boolean.
pub(super) fn text() -> Value {
    json!({"type": ["string", "number", "boolean"]})
}

/// An integer.
pub(super) fn integer() -> Value {
    json!({"type": ["integer", "string"], "pattern": INTEGER})
}

/// A text that is one of these or, unlike an `enum`, has an ERB tag.
pub(super) fn one_of(names: &[&str]) -> Value {
    json!({"anyOf": [{"enum": names}, {"type": "string", "pattern": TEMPLATE}]})
}

/// A text that a pattern describes; or with an ERB tag.
pub(super) fn matching(pattern: &str) -> Value {
    json!({"type": "string", "pattern": format!("{pattern}|{TEMPLATE}")})
}

/// What a shape takes; `about` tells what to say of the keys below `path`.
pub(super) fn shape(shape: Shape, about: &dyn Fn(&[&str]) -> String, path: &[&str]) -> Value {
    match shape {
        Shape::Any => json!({}),
        Shape::Text => text(),
        Shape::Int => integer(),
        Shape::Bool => json!({"type": ["boolean", "string"], "pattern": BOOLEAN}),
        Shape::Map => map(json!({})),
        Shape::TextMap => map(json!({"additionalProperties": text()})),
        Shape::Keys(fields) => object(fields, about, path),
        Shape::Texts => list(&text()),
        Shape::TextOrTexts => {
            json!({"type": ["string", "number", "boolean", "array"], "items": text()})
        }
        Shape::BoolOrMap => {
            json!({"type": ["boolean", "object", "string"], "pattern": BOOLEAN})
        }
        Shape::SshConfig => {
            json!({"type": ["boolean", "string", "number", "array"], "items": text()})
        }
        Shape::HookLevels => {
            json!({"type": ["string", "number", "boolean", "object"], "additionalProperties": text()})
        }
        Shape::Proxy => reference("proxy"),
        Shape::Servers => map(json!({})),
        Shape::Hosts => list(&reference("host")),
        Shape::Mounts => list(&reference("mount")),
    }
}

/// A map with these keys and no others.
pub(super) fn object(fields: &[Field], about: &dyn Fn(&[&str]) -> String, path: &[&str]) -> Value {
    let mut properties = Map::new();
    for (key, kind) in fields {
        let path = [path, &[key]].concat();
        let schema = described(shape(*kind, about, &path), &about(&path));
        properties.insert((*key).to_owned(), schema);
    }
    map(json!({"properties": properties, "additionalProperties": false}))
}

/// A map, with more said about it.
pub(super) fn map(more: Value) -> Value {
    merged(
        json!({"type": ["object", "string"], "pattern": TEMPLATE}),
        more,
    )
}

/// A list of such items.
pub(super) fn list(items: &Value) -> Value {
    json!({"type": ["array", "string"], "pattern": TEMPLATE, "items": items})
}

/// A definition, by name.
pub(super) fn reference(name: &str) -> Value {
    json!({"$ref": format!("#/$defs/{name}")})
}

/// A schema with a text for hovering over the key.
pub(super) fn described(schema: Value, description: &str) -> Value {
    merged(json!({"description": description}), schema)
}

/// Two schemas in one: the keys of both.
pub(super) fn merged(mut first: Value, second: Value) -> Value {
    if let (Value::Object(first), Value::Object(second)) = (&mut first, second) {
        first.extend(second);
    }
    first
}
