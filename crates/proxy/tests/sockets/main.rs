//! The proxy as a process, over real sockets: what operators, targets and clients see of it.

mod acme;
mod buffering;
mod content;
mod deploying;
mod failing;
mod forwarding;
mod guarding;
mod http3;
mod http3_peer;
mod informational;
mod lifecycle;
mod logging;
mod mending;
mod metrics;
mod pausing;
mod rollouts;
mod soak;
mod strictness;
mod support;
mod switching;
mod switching_versions;
mod takeover;
mod tls;
mod trailers;
mod upgrading;
mod watching;
