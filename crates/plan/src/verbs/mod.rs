//! One file a verb: how it reads as a story.

pub mod accessory;
pub mod app;
pub mod boot;
pub mod build;
pub mod deploy;
pub mod details;
pub mod proxy;
pub mod prune;
pub mod pull;
pub mod registry;
pub mod remove;
pub mod rollback;
pub mod server;
pub mod stale;
pub mod upgrade;

mod in_place;
mod replace;
