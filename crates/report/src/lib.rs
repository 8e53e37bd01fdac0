//! What people and programs get to see: folds of [`dhow_run::Event`]s into bytes, and plans as text.
//!
//! In: events (redacted by value before anything else looks at them) and plans. Out: bytes on a writer, and texts. Knows neither
//! the deploy file nor hosts; reads no clock, environment or terminal: whoever calls says what time it is and how wide the
//! terminal is.
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

mod colour;
mod dry_run;
mod human;
mod json;
mod log_file;
mod otel;
mod plain;
mod redacted;
mod reporter;
mod steps;
mod trouble;

pub use colour::Colour;
pub use dry_run::{plan_json, show_plan};
pub use log_file::{LogFile, log_file_name};
pub use otel::{Otel, OtelResource};
pub use reporter::{Format, Options, Reporter, TerminalInfo, Verbosity};
