//! `proxy …`

use std::convert::Infallible;
use std::str::FromStr;

use clap::{ArgAction, Args, Subcommand};

/// What to do with the proxy.
#[derive(Subcommand, Clone, Debug, PartialEq)]
#[command(
    rename_all = "snake_case",
    disable_help_flag = true,
    disable_help_subcommand = true
)]
pub(crate) enum Proxy {
    /// Make sure that the proxy runs
    Boot,
    /// Set, show or reset how the proxy is booted (deprecated: use proxy/run in the deploy file)
    BootConfig(BootConfig),
    /// Put a new proxy in the old one's place
    Reboot(ReplaceProxy),
    /// Put the proxy in Traefik's place
    #[command(hide = true)]
    Upgrade(ReplaceProxy),
    /// Start the proxy's container
    Start,
    /// Stop the proxy's container
    Stop,
    /// Stop and start the proxy's container
    Restart,
    /// Show the proxy's container
    Details,
    /// Show the proxy's log
    Logs(ProxyLogs),
    /// Remove the proxy's container, image and directory
    Remove(ProxyRemove),
    /// Remove the proxy's container
    #[command(hide = true)]
    RemoveContainer,
    /// Remove the proxy's image
    #[command(hide = true)]
    RemoveImage,
    /// Remove the proxy's directory
    #[command(hide = true)]
    RemoveProxyDirectory,
}

/// `proxy boot_config`.
#[derive(Args, Clone, Debug, PartialEq, Eq)]
pub(crate) struct BootConfig {
    /// Publish the proxy's ports on the host
    #[arg(long, action = ArgAction::Set, default_value = "true")]
    pub(crate) publish: bool,

    /// Publish on this address only (may be given several times)
    #[arg(long, value_name = "IP")]
    pub(crate) publish_host_ip: Vec<String>,

    /// The host's port for HTTP
    #[arg(long, value_name = "N", default_value = "80")]
    pub(crate) http_port: u16,

    /// The host's port for HTTPS
    #[arg(long, value_name = "N", default_value = "443")]
    pub(crate) https_port: u16,

    /// When the container's log is rotated
    #[arg(long, value_name = "SIZE", default_value = "10m")]
    pub(crate) log_max_size: String,

    /// The registry of the proxy's image
    #[arg(long, value_name = "HOST")]
    pub(crate) registry: Option<String>,

    /// The repository of the proxy's image
    #[arg(long, value_name = "NAME")]
    pub(crate) repository: Option<String>,

    /// The tag of the proxy's image
    #[arg(long, value_name = "TAG")]
    pub(crate) image_version: Option<String>,

    /// The port of the proxy's metrics
    #[arg(long, value_name = "N")]
    pub(crate) metrics_port: Option<u16>,

    /// Let the proxy log debug lines
    #[arg(long)]
    pub(crate) debug: bool,

    /// More options for docker run
    #[arg(long, value_name = "KEY=VALUE", num_args = 1..)]
    pub(crate) docker_options: Vec<String>,

    /// What to do.
    #[arg(value_name = "set|get|reset")]
    pub(crate) action: BootConfigAction,
}

/// What `proxy boot_config` does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum BootConfigAction {
    /// Writes the files.
    Set,
    /// Shows what is in force.
    Get,
    /// Removes the files.
    Reset,
    /// Nothing known: Kamal complains only after it has loaded the deploy file.
    Unknown(String),
}

impl FromStr for BootConfigAction {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(match text {
            "set" => Self::Set,
            "get" => Self::Get,
            "reset" => Self::Reset,
            other => Self::Unknown(other.to_owned()),
        })
    }
}

/// `proxy reboot`, `proxy upgrade`.
#[derive(Args, Clone, Debug, PartialEq, Eq)]
pub(crate) struct ReplaceProxy {
    /// One server after the other
    #[arg(long)]
    pub(crate) rolling: bool,

    /// Go on without asking
    #[arg(short = 'y', long)]
    pub(crate) confirmed: bool,
}

/// `proxy logs`.
#[derive(Args, Clone, Debug, PartialEq, Eq)]
pub(crate) struct ProxyLogs {
    /// Lines since then: a time stamp, or a span such as 42m
    #[arg(short = 's', long, value_name = "TIME")]
    pub(crate) since: Option<String>,

    /// So many lines from the end of each server's log
    #[arg(short = 'n', long, value_name = "N")]
    pub(crate) lines: Option<i64>,

    /// Only lines that match this pattern
    #[arg(short = 'g', long, value_name = "PATTERN")]
    pub(crate) grep: Option<String>,

    /// Go on showing new lines, of the primary server or the one given with --hosts
    #[arg(short = 'f', long)]
    pub(crate) follow: bool,

    /// No time stamps
    #[arg(short = 'T', long)]
    pub(crate) skip_timestamps: bool,
}

/// `proxy remove`.
#[derive(Args, Clone, Debug, PartialEq, Eq)]
pub(crate) struct ProxyRemove {
    /// Even if other apps are installed
    #[arg(long)]
    pub(crate) force: bool,
}
