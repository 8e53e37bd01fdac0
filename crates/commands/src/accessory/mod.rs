//! Accessories: databases and other containers that stay where they are while apps come and go.
//!
//! In: an accessory of a deploy file. Out: commands and uploads for its hosts.

mod files;
mod run;

pub use files::{
    file_path, file_upload, make_directory, make_file_directory, mount_path, remove_directory,
    set_permissions, volumes,
};
pub use run::{exec_existing, exec_new, run};

use dhow_config::{Accessory, Config};
use dhow_text::redact::Secret;
use dhow_text::shell::Cmd;

use crate::{LogOptions, Upload, env_file, paths};

/// A table of the running container.
pub fn info(accessory: &Accessory) -> Cmd {
    Cmd::docker("ps").args(filter(accessory))
}

/// The short id of the container, running or not. Nothing if there is none.
pub fn container_id(accessory: &Accessory) -> Cmd {
    Cmd::docker("ps -a -q").args(filter(accessory))
}

/// Starts the container that is there.
pub fn start(accessory: &Accessory) -> Cmd {
    Cmd::docker("container start").arg(accessory.service_name.as_str())
}

/// Stops the container.
pub fn stop(accessory: &Accessory) -> Cmd {
    Cmd::docker("container stop").arg(accessory.service_name.as_str())
}

/// Pulls the image.
pub fn pull(accessory: &Accessory) -> Cmd {
    Cmd::docker("image pull").arg(accessory.image.as_str())
}

/// Removes the stopped container.
pub fn remove_container(accessory: &Accessory) -> Cmd {
    Cmd::docker("container prune --force").args(filter(accessory))
}

/// Removes the image.
pub fn remove_image(accessory: &Accessory) -> Cmd {
    Cmd::docker("image rm --force").arg(accessory.image.as_str())
}

/// Makes the directory of accessories' env files.
pub fn make_env_directory(config: &Config) -> Cmd {
    Cmd::new("mkdir")
        .arg("-p")
        .arg(paths::accessory_env_directory(config))
}

/// The accessory's env file: its secrets, readable by the owner alone.
pub fn env_upload(config: &Config, accessory: &Accessory, secrets: &[(String, Secret)]) -> Upload {
    let path = paths::accessory_env_file(config, accessory);
    Upload::secret(path, 0o600, env_file(secrets))
}

/// Prints the container's log. The doubled spaces are Kamal's.
pub fn logs(accessory: &Accessory, options: &LogOptions<'_>) -> Cmd {
    let doubled = |flag: Option<String>| flag.map(|flag| format!(" {flag}"));
    options.filtered(
        Cmd::docker("logs")
            .arg(accessory.service_name.as_str())
            .args(doubled(options.since_flag()))
            .args(doubled(options.tail_flag()))
            .args(options.timestamps_flag())
            .arg("2>&1"),
    )
}

/// Prints the container's log as it grows, from the last ten lines on.
pub fn follow_logs(accessory: &Accessory, options: &LogOptions<'_>) -> Cmd {
    options.followed(
        Cmd::docker("logs")
            .arg(accessory.service_name.as_str())
            .args(options.timestamps_flag())
            .arg("--tail 10 --follow 2>&1"),
    )
}

fn filter(accessory: &Accessory) -> [String; 2] {
    [
        "--filter".to_owned(),
        format!("label=service={}", accessory.service_name),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{accessory, app, staged};

    #[test]
    fn item_203_and_204_life_of_the_container() {
        for config in [app(), staged()] {
            let db = accessory(&config, "db");
            for (cmd, line) in [
                (info(db), "docker ps --filter label=service=app-db"),
                (
                    container_id(db),
                    "docker ps -a -q --filter label=service=app-db",
                ),
                (start(db), "docker container start app-db"),
                (stop(db), "docker container stop app-db"),
                (pull(db), "docker image pull mysql:8"),
                (
                    remove_container(db),
                    "docker container prune --force --filter label=service=app-db",
                ),
                (remove_image(db), "docker image rm --force mysql:8"),
            ] {
                assert_eq!(cmd.real(), line);
            }
        }
    }

    #[test]
    fn item_198_env_file() {
        for (config, sd) in [(app(), "app"), (staged(), "app-stg")] {
            let db = accessory(&config, "db");
            assert_eq!(
                make_env_directory(&config).real(),
                format!("mkdir -p .kamal/apps/{sd}/env/accessories")
            );
            let upload = env_upload(&config, db, &[]);
            assert_eq!(
                upload.path,
                format!(".kamal/apps/{sd}/env/accessories/db.env")
            );
            assert_eq!((upload.mode, upload.bytes()), (0o600, &b"\n"[..]));
        }
    }

    #[test]
    fn item_204_logs() {
        let config = app();
        let db = accessory(&config, "db");
        let options = LogOptions {
            timestamps: true,
            since: Some("5m"),
            lines: Some(100),
            grep: Some("hey"),
            grep_options: Some("-C 2"),
        };
        assert_eq!(
            logs(db, &options).real(),
            "docker logs app-db  --since 5m  --tail 100 --timestamps 2>&1 | grep 'hey' -C 2"
        );
        assert_eq!(
            logs(db, &LogOptions::default()).real(),
            "docker logs app-db 2>&1"
        );
        assert_eq!(
            follow_logs(db, &options).real(),
            "docker logs app-db --timestamps --tail 10 --follow 2>&1 | grep \"hey\" -C 2"
        );
    }
}
