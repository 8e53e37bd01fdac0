//! One command on its way: everything it needs, put together in the order in which it becomes needed.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;

use dhow_commands::audit::AuditContext;
use dhow_commands::hook::Hook;
use dhow_config::{Accessory, Config, Credential, Loaded, Registry, Role, Ssl};
use dhow_plan::{Context, Facts, Filter, HostFacts, Plan, Random, Stage, Targets, Track, facts};
use dhow_run::{Executor, Failed, Failure, Fleet, Level, Local, Sink};
use dhow_text::redact::{REDACTED, Secret};

use crate::args::Global;
use crate::edge::Edge;
use crate::failed;
use crate::git::Git;
use crate::output::Screen;

/// Secrets that a command needs, by name.
pub(crate) type SecretMap = HashMap<String, Secret>;

/// A command with a deploy file, before it touches anything.
pub(crate) struct Job<'j> {
    pub(crate) edge: &'j Edge,
    pub(crate) global: &'j Global,
    pub(crate) git: Git<'j>,
    pub(crate) targets: Targets<'j>,
    pub(crate) secrets: SecretMap,
    pub(crate) fleet: Fleet,
    pub(crate) local: Local,
    pub(crate) sink: Sink,
    /// The terminal, for prompts and interactive commands.
    pub(crate) screen: Screen,
    recorded_at: String,
    command: Vec<String>,
    random: u64,
}

/// What a command needs of the secrets files.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Needs {
    /// The registry's user name and password.
    pub(crate) registry: bool,
    /// The environment of containers, and certificates.
    pub(crate) containers: bool,
    /// `builder.secrets`.
    pub(crate) build: bool,
    /// The environment of accessories, and their own registries.
    pub(crate) accessories: bool,
}

impl Needs {
    /// No secret at all.
    pub(crate) const NOTHING: Self = Self {
        registry: false,
        containers: false,
        build: false,
        accessories: false,
    };
    /// Only the registry.
    pub(crate) const REGISTRY: Self = Self {
        registry: true,
        containers: false,
        build: false,
        accessories: false,
    };
    /// What a boot needs.
    pub(crate) const BOOT: Self = Self {
        registry: false,
        containers: true,
        build: false,
        accessories: false,
    };
    /// What a deploy needs.
    pub(crate) const DEPLOY: Self = Self {
        registry: true,
        containers: true,
        build: true,
        accessories: false,
    };
}

/// Whom a command is about.
pub(crate) fn targets<'c>(config: &'c Config, global: &Global) -> Result<Targets<'c>, Failed> {
    let list = |items: &[String]| (!items.is_empty()).then(|| items.join(","));
    let filter = Filter {
        hosts: list(&global.hosts),
        roles: list(&global.roles),
        primary: global.primary,
    };
    dhow_plan::select(config, &filter).map_err(|error| failed::select(&error))
}

/// The names of the secrets that a command on these targets needs. `accessory` is the one that it names, or `all`; none if it is not
/// about accessories alone.
pub(crate) fn secret_names(
    targets: &Targets<'_>,
    needs: Needs,
    accessory: Option<&str>,
) -> Vec<String> {
    let config = targets.config();
    let mut names: Vec<String> = Vec::new();
    let mut add = |name: &str| {
        if !names.iter().any(|n| n == name) {
            names.push(name.to_owned());
        }
    };
    let accessories: Vec<&Accessory> = config
        .accessories
        .iter()
        .filter(|found| accessory.is_none_or(|name| name == "all" || name == found.name))
        .collect();
    // An accessory with a registry of its own does not ask the app's.
    let own_registries = accessory.is_some() && accessories.iter().all(|a| a.registry.is_some());
    if needs.registry && !own_registries {
        registry_names(&config.registry).for_each(&mut add);
    }
    if needs.containers {
        for role in &targets.roles {
            for host in role
                .host_names()
                .filter(|host| targets.hosts.contains(host))
            {
                config
                    .env_of(role, host)
                    .secrets
                    .iter()
                    .for_each(|s| add(&s.secret));
            }
            certificate_names(role).into_iter().for_each(&mut add);
        }
    }
    if needs.accessories {
        for accessory in &accessories {
            let registries = accessory.registry.iter().filter(|_| needs.registry);
            registries.for_each(|registry| registry_names(registry).for_each(&mut add));
            accessory.env.secrets.iter().for_each(|s| add(&s.secret));
        }
    }
    if needs.build {
        config.builder.secrets.iter().for_each(|name| add(name));
    }
    names
}

