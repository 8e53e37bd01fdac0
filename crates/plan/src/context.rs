//! What every plan needs to know besides the deploy file: gathered at the edge, passed in as values.

use std::cell::Cell;
use std::collections::{HashMap, HashSet};
use std::fmt::Write;

use dhow_commands::audit::{self, AuditContext, Entry};
use dhow_config::{Config, Credential, HookLevel, Registry, Role};
use dhow_text::redact::Secret;
use dhow_text::shell::{Cmd, single_quote};

use crate::facts::HostFacts;
use crate::select::Targets;
use crate::step::{LocalStep, Stage, Step};

/// One command's circumstances.
pub struct Context<'c> {
    /// Hosts and roles.
    pub targets: Targets<'c>,
    /// The version it is about.
    pub version: String,
    /// Who does it, and when.
    pub audit: AuditContext<'c>,
    /// Secrets by name: those that the plan may need.
    pub secrets: &'c HashMap<String, Secret>,
    /// Hooks that are there and will run.
    pub hooks: HashSet<String>,
    /// What hooks are told, the same for all: `KAMAL_VERSION` and its like.
    pub hook_env: Vec<(String, String)>,
    /// Random names.
    pub random: Random,
}

/// What was seen on hosts, by host.
pub type Facts = HashMap<String, HostFacts>;

/// Hex digits for names that must not clash; from one seed, so that a plan can be made twice.
pub struct Random(Cell<u64>);

/// A plan that can't be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// A secret that was not looked up beforehand.
    #[error("Secret '{0}' not found")]
    Secret(String),
    /// A proxy that does not know what it will be asked for.
    #[error(
        "kamal-proxy version {version} is too old, run `kamal proxy reboot` in order to update to at least v{least}"
    )]
    ProxyTooOld {
        /// The host.
        host: String,
        /// The running one.
        version: String,
        /// What is needed.
        least: &'static str,
    },
    /// `rollback` to what is not there.
    #[error(
        "The app version '{version}' is not available as a container (use 'kamal app containers' for available versions)"
    )]
    NoSuchVersion {
        /// The version.
        version: String,
        /// Hosts and roles that lack it.
        missing: Vec<String>,
    },
    /// Bare `rollback` without history.
    #[error("no earlier version is available as a container on all hosts")]
    NoEarlierVersion,
    /// An image that only the deployer's own machine has.
    #[error(
        "hosts can't reach the registry on this machine yet, and `{image}` is not on {}",
        .hosts.join(", ")
    )]
    Undelivered {
        /// The image.
        image: String,
        /// Hosts that lack it.
        hosts: Vec<String>,
    },
    /// `prune containers --retain 0`
    #[error("retain must be at least 1")]
    Retain,
}

impl Random {
    /// From a seed.
    pub fn new(seed: u64) -> Self {
        Self(Cell::new(seed))
    }

    /// So many hex digits (splitmix64).
    pub fn hex(&self, digits: usize) -> String {
        let mut text = String::new();
        while text.len() < digits {
            let _ = write!(text, "{:016x}", self.next());
        }
        text.truncate(digits);
        text
    }

