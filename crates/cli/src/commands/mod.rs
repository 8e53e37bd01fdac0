//! One file a verb, and the way from the command line to it.

mod accessory;
mod app;
mod deploy;
mod local;
mod locks;
mod looks;
mod proxy;
mod registry;
mod remove;
mod secrets;
mod server;
mod upgrade;

pub(crate) use local::complain;

use std::process::ExitCode;

use dhow_config::{Config, Loaded};
use dhow_run::{EventKind, Failed, Sink};
use dhow_text::redact::{Redactor, Secret};

use crate::args::{
    self, Accessory, AliasQuery, App, ArgsError, Build, Command, Invocation, Parsed, Proxy,
    Registry, Server,
};
use crate::edge::Edge;
use crate::git::Git;
use crate::job::{self, Job, Needs, Parts};
use crate::loggers::{Loggers, Subject};
use crate::secrets::Wanted;
use crate::{files, output, secrets as secrets_files};

/// Reads the command line and does what it says.
pub(crate) fn dispatch(edge: &Edge) -> ExitCode {
    let width = edge.terminal().map_or(80, |terminal| terminal.width);
    let alias = |query: &AliasQuery| {
        let file = query.config_file.as_deref().unwrap_or("config/deploy.yml");
        files::raw(edge, file, query.destination.as_deref()).map(|raw| raw.alias(&query.name))
    };
    let invocation = match args::parse(&edge.args, width, alias) {
        Ok(Parsed::Run(invocation)) => invocation,
        Ok(Parsed::Show(page)) => {
            local::print(&page);
            return ExitCode::SUCCESS;
        }
        Err(ArgsError::Usage(text)) => {
            complain(&text);
            return ExitCode::FAILURE;
        }
        Err(ArgsError::Alias(failure)) => return local::show_diagnostics(edge, &failure),
    };
    run(edge, &invocation)
}

fn run(edge: &Edge, invocation: &Invocation) -> ExitCode {
    if let Some(code) = local::without_deploy_file(edge, invocation) {
        return code;
    }
    let (loaded, changes) = match files::load(edge, &invocation.global) {
        Ok(loaded) => loaded,
        Err(failure) => return local::show_diagnostics(edge, &failure),
    };
    let edge = &edge.with_changes(changes);
    local::show_warnings(edge, &invocation.global, &loaded);
    if let Some(code) = local::with_deploy_file(edge, invocation, &loaded) {
        return code;
    }
    // One thread: a deployer waits, it does not compute.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    match runtime {
        Ok(runtime) => {
            let code = runtime.block_on(on_hosts(edge, invocation, &loaded));
            // A read from the terminal ends with the next key only; nobody is to press one for us to end.
            runtime.shutdown_background();
            code
        }
        Err(error) => {
            complain(&format!("dhow: {error}"));
            ExitCode::FAILURE
        }
    }
}

/// A command that connects to hosts.
async fn on_hosts(edge: &Edge, invocation: &Invocation, loaded: &Loaded) -> ExitCode {
    let global = &invocation.global;
    let prepared = prepare(edge, invocation, loaded);
    let (secrets, all_secrets, key_data) = match &prepared {
        Ok((_, secrets, all, keys)) => (secrets.clone(), all.clone(), keys.clone()),
        Err(_) => Default::default(),
    };
    let mut hidden = job::sensitive(loaded, &secrets, &all_secrets);
    hidden.extend(key_data.iter().cloned());
    let redactor = if global.dry_run {
        Redactor::default()
    } else {
        Redactor::new(hidden)
    };
    let raw = is_raw(&invocation.command);
    let git = Git::new(edge);
    let loggers = if modifies(&invocation.command) && !global.dry_run {
        let subject = Subject {
            config: &loaded.config,
            command: &invocation.path.join(" "),
            version: global.version.as_deref().or_else(|| edge.env("VERSION")),
            redactor: &redactor,
        };
        Loggers::start(edge, &git, &subject)
    } else {
        Loggers::default()
    };
    let (output, sink) = output::start(edge, global, raw, redactor, loggers);

    let result = match prepared {
        Ok((targets, secrets, all_secrets, key_data)) => {
            let parts = Parts {
                edge,
                global,
                git,
                targets,
                secrets,
                all_secrets,
                key_data,
                sink: sink.clone(),
                screen: output.screen(),
                command: invocation.path.clone(),
            };
            let job = Job::new(parts);
            started(&job, invocation);
            work(job, &invocation.command).await
        }
        Err(failed) => {
            started_in_vain(&sink, invocation, &loaded.config);
            Ended::from(Err(failed), &sink)
        }
    };
    sink.emit(EventKind::CommandFinished {
        ok: result.ok,
        seconds: sink.started().elapsed().as_secs_f64(),
        exit: result.exit,
    });
    output.finish().await;
    ExitCode::from(u8::try_from(result.exit).unwrap_or(1))
}

/// How a command ended.
struct Ended {
    exit: i32,
    /// Whether all went well; a command on a host that was connected to this terminal may end as it likes.
    ok: bool,
}

