//! The HTTP/1.1 client side: connections to targets, what goes out on them and what comes back.
//!
//! Written by hand rather than with hyper's client: the request head is serialised straight from the client's
//! header map (no second map is built or edited), everything runs inside the task of the client's connection
//! (no task per upstream connection, no channel between them), a stale connection is told from a broken
//! target with certainty, and after an upgrade the socket is simply there. Malformed answers are refused, never
//! repaired.

mod addresses;
mod body_decoder;
mod connection;
pub(crate) mod lane;
mod pool;
mod request_body;
mod request_head;
mod response_head;

pub(crate) use addresses::Addresses;
pub(crate) use body_decoder::{BodyDecoder, Decoded};
pub(crate) use connection::Connection;
pub(crate) use pool::Pool;
pub(crate) use request_body::{RequestBody, RequestSender, SendError};
pub(crate) use request_head::{ForwardedHead, RequestFraming, push_header, write_request_head};
pub(crate) use response_head::{ResponseHead, is_hop_by_hop, parse_response_head};

/// A response that is not HTTP; the text says what is wrong with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("malformed response: {0}")]
pub(crate) struct Malformed(pub(crate) &'static str);
