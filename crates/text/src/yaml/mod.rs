//! YAML as Ruby's Psych reads it, with the place of every key and value.

mod compose;
mod emit;
mod merge;
mod node;
mod number;
mod pairs;
mod places;
mod repair;
mod scalar;
mod style;

pub use compose::{parse, parse_rendered};
pub use emit::{emit, emit_tagged};
pub use merge::{merge, string_keys};
pub use node::{Map, Node, Value};
pub use number::ruby_float;
