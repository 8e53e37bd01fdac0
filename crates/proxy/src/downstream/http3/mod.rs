//! HTTP/3 (RFC 9114): the same pipeline as HTTP/1 and 2 over QUIC, when `run --http3` asks for it.
//!
//! One UDP socket and one QUIC endpoint on a thread of its own (`endpoint`), which reads datagrams and knows
//! connections by their ids, so that a client may change its address; each connection is then driven by one of the
//! cores (`connection`), like a TCP connection. quinn does QUIC, h3 frames and header compression; `quic` joins the
//! two, and `frame_gate` keeps what h3 holds in memory within bounds. No 0-RTT: a request could be replayed.

mod body;
mod connection;
mod endpoint;
mod frame_gate;
mod quic;
mod reply;

pub(crate) use body::Http3Body;
pub(crate) use connection::accept_http3;
pub(crate) use endpoint::{Arrivals, QuicError, open};
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) use frame_gate::{FrameGate, Held};
