//! From the merged tree to the model, a file a section.
//!
//! Each section has a `check`, which reports what is wrong with it, and a `read`, which takes the rest for granted: what `check`
//! has complained about reads as if it were not there. Nothing read is given out unless every check passed.

mod accessory;
mod alias;
mod boot;
mod builder;
mod container;
mod deploy_file;
mod env;
mod hooks_output;
mod logging;
mod output;
mod proxy;
mod registry;
mod role;
mod ssh;
mod whole;

pub(crate) use accessory::PLACEMENTS;
pub(crate) use alias::BUILT_IN;
pub(crate) use builder::CACHES;
pub(crate) use container::{RESERVED_LABELS, RESTART_POLICIES};
pub(crate) use deploy_file::parse;
pub(crate) use ssh::LOG_LEVELS;
