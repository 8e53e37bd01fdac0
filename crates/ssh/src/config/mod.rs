//! `ssh_config(5)`: which options the configuration files give for a host.
//!
//! In: paths, the host as the user named it, and the [`Place`](crate::Place). Out: a [`HostConfig`]. The first value found wins, files in the
//! order given, as OpenSSH has it.

mod block;
mod host_config;
mod lex;
mod matching;
mod resolve;
mod tokens;

pub use block::ConfigError;
pub use host_config::{HostConfig, IdentityAgent};
pub use resolve::{Query, resolve};

pub(crate) use matching::{matches_list, matches_pattern};
pub(crate) use tokens::Tokens;

#[cfg(test)]
pub(crate) use tokens::tests::place;
