//! Old containers and images of the service, all roles and destinations of it, removed from a host.
//!
//! In: how many containers to keep. Out: commands for all hosts.

use dhow_config::Config;
use dhow_text::shell::Cmd;

/// Removes stopped containers but the newest `retain` ones.
pub fn app_containers(config: &Config, retain: usize) -> Cmd {
    let stopped = ["created", "exited", "dead"]
        .into_iter()
        .flat_map(|status| ["--filter".to_owned(), format!("status={status}")]);
    Cmd::docker("ps -q -a")
        .args(service_filter(config))
        .args(stopped)
        .pipe(Cmd::new(format!("tail -n +{}", retain.saturating_add(1))))
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

/// Removes these containers, in one call.
pub fn containers(ids: &[&str]) -> Cmd {
    Cmd::docker("rm").args(ids.iter().copied())
}

/// Removes images but the latest one and `used`, which are the names (or ids) that containers go by: [`tagged_images`] for one who knows the
/// containers, and [`dangling_images`] where there are any, in one look.
pub fn images_but(config: &Config, used: &[&str]) -> Cmd {
    let mut kept: Vec<&str> = Vec::new();
    for name in used {
        // The list shows the first 12 digits of an id.
        let name = name
            .strip_prefix("sha256:")
            .map_or(*name, |id| id.get(..12).unwrap_or(id));
        if !kept.contains(&name) {
            kept.push(name);
        }
    }
    let latest = config.latest_image();
    kept.push(&latest);
    let prune = dangling_images(config).real();
    Cmd::docker("image ls")
        .args(service_filter(config))
        .arg("--format '{{.ID}} {{.Repository}}:{{.Tag}}'")
        .pipe(Cmd::new("grep -v -w").arg(format!("\"{}\"", kept.join("\\|"))))
        .pipe(Cmd::new(format!(
            "{{ d=; while read -r image tag; do case $tag in *'<none>') d=1;; *) docker rmi \"$tag\";; esac; done; [ -z \"$d\" ] || {prune}; }}"
        )))
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

    #[test]
    fn images_go_by_what_is_known_of_containers() {
        assert_eq!(
            images_but(
                &app(),
                &["dhh/app:2", "sha256:0123456789abcdef", "dhh/app:2"]
            )
            .real(),
            r#"docker image ls --filter label=service=app --format '{{.ID}} {{.Repository}}:{{.Tag}}' | grep -v -w "dhh/app:2\|0123456789ab\|dhh/app:latest" | { d=; while read -r image tag; do case $tag in *'<none>') d=1;; *) docker rmi "$tag";; esac; done; [ -z "$d" ] || docker image prune --force --filter label=service=app; }"#
        );
        assert_eq!(containers(&["a", "b"]).real(), "docker rm a b");
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
