//! dhow's proxy: a drop-in for kamal-proxy, server and client. In: the arguments and environment of a program
//! called `kamal-proxy` ([`main_with`]). Out: its exit code, after a command or after the server has run.
//!
//! How it is put together, a folder each:
//!
//! - `process`: the program and the server from start to end. One control thread owns all services; it swaps the routing table and
//!   waits.
//! - `cores`: one thread a core serves requests, each with its own runtime, listeners, pools and log buffer; they share nothing that
//!   is written per request, except counters read by a drain. They look at the table for every request.
//! - `services`: what the control thread owns: services, targets, the routing table, deploys, health, drains.
//! - `downstream` → `request` → `upstream`: the way of a request, from the client's connection through the pipeline to a target.
//! - `tls`: certificates. `observe`: log and metrics.
//!
//! hyper parses what HTTP/1 clients send, `h2` and `h3` what others do; what targets send is read by `upstream`, which says why.

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

mod cores;
mod downstream;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
mod observe;
mod process;
mod request;
mod services;
mod tls;
mod upstream;

pub use dhow_proxy_api::ProxyEnv;
pub use process::entry::main_with;
