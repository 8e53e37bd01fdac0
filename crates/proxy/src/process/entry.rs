//! The program called `kamal-proxy`: reads its arguments, runs the server or talks to it, and reports as
//! scripts expect: nothing on success, one `Error: …` line on standard error and exit code 1 otherwise.

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use dhow_proxy_api::{
    Command, ControlReply, ControlRequest, Places, ProxyEnv, RolloutDeployRequest, render_list,
};

use crate::process::control::{ask, ask_within};
use crate::process::installed::Installed;
use crate::process::server;
use crate::process::upgrade_in_place::Invocation;
use crate::services::state_file::data_dir;

/// A server that does not become the program in this time is one that something is wrong with.
const INSTALL_TIME: Duration = Duration::from_secs(60);

/// Runs the program. `args` are those after the program's name.
pub fn main_with(args: &[OsString], env: &ProxyEnv) -> ExitCode {
    match run(args, env) {
        Ok(text) => {
            let written = io::stdout().write_all(text.as_bytes());
            if written.is_ok() {
                ExitCode::SUCCESS
            } else {
                ExitCode::FAILURE
            }
        }
        Err(Complaint { message, details }) => {
            let mut error = io::stderr();
            let _ = writeln!(error, "Error: {message}");
            for line in details {
                let _ = writeln!(error, "{line}");
            }
            ExitCode::FAILURE
        }
    }
}

/// What goes to standard error.
struct Complaint {
    message: String,
    details: Vec<String>,
}

impl<E: std::error::Error> From<E> for Complaint {
    fn from(error: E) -> Self {
        Self {
            message: error.to_string(),
            details: Vec::new(),
        }
    }
}

/// Gives the text for standard output.
fn run(raw: &[OsString], env: &ProxyEnv) -> Result<String, Complaint> {
    let request = match Command::parse(raw, env)? {
        Command::Help(text) => return Ok(text),
        Command::Run(args) => {
            server::run(&Invocation::new(raw), args, env)?;
            return Ok(String::new());
        }
        Command::Deploy(args) => {
            let places = Places {
                data_dir: data_dir(env),
            };
            let certificates = places.certificates();
            ControlRequest::Deploy(Box::new(args.to_request(&certificates.to_string_lossy())))
        }
        Command::Remove(service) => ControlRequest::Remove { service },
        Command::Pause(args) => ControlRequest::Pause {
            service: args.service,
            drain_timeout: args.drain_timeout,
            max_pause: args.max_pause,
        },
        Command::Stop(args) => ControlRequest::Stop {
            drain_timeout: args.effective_drain_timeout(),
            service: args.service,
            message: args.message.unwrap_or_default(),
        },
        Command::Resume(service) => ControlRequest::Resume { service },
        Command::List => ControlRequest::List,
        Command::Upgrade { install } => {
            return upgrade(env, install.as_deref());
        }
        Command::RolloutDeploy(args) => ControlRequest::RolloutDeploy(RolloutDeployRequest {
            service: args.service,
            targets: args.targets,
            read_targets: args.read_targets,
            deploy_timeout: args.deploy_timeout,
            drain_timeout: args.drain_timeout,
        }),
        Command::RolloutSet(args) => ControlRequest::RolloutSet {
            service: args.service,
            percentage: args.percentage,
            allowlist: args.allowlist,
        },
        Command::RolloutStop(service) => ControlRequest::RolloutStop { service },
    };
    read(ask(&env.socket(), request)?)
}

fn read(reply: ControlReply) -> Result<String, Complaint> {
    match reply {
        ControlReply::Done => Ok(String::new()),
        ControlReply::Services { rows } => Ok(render_list(&rows)),
        ControlReply::Failed { message, details } => Err(Complaint { message, details }),
    }
}

/// Has the server become this program, from where it is or from where it is to be.
fn upgrade(env: &ProxyEnv, install: Option<&Path>) -> Result<String, Complaint> {
    let program = std::env::current_exe()?;
    let Some(place) = install else {
        return read(ask(&env.socket(), ControlRequest::Upgrade { program })?);
    };
    let installed = Installed::new(&program, place)?;
    let request = ControlRequest::Upgrade {
        program: installed.place().to_owned(),
    };
    let reply = ask_within(&env.socket(), request, INSTALL_TIME);
    match reply.map_err(Complaint::from).and_then(read) {
        Ok(said) => {
            installed.keep();
            Ok(said)
        }
        Err(complaint) => {
            installed.undo()?;
            Err(complaint)
        }
    }
}
