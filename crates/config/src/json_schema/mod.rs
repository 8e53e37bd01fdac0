//! A JSON Schema (draft 2020-12) of the deploy file: completion, hover texts and first checks in editors.
//!
//! In: the tables of keys in [`crate::schema`] and the reference pages in `docs/`. Out: one JSON text. An editor sees one file at a
//! time, before ERB and without its overlay, and reads it as YAML 1.2: so nothing is required, what YAML 1.1 alone takes for a number
//! or a boolean is let pass, and so is any text with an ERB tag. Everything else that [`crate::load()`] refuses for its type or its
//! name is refused here too.

mod hover;
mod sections;
mod types;

use serde_json::{Map, Value, json};

/// The schema, as it stands in `docs/schema/deploy.schema.json`.
pub fn json_schema() -> String {
    let mut schema = Map::new();
    let mut put = |key: &str, value: Value| schema.insert(key.to_owned(), value);
    put(
        "$schema",
        json!("https://json-schema.org/draft/2020-12/schema"),
    );
    put("title", json!("Deploy file of Dhow and Kamal"));
    for (key, value) in sections::root() {
        put(&key, value);
    }
    put("$defs", Value::Object(sections::definitions()));
    let mut text = serde_json::to_string_pretty(&schema).unwrap_or_default();
    text.push('\n');
    text
}
