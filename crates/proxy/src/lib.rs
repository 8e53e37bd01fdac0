//! dhow's proxy: a drop-in for kamal-proxy, server and client. In: the arguments and environment of a program
//! called `kamal-proxy` ([`main_with`]). Out: its exit code, after a command or after the server has run.
//!
//! How it is put together:
//!
//! - One thread a core serves requests (`core_thread`, `core`), each with its own runtime, listeners, pools and
//!   log buffer; they share nothing that is written per request, except counters read by a drain.
//! - One control thread owns all services (`operations`, `deploy`, `registry`). It swaps the routing table
//!   (`plane`, `router`) and waits; cores look at the table for every request.
//! - A request's way is `acceptor` (`introduction`, over TLS `handshake`) → `connection` → `pipeline` → `forward` → `upstream`; its
//!   answer's is `body`. `exchange` accompanies it and writes the access log.
//! - Certificates from authorities are the business of one manager (`certificates`), which `deploy`, `restore` and `operations`
//!   tell what services need; `handshake` and `acme_challenge` ask it.
//! - hyper parses what HTTP/1 clients send, `h2` and `http3` what others do (`multiplexed`); what targets send is read by
//!   `upstream`, which says why.

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

mod acceptor;
mod access_log;
mod acme_challenge;
mod admission;
mod affinity;
mod alt_svc;
mod answer;
mod authority;
mod balance;
mod body;
mod buffer;
mod cert_source;
mod certificates;
mod client;
mod client_line;
mod clock;
mod connection;
mod control;
mod cookie;
mod cookie_scope;
mod core;
mod core_thread;
mod deploy;
mod descriptors;
mod drain;
mod entry;
mod exchange;
mod failure;
mod forward;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
mod gather;
mod gunzip;
mod handshake;
mod health;
mod http2;
mod http3;
mod inbound;
mod inquiry;
mod interim_wire;
mod introduction;
mod lane;
mod listener;
mod log;
mod metrics;
mod metrics_server;
mod multiplexed;
#[cfg(test)]
mod noise;
mod on_demand;
mod operations;
mod pages;
mod patience;
mod pause;
mod pipeline;
mod plane;
mod probe;
mod proxy_protocol;
mod redirect;
mod registry;
mod request_id;
mod request_path;
mod restore;
mod rollout;
mod rollout_operations;
mod router;
mod rules;
mod seats;
mod server;
mod service;
mod slots;
mod sniff;
mod standing;
mod state_file;
mod succession;
mod system_error;
mod takeover;
mod target;
mod template;
#[cfg(any(test, feature = "fuzzing"))]
mod test_services;
mod tls;
mod trust;
mod upgrade;
mod upgrade_in_place;
mod upstream;

pub use dhow_proxy_api::ProxyEnv;
pub use entry::main_with;
