//! What may be used to log in to one host.

use std::path::PathBuf;

/// What may be used on one host.
pub(crate) struct Credentials {
    /// Host as named by the user.
    pub(crate) host: String,
    /// Login name.
    pub(crate) user: String,
    /// Key files, in order. Files that don't exist are skipped.
    pub(crate) files: Vec<PathBuf>,
    /// Certificate files beside those that lie next to a key.
    pub(crate) certificates: Vec<PathBuf>,
    /// Whether the ring's keys from text belong to this host.
    pub(crate) use_data: bool,
    /// Offer only keys named above.
    pub(crate) only_these: bool,
    /// The agent's socket.
    pub(crate) agent: Option<PathBuf>,
    /// Whether keys may be used.
    pub(crate) publickey: bool,
    /// Whether the person may be asked for a password.
    pub(crate) password: bool,
    /// Whether the server may ask the person.
    pub(crate) challenge: bool,
}
