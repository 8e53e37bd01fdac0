//! Text in, spanned values out; values in, safe text out.
//!
//! Everything that turns bytes from outside into values which remember where they came from ([`source`], [`yaml`], [`erb`],
//! [`dotenv`]), and everything that turns values into text which is safe to show or to run ([`diagnostic`], [`redact`],
//! [`shell`]). Pure: nothing here reads a file, the environment, the clock or a terminal.
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

pub mod diagnostic;
pub mod dotenv;
pub mod erb;
pub mod fnmatch;
pub mod redact;
pub mod render;
pub mod rendered;
pub mod shell;
pub mod source;
pub mod suggest;
pub mod yaml;
