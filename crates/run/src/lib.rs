//! Executes plans: joins steps into programs, sends them, and tells what happens as [`event::Event`]s.
//!
//! In: a [`dhow_plan::Plan`] and connections. Out: events, and an outcome per host. Knows steps and hosts, not what a deploy is.
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

pub mod event;

mod executor;
mod failure;
mod feed;
mod fleet;
mod frames;
mod lease;
mod local;
mod program;
mod shell;
mod sink;

pub use event::{Event, EventKind, Failure, Level, Stream, VERSION};
pub use executor::{Executor, Failed, Outcome};
pub use fleet::Fleet;
pub use lease::{Lease, LeaseRequest, Refused};
pub use local::{Ended, Local, Program};
pub use sink::Sink;
