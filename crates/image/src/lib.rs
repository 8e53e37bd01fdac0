//! Container images made without a registry: dhow's own binary as the proxy's image.
//!
//! In: the bytes of a static binary and the machine that is to run it. Out: an archive that `docker load` reads. Nothing here
//! reads a file, asks a daemon or opens a connection.
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

mod ca_bundle;
mod executable;
mod proxy_image;
mod proxy_layer;

#[cfg(test)]
mod hand_made;

pub use executable::{ImageError, Machine};
pub use proxy_image::{ProxyArchive, ProxyImage, proxy_image};
