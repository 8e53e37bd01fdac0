//! `known_hosts`: is the key a host presents the one on record, and how to put a new one there.
//!
//! In: the files, the name and port that were dialled, the key offered. Out: a [`Verdict`], and lines appended. The format is that of
//! sshd(8), "SSH_KNOWN_HOSTS FILE FORMAT": plain, wildcard and hashed names, `[host]:port`, `@cert-authority`, `@revoked`.

mod append;
mod check;
mod line;

pub use check::{KeyUse, KnownHosts, Verdict};
pub use line::fingerprint;

pub(crate) use append::{Added, append};
pub(crate) use check::record_name;
