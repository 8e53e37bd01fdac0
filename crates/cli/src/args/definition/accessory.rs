//! `accessory …`

use clap::{Args, Subcommand};

/// What to do with accessories.
#[derive(Subcommand, Clone, Debug, PartialEq)]
#[command(
    rename_all = "snake_case",
    disable_help_flag = true,
    disable_help_subcommand = true
)]
pub(crate) enum Accessory {
    /// Boot a new accessory (`all` for every one)
    Boot(AccessoryName),
    /// Upload the files of an accessory
    #[command(hide = true)]
    Upload(AccessoryName),
    /// Create the directories of an accessory
    #[command(hide = true)]
    Directories(AccessoryName),
    /// Pull the image, then stop, remove and boot an accessory anew (`all` for every one)
    Reboot(AccessoryName),
    /// Start the container of an accessory
    Start(AccessoryName),
    /// Stop the container of an accessory
    Stop(AccessoryName),
    /// Stop and start the container of an accessory
    Restart(AccessoryName),
    /// Show the container of an accessory (`all` for every one)
    Details(AccessoryName),
    /// Run a command in an accessory: everything after the name is the command
    Exec(AccessoryExec),
    /// Show the log of an accessory
    Logs(AccessoryLogs),
    /// Pull the image of an accessory
    #[command(hide = true)]
    PullImage(AccessoryName),
    /// Remove container, image and data of an accessory (`all` for every one)
    Remove(RemoveAccessory),
    /// Remove the container of an accessory
    #[command(hide = true)]
    RemoveContainer(AccessoryName),
    /// Remove the image of an accessory
    #[command(hide = true)]
    RemoveImage(AccessoryName),
    /// Remove the files and directories of an accessory
    #[command(hide = true)]
    RemoveServiceDirectory(AccessoryName),
    /// Boot an accessory anew in the network of Kamal 2.x
    Upgrade(AccessoryUpgrade),
}

/// A command about one accessory.
#[derive(Args, Clone, Debug, PartialEq, Eq)]
pub(crate) struct AccessoryName {
    /// Its name in the deploy file.
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
}

/// `accessory exec`.
#[derive(Args, Clone, Debug, PartialEq, Eq)]
pub(crate) struct AccessoryExec {
    /// Run it in a terminal
    #[arg(short = 'i', long)]
    pub(crate) interactive: bool,

    /// Run it in the container that runs already
    #[arg(long)]
    pub(crate) reuse: bool,

    /// Print its output as it is, and nothing else
    #[arg(long)]
    pub(crate) raw: bool,

    /// The accessory's name in the deploy file.
    #[arg(value_name = "NAME")]
    pub(crate) name: String,

    /// The command, word by word.
    #[arg(value_name = "CMD", trailing_var_arg = true)]
    pub(crate) command: Vec<String>,
}

/// `accessory logs`.
#[derive(Args, Clone, Debug, PartialEq, Eq)]
pub(crate) struct AccessoryLogs {
    /// Lines since then: a time stamp, or a span such as 42m
    #[arg(short = 's', long, value_name = "TIME")]
    pub(crate) since: Option<String>,

    /// So many lines from the end
    #[arg(short = 'n', long, value_name = "N")]
    pub(crate) lines: Option<i64>,

    /// Only lines that match this pattern
    #[arg(short = 'g', long, value_name = "PATTERN")]
    pub(crate) grep: Option<String>,

    /// More options for grep
    #[arg(long, value_name = "OPTIONS")]
    pub(crate) grep_options: Option<String>,

    /// Go on showing new lines
    #[arg(short = 'f', long)]
    pub(crate) follow: bool,

    /// No time stamps
    #[arg(short = 'T', long)]
    pub(crate) skip_timestamps: bool,

    /// The accessory's name in the deploy file.
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
}

/// `accessory remove`.
#[derive(Args, Clone, Debug, PartialEq, Eq)]
pub(crate) struct RemoveAccessory {
    /// Go on without asking
    #[arg(short = 'y', long)]
    pub(crate) confirmed: bool,

    /// The accessory's name in the deploy file.
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
}

/// `accessory upgrade`.
#[derive(Args, Clone, Debug, PartialEq, Eq)]
pub(crate) struct AccessoryUpgrade {
    /// One server after the other
    #[arg(long)]
    pub(crate) rolling: bool,

    /// Go on without asking
    #[arg(short = 'y', long)]
    pub(crate) confirmed: bool,

    /// The accessory's name in the deploy file.
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
}
