//! The life of app containers after they were created: start, health, stop, rename, remove; and their image's tag.

use dhow_config::{Config, Role};
use dhow_text::shell::Cmd;

use super::{container_id, current_container_id, filters, replaced_name};
use crate::VersionRef;

/// Starts the existing container of a version.
pub fn start(config: &Config, role: &Role, version: &str) -> Cmd {
    Cmd::docker("start").arg(config.container_name(role, version))
}

/// Stops the container of a version, if there is one.
pub fn stop<'v>(config: &Config, role: &Role, version: impl Into<VersionRef<'v>>) -> Cmd {
    container_id(config, role, version).pipe(stop_ids(config, role))
}

/// Stops the container that is in use, if there is one.
pub fn stop_current(config: &Config, role: &Role) -> Cmd {
    current_container_id(config, role).pipe(stop_ids(config, role))
}

/// Seconds for `docker stop -t`: what the file says; without that the drain timeout for roles that no proxy drains, and docker's
/// own default for the others.
pub fn stop_timeout(config: &Config, role: &Role) -> Option<i64> {
    role.stop_timeout
        .or(config.stop_timeout)
        .or_else(|| (!role.runs_proxy()).then_some(config.drain_timeout))
}

/// Prints the health of a version's container (`healthy`, `unhealthy`, `starting`), or its state (`running`, `exited`, …) if its
/// image checks no health.
pub fn status<'v>(config: &Config, role: &Role, version: impl Into<VersionRef<'v>>) -> Cmd {
    container_id(config, role, version).pipe(Cmd::new(
        "xargs docker inspect --format '{{if .State.Health}}{{.State.Health.Status}}{{else}}{{.State.Status}}{{end}}'",
    ))
}

/// Prints docker's record of a container's health checks, as JSON.
pub fn health_log<'v>(config: &Config, role: &Role, version: impl Into<VersionRef<'v>>) -> Cmd {
    container_id(config, role, version).pipe(Cmd::new(
        "xargs docker inspect --format '{{json .State.Health}}'",
    ))
}

/// Prints all that the container of a version has logged, with times.
pub fn container_logs<'v>(config: &Config, role: &Role, version: impl Into<VersionRef<'v>>) -> Cmd {
    container_id(config, role, version).pipe(Cmd::new("xargs docker logs --timestamps 2>&1"))
}

/// Makes way for a new container of the same version; `hex` are sixteen random hex digits.
pub fn rename(config: &Config, role: &Role, version: &str, hex: &str) -> Cmd {
    Cmd::docker("rename")
        .arg(config.container_name(role, version))
        .arg(config.container_name(role, &replaced_name(version, hex)))
}

/// Removes the stopped container of a version.
pub fn remove_container<'v>(
    config: &Config,
    role: &Role,
    version: impl Into<VersionRef<'v>>,
) -> Cmd {
    container_id(config, role, version).pipe(Cmd::new("xargs docker container rm"))
}

/// Removes all stopped containers of the role.
pub fn remove_containers(config: &Config, role: &Role) -> Cmd {
    Cmd::docker("container prune --force").args(filters(config, Some(role)))
}

/// Removes all images of the service that no container uses.
pub fn remove_images(config: &Config) -> Cmd {
    Cmd::docker("image prune --all --force --filter")
        .arg(format!("label=service={}", config.service))
}

/// Tags a version's image as the latest one.
pub fn tag_latest(config: &Config, version: &str) -> Cmd {
    Cmd::docker("tag")
        .arg(config.absolute_image(version))
        .arg(config.latest_image())
}

