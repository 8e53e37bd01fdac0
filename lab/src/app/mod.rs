//! The web app that tests and the demo deploy.
//!
//! It answers with what a test wants to know (which version, which container, what arrived), can misbehave in the ways in
//! which apps do at a deploy, and ends at SIGTERM as a well-behaved app does: requests that are being answered get their
//! answer, nothing new is accepted.

mod answer;
mod behavior;
mod serve;
mod websocket;

pub use behavior::{Behavior, UnknownBehavior};
pub use serve::{App, Identity, serve};