impl Ended {
    fn from(result: Result<i32, Failed>, sink: &Sink) -> Self {
        match result {
            Ok(exit) => Self { exit, ok: true },
            Err(failed) => {
                for (host, failure) in failed.hosts {
                    if host.is_none() {
                        sink.emit(EventKind::Failed { failure });
                    }
                }
                Self { exit: 1, ok: false }
            }
        }
    }
}

/// Runs the command until it ends or is interrupted. Interrupted, it lets go of everything at once: connections end, and with them
/// the lock and whatever waits on the hosts.
async fn work(job: Job<'_>, command: &Command) -> Ended {
    let mut interrupt = signal(tokio::signal::unix::SignalKind::interrupt());
    let mut terminate = signal(tokio::signal::unix::SignalKind::terminate());
    let interrupted = async {
        tokio::select! {
            () = received(&mut interrupt) => 130,
            () = received(&mut terminate) => 143,
        }
    };
    let ended = tokio::select! {
        result = verb(&job, command) => Ended::from(result, &job.sink),
        exit = interrupted => {
            let failure = dhow_run::Failure::new("Interrupt", "interrupted")
                .hinted("the old version goes on serving where the new one was not yet healthy; running the same command again finishes the job");
            job.sink.emit(EventKind::Failed { failure });
            Ended { exit, ok: false }
        }
    };
    // What is said last (the lock's release, closed channels) needs a moment on the wire; a dead network must not hold us up.
    let _ = tokio::time::timeout(std::time::Duration::from_secs(3), job.fleet.close()).await;
    ended
}

fn signal(kind: tokio::signal::unix::SignalKind) -> Option<tokio::signal::unix::Signal> {
    tokio::signal::unix::signal(kind).ok()
}

async fn received(signal: &mut Option<tokio::signal::unix::Signal>) {
    match signal {
        Some(signal) => {
            signal.recv().await;
        }
        None => std::future::pending().await,
    }
}

async fn verb(job: &Job<'_>, command: &Command) -> Result<i32, Failed> {
    let done = match command {
        Command::Setup(options) => deploy::setup(job, options).await,
        Command::Deploy(options) => deploy::deploy(job, options, false).await,
        Command::Redeploy(options) => deploy::deploy(job, options, true).await,
        Command::Rollback(options) => deploy::rollback(job, options.version.as_deref()).await,
        Command::Details => looks::details(job).await,
        Command::Audit => looks::audit(job).await,
        Command::Remove(options) => remove::remove(job, options.confirmed).await,
        Command::Accessory(command) => return accessory::accessory(job, command).await,
        Command::App(app) => return app::app(job, app).await,
        Command::Proxy(command) => return proxy::proxy(job, command).await,
        Command::Lock(command) => return locks::lock(job, command).await,
        Command::Prune(command) => looks::prune(job, command).await,
        Command::Registry(command) => return registry::registry(job, command).await,
        Command::Server(command) => return server::server(job, command).await,
        Command::Build(command) => deploy::build(job, command).await,
        Command::Upgrade(options) => upgrade::upgrade(job, options).await,
        Command::Config
        | Command::Docs(_)
        | Command::Init(_)
        | Command::Version
        | Command::Schema
        | Command::Secrets(_) => Ok(()),
    };
    done.map(|()| 0)
}

/// Whether a command's bytes go to standard output as they are.
fn is_raw(command: &Command) -> bool {
    match command {
        Command::App(App::Exec(exec)) => exec.raw,
        Command::Accessory(Accessory::Exec(exec)) => exec.raw,
        Command::Server(Server::Exec(exec)) => exec.raw,
        _ => false,
    }
}

/// Whether a command changes something on hosts, so that the deploy file's `output` tells of it.
fn modifies(command: &Command) -> bool {
    match command {
        Command::Setup(_)
        | Command::Deploy(_)
        | Command::Redeploy(_)
        | Command::Rollback(_)
        | Command::Remove(_)
        | Command::Upgrade(_)
        | Command::Prune(_) => true,
        Command::Accessory(command) => !matches!(
            command,
            Accessory::Details(_) | Accessory::Exec(_) | Accessory::Logs(_)
        ),
        Command::App(App::StaleContainers(options)) => options.stop,
        Command::App(command) => !matches!(
            command,
            App::Details
                | App::Exec(_)
                | App::Containers
                | App::Images
                | App::Logs(_)
                | App::Version
        ),
        Command::Proxy(command) => !matches!(
            command,
            Proxy::BootConfig(_) | Proxy::Details | Proxy::Logs(_)
        ),
        _ => false,
    }
}

type Prepared<'c> = (
    dhow_plan::Targets<'c>,
    job::SecretMap,
    Vec<(String, Secret)>,
    Vec<Secret>,
);

