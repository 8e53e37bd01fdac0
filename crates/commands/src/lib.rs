//! The vocabulary: every command line that is run on a host or on the deployer's machine, as a value.
//!
//! In: a [`dhow_config::Config`], a role or an accessory, a host, a version, and values that only the caller can know (random
//! suffixes, the time, who is deploying). Out: a [`dhow_text::shell::Cmd`], an [`Upload`] or a list of arguments. Nothing here runs,
//! reads or asks anything, and the same arguments always give the same text.
//!
//! The lines are Kamal's, byte for byte, because tools, runbooks and other deployers on the same hosts know them. What differs, on
//! purpose, everywhere:
//!
//! - The first word has no `/usr/bin/env` in front: the lines are part of a program that a plain `sh` reads.
//! - Passwords go to a standard input ([`registry`]); build arguments go through the environment ([`builder`]).
//!
//! Where a version is only known on the host, [`VersionRef::Variable`] puts a shell variable in its place.
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

pub mod accessory;
pub mod app;
pub mod assets;
pub mod audit;
pub mod builder;
pub mod docker;
pub mod error_pages;
pub mod git;
pub mod hook;
pub mod image;
pub mod lock;
pub mod paths;
pub mod proxy;
pub mod prune;
pub mod registry;
pub mod server;
pub mod tls;

mod container_args;
mod env_file;
mod log_options;
mod upload;
mod version_ref;

#[cfg(test)]
mod golden;
#[cfg(test)]
mod sample;

pub use container_args::container_hostname;
pub use env_file::env_file;
pub use log_options::LogOptions;
pub use upload::{Content, Upload};
pub use version_ref::VersionRef;