    fn next(&self) -> u64 {
        let state = self.0.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
        self.0.set(state);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

impl<'c> Context<'c> {
    /// The deploy file.
    pub fn config(&self) -> &'c Config {
        self.targets.config()
    }

    /// The same for some of its hosts.
    #[must_use]
    pub fn narrowed(&self, hosts: &[&str]) -> Self {
        Self {
            targets: self.targets.narrowed(hosts),
            version: self.version.clone(),
            audit: self.audit,
            secrets: self.secrets,
            hooks: self.hooks.clone(),
            hook_env: self.hook_env.clone(),
            random: Random::new(self.random.next()),
        }
    }

    /// An audit entry as a step.
    pub(crate) fn audit(&self, entry: &Entry<'_>, role: Option<&Role>) -> Step {
        let role = role.filter(|_| entry.tells_role()).map(|r| r.name.as_str());
        let tags: Vec<&str> = role.into_iter().collect();
        let cmd = audit::record(self.config(), &self.audit, &tags, &entry.to_string());
        Step::run("writing the audit log", cmd).debug()
    }

    /// A secret that the deploy file names.
    pub(crate) fn secret(&self, name: &str) -> Result<Secret, PlanError> {
        self.secrets
            .get(name)
            .cloned()
            .ok_or_else(|| PlanError::Secret(name.to_owned()))
    }

    /// User name and password of a registry; none if it needs no login.
    pub(crate) fn login(&self, registry: &Registry) -> Result<Option<(Secret, Secret)>, PlanError> {
        let resolve = |credential: &Credential| match credential {
            Credential::Literal(value) => Ok(value.clone()),
            Credential::Secret(name) => self.secret(name),
        };
        match (&registry.username, &registry.password) {
            (Some(username), Some(password)) if !registry.is_local() => {
                Ok(Some((resolve(username)?, resolve(password)?)))
            }
            _ => Ok(None),
        }
    }

    /// The secret environment of a role on a host, in the env file's order.
    pub(crate) fn env_secrets(
        &self,
        role: &Role,
        host: &str,
    ) -> Result<Vec<(String, Secret)>, PlanError> {
        let env = self.config().env_of(role, host);
        let mut pairs: Vec<(String, Secret)> = Vec::new();
        for reference in &env.secrets {
            let value = self.secret(&reference.secret)?;
            match pairs.iter_mut().find(|(name, _)| *name == reference.name) {
                Some(pair) => pair.1 = value,
                None => pairs.push((reference.name.clone(), value)),
            }
        }
        Ok(pairs)
    }

    /// Makes sure that an image is there, with a login if its registry takes one. A host that has it needs no registry; one whose
    /// registry takes no login is left to `docker run`.
    pub(crate) fn ensure_image(
        &self,
        registry: &Registry,
        image: &str,
    ) -> Result<Ensured, PlanError> {
        let Some(login) = Login::new(self, registry)? else {
            return Ok(Ensured::default());
        };
        let image = single_quote(image);
        let look = Cmd::new(format!("docker image inspect {image} >/dev/null 2>&1"));
        let pull = Login::with(Cmd::docker("pull").arg(&image));
        let mut steps = login.steps();
        steps.push(Step::run("making sure that the image is there", look.or(pull)).debug());
        steps.extend(login.clean_up());
        Ok(Ensured {
            steps,
            on_failure: login.clean_up(),
        })
    }

    /// A stage that runs a hook, if it is there.
    pub fn hook(&self, name: &str, hosts: Option<&[&str]>) -> Option<Stage> {
        self.hooks.contains(name).then(|| {
            let mut env = self.hook_env.clone();
            if let Some(hosts) = hosts {
                env.retain(|(key, _)| key != "KAMAL_HOSTS");
                env.push(("KAMAL_HOSTS".to_owned(), hosts.join(",")));
            }
            let secrets = matches!(name, "pre-connect" | "pre-deploy" | "post-deploy");
            let level = self.config().hooks_output.level(name);
            let hook = LocalStep::Hook {
                name: name.to_owned(),
                env,
                secrets,
                debug: level == Some(HookLevel::Quiet),
                loud: level == Some(HookLevel::Verbose),
            };
            Stage::local(&format!("hook {name}"), vec![hook])
        })
    }
}

/// Steps that bring an image, and what a track that has them does when it fails.
#[derive(Default)]
pub(crate) struct Ensured {
    pub(crate) steps: Vec<Step>,
    pub(crate) on_failure: Vec<Step>,
}

/// A registry login that leaves nothing behind: for the pulls of one track, in a directory that goes away again.
pub(crate) struct Login {
    steps: Vec<Step>,
    clean_up: Vec<Step>,
}

/// The shell variable with the directory of a [`Login`]: whatever ends the shell, it removes this directory.
pub const SCRATCH: &str = "dhow_auth";

impl Login {
    /// The login, if the registry needs one.
    pub(crate) fn new(
        context: &Context<'_>,
        registry: &Registry,
    ) -> Result<Option<Self>, PlanError> {
        let Some((username, password)) = context.login(registry)? else {
            return Ok(None);
        };
        // An empty directory, so that no credential helper of the host is given the login to keep.
        let directory = Step::capture(
            "preparing the registry login",
            SCRATCH,
            Cmd::new("mktemp -d"),
        );
        let login = match registry.username {
            // A name that is a secret must not stand on a command line, where `docker login` wants it.
            Some(Credential::Secret(_)) => Step::run(
                "writing the registry login",
                Cmd::new(format!("umask 077; cat >\"${SCRATCH}/config.json\""))
                    .stdin(docker_config(registry, &username, &password)),
            ),
            _ => {
                let Some(login) = dhow_commands::registry::login(registry, &username, &password)
                else {
                    return Ok(None);
                };
                Step::run("logging in to the registry", Self::with(login))
            }
        };
        let steps = vec![directory.debug(), login];
        Ok(Some(Self {
            steps,
            clean_up: vec![
                Step::run(
                    "forgetting the registry login",
                    Cmd::new(format!("rm -rf \"${SCRATCH}\"")),
                )
                .debug()
                .tolerated(),
            ],
        }))
    }

    /// `cmd`, seeing the login.
    pub(crate) fn with(cmd: Cmd) -> Cmd {
        cmd.prefixed(format!("DOCKER_CONFIG=\"${SCRATCH}\""))
    }

    /// What goes before.
    pub(crate) fn steps(&self) -> Vec<Step> {
        self.steps.clone()
    }

    /// What goes after, and on failure.
    pub(crate) fn clean_up(&self) -> Vec<Step> {
        self.clean_up.clone()
    }
}

/// A docker client's settings with nothing but this login, as `docker login` would have written it.
fn docker_config(registry: &Registry, username: &Secret, password: &Secret) -> Secret {
    use base64::Engine;
    let server = match registry.server.as_deref() {
        None | Some("docker.io" | "index.docker.io") => "https://index.docker.io/v1/",
        Some(server) => server,
    };
    let pair = format!("{}:{}", username.reveal(), password.reveal());
    let auth = base64::engine::general_purpose::STANDARD.encode(pair);
    Secret::new(serde_json::json!({ "auths": { server: { "auth": auth } } }).to_string())
}
