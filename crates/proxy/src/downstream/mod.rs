//! The clients' side: connections as they come in, and what turns their bytes into requests.
//!
//! `listener` → `acceptor` (`seats`, `introduction`, over TLS `handshake`) → `connection` (HTTP/1), `http2` or `http3`, of
//! which the last two share `multiplexed`. `client` is who is at the other end, `client_line` what goes back to it beside the
//! answer. `inquiry` is the proxy as its own client.

pub(crate) mod acceptor;
pub(crate) mod alt_svc;
pub(crate) mod client;
pub(crate) mod client_line;
pub(crate) mod connection;
pub(crate) mod handshake;
pub(crate) mod http2;
pub(crate) mod http3;
pub(crate) mod inbound;
pub(crate) mod inquiry;
pub(crate) mod interim_wire;
pub(crate) mod introduction;
pub(crate) mod listener;
pub(crate) mod multiplexed;
pub(crate) mod patience;
pub(crate) mod proxy_protocol;
pub(crate) mod seats;
