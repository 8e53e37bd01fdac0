//! Programs for the tests and benchmarks of dhow: a web app to deploy (`lab-app`), a load generator that notices every lost
//! request (`lab-load`) and a relay that makes a nearby host far away (`lab-relay`).
//!
//! None of this is part of what dhow ships. The programs in `src/bin` read the environment and the arguments; all else is here.
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

pub mod app;
pub mod digest;
pub mod load;
pub mod relay;
