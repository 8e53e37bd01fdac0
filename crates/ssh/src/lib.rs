//! SSH for the deployer: connect to a host, authenticate, run commands, forward sockets.
//!
//! What comes in: a [`Settings`] value (what `deploy.yml` says about SSH) with a [`Place`] (what the machine says: home directory, user,
//! agent socket) and, where somebody sits at a terminal, a function that asks for passphrases. What goes out: a [`Connector`] that turns
//! host names into [`Session`]s, and sessions that run commands as streams of [`Event`]s.
//!
//! The crate is an edge: it opens sockets, reads key, `known_hosts` and `ssh_config` files whose paths it was given. It reads neither
//! the environment nor the home directory by itself, and it knows nothing of Docker or of deploying. The protocol library stays behind this
//! crate's types.
//!
//! One limit is worth knowing: received data is not flow-controlled per channel but per connection. A reader that stops reading one
//! channel holds up the others of that connection once some 100 pieces (3 MB at most) wait for it; other hosts are not touched, not even
//! behind the same jump host. Bulk streams with slow readers therefore deserve a session of their own ([`Connector::dial`]).
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

mod auth;
mod config;
mod connector;
mod dial;
mod error;
#[cfg(test)]
mod hostile;
mod jitter;
mod known_hosts;
mod secret;
mod session;
mod settings;

pub use config::{ConfigError, HostConfig, IdentityAgent, Query, resolve};
pub use connector::Connector;
pub use error::{ChangedKey, SshError};
pub use known_hosts::{KeyUse, KnownHosts, Verdict, fingerprint};
pub use secret::Secret;
pub use session::{
    Event, Exec, ExecOptions, Exit, Incoming, Output, Pty, PtyInput, RemoteForward, Session, Stdin,
    Tunnel, WindowSize,
};
pub use settings::{
    Answerer, Ask, HostKeyPolicy, Lookup, Notice, Notify, Place, Question, Settings,
};
