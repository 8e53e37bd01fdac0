//! Old containers and images of the service, all roles and destinations of it, removed from a host.
//!
//! In: how many containers to keep. Out: commands for all hosts.

use dhow_config::Config;
use dhow_text::shell::Cmd;

/// Removes stopped containers but the newest `retain` ones.
pub fn app_containers(config: &Config, retain: u32) -> Cmd {
    let stopped = ["created", "exited", "dead"]
        .into_iter()
        .flat_map(|status| ["--filter".to_owned(), format!("status={status}")]);
    Cmd::docker("ps -q -a")
        .args(service_filter(config))
        .args(stopped)
        .pipe(Cmd::new(format!("tail -n +{}", u64::from(retain) + 1)))
        .pipe(Cmd::new(
            "while read container_id; do docker rm $container_id; done",
        ))
}

/// Removes images that lost their name.
pub fn dangling_images(config: &Config) -> Cmd {
    Cmd::docker("image prune --force").args(service_filter(config))
}

/// Removes images that no container uses, but the latest one.
pub fn tagged_images(config: &Config) -> Cmd {
    let filter = service_filter(config).join(" ");
    let in_use = format!(
        r#""$(docker container ls -a --format '{{{{.Image}}}}\|' {filter} | tr -d '\n'){}\|{}:<none>""#,
        config.latest_image(),
        config.repository()
    );
    Cmd::docker("image ls")
        .args(service_filter(config))
        .arg("--format '{{.ID}} {{.Repository}}:{{.Tag}}'")
        .pipe(Cmd::new("grep -v -w").arg(in_use))
        .pipe(Cmd::new("while read image tag; do docker rmi $tag; done"))
}

fn service_filter(config: &Config) -> [String; 2] {
    [
        "--filter".to_owned(),
        format!("label=service={}", config.service),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{app, staged};

    /// Golden transcript, lines 27 and 29.
    #[test]
    fn item_213_prune_lines() {
        for config in [app(), staged()] {
            assert_eq!(
                app_containers(&config, 5).real(),
                "docker ps -q -a --filter label=service=app --filter status=created --filter status=exited --filter status=dead | tail -n +6 | while read container_id; do docker rm $container_id; done"
            );
            assert_eq!(
                dangling_images(&config).real(),
                "docker image prune --force --filter label=service=app"
            );
        }
        assert!(
            app_containers(&app(), 1)
                .real()
                .contains(" | tail -n +2 | ")
        );
    }

    /// Golden transcript, line 30.
    #[test]
    fn item_214_latest_and_unnamed_images_stay() {
        assert_eq!(
            tagged_images(&app()).real(),
            r#"docker image ls --filter label=service=app --format '{{.ID}} {{.Repository}}:{{.Tag}}' | grep -v -w "$(docker container ls -a --format '{{.Image}}\|' --filter label=service=app | tr -d '\n')dhh/app:latest\|dhh/app:<none>" | while read image tag; do docker rmi $tag; done"#
        );
        assert!(
            tagged_images(&staged())
                .real()
                .contains(r#" | tr -d '\n')dhh/app:latest-stg\|dhh/app:<none>" | "#)
        );
    }
}
