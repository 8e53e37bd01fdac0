//! Benchmarks of the deployer and of the proxy. `bin/bench` is the way to run them; what they print goes to `docs/bench`.
//!
//! The proxy next to others is all in [`proxy`]. For deploys there are: a fleet that is up ([`Fleet`]), an app whose versions lie in its registry ([`App`]), the [`floor`] to measure against, processes
//! measured from outside ([`Measured`]), medians ([`Sample`]), where the time of one deploy goes ([`Profile`]), and hosts that are
//! only simulated ([`simulated`]).
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

mod app;
mod compare;
mod failed;
mod fleet;
pub mod floor;
mod measured;
mod profile;
pub mod proxy;
mod relay;
pub mod report;
mod sample;
pub mod simulated;
mod thousand;

pub use app::{App, Dhow, State};
pub use compare::{Case, Compared, compare, versions};
pub use failed::Failed;
pub use fleet::{Fleet, Host};
pub use measured::Measured;
pub use profile::Profile;
pub use relay::Relay;
pub use sample::Sample;
pub use thousand::{Thousand, thousand};
