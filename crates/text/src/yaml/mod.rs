//! YAML as Ruby's Psych reads it, with the place of every key and value.

mod node;

pub use node::{Map, Node, Value};
