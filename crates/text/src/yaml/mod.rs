//! YAML as Ruby's Psych reads it, with the place of every key and value.

mod compose;
mod merge;
mod node;
mod number;
mod pairs;
mod places;
mod scalar;

pub use compose::{parse, parse_rendered};
pub use merge::{merge, string_keys};
pub use node::{Map, Node, Value};
pub use number::ruby_float;
