//! The deploy file, understood: from a YAML tree to a [`Config`] that is valid because it exists.
//!
//! In: texts, the destination and what the caller knows of the outside world. Out: a [`Config`], or diagnostics that point into
//! the files. `model` mirrors the sections of the deploy file one to one.
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::unreachable,
        clippy::todo
    )
)]

mod docs;
mod dump;
mod extension;
mod findings;
mod gem_version;
mod json_schema;
mod load;
pub mod model;
mod parse;
mod raw;
mod scalar;
mod schema;
pub mod templates;

pub use docs::{SECTIONS, docs};
pub use dump::dump;
pub use json_schema::json_schema;
pub use load::{Failure, Inputs, KAMAL_VERSION, Loaded, Outside, load, not_found, overlay_path};
pub use model::*;
pub use raw::Raw;
