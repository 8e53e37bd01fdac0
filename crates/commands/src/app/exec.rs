//! Commands inside app containers: a new one, or the one that runs.

use dhow_config::{Config, Pairs, Role};
use dhow_text::shell::Cmd;

use super::run::env_args;
use crate::VersionRef;
use crate::container_args::{docker_options, logging, pairs, volumes};

/// How the command is connected to the person who gave it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Terminal {
    /// Not at all.
    #[default]
    None,
    /// Its input is open, but is no terminal (`-i`).
    Input,
    /// A terminal (`-it`).
    Full,
}

/// Options of `app exec`.
#[derive(Clone, Copy, Debug, Default)]
pub struct ExecOptions<'o> {
    /// `-i` or `-it`.
    pub terminal: Terminal,
    /// Leave a new container running, and there.
    pub detach: bool,
    /// More environment.
    pub env: Option<&'o Pairs>,
}

/// Runs `command` (shell text, taken as it is) in a new container of a version; `hex` are six random hex digits for its name.
pub fn exec_new(
    config: &Config,
    role: &Role,
    host: &str,
    version: &str,
    hex: &str,
    options: &ExecOptions<'_>,
    command: &str,
) -> Cmd {
    Cmd::docker("run")
        .args(options.terminal.flag())
        .arg(if options.detach { "--detach" } else { "--rm" })
        .arg("--name")
        .arg(exec_container_name(config, role, version, hex))
        .args(["--network", "kamal"])
        .args(env_args(config, role, host))
        .args(options.env_args())
        .args(logging(&role.logging))
        .args(volumes(&config.volumes))
        .args(docker_options(&role.options))
        .arg(config.absolute_image(version))
        .arg(command)
}

/// Runs `command` (shell text, taken as it is) in the running container of a version.
pub fn exec_existing<'v>(
    config: &Config,
    role: &Role,
    version: impl Into<VersionRef<'v>>,
    options: &ExecOptions<'_>,
    command: &str,
) -> Cmd {
    let prefix = config.container_prefix(role);
    Cmd::docker("exec")
        .args(options.terminal.flag())
        .args(options.env_args())
        .arg(format!("{prefix}-{}", version.into()))
        .arg(command)
}

/// The name of a container made by [`exec_new`].
pub fn exec_container_name(config: &Config, role: &Role, version: &str, hex: &str) -> String {
    format!("{}-exec-{version}-{hex}", config.container_prefix(role))
}

impl Terminal {
    /// Docker's flag.
    pub fn flag(self) -> Option<&'static str> {
        match self {
            Self::None => None,
            Self::Input => Some("-i"),
            Self::Full => Some("-it"),
        }
    }
}

impl ExecOptions<'_> {
    fn env_args(&self) -> Vec<String> {
        self.env.map(|env| pairs("--env", env)).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{self, app, role, role_mut, staged};

    #[test]
    fn item_175_exec_in_a_new_container() {
        let config = app();
        let web = role(&config, "web");
        let plain = ExecOptions::default();
        assert_eq!(
            exec_new(
                &config,
                web,
                "h",
                "123",
                "a1b2c3",
                &plain,
                "bin/rails db:setup"
            )
            .real(),
            r#"docker run --rm --name app-web-exec-123-a1b2c3 --network kamal --env A="b" --env-file .kamal/apps/app/env/roles/web.env --log-opt max-size="10m" dhh/app:123 bin/rails db:setup"#
        );

        let mut config = staged();
        config.volumes = vec!["/a:/b".to_owned()];
        let web = role_mut(&mut config, "web");
        web.options = sample::pairs(&[("cpus", "2")]);
        web.assets = Some(("/assets".to_owned(), None));
        let env = sample::pairs(&[("foo", "bar")]);
        let options = ExecOptions {
            terminal: Terminal::None,
            detach: true,
            env: Some(&env),
        };
        let web = role(&config, "web");
        assert_eq!(
            exec_new(&config, web, "h", "latest-stg", "a1b2c3", &options, "ls").real(),
            r#"docker run --detach --name app-web-stg-exec-latest-stg-a1b2c3 --network kamal --env A="b" --env-file .kamal/apps/app-stg/env/roles/web.env --env foo="bar" --log-opt max-size="10m" --volume /a:/b --cpus "2" dhh/app:latest-stg ls"#
        );
    }

    #[test]
    fn item_179_interactive_flags() {
        let config = app();
        let web = role(&config, "web");
        let line = |terminal| {
            let options = ExecOptions {
                terminal,
                ..ExecOptions::default()
            };
            exec_new(&config, web, "h", "1", "a1b2c3", &options, "sh").real()
        };
        assert!(line(Terminal::Full).starts_with("docker run -it --rm --name "));
        assert!(line(Terminal::Input).starts_with("docker run -i --rm --name "));
    }

    #[test]
    fn item_176_exec_in_the_running_container() {
        let config = staged();
        let web = role(&config, "web");
        let env = sample::pairs(&[("foo", "bar")]);
        let options = ExecOptions {
            terminal: Terminal::Full,
            detach: false,
            env: Some(&env),
        };
        assert_eq!(
            exec_existing(&config, web, "123", &options, "sh").real(),
            r#"docker exec -it --env foo="bar" app-web-stg-123 sh"#
        );
        let plain = ExecOptions::default();
        assert_eq!(
            exec_existing(&config, web, VersionRef::Variable("v"), &plain, "sh").real(),
            "docker exec app-web-stg-${v} sh"
        );
    }
}
