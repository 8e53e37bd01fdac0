//! What the tests on the fleet stand on: the hosts and the registry as `bin/fleet up` left them, scratch apps to deploy,
//! the program under test, and load that runs meanwhile.
//!
//! The tests are in `tests/`. They need root, a fleet that is up and the programs of `bin/build` and `bin/build lab`; where
//! one is missing they fail and say so. They take turns: [`Fleet::take`] holds a lock, also against other processes.

mod fleet;
mod host;
mod load;
mod outcome;
mod program;
mod scratch_app;
mod trace;

pub use fleet::Fleet;
pub use host::Host;
pub use load::Load;
pub use outcome::Outcome;
pub use program::{Dhow, Running};
pub use scratch_app::ScratchApp;
pub use trace::{DockerShim, ExecTrace, local_docker_shim, traced};

/// Prints a line that `cargo test` shows although the test passes: what was measured belongs to the outcome.
pub fn tell(line: &str) {
    use std::io::Write;
    // Nobody reads it: then it is not needed.
    let _ = writeln!(std::io::stdout(), "{line}");
}
