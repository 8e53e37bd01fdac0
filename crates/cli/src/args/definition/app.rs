//! `app …`

use clap::{Args, Subcommand};

use super::Pair;
use super::value::seconds;

/// What to do with the app.
#[derive(Subcommand, Clone, Debug, PartialEq)]
#[command(
    rename_all = "snake_case",
    disable_help_flag = true,
    disable_help_subcommand = true
)]
pub(crate) enum App {
    /// Boot the app, or boot it anew if it runs
    Boot,
    /// Start the app's containers
    Start,
    /// Stop the app's containers
    Stop,
    /// Show the app's running containers
    Details,
    /// Run a command in the app: everything after the options is the command
    Exec(AppExec),
    /// Show all containers of the app
    Containers,
    /// List, or stop, containers of other versions that still run
    StaleContainers(StaleContainers),
    /// Show the app's images
    Images,
    /// Show the app's log
    Logs(AppLogs),
    /// Remove the app's containers, images and directories
    Remove,
    /// Remove the container of one version
    #[command(hide = true)]
    RemoveContainer(RemoveAppContainer),
    /// Remove all containers of the app
    #[command(hide = true)]
    RemoveContainers,
    /// Remove all images of the app
    #[command(hide = true)]
    RemoveImages,
    /// Remove the app's directories
    #[command(hide = true)]
    RemoveAppDirectories,
    /// Show the running version
    Version,
    /// End maintenance: the proxy sends requests to the app again
    Live,
    /// Begin maintenance: the proxy answers in the app's place
    Maintenance(Maintenance),
}

/// `app exec`.
#[derive(Args, Clone, Debug, PartialEq, Eq)]
pub(crate) struct AppExec {
    /// Run it in a terminal
    #[arg(short = 'i', long)]
    pub(crate) interactive: bool,

    /// Run it in the container that runs already
    #[arg(long)]
    pub(crate) reuse: bool,

    /// Variables for it
    #[arg(short = 'e', long, value_name = "KEY:VALUE", num_args = 1..)]
    pub(crate) env: Vec<Pair>,

    /// Don't wait for its end
    #[arg(long)]
    pub(crate) detach: bool,

    /// Print its output as it is, and nothing else
    #[arg(long)]
    pub(crate) raw: bool,

    /// The command, word by word.
    #[arg(value_name = "CMD", trailing_var_arg = true)]
    pub(crate) command: Vec<String>,
}

/// `app stale_containers`.
#[derive(Args, Clone, Debug, PartialEq, Eq)]
pub(crate) struct StaleContainers {
    /// Stop them
    #[arg(short = 's', long)]
    pub(crate) stop: bool,
}

/// `app logs`.
#[derive(Args, Clone, Debug, PartialEq, Eq)]
pub(crate) struct AppLogs {
    /// Lines since then: a time stamp, or a span such as 42m
    #[arg(short = 's', long, value_name = "TIME")]
    pub(crate) since: Option<String>,

    /// So many lines from the end of each server's log
    #[arg(short = 'n', long, value_name = "N")]
    pub(crate) lines: Option<i64>,

    /// Only lines that match this pattern
    #[arg(short = 'g', long, value_name = "PATTERN")]
    pub(crate) grep: Option<String>,

    /// More options for grep
    #[arg(long, value_name = "OPTIONS")]
    pub(crate) grep_options: Option<String>,

    /// Go on showing new lines, of the primary server or the one given with --hosts
    #[arg(short = 'f', long)]
    pub(crate) follow: bool,

    /// No time stamps
    #[arg(short = 'T', long)]
    pub(crate) skip_timestamps: bool,

    /// Of this container
    #[arg(long, value_name = "ID")]
    pub(crate) container_id: Option<String>,
}

/// `app remove_container`.
#[derive(Args, Clone, Debug, PartialEq, Eq)]
pub(crate) struct RemoveAppContainer {
    /// The version whose container goes.
    #[arg(value_name = "VERSION")]
    pub(crate) version: String,
}

/// `app maintenance`.
#[derive(Args, Clone, Debug, PartialEq)]
pub(crate) struct Maintenance {
    /// Seconds that requests in flight are given
    #[arg(long, value_name = "N", value_parser = seconds)]
    pub(crate) drain_timeout: Option<f64>,

    /// What visitors are told
    #[arg(long, value_name = "TEXT")]
    pub(crate) message: Option<String>,
}
