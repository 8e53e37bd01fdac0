//! Reaching a host: from a [`Route`] to a connection whose keys are exchanged.
//!
//! In: the route (where to, through what, which host keys are good). Out: the protocol library's handle over TCP, over a channel of a jump
//! host, or over the standard input and output of a local command.

mod child;
mod client;
mod handshake;
mod host_key;
mod inbox;
mod prompt_acks;
mod route;
mod tcp;

pub(crate) use child::ProxyChild;
pub(crate) use client::{Client, Forwards, Lost};
pub(crate) use handshake::{Failure, Handshake, handshake};
pub(crate) use inbox::Inbox;
pub(crate) use prompt_acks::PromptAcks;
pub(crate) use route::{Hop, Route, Via};
pub(crate) use tcp::connect as tcp_connect;

#[cfg(test)]
pub(crate) use route::hops;
