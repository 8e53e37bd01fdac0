//! A proxy process, targets with scripted behaviour and a plain HTTP client, all over real sockets.

mod client;
mod http2;
mod http3;
mod log;
mod origin;
mod proxy;

pub(crate) use client::{Answer, Link, get, request, send};
pub(crate) use http2::{Http2, read as read_http2};
pub(crate) use http3::{Http3, Reply, connect_error, read as read_http3};
pub(crate) use origin::{Origin, reply};
pub(crate) use proxy::{Proxy, free_port, program};

use std::time::{Duration, Instant};

/// Waits until `done` says so; fails after a minute, which only a fault or a very busy machine needs.
pub(crate) fn eventually(what: &str, done: impl FnMut() -> bool) {
    eventually_within(Duration::from_secs(60), what, done);
}

/// Waits until `done` says so; fails after `time`.
pub(crate) fn eventually_within(time: Duration, what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + time;
    while !done() {
        assert!(Instant::now() < deadline, "never happened: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}