/// Targets and secrets: everything that can go wrong before a host is touched.
fn prepare<'c>(
    edge: &Edge,
    invocation: &Invocation,
    loaded: &'c Loaded,
) -> Result<Prepared<'c>, Failed> {
    let config = &loaded.config;
    let targets = job::targets(config, &invocation.global)?;
    let command = &invocation.command;
    let names = job::secret_names(&targets, needs(command, config), accessory_name(command));
    if invocation.global.dry_run {
        let secrets = job::unread(&names);
        return Ok((targets, secrets, Vec::new(), Vec::new()));
    }
    let hook_directory = edge.path(&config.hooks_path);
    let mut hooks = hooks_with_secrets(command).iter();
    let wanted = Wanted {
        names: &names,
        keys: config.ssh.key_data.as_deref().unwrap_or_default(),
        all: !invocation.global.skip_hooks && hooks.any(|hook| hook_directory.join(hook).exists()),
    };
    let destination = config.destination.as_deref();
    let found = secrets_files::look_up(edge, &config.secrets_path, destination, wanted)?;
    if !invocation.global.quiet {
        found.warnings.iter().for_each(|text| complain(text));
    }
    Ok((targets, found.secrets, found.all, found.keys))
}

/// The accessory that a command is about: its name, or `all`.
fn accessory_name(command: &Command) -> Option<&str> {
    match command {
        Command::Accessory(
            Accessory::Boot(args)
            | Accessory::Reboot(args)
            | Accessory::Upload(args)
            | Accessory::PullImage(args),
        ) => Some(&args.name),
        Command::Accessory(Accessory::Exec(args)) => Some(&args.name),
        Command::Accessory(Accessory::Upgrade(args)) => Some(&args.name),
        _ => None,
    }
}

/// The hooks a command may run that get all secrets. Following logs runs none.
fn hooks_with_secrets(command: &Command) -> &'static [&'static str] {
    match command {
        Command::App(App::Logs(options)) if options.follow => &[],
        Command::Accessory(Accessory::Logs(options)) if options.follow => &[],
        Command::Proxy(Proxy::Logs(options)) if options.follow => &[],
        Command::Setup(_) | Command::Deploy(_) | Command::Redeploy(_) | Command::Rollback(_) => {
            &["pre-connect", "pre-deploy", "post-deploy"]
        }
        _ => &["pre-connect"],
    }
}

/// What each command needs of the secrets files.
fn needs(command: &Command, config: &Config) -> Needs {
    match command {
        Command::Setup(_) => Needs {
            accessories: true,
            ..Needs::DEPLOY
        },
        Command::Upgrade(_) => Needs {
            accessories: true,
            registry: true,
            ..Needs::BOOT
        },
        Command::Accessory(Accessory::Exec(exec)) if exec.reuse => Needs::NOTHING,
        Command::Accessory(Accessory::Upload(_)) => Needs {
            accessories: true,
            ..Needs::NOTHING
        },
        Command::Accessory(
            Accessory::Boot(_)
            | Accessory::Reboot(_)
            | Accessory::Exec(_)
            | Accessory::PullImage(_)
            | Accessory::Upgrade(_),
        ) => Needs {
            accessories: true,
            ..Needs::REGISTRY
        },
        Command::Proxy(Proxy::Upgrade(_)) => Needs {
            registry: true,
            ..Needs::BOOT
        },
        Command::Proxy(Proxy::Boot | Proxy::Reboot(_))
            if dhow_plan::verbs::proxy::needs_registry(config) =>
        {
            Needs::REGISTRY
        }
        Command::Deploy(_) | Command::Redeploy(_) => Needs::DEPLOY,
        Command::Rollback(_) | Command::App(App::Boot) => Needs::BOOT,
        Command::App(App::Exec(exec)) if !exec.reuse => Needs {
            registry: true,
            ..Needs::BOOT
        },
        Command::Build(Build::Pull)
        | Command::Registry(Registry::Setup(_) | Registry::Login(_)) => Needs::REGISTRY,
        Command::Build(Build::Deliver | Build::Push(_) | Build::Dev(_)) => Needs {
            build: true,
            ..Needs::REGISTRY
        },
        Command::Server(Server::Exec(_) | Server::Bootstrap) => Needs::NOTHING,
        _ => Needs::NOTHING,
    }
}

fn started(job: &Job<'_>, invocation: &Invocation) {
    let versioned = matches!(
        invocation.command,
        Command::Setup(_) | Command::Deploy(_) | Command::Redeploy(_) | Command::Build(_)
    );
    job.sink.emit(EventKind::CommandStarted {
        command: invocation.path.join(" "),
        version: invocation
            .global
            .version
            .clone()
            .or_else(|| versioned.then(|| job.any_version())),
        hosts: job
            .targets
            .hosts
            .iter()
            .map(|host| (*host).to_owned())
            .collect(),
    });
}

/// One that ends before it has connected: its hosts are those that it would have been about, if there are any.
fn started_in_vain(sink: &Sink, invocation: &Invocation, config: &Config) {
    let targets = job::targets(config, &invocation.global);
    let hosts = targets.map(|targets| targets.hosts).unwrap_or_default();
    sink.emit(EventKind::CommandStarted {
        command: invocation.path.join(" "),
        version: None,
        hosts: hosts.into_iter().map(str::to_owned).collect(),
    });
}
