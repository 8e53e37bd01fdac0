//! The `dhow` binary: the deployer, and the proxy when it is called `kamal-proxy`.
//!
//! In: everything the outside world has to say, read here and in [`edge`] only. Out: an exit code. The commands themselves are in
//! [`commands`], one file a verb.

mod args;
mod build;
mod commands;
mod connect;
mod edge;
mod failed;
mod files;
mod git;
mod job;
mod lock;
mod loggers;
mod output;
mod prompt;
mod proxy_binary;
mod secrets;
mod terminal;
mod world;

use std::process::ExitCode;

/// Where jemalloc's background thread is to be had: without it, memory of connections that rest would stay (docs/adr/0013).
#[cfg(all(target_os = "linux", target_env = "gnu", target_arch = "x86_64"))]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    let edge = edge::Edge::gather();
    if edge.called_as("kamal-proxy") {
        return dhow_proxy::main_with(edge.proxy_arguments(), &edge.proxy_environment());
    }
    commands::dispatch(&edge)
}