/// What stands in for secrets when nothing is run.
pub(crate) fn unread(names: &[String]) -> SecretMap {
    names
        .iter()
        .map(|name| (name.clone(), Secret::new(REDACTED)))
        .collect()
}

/// The parts that a job is made of.
pub(crate) struct Parts<'j> {
    pub(crate) edge: &'j Edge,
    pub(crate) global: &'j Global,
    pub(crate) git: Git<'j>,
    pub(crate) targets: Targets<'j>,
    pub(crate) secrets: SecretMap,
    pub(crate) all_secrets: Vec<(String, Secret)>,
    pub(crate) key_data: Vec<Secret>,
    pub(crate) sink: Sink,
    pub(crate) screen: Screen,
    pub(crate) command: Vec<String>,
}

impl<'j> Job<'j> {
    /// Puts a job together; nothing is connected yet.
    pub(crate) fn new(parts: Parts<'j>) -> Self {
        let config = parts.targets.config();
        let connector = crate::connect::connector(
            parts.edge,
            config,
            &parts.key_data,
            &parts.sink,
            &parts.screen,
        );
        let mark = format!("{:016x}", getrandom::u64().unwrap_or(0x5eed));
        let local = Local {
            cwd: parts.edge.cwd.clone(),
            hooks: PathBuf::from(&config.hooks_path),
            skip_hooks: parts.global.skip_hooks || parts.global.dry_run,
            env: parts.edge.changes().to_vec(),
            secrets: parts.all_secrets,
        };
        Self {
            recorded_at: parts.edge.now(),
            edge: parts.edge,
            global: parts.global,
            git: parts.git,
            targets: parts.targets,
            secrets: parts.secrets,
            fleet: Fleet::new(connector, parts.sink.clone(), mark),
            local,
            sink: parts.sink,
            screen: parts.screen,
            command: parts.command,
            random: getrandom::u64().unwrap_or(1),
        }
    }

