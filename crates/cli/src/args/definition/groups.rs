//! The small groups: `build`, `lock`, `prune`, `registry`, `secrets`, `server`.

use clap::{Args, Subcommand};

/// What to do about the image.
#[derive(Subcommand, Clone, Debug, PartialEq, Eq)]
#[command(
    rename_all = "snake_case",
    disable_help_flag = true,
    disable_help_subcommand = true
)]
pub(crate) enum Build {
    /// Build and push the image, then pull it on the servers
    Deliver,
    /// Build the image and push it to the registry
    Push(BuildPush),
    /// Pull the image on the servers
    Pull,
    /// Set up the builder
    Create,
    /// Remove the builder
    Remove,
    /// Show the builder
    Details,
    /// Build the working directory, changes included, for use on this machine
    Dev(BuildDev),
}

/// `build push`.
#[derive(Args, Clone, Debug, PartialEq, Eq)]
pub(crate) struct BuildPush {
    /// Where the build goes, as in docker build --output
    #[arg(long, value_name = "TYPE", default_value = "registry")]
    pub(crate) output: String,

    /// Build without the build cache
    #[arg(long)]
    pub(crate) no_cache: bool,
}

/// `build dev`.
#[derive(Args, Clone, Debug, PartialEq, Eq)]
pub(crate) struct BuildDev {
    /// Where the build goes, as in docker build --output
    #[arg(long, value_name = "TYPE", default_value = "docker")]
    pub(crate) output: String,

    /// Build without the build cache
    #[arg(long)]
    pub(crate) no_cache: bool,
}

/// What to do with the deploy lock.
#[derive(Subcommand, Clone, Debug, PartialEq, Eq)]
#[command(
    rename_all = "snake_case",
    disable_help_flag = true,
    disable_help_subcommand = true
)]
pub(crate) enum Lock {
    /// Show who holds the lock
    Status,
    /// Take the lock
    Acquire(LockAcquire),
    /// Give the lock back
    Release,
}

/// `lock acquire`.
#[derive(Args, Clone, Debug, PartialEq, Eq)]
pub(crate) struct LockAcquire {
    /// Why
    #[arg(short = 'm', long, value_name = "TEXT", required = true)]
    pub(crate) message: String,
}

/// What to remove.
#[derive(Subcommand, Clone, Debug, PartialEq, Eq)]
#[command(
    rename_all = "snake_case",
    disable_help_flag = true,
    disable_help_subcommand = true
)]
pub(crate) enum Prune {
    /// Remove old containers and unused images
    All,
    /// Remove unused images
    Images,
    /// Remove all but the newest stopped containers
    Containers(PruneContainers),
}

/// `prune containers`.
#[derive(Args, Clone, Debug, PartialEq, Eq)]
pub(crate) struct PruneContainers {
    /// How many to keep (by default retain_containers of the deploy file)
    #[arg(long, value_name = "N")]
    pub(crate) retain: Option<i64>,
}

/// What to do with the registry.
#[derive(Subcommand, Clone, Debug, PartialEq, Eq)]
#[command(
    rename_all = "snake_case",
    disable_help_flag = true,
    disable_help_subcommand = true
)]
pub(crate) enum Registry {
    /// Start the local registry, or log in to a remote one, here and on the servers
    Setup(RegistryWhere),
    /// Log in, here and on the servers
    Login(RegistryWhere),
    /// Log out, here and on the servers
    Logout(RegistryWhere),
    /// Remove the local registry, or log out of a remote one, here and on the servers
    Remove(RegistryWhere),
}

/// Options of the `registry` commands.
#[derive(Args, Clone, Debug, PartialEq, Eq)]
pub(crate) struct RegistryWhere {
    /// Not on this machine
    #[arg(short = 'L', long)]
    pub(crate) skip_local: bool,

    /// Not on the servers
    #[arg(short = 'R', long)]
    pub(crate) skip_remote: bool,
}

/// What to do with secrets.
#[derive(Subcommand, Clone, Debug, PartialEq, Eq)]
#[command(
    rename_all = "snake_case",
    disable_help_flag = true,
    disable_help_subcommand = true
)]
pub(crate) enum Secrets {
    /// Fetch secrets from a password manager and print them as JSON
    Fetch(FetchSecrets),
    /// Print one secret of what fetch printed
    Extract(ExtractSecret),
    /// Print the secrets of the secrets files, values included
    Print,
}

/// `secrets fetch`.
#[derive(Args, Clone, Debug, PartialEq, Eq)]
pub(crate) struct FetchSecrets {
    /// Where from: 1password, aws_secrets_manager, bitwarden, …
    #[arg(short = 'a', long, value_name = "NAME", required = true)]
    pub(crate) adapter: String,

    /// The account there
    #[arg(long, value_name = "NAME")]
    pub(crate) account: Option<String>,

    /// The vault or folder there
    #[arg(long, value_name = "NAME")]
    pub(crate) from: Option<String>,

    /// Print it quoted for a shell
    #[arg(long, hide = true)]
    pub(crate) inline: bool,

    /// The secrets' names.
    #[arg(value_name = "SECRETS")]
    pub(crate) names: Vec<String>,
}

/// `secrets extract`.
#[derive(Args, Clone, Debug, PartialEq, Eq)]
pub(crate) struct ExtractSecret {
    /// Print it quoted for a shell
    #[arg(long, hide = true)]
    pub(crate) inline: bool,

    /// The secret's name, or the end of it after a slash.
    #[arg(value_name = "NAME")]
    pub(crate) name: String,

    /// What `secrets fetch` printed.
    #[arg(value_name = "JSON")]
    pub(crate) json: String,
}

/// What to do with servers.
#[derive(Subcommand, Clone, Debug, PartialEq, Eq)]
#[command(
    rename_all = "snake_case",
    disable_help_flag = true,
    disable_help_subcommand = true
)]
pub(crate) enum Server {
    /// Run a command on the servers: everything after the options is the command
    Exec(ServerExec),
    /// Install Docker where it is missing
    Bootstrap,
}

/// `server exec`.
#[derive(Args, Clone, Debug, PartialEq, Eq)]
pub(crate) struct ServerExec {
    /// Run it in a terminal
    #[arg(short = 'i', long)]
    pub(crate) interactive: bool,

    /// Print its output as it is, and nothing else
    #[arg(long)]
    pub(crate) raw: bool,

    /// The command, word by word.
    #[arg(value_name = "CMD", trailing_var_arg = true)]
    pub(crate) command: Vec<String>,
}
