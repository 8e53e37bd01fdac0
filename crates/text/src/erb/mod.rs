//! ERB.
mod inspect;
pub use inspect::{inspect, inspect_symbol};
