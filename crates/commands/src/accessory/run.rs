//! The `docker run` line of an accessory, and commands inside its container.

use dhow_config::{Accessory, Config};
use dhow_text::shell::{Cmd, ShellValue};

use super::volumes;
use crate::app::Terminal;
use crate::container_args::{docker_options, env, logging, pairs};
use crate::paths;

/// Creates and starts the accessory's container on a host.
pub fn run(config: &Config, accessory: &Accessory, host: &str) -> Cmd {
    Cmd::docker("run --name")
        .arg(accessory.service_name.as_str())
        .args(["--detach", "--restart", &accessory.restart])
        .args(["--network", &accessory.network])
        .args(logging(&config.logging))
        .args(
            accessory
                .publish
                .iter()
                .flat_map(|ports| ["--publish", ports]),
        )
        .args(env("KAMAL_HOST", host))
        .args(env_args(config, accessory))
        .args(volumes(accessory))
        .args(labels(accessory))
        .args(docker_options(&accessory.options))
        .arg(accessory.image.as_str())
        .args(accessory.cmd.as_deref())
}

/// Runs `command` (shell text, taken as it is) in a new container.
pub fn exec_new(config: &Config, accessory: &Accessory, terminal: Terminal, command: &str) -> Cmd {
    Cmd::docker("run")
        .args(terminal.flag())
        .arg("--rm")
        .args(["--network", &accessory.network])
        .args(env_args(config, accessory))
        .args(volumes(accessory))
        .args(docker_options(&accessory.options))
        .arg(accessory.image.as_str())
        .arg(command)
}

/// Runs `command` (shell text, taken as it is) in the running container.
pub fn exec_existing(accessory: &Accessory, terminal: Terminal, command: &str) -> Cmd {
    Cmd::docker("exec")
        .args(terminal.flag())
        .arg(accessory.service_name.as_str())
        .arg(command)
}

fn env_args(config: &Config, accessory: &Accessory) -> Vec<String> {
    let mut words = pairs("--env", &accessory.env.clear);
    words.push("--env-file".to_owned());
    words.push(paths::accessory_env_file(config, accessory));
    words
}

fn labels(accessory: &Accessory) -> Vec<String> {
    let service = ShellValue::Text(accessory.service_name.clone());
    let mut labels = vec![("service".to_owned(), service)];
    labels.extend(accessory.labels.iter().cloned());
    pairs("--label", &labels)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{self, accessory, app, staged};

    #[test]
    fn item_195_run_of_the_golden_transcript() {
        let config = app();
        assert_eq!(
            run(&config, accessory(&config, "db"), "127.0.0.3").real(),
            r#"docker run --name app-db --detach --restart unless-stopped --network kamal --log-opt max-size="10m" --publish 3306:3306 --env KAMAL_HOST="127.0.0.3" --env X="%" --env-file .kamal/apps/app/env/accessories/db.env --volume $PWD/app-db/etc/d.yml:/etc/d.yml --volume $PWD/app-db/data:/var/lib/mysql --label service="app-db" mysql:8"#
        );
    }

    #[test]
    fn item_195_run_flag_order() {
        let mut config = staged();
        let db = &mut config.accessories[0];
        db.service_name = "custom-db".to_owned();
        db.image = "ghcr.io/mysql:8".to_owned();
        db.restart = "on-failure:3".to_owned();
        db.network = "internal".to_owned();
        db.publish = None;
        db.labels = sample::pairs(&[("cache", "true")]);
        db.options = sample::pairs(&[("cpus", "4")]);
        db.volumes = vec!["/data:/data".to_owned()];
        db.cmd = Some("--verbose".to_owned());
        assert_eq!(
            run(&config, accessory(&config, "db"), "127.0.0.3").real(),
            r#"docker run --name custom-db --detach --restart on-failure:3 --network internal --log-opt max-size="10m" --env KAMAL_HOST="127.0.0.3" --env X="%" --env-file .kamal/apps/app-stg/env/accessories/db.env --volume /data:/data --volume $PWD/custom-db/etc/d.yml:/etc/d.yml --volume $PWD/custom-db/data:/var/lib/mysql --label service="custom-db" --label cache="true" --cpus "4" ghcr.io/mysql:8 --verbose"#
        );
    }

    #[test]
    fn item_204_exec() {
        let mut config = app();
        config.accessories[0].options = sample::pairs(&[("cpus", "4")]);
        let db = accessory(&config, "db");
        assert_eq!(
            exec_new(&config, db, Terminal::None, "mysql -u root").real(),
            r#"docker run --rm --network kamal --env X="%" --env-file .kamal/apps/app/env/accessories/db.env --volume $PWD/app-db/etc/d.yml:/etc/d.yml --volume $PWD/app-db/data:/var/lib/mysql --cpus "4" mysql:8 mysql -u root"#
        );
        assert!(
            exec_new(&config, db, Terminal::Full, "sh")
                .real()
                .starts_with("docker run -it --rm --network kamal ")
        );
        assert_eq!(
            exec_existing(db, Terminal::None, "mysql -u root").real(),
            "docker exec app-db mysql -u root"
        );
        assert_eq!(
            exec_existing(db, Terminal::Input, "sh").real(),
            "docker exec -i app-db sh"
        );
    }
}
