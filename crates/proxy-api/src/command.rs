//! The whole command line: which command, its arguments, or the help text that was asked for.

use std::ffi::OsString;
use std::path::PathBuf;

use crate::deploy_args::DeployArgs;
use crate::deploy_table;
use crate::flags::{FlagError, Kind, Parsed, Spec, flag, parse};
use crate::help;
use crate::places::ProxyEnv;
use crate::rollout_args::{self, RolloutDeployArgs, RolloutSetArgs};
use crate::run_args::{self, RunArgs};
use crate::service_args::{self, PauseArgs, StopArgs};
use crate::validate::InvalidOptions;

/// What the program was called for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Run the server.
    Run(RunArgs),
    /// Deploy a service.
    Deploy(Box<DeployArgs>),
    /// Delete a service.
    Remove(String),
    /// Hold new requests.
    Pause(PauseArgs),
    /// Answer with 503.
    Stop(StopArgs),
    /// Undo pause or stop.
    Resume(String),
    /// Show all services.
    List,
    /// Fill the rollout slot.
    RolloutDeploy(RolloutDeployArgs),
    /// Split the traffic.
    RolloutSet(RolloutSetArgs),
    /// Drop the split.
    RolloutStop(String),
    /// Put this program in the running server's place, in its own process. dhow only.
    Upgrade {
        /// Where this program is moved to first, so that the next start finds it there.
        install: Option<PathBuf>,
    },
    /// Print this text on standard output and succeed.
    Help(String),
}

