//! A relay that makes the fleet far away: whoever talks to 10.78.0.X talks to 10.77.0.X, some milliseconds later each way.
//!
//! It works on packets (a TUN device), not on connections, so TCP behaves as on a real long line: handshakes, windows and
//! delayed acknowledgements cost what they cost there. A kernel's own means for this (netem) is not everywhere.

mod delay;
mod rewrite;
mod wiring;

pub use delay::relay;
pub use rewrite::Addresses;
pub use wiring::{Wiring, WiringError};
