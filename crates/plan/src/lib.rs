//! The sentences: what a command means for each host, decided before anything is run.
//!
//! In: a [`dhow_config::Config`], an intent (the command line), and facts (what a probe saw on each host). Out: a [`Plan`], data
//! only. `--dry-run` prints it, `run` executes it; neither knows what a deploy is.
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

pub mod facts;
pub mod verbs;

mod context;
mod select;
mod step;

pub use context::{Context, Facts, PlanError, Random, SCRATCH};
pub use facts::HostFacts;
pub use select::{Filter, SelectError, Targets, select};
pub use step::{Action, Gate, LocalStep, Plan, Stage, Step, Tolerate, Track, Work};