fn stop_ids(config: &Config, role: &Role) -> Cmd {
    let stop = Cmd::new("xargs docker stop");
    match stop_timeout(config, role) {
        Some(seconds) => stop.arg("-t").arg(seconds.to_string()),
        None => stop,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{app, role, role_mut, staged};

    #[test]
    fn item_140_old_container_is_stopped() {
        let config = app();
        assert_eq!(
            stop(&config, role(&config, "web"), "122").real(),
            "docker container ls --all --filter 'name=^app-web-122$' --quiet | xargs docker stop"
        );
        assert_eq!(
            stop(&config, role(&config, "workers"), "122").real(),
            "docker container ls --all --filter 'name=^app-workers-122$' --quiet | xargs docker stop -t 30"
        );
        let config = staged();
        assert_eq!(
            stop(&config, role(&config, "web"), VersionRef::Variable("old")).real(),
            r#"docker container ls --all --filter "name=^app-web-stg-${old}\$" --quiet | xargs docker stop"#
        );
        let web = role(&config, "web");
        assert_eq!(
            stop_current(&config, web).real(),
            format!(
                "{} | xargs docker stop",
                current_container_id(&config, web).real()
            )
        );
    }

    /// Configuration checklist 14.09.
    #[test]
    fn item_141_stop_timeout_precedence() {
        let mut config = app();
        let seconds = |config: &Config, name| stop_timeout(config, role(config, name));
        assert_eq!(seconds(&config, "web"), None);
        assert_eq!(seconds(&config, "workers"), Some(30));
        config.drain_timeout = 10;
        assert_eq!(seconds(&config, "workers"), Some(10));
        config.stop_timeout = Some(20);
        assert_eq!(seconds(&config, "web"), Some(20));
        assert_eq!(seconds(&config, "workers"), Some(20));
        role_mut(&mut config, "web").stop_timeout = Some(5);
        assert_eq!(seconds(&config, "web"), Some(5));
        assert_eq!(seconds(&config, "workers"), Some(20));
    }

    #[test]
    fn item_68_health_lines() {
        let config = app();
        let workers = role(&config, "workers");
        let ls = "docker container ls --all --filter 'name=^app-workers-123$' --quiet";
        assert_eq!(
            status(&config, workers, "123").real(),
            format!(
                "{ls} | xargs docker inspect --format '{{{{if .State.Health}}}}{{{{.State.Health.Status}}}}{{{{else}}}}{{{{.State.Status}}}}{{{{end}}}}'"
            )
        );
        assert_eq!(
            health_log(&config, workers, "123").real(),
            format!("{ls} | xargs docker inspect --format '{{{{json .State.Health}}}}'")
        );
        assert_eq!(
            container_logs(&config, workers, "123").real(),
            format!("{ls} | xargs docker logs --timestamps 2>&1")
        );
    }

    #[test]
    fn item_139_rename() {
        let config = app();
        assert_eq!(
            rename(&config, role(&config, "web"), "123", "0123456789abcdef").real(),
            "docker rename app-web-123 app-web-123_replaced_0123456789abcdef"
        );
        let config = staged();
        assert_eq!(
            rename(&config, role(&config, "web"), "123", "0123456789abcdef").real(),
            "docker rename app-web-stg-123 app-web-stg-123_replaced_0123456789abcdef"
        );
    }

    #[test]
    fn item_166_start_and_item_172_remove() {
        let config = app();
        let web = role(&config, "web");
        assert_eq!(
            start(&config, web, "123").real(),
            "docker start app-web-123"
        );
        assert_eq!(
            remove_container(&config, web, "123").real(),
            "docker container ls --all --filter 'name=^app-web-123$' --quiet | xargs docker container rm"
        );
        assert_eq!(
            remove_containers(&config, web).real(),
            "docker container prune --force --filter label=service=app --filter label=destination= --filter label=role=web"
        );
        assert_eq!(
            remove_images(&config).real(),
            "docker image prune --all --force --filter label=service=app"
        );
        let config = staged();
        let web = role(&config, "web");
        assert_eq!(
            start(&config, web, "123").real(),
            "docker start app-web-stg-123"
        );
        assert_eq!(
            remove_containers(&config, web).real(),
            "docker container prune --force --filter label=service=app --filter label=destination=stg --filter label=role=web"
        );
        assert_eq!(
            remove_images(&config).real(),
            "docker image prune --all --force --filter label=service=app"
        );
    }

    #[test]
    fn item_159_tag() {
        assert_eq!(
            tag_latest(&app(), "123").real(),
            "docker tag dhh/app:123 dhh/app:latest"
        );
        assert_eq!(
            tag_latest(&staged(), "123").real(),
            "docker tag dhh/app:123 dhh/app:latest-stg"
        );
    }
}