    /// The deploy file.
    pub(crate) fn config(&self) -> &'j Config {
        self.targets.config()
    }

    /// The version: the command line's, `VERSION`, or the commit.
    pub(crate) fn version(&self) -> Result<String, Failed> {
        if let Some(version) = self
            .global
            .version
            .as_deref()
            .filter(|v| !v.trim().is_empty())
        {
            return Ok(version.to_owned());
        }
        if let Some(version) = self.edge.env("VERSION") {
            return Ok(version.to_owned());
        }
        let builds_work_tree = self.config().builder.context.is_some();
        self.git
            .version(builds_work_tree)
            .map_err(|failure| failed::here(*failure))
    }

    /// A version for commands that are not about one; empty where there is none.
    pub(crate) fn any_version(&self) -> String {
        self.version().unwrap_or_default()
    }

    /// What plans need to know.
    pub(crate) fn context<'c>(&'c self, version: &str, locked: bool) -> Context<'c>
    where
        'j: 'c,
    {
        let hooks = Hook::ALL.iter().map(|hook| hook.name());
        let hooks: HashSet<String> = hooks
            .filter(|name| self.local.has_hook(name))
            .map(str::to_owned)
            .collect();
        Context {
            targets: self.targets.clone(),
            version: version.to_owned(),
            audit: AuditContext {
                recorded_at: &self.recorded_at,
                performer: self.git.performer(),
                destination: self.config().destination.as_deref(),
            },
            secrets: &self.secrets,
            hook_env: if hooks.is_empty() {
                Vec::new()
            } else {
                self.hook_env(version, locked, None)
            },
            hooks,
            random: Random::new(self.random),
        }
    }

    /// Runs a hook outside any plan.
    pub(crate) async fn hook(
        &self,
        hook: Hook,
        version: &str,
        locked: bool,
        runtime: Option<u64>,
    ) -> Result<(), Failed> {
        let mut context = self.context(version, locked);
        if !context.hooks.contains(hook.name()) {
            return Ok(());
        }
        context.hook_env = self.hook_env(version, locked, runtime);
        let stages: Vec<Stage> = context.hook(hook.name(), None).into_iter().collect();
        self.execute(stages).await.map(|_| ())
    }

    /// Runs stages.
    pub(crate) async fn execute(
        &self,
        stages: Vec<Stage>,
    ) -> Result<Vec<dhow_run::Outcome>, Failed> {
        self.executor().execute(&Plan { stages }).await
    }

    /// Runs stages, or with `--dry-run` shows them.
    pub(crate) async fn execute_or_show(&self, stages: Vec<Stage>) -> Result<(), Failed> {
        if self.global.dry_run {
            self.show(&Plan { stages });
            return Ok(());
        }
        self.execute(stages).await.map(|_| ())
    }

    /// Prints a plan instead of running it.
    pub(crate) fn show(&self, plan: &Plan) {
        use std::io::Write;
        let redactor = dhow_text::redact::Redactor::new([]);
        let text = if self.global.json {
            dhow_report::plan_json(plan, &redactor)
        } else {
            dhow_report::show_plan(plan, &redactor)
        };
        // A reader that went away (`| head`) wants no more.
        let _ = std::io::stdout().write_all(text.as_bytes());
    }

    /// Whoever runs plans, with its own count of work.
    pub(crate) fn executor(&self) -> Executor<'_> {
        Executor::new(&self.fleet, &self.local, self.sink.clone())
    }

    /// Looks at these hosts.
    pub(crate) async fn look(
        &self,
        hosts: &[&str],
        images: &[&str],
        mirrors: bool,
    ) -> Result<Facts, Failed> {
        self.look_by(hosts, &facts::probe(self.config(), images, mirrors))
            .await
    }

    /// Looks at these hosts by this step.
    pub(crate) async fn look_by(
        &self,
        hosts: &[&str],
        step: &dhow_plan::Step,
    ) -> Result<Facts, Failed> {
        let tracks = hosts
            .iter()
            .map(|host| Track::new(host, None, vec![step.clone()]));
        let outcomes = self.executor().ask(tracks.collect()).await;
        let mut facts = Facts::new();
        let mut failures = Vec::new();
        for outcome in outcomes {
            let read = match outcome.failure {
                Some(failure) => Err(failure),
                None => HostFacts::read(outcome.outputs.first().map_or("", String::as_str))
                    .map_err(|error| {
                        let failure = Failure::new("RuntimeError", error.to_string());
                        self.sink.emit(dhow_run::EventKind::HostFailed {
                            host: outcome.host.clone(),
                            failure: failure.clone(),
                        });
                        failure
                    }),
            };
            match read {
                Ok(seen) => {
                    facts.insert(outcome.host, seen);
                }
                Err(failure) => failures.push((Some(outcome.host), failure)),
            }
        }
        if failures.is_empty() {
            Ok(facts)
        } else {
            Err(Failed { hosts: failures })
        }
    }

    /// A status line.
    pub(crate) fn say(&self, text: impl Into<String>) {
        self.sink.say(Level::Info, text);
    }

    fn hook_env(&self, version: &str, locked: bool, runtime: Option<u64>) -> Vec<(String, String)> {
        let roles: Vec<&str> = self
            .targets
            .roles
            .iter()
            .map(|role| role.name.as_str())
            .collect();
        let command = self.command.first().map_or("", String::as_str);
        let context = dhow_commands::hook::HookContext {
            recorded_at: &self.recorded_at,
            performer: self.git.performer(),
            version,
            hosts: &self.targets.hosts,
            roles: self.targets.roles_filtered.then_some(&roles),
            locked,
            command,
            subcommand: self.command.get(1).map(String::as_str),
            runtime,
        };
        let pairs = dhow_commands::hook::environment(self.config(), &context);
        pairs
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect()
    }

    /// When this command started, as audit lines have it.
    pub(crate) fn recorded_at(&self) -> &str {
        &self.recorded_at
    }
}

/// The names of the secrets behind a registry's login.
fn registry_names(registry: &Registry) -> impl Iterator<Item = &str> {
    let credentials = [&registry.username, &registry.password];
    credentials
        .into_iter()
        .flatten()
        .filter(|_| !registry.is_local())
        .filter_map(|credential| match credential {
            Credential::Secret(name) => Some(name.as_str()),
            Credential::Literal(_) => None,
        })
}

fn certificate_names(role: &Role) -> Vec<&str> {
    match role.proxy.as_ref().map(|proxy| &proxy.ssl) {
        Some(Ssl::Custom {
            certificate_pem,
            private_key_pem,
        }) => vec![certificate_pem, private_key_pem],
        _ => Vec::new(),
    }
}

/// Everything that must not be shown, however it comes into a text.
pub(crate) fn sensitive(
    loaded: &Loaded,
    secrets: &SecretMap,
    all: &[(String, Secret)],
) -> Vec<Secret> {
    let registry = &loaded.config.registry;
    let literal = registry
        .password
        .iter()
        .filter_map(|password| match password {
            Credential::Literal(value) => Some(value.clone()),
            Credential::Secret(_) => None,
        });
    secrets
        .values()
        .cloned()
        .chain(all.iter().map(|(_, value)| value.clone()))
        .chain(literal)
        .collect()
}
