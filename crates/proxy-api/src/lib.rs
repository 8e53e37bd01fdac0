//! What the deployer and the proxy must agree on: the `kamal-proxy` command line, the messages on the
//! control socket, and the state file. The deployer renders arguments from the same types that the proxy
//! parses, so the two cannot drift apart.
//!
//! Pure: no environment, clock, files or sockets. Values come in, values go out.

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

mod acme_env;
mod cidr;
mod command;
mod control;
mod csv;
mod deploy_args;
mod deploy_flags;
mod deploy_table;
mod duration;
mod edge_args;
mod flags;
mod handover;
mod help;
mod list_table;
mod literal;
mod options;
mod own_args;
mod places;
mod rollout_args;
mod run_args;
mod service_args;
mod state;
mod target_address;
mod validate;

pub use acme_env::AcmeEnv;
pub use cidr::{Cidr, CidrError, is_within};
pub use command::{Command, UsageError};
pub use control::{
    CONTROL_VERSION, ControlReply, ControlRequest, DeployRequest, RolloutDeployRequest,
    SocketMessage,
};
pub use deploy_args::DeployArgs;
pub use deploy_flags::FlagValue;
pub use duration::{DurationError, GoDuration};
pub use edge_args::{EdgeArgs, ProxyProtocol};
pub use flags::FlagError;
pub use handover::HandoverLine;
pub use list_table::{ListRow, render_list};
pub use options::{
    DhowOptions, HealthCheckOptions, STAGING_DIRECTORY, ServiceOptions, TargetOptions,
};
pub use own_args::OwnArgs;
pub use places::{Places, ProxyEnv};
pub use rollout_args::{RolloutDeployArgs, RolloutSetArgs};
pub use run_args::RunArgs;
pub use service_args::{PauseArgs, StopArgs};
pub use state::{
    PauseState, RolloutState, ServiceState, StateEntry, StateError, read_state, write_state,
};
pub use target_address::{InvalidTarget, TargetAddress};
pub use validate::InvalidOptions;
