//! The load generator: a stream of requests at a steady rate, and a strict account of what became of each.
//!
//! A deployer promises that no request is lost while versions change. So nothing here is forgiving: no request is sent
//! twice, an answer counts only with status 200 and the right body, and what was sent is answered or is a failure.

mod connection;
mod drive;
mod failure;
mod request;
mod summary;
mod target;

pub use drive::{Plan, drive};
pub use summary::{FailedRequest, Latency, Outcome, Report, Summary, VersionSeen};
pub use target::{BadTarget, Target};
