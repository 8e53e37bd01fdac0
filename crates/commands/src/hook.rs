//! Hooks: the user's own programs, run on the deployer's machine at certain moments.
//!
//! In: what is going on. Out: the path of the program and what its environment is to have.

use std::fmt;

use dhow_config::Config;

/// A moment at which a program of the user's is run, if there is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Hook {
    /// Before the first connection.
    PreConnect,
    /// Before an image is built.
    PreBuild,
    /// With the lock, before anything is changed.
    PreDeploy,
    /// Before a group of hosts gets its containers.
    PreAppBoot,
    /// After a group of hosts has got its containers.
    PostAppBoot,
    /// When all is done and the lock is given back.
    PostDeploy,
    /// When docker is on every host.
    DockerSetup,
    /// Before a group of hosts gets a new proxy.
    PreProxyReboot,
    /// After a group of hosts has got a new proxy.
    PostProxyReboot,
}

/// What is going on.
#[derive(Clone, Copy, Debug)]
pub struct HookContext<'h> {
    /// UTC, ISO 8601 with seconds.
    pub recorded_at: &'h str,
    /// `git config user.email`, or the user's name.
    pub performer: &'h str,
    /// The version that is deployed.
    pub version: &'h str,
    /// The hosts of the run, or of the group that the hook is about.
    pub hosts: &'h [&'h str],
    /// The roles, if the user chose some (`-r`).
    pub roles: Option<&'h [&'h str]>,
    /// Whether the deploy lock is held.
    pub locked: bool,
    /// The command, such as `deploy` or `app`.
    pub command: &'h str,
    /// The command's subcommand, such as `boot`.
    pub subcommand: Option<&'h str>,
    /// How long it took, in whole seconds; after a deploy only.
    pub runtime: Option<u64>,
}

impl Hook {
    /// The name of the program.
    pub fn name(self) -> &'static str {
        match self {
            Self::PreConnect => "pre-connect",
            Self::PreBuild => "pre-build",
            Self::PreDeploy => "pre-deploy",
            Self::PreAppBoot => "pre-app-boot",
            Self::PostAppBoot => "post-app-boot",
            Self::PostDeploy => "post-deploy",
            Self::DockerSetup => "docker-setup",
            Self::PreProxyReboot => "pre-proxy-reboot",
            Self::PostProxyReboot => "post-proxy-reboot",
        }
    }

    /// All hooks.
    pub const ALL: [Self; 9] = [
        Self::PreConnect,
        Self::PreBuild,
        Self::PreDeploy,
        Self::PreAppBoot,
        Self::PostAppBoot,
        Self::PostDeploy,
        Self::DockerSetup,
        Self::PreProxyReboot,
        Self::PostProxyReboot,
    ];

    /// The path of the program, relative to where the deployer runs unless the deploy file says otherwise.
    pub fn path(self, config: &Config) -> String {
        format!("{}/{}", config.hooks_path, self.name())
    }

    /// Whether its environment has all secrets too.
    pub fn gets_secrets(self) -> bool {
        matches!(self, Self::PreConnect | Self::PreDeploy | Self::PostDeploy)
    }
}

impl fmt::Display for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What a hook's environment has, beside the deployer's own and, for some hooks, the secrets.
pub fn environment(config: &Config, context: &HookContext<'_>) -> Vec<(&'static str, String)> {
    let text = |value: &str| Some(value.to_owned());
    let all = [
        ("KAMAL_RECORDED_AT", text(context.recorded_at)),
        ("KAMAL_PERFORMER", text(context.performer)),
        ("KAMAL_DESTINATION", config.destination.clone()),
        ("KAMAL_VERSION", text(context.version)),
        (
            "KAMAL_SERVICE_VERSION",
            Some(service_version(config, context.version)),
        ),
        ("KAMAL_SERVICE", text(&config.service)),
        ("KAMAL_HOSTS", Some(context.hosts.join(","))),
        ("KAMAL_ROLES", context.roles.map(|roles| roles.join(","))),
        ("KAMAL_LOCK", Some(context.locked.to_string())),
        ("KAMAL_COMMAND", text(context.command)),
        ("KAMAL_SUBCOMMAND", context.subcommand.map(str::to_owned)),
        ("KAMAL_RUNTIME", context.runtime.map(|s| s.to_string())),
    ];
    all.into_iter()
        .filter_map(|(name, value)| Some((name, value?)))
        .collect()
}