/// Why a command line was refused; each text is the part after `Error: `.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UsageError {
    /// A flag was not understood.
    #[error(transparent)]
    Flag(#[from] FlagError),
    /// No such command.
    #[error("unknown command {0:?} for \"kamal-proxy\"\nRun 'kamal-proxy --help' for usage.")]
    UnknownCommand(String),
    /// `list` takes no arguments.
    #[error("unknown command {argument:?} for \"kamal-proxy {command}\"")]
    UnexpectedArgument {
        /// The command's name.
        command: &'static str,
        /// What followed it.
        argument: String,
    },
    /// The service name is missing, or more than one was given.
    #[error("accepts 1 arg(s), received {0}")]
    ArgumentCount(usize),
    /// A flag without which the command makes no sense.
    #[error("required flag(s) \"{0}\" not set")]
    MissingFlag(&'static str),
    /// Certificate and key belong together.
    #[error(
        "if any flags in the group [tls-certificate-path tls-private-key-path] are set they must all be set; missing [{0}]"
    )]
    CertificatePair(&'static str),
    /// One directory for certificates, not two.
    #[error(
        "if any flags in the group [tls-staging tls-acme-directory] are set none of the others can be; [tls-acme-directory tls-staging] were all set"
    )]
    TwoDirectories,
    /// At least one of these flags.
    #[error("at least one of the flags in the group [{0}] is required")]
    OneOf(&'static str),
    /// A body limit without the buffering flag.
    #[error("{limit} can only be set when {side} buffering is enabled")]
    LimitWithoutBuffering {
        /// The limit's flag.
        limit: &'static str,
        /// `request` or `response`.
        side: &'static str,
    },
    /// Options that contradict each other.
    #[error("service options invalid: {0}")]
    Options(#[from] InvalidOptions),
}

/// A command as help shows it.
pub(crate) struct Entry {
    pub(crate) name: &'static str,
    pub(crate) usage: &'static str,
    pub(crate) about: &'static str,
    pub(crate) flags: &'static [Spec],
}

pub(crate) const COMMANDS: &[Entry] = &[
    Entry {
        name: "deploy",
        usage: "deploy <service>",
        about: "Deploy a target host",
        flags: deploy_table::FLAGS,
    },
    Entry {
        name: "list",
        usage: "list",
        about: "List the services (also: ls)",
        flags: &[],
    },
    Entry {
        name: "pause",
        usage: "pause <service>",
        about: "Hold new requests of a service",
        flags: service_args::PAUSE_FLAGS,
    },
    Entry {
        name: "remove",
        usage: "remove <service>",
        about: "Remove a service (also: rm)",
        flags: &[],
    },
    Entry {
        name: "resume",
        usage: "resume <service>",
        about: "Resume a paused or stopped service",
        flags: &[],
    },
    Entry {
        name: "rollout",
        usage: "rollout",
        about: "Control the traffic split of a service",
        flags: &[],
    },
    Entry {
        name: "run",
        usage: "run",
        about: "Run the server",
        flags: run_args::FLAGS,
    },
    Entry {
        name: "stop",
        usage: "stop <service>",
        about: "Show a maintenance page instead of a service",
        flags: service_args::STOP_FLAGS,
    },
    Entry {
        name: "upgrade",
        usage: "upgrade",
        about: "Have the server replace itself by this program, without losing a request",
        flags: &[flag(
            "install",
            Kind::Text,
            "",
            "Move this program here first; undone if the server does not become it",
        )],
    },
];

pub(crate) const ROLLOUT_COMMANDS: &[Entry] = &[
    Entry {
        name: "deploy",
        usage: "rollout deploy <service>",
        about: "Set the rollout targets",
        flags: rollout_args::DEPLOY_FLAGS,
    },
    Entry {
        name: "set",
        usage: "rollout set <service>",
        about: "Set the traffic split",
        flags: rollout_args::SET_FLAGS,
    },
    Entry {
        name: "stop",
        usage: "rollout stop <service>",
        about: "Drop the traffic split",
        flags: &[],
    },
];

impl Command {
    /// Reads the arguments after the program's name.
    ///
    /// # Errors
    /// The message to show after `Error: `.
    pub fn parse(args: &[OsString], env: &ProxyEnv) -> Result<Self, UsageError> {
        let Some((first, rest)) = args.split_first() else {
            return Ok(Self::Help(help::program()));
        };
        let name = match first.to_string_lossy() {
            name if name.starts_with('-') => {
                return parse(&[], args)
                    .map(|_| Self::Help(help::program()))
                    .map_err(UsageError::from);
            }
            name if name == "ls" => "list".to_owned(),
            name if name == "rm" => "remove".to_owned(),
            name => name.into_owned(),
        };
        match name.as_str() {
            "help" => return Ok(Self::Help(help::topic(rest))),
            "rollout" => return Self::parse_rollout(rest),
            _ => {}
        }
        let Some(entry) = COMMANDS.iter().find(|entry| entry.name == name) else {
            return Err(UsageError::UnknownCommand(name));
        };
        let parsed = parse(entry.flags, rest)?;
        if parsed.help {
            return Ok(Self::Help(help::command(entry)));
        }
        Ok(match entry.name {
            "deploy" => Self::Deploy(Box::new(DeployArgs::from_parsed(&parsed)?)),
            "list" => match parsed.positionals.first() {
                None => Self::List,
                Some(argument) => {
                    return Err(UsageError::UnexpectedArgument {
                        command: "list",
                        argument: argument.clone(),
                    });
                }
            },
            "pause" => Self::Pause(PauseArgs::from_parsed(&parsed)?),
            "remove" => Self::Remove(one_service(&parsed)?),
            "resume" => Self::Resume(one_service(&parsed)?),
            "stop" => Self::Stop(StopArgs::from_parsed(&parsed)?),
            "upgrade" => Self::Upgrade {
                install: parsed.text("install").map(PathBuf::from),
            },
            _ => Self::Run(RunArgs::from_parsed(&parsed, env)?),
        })
    }

    fn parse_rollout(args: &[OsString]) -> Result<Self, UsageError> {
        let entry = args
            .first()
            .and_then(|name| ROLLOUT_COMMANDS.iter().find(|entry| name == entry.name));
        let (Some(entry), Some((_, rest))) = (entry, args.split_first()) else {
            // A flag is judged, anything else gets help and success, as in the original.
            if args
                .first()
                .is_some_and(|arg| arg.to_string_lossy().starts_with('-'))
            {
                parse(&[], args)?;
            }
            return Ok(Self::Help(help::rollout()));
        };
        let parsed = parse(entry.flags, rest)?;
        if parsed.help {
            return Ok(Self::Help(help::command(entry)));
        }
        Ok(match entry.name {
            "deploy" => Self::RolloutDeploy(RolloutDeployArgs::from_parsed(&parsed)?),
            "set" => Self::RolloutSet(RolloutSetArgs::from_parsed(&parsed)?),
            _ => Self::RolloutStop(one_service(&parsed)?),
        })
    }
}

/// The one positional argument most commands take.
pub(crate) fn one_service(parsed: &Parsed) -> Result<String, UsageError> {
    match parsed.positionals.as_slice() {
        [service] => Ok(service.clone()),
        other => Err(UsageError::ArgumentCount(other.len())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::duration::GoDuration;
    use crate::edge_args::{EdgeArgs, ProxyProtocol};

    fn read(args: &[&str]) -> Result<Command, UsageError> {
        Command::parse(
            &args.iter().map(OsString::from).collect::<Vec<_>>(),
            &ProxyEnv::default(),
        )
    }

    /// parity: proxy 3
    #[test]
    fn aliases() {
        assert_eq!(read(&["ls"]), Ok(Command::List));
        assert_eq!(read(&["rm", "web"]), Ok(Command::Remove("web".into())));
    }

    /// parity: proxy 1
    #[test]
    fn help_in_all_its_forms() {
        for args in [
            &[][..],
            &["-h"],
            &["--help"],
            &["help"],
            &["rollout"],
            &["rollout", "nothing"],
            &["deploy", "-h"],
            &["help", "deploy"],
            &["rollout", "set", "--help"],
        ] {
            assert!(
                matches!(read(args), Ok(Command::Help(text)) if text.contains("Usage:")),
                "{args:?}"
            );
        }
    }

    /// parity: proxy 4, 16
    #[test]
    fn messages() {
        for (args, message) in [
            (&["--version"][..], "unknown flag: --version"),
            (
                &["version"],
                "unknown command \"version\" for \"kamal-proxy\"\nRun 'kamal-proxy --help' for usage.",
            ),
            (
                &["list", "extra"],
                "unknown command \"extra\" for \"kamal-proxy list\"",
            ),
            (&["resume"], "accepts 1 arg(s), received 0"),
            (&["remove", "a", "b"], "accepts 1 arg(s), received 2"),
            (
                &["rollout", "set", "web"],
                "at least one of the flags in the group [percent list] is required",
            ),
            (
                &["rollout", "deploy", "web"],
                "required flag(s) \"target\" not set",
            ),
        ] {
            assert_eq!(read(args).unwrap_err().to_string(), message);
        }
    }

    /// parity: proxy 17
    #[test]
    fn run_takes_flags_before_environment() {
        let env = ProxyEnv {
            http_port: Some(8080),
            https_port: Some(8443),
            ..ProxyEnv::default()
        };
        let args = ["run", "ignored", "--http-port=81", "--http3"].map(OsString::from);
        assert_eq!(
            Command::parse(&args, &env),
            Ok(Command::Run(RunArgs {
                debug: false,
                http_port: 81,
                https_port: 8443,
                metrics_port: 0,
                http3: true,
                takeover: false,
                edge: EdgeArgs::default(),
            }))
        );
    }

    #[test]
    fn run_takes_what_it_asks_of_connections() {
        let run = |args: &[&str]| {
            let mut all = vec!["run"];
            all.extend(args);
            match read(&all) {
                Ok(Command::Run(args)) => Ok(args.edge),
                Ok(other) => panic!("{other:?}"),
                Err(error) => Err(error.to_string()),
            }
        };
        let edge = run(&[
            "--proxy-protocol=required",
            "--trusted-proxy=10.0.0.0/8,::1",
            "--header-timeout=5s",
            "--idle-timeout=75s",
            "--max-connections=100",
        ])
        .unwrap();
        assert_eq!(edge.proxy_protocol, ProxyProtocol::Required);
        assert_eq!(edge.trusted_proxies.len(), 2);
        assert_eq!(edge.header_timeout, GoDuration::from_secs(5));
        assert_eq!(edge.idle_timeout, GoDuration::from_secs(75));
        assert_eq!(edge.max_connections, 100);
        assert_eq!(run(&[]), Ok(EdgeArgs::default()));
        assert_eq!(
            run(&["--proxy-protocol=yes"]).unwrap_err(),
            r#"invalid argument "yes" for "--proxy-protocol" flag: neither off, optional nor required"#
        );
        assert_eq!(
            run(&["--trusted-proxy=10.0.0.0/40"]).unwrap_err(),
            r#"invalid argument "10.0.0.0/40" for "--trusted-proxy" flag: `10.0.0.0/40` is no network such as 10.0.0.0/8 or 2001:db8::/32"#
        );
    }

    /// parity: proxy 138
    #[test]
    fn stop_renders_as_kamal_does() {
        let args = ["web", "--drain-timeout=90s", "--message", "back soon"].map(OsString::from);
        let stop = StopArgs::parse(&args).unwrap();
        let flags: Vec<_> = stop
            .render()
            .into_iter()
            .map(|f| (f.flag, f.value.unwrap_or_default()))
            .collect();
        assert_eq!(
            flags,
            [
                ("--drain-timeout", "90s".to_owned()),
                ("--message", "back soon".to_owned())
            ]
        );
    }
}
