//! The `docker run` line of an app container.

use dhow_config::{Config, Pairs, Role};
use dhow_text::shell::{Cmd, ShellValue};

use crate::container_args::{
    container_hostname, docker_options, env, logging, pairs, volume, volumes,
};
use crate::paths;

/// Creates and starts the container of a version on a host; `hex` are twelve random hex digits for its host name.
pub fn run(config: &Config, role: &Role, host: &str, version: &str, hex: &str) -> Cmd {
    let name = config.container_name(role, version);
    let destination = config.destination.as_deref();
    let assets = role.assets.as_ref().map(|(path, options)| {
        let from = paths::asset_volume(config, role, version);
        volume(&from, path, options.as_deref())
    });
    Cmd::docker("run --detach --restart")
        .arg(role.restart.as_str())
        .args(["--name", &name, "--network", "kamal", "--hostname"])
        .arg(container_hostname(host, hex))
        .args(env("KAMAL_CONTAINER_NAME", &name))
        .args(env("KAMAL_VERSION", version))
        .args(env("KAMAL_HOST", host))
        .args(
            destination
                .map(|d| env("KAMAL_DESTINATION", d))
                .into_iter()
                .flatten(),
        )
        .args(env_args(config, role, host))
        .args(logging(&role.logging))
        .args(volumes(&config.volumes))
        .args(volumes(assets.as_slice()))
        .args(pairs("--label", &labels(config, role)))
        .args(docker_options(&role.options))
        .arg(config.absolute_image(version))
        .args(role.cmd.as_deref())
}

/// The labels of the role's containers, in order. Labels of the deploy file may change the value of the first three, as they may
/// in Kamal, but not their places.
pub fn labels(config: &Config, role: &Role) -> Pairs {
    let text = |value: &str| ShellValue::Text(value.to_owned());
    let destination = config.destination.as_deref();
    let mut labels: Pairs = vec![
        ("service".to_owned(), text(&config.service)),
        ("role".to_owned(), text(&role.name)),
        (
            "destination".to_owned(),
            destination.map_or(ShellValue::Null, text),
        ),
    ];
    for (key, value) in &role.labels {
        match labels.iter_mut().find(|(known, _)| known == key) {
            Some(label) => label.1 = value.clone(),
            None => labels.push((key.clone(), value.clone())),
        }
    }
    labels
}

/// `version_replaced_hex`: what a container's version becomes when another one of the same version takes its name.
pub fn replaced_name(version: &str, hex: &str) -> String {
    format!("{version}_replaced_{hex}")
}

/// Clear environment and env file.
pub(super) fn env_args(config: &Config, role: &Role, host: &str) -> Vec<String> {
    let mut words = pairs("--env", &config.env_of(role, host).clear);
    words.push("--env-file".to_owned());
    words.push(paths::role_env_file(config, role));
    words
}

#[cfg(test)]
mod tests {
    use dhow_config::{Env, Logging};

    use super::*;
    use crate::sample::{app, bare_role, pairs, role, role_mut, staged, text};

    const HEX: &str = "0123456789ab";

    /// Golden transcript, line 20.
    #[test]
    fn item_69_run_of_the_golden_transcript() {
        let config = app();
        assert_eq!(
            run(&config, role(&config, "web"), "127.0.0.1", "123", HEX).real(),
            r#"docker run --detach --restart unless-stopped --name app-web-123 --network kamal --hostname 127.0.0.1-0123456789ab --env KAMAL_CONTAINER_NAME="app-web-123" --env KAMAL_VERSION="123" --env KAMAL_HOST="127.0.0.1" --env A="b" --env-file .kamal/apps/app/env/roles/web.env --log-opt max-size="10m" --label service="app" --label role="web" --label destination dhh/app:123"#
        );
    }

    /// The fully loaded line, with destination `stg`.
    #[test]
    fn item_131_run_flag_order() {
        let mut config = staged();
        config.volumes = vec!["/a:/b".to_owned()];
        config.env = Env::default();
        let web = role_mut(&mut config, "web");
        *web = Role {
            restart: "no".to_owned(),
            logging: Logging {
                driver: Some("local".to_owned()),
                options: pairs(&[("max-size", "5m")]),
            },
            labels: pairs(&[("l", "1"), ("a", "b c")]),
            options: vec![
                ("cpus".to_owned(), text("2")),
                ("cap-add".to_owned(), ShellValue::Bool(true)),
            ],
            ..bare_role("web", "127.0.0.2")
        };
        assert_eq!(
            run(&config, role(&config, "web"), "127.0.0.2", "123", HEX).real(),
            r#"docker run --detach --restart no --name app-web-stg-123 --network kamal --hostname 127.0.0.2-0123456789ab --env KAMAL_CONTAINER_NAME="app-web-stg-123" --env KAMAL_VERSION="123" --env KAMAL_HOST="127.0.0.2" --env KAMAL_DESTINATION="stg" --env-file .kamal/apps/app-stg/env/roles/web.env --log-driver "local" --log-opt max-size="5m" --volume /a:/b --label service="app" --label role="web" --label destination="stg" --label l="1" --label a="b c" --cpus "2" --cap-add dhh/app:123"#
        );
    }

    #[test]
    fn item_162_asset_volume_and_item_131_cmd() {
        let mut config = app();
        config.volumes = vec!["/a:/b".to_owned()];
        let web = role_mut(&mut config, "web");
        web.assets = Some(("/public/assets".to_owned(), Some("ro".to_owned())));
        web.cmd = Some("bin/jobs --all".to_owned());
        let line = run(&config, role(&config, "web"), "h", "123", HEX).real();
        assert!(
            line.contains(
                " --volume /a:/b --volume $PWD/.kamal/apps/app/assets/volumes/web-123:/public/assets:ro --label "
            ),
            "{line}"
        );
        assert!(line.ends_with(" dhh/app:123 bin/jobs --all"), "{line}");
    }

    /// Configuration checklist 14.05.
    #[test]
    fn item_136_and_137_labels() {
        let mut config = app();
        role_mut(&mut config, "web").labels = pairs(&[("x", "1"), ("service", "other")]);
        let words = crate::container_args::pairs("--label", &labels(&config, role(&config, "web")));
        assert_eq!(
            words.join(" "),
            r#"--label service="other" --label role="web" --label destination --label x="1""#
        );
    }

    #[test]
    fn item_138_clear_env_order_and_empty_values() {
        let mut config = app();
        config.env.clear = pairs(&[("A", "root"), ("B", "root"), ("Z", "1$2 `x` ${HOME}")]);
        config.env_tags = vec![(
            "t".to_owned(),
            Env {
                clear: pairs(&[("B", "tag"), ("E", "")]),
                secrets: Vec::new(),
            },
        )];
        let web = role_mut(&mut config, "web");
        web.env.clear = pairs(&[("A", "role"), ("C", "role")]);
        for host in &mut web.hosts {
            host.tags = vec!["t".to_owned()];
        }
        assert_eq!(
            env_args(&config, role(&config, "web"), "127.0.0.1").join(" "),
            r#"--env A="role" --env B="tag" --env Z="1\$2 \`x\` ${HOME}" --env C="role" --env E --env-file .kamal/apps/app/env/roles/web.env"#
        );
    }
}