/// `service@version`, the version short.
pub fn service_version(config: &Config, version: &str) -> String {
    format!("{}@{}", config.service, abbreviated(version))
}

/// The first seven characters of a version; all of it if it says more than a commit (`…_uncommitted_…`).
pub fn abbreviated(version: &str) -> &str {
    if version.contains('_') {
        return version;
    }
    match version.char_indices().nth(7) {
        Some((end, _)) => version.get(..end).unwrap_or(version),
        None => version,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{app, staged};

    const CONTEXT: HookContext<'static> = HookContext {
        recorded_at: "2026-01-02T03:04:05Z",
        performer: "me@example.com",
        version: "0123456789abcdef",
        hosts: &["1.1.1.1", "1.1.1.2"],
        roles: None,
        locked: false,
        command: "deploy",
        subcommand: None,
        runtime: None,
    };

    fn lines(config: &Config, context: &HookContext<'_>) -> Vec<String> {
        environment(config, context)
            .into_iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect()
    }

    #[test]
    fn item_101_environment() {
        assert_eq!(
            lines(&app(), &CONTEXT),
            [
                "KAMAL_RECORDED_AT=2026-01-02T03:04:05Z",
                "KAMAL_PERFORMER=me@example.com",
                "KAMAL_VERSION=0123456789abcdef",
                "KAMAL_SERVICE_VERSION=app@0123456",
                "KAMAL_SERVICE=app",
                "KAMAL_HOSTS=1.1.1.1,1.1.1.2",
                "KAMAL_LOCK=false",
                "KAMAL_COMMAND=deploy",
            ]
        );
    }

    #[test]
    fn item_102_runtime_and_item_101_everything() {
        let context = HookContext {
            roles: Some(&["web", "workers"]),
            locked: true,
            command: "app",
            subcommand: Some("boot"),
            runtime: Some(12),
            ..CONTEXT
        };
        assert_eq!(
            lines(&staged(), &context),
            [
                "KAMAL_RECORDED_AT=2026-01-02T03:04:05Z",
                "KAMAL_PERFORMER=me@example.com",
                "KAMAL_DESTINATION=stg",
                "KAMAL_VERSION=0123456789abcdef",
                "KAMAL_SERVICE_VERSION=app@0123456",
                "KAMAL_SERVICE=app",
                "KAMAL_HOSTS=1.1.1.1,1.1.1.2",
                "KAMAL_ROLES=web,workers",
                "KAMAL_LOCK=true",
                "KAMAL_COMMAND=app",
                "KAMAL_SUBCOMMAND=boot",
                "KAMAL_RUNTIME=12",
            ]
        );
    }

    #[test]
    fn item_103_secrets_for_three_hooks_only() {
        let with_secrets = Hook::ALL.into_iter().filter(|hook| hook.gets_secrets());
        assert_eq!(
            with_secrets.map(Hook::name).collect::<Vec<_>>(),
            ["pre-connect", "pre-deploy", "post-deploy"]
        );
    }

    #[test]
    fn item_98_path() {
        let mut config = app();
        assert_eq!(Hook::PreBuild.path(&config), ".kamal/hooks/pre-build");
        config.hooks_path = "ops/hooks".to_owned();
        assert_eq!(Hook::PostDeploy.path(&config), "ops/hooks/post-deploy");
    }

    /// Configuration checklist 14.02.
    #[test]
    fn config_item_14_02_abbreviated_version() {
        for (version, short) in [
            ("0123456789abcdef", "0123456"),
            ("012", "012"),
            ("0123456789_uncommitted_ab", "0123456789_uncommitted_ab"),
            ("latest-staging", "latest-"),
            ("", ""),
        ] {
            assert_eq!(abbreviated(version), short);
        }
    }
}
