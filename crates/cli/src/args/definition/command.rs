//! The commands without a group, and the list of groups.

use clap::{Args, Parser, Subcommand};

use super::{Accessory, App, Build, Global, Lock, OWN, Proxy, Prune, Registry, Secrets, Server};

/// Everything a command line can say.
#[derive(Parser, Clone, Debug, PartialEq)]
#[command(
    name = "dhow",
    disable_help_flag = true,
    disable_help_subcommand = true
)]
pub(crate) struct Cli {
    /// What holds for any command.
    #[command(flatten)]
    pub(crate) global: Global,
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What to do.
#[derive(Subcommand, Clone, Debug, PartialEq)]
#[command(
    rename_all = "snake_case",
    disable_help_flag = true,
    disable_help_subcommand = true
)]
pub(crate) enum Command {
    /// Install Docker where it is missing, boot the accessories, and deploy
    Setup(DeployOptions),
    /// Build the app and put it on the servers
    Deploy(DeployOptions),
    /// Deploy without looking after the proxy or pruning
    Redeploy(DeployOptions),
    /// Go back to a version that still stands on the servers (by default the one that ran before)
    Rollback(Rollback),
    /// Show the containers of proxy, app and accessories
    Details,
    /// Show the last lines of each server's audit log
    Audit,
    /// Show the merged configuration, secrets redacted
    Config,
    /// Show the reference of the deploy file, or of one section of it
    Docs(Docs),
    /// Write a sample deploy file, secrets file and hooks
    Init(Init),
    /// Remove app, proxy, accessories and registry sessions from the servers
    Remove(Confirmed),
    /// Move servers from Kamal 1.x (Traefik) to the proxy of 2.x
    Upgrade(Upgrade),
    /// Show the version
    Version,
    /// Print the JSON schema of the deploy file, for editors
    #[command(next_help_heading = OWN)]
    Schema,
    /// Manage accessories (databases, caches, search)
    #[command(subcommand)]
    Accessory(Accessory),
    /// Manage the app
    #[command(subcommand)]
    App(App),
    /// Build the app's image
    #[command(subcommand)]
    Build(Build),
    /// Manage the deploy lock
    #[command(subcommand)]
    Lock(Lock),
    /// Manage the proxy
    #[command(subcommand)]
    Proxy(Proxy),
    /// Remove old containers and images
    #[command(subcommand)]
    Prune(Prune),
    /// Log in to and out of the registry
    #[command(subcommand)]
    Registry(Registry),
    /// Read secrets
    #[command(subcommand)]
    Secrets(Secrets),
    /// Prepare servers and run commands on them
    #[command(subcommand)]
    Server(Server),
}

/// Options of `setup`, `deploy` and `redeploy`.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct DeployOptions {
    /// Don't build and push; use the image that is in the registry
    #[arg(short = 'P', long)]
    pub(crate) skip_push: bool,

    /// Build without the build cache
    #[arg(long)]
    pub(crate) no_cache: bool,
}

/// `rollback`.
#[derive(Args, Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rollback {
    /// The version; none means the one that ran before the running one.
    #[arg(value_name = "VERSION")]
    pub(crate) version: Option<String>,
}

/// `docs`.
#[derive(Args, Clone, Debug, PartialEq, Eq)]
pub(crate) struct Docs {
    /// The section; none means the whole file.
    #[arg(value_name = "SECTION")]
    pub(crate) section: Option<String>,
}

/// `init`.
#[derive(Args, Clone, Debug, PartialEq, Eq)]
pub(crate) struct Init {
    /// Also add a binstub to a Ruby project
    #[arg(long)]
    pub(crate) bundle: bool,
}

/// A command that asks first.
#[derive(Args, Clone, Debug, PartialEq, Eq)]
pub(crate) struct Confirmed {
    /// Go on without asking
    #[arg(short = 'y', long)]
    pub(crate) confirmed: bool,
}

/// `upgrade`.
#[derive(Args, Clone, Debug, PartialEq, Eq)]
pub(crate) struct Upgrade {
    /// Go on without asking
    #[arg(short = 'y', long)]
    pub(crate) confirmed: bool,

    /// One server after the other
    #[arg(long)]
    pub(crate) rolling: bool,
}

/// The options of a declared command, in their order; those without a value too, which clap does not count among them.
pub(crate) fn switches(command: &clap::Command) -> impl Iterator<Item = &clap::Arg> {
    command.get_arguments().filter(|arg| !arg.is_positional())
}
