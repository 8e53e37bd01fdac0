//! Options that every command takes.

use std::path::PathBuf;

use clap::Args;

use super::OWN;
use super::value::{entry, seconds};

/// What holds for any command.
#[derive(Args, Clone, Debug, PartialEq)]
pub(crate) struct Global {
    /// Show every command with its output, and more about errors
    #[arg(short = 'v', long)]
    pub(crate) verbose: bool,

    /// Show errors and results only
    #[arg(short = 'q', long)]
    pub(crate) quiet: bool,

    /// Work on this version of the app
    #[arg(long, value_name = "VERSION")]
    pub(crate) version: Option<String>,

    /// Work on the primary host only
    #[arg(short = 'p', long)]
    pub(crate) primary: bool,

    /// Work on these hosts only (separated by commas, with `*` and other wildcards)
    #[arg(short = 'h', long, value_name = "LIST", value_delimiter = ',', value_parser = entry)]
    pub(crate) hosts: Vec<String>,

    /// Work on these roles only (separated by commas, with `*` and other wildcards)
    #[arg(short = 'r', long, value_name = "LIST", value_delimiter = ',', value_parser = entry)]
    pub(crate) roles: Vec<String>,

    /// The deploy file
    #[arg(
        short = 'c',
        long,
        value_name = "PATH",
        default_value = "config/deploy.yml"
    )]
    pub(crate) config_file: String,

    /// The destination: `staging` adds config/deploy.staging.yml
    #[arg(short = 'd', long, value_name = "NAME")]
    pub(crate) destination: Option<String>,

    /// Run no hooks
    #[arg(short = 'H', long)]
    pub(crate) skip_hooks: bool,

    /// Wait for the deploy lock when somebody else holds it
    #[arg(long)]
    pub(crate) lock_wait: bool,

    /// How long to wait for it, in seconds
    #[arg(long, value_name = "N", default_value = "900", value_parser = seconds)]
    pub(crate) lock_wait_timeout: f64,

    /// How often to look, in seconds
    #[arg(long, value_name = "N", default_value = "15", value_parser = seconds)]
    pub(crate) lock_wait_interval: f64,

    /// Show what would run on each host, and change nothing
    #[arg(long, help_heading = OWN)]
    pub(crate) dry_run: bool,

    /// Print events as JSON, one object a line
    #[arg(long, help_heading = OWN)]
    pub(crate) json: bool,

    /// The dhow program for the hosts' platform, where it differs from this machine's
    #[arg(long, value_name = "FILE", help_heading = OWN)]
    pub(crate) proxy_binary: Option<PathBuf>,
}
