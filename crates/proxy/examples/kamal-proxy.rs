//! The proxy as a program of its own, for trying it out and for tests.

use std::ffi::OsString;
use std::process::ExitCode;

use dhow_proxy::{ProxyEnv, main_with};

fn main() -> ExitCode {
    let args: Vec<OsString> = std::env::args_os().skip(1).collect();
    main_with(&args, &ProxyEnv::from_lookup(|key| std::env::var_os(key)))
}
