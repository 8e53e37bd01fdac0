//! Proving who we are: agent identities, key files and key text, certificates, then passwords.
//!
//! In: a connection whose keys are exchanged, and the credentials that the settings and `ssh_config` name for the host. Out: an
//! authenticated connection or the list of what was tried.

mod agent;
mod attempt;
mod credentials;
mod keys;
mod prompt;
mod questions;
mod signer;

pub(crate) use attempt::authenticate;
pub(crate) use credentials::Credentials;
pub(crate) use keys::{DEFAULT_NAMES, KeyRing};
pub(crate) use prompt::Prompt;
