//! Questions about app containers. What they print is for the caller to read, or for a `$(…)`.

use dhow_config::{Config, Role};
use dhow_text::shell::Cmd;

use super::filters;
use crate::VersionRef;

const ACTIVE: [&str; 4] = [
    "--filter",
    "status=running",
    "--filter",
    "status=restarting",
];

/// The short id of the role's container that is in use: the newest running one of the latest-tagged image, else the newest running
/// one. Nothing if none runs.
pub fn current_container_id(config: &Config, role: &Role) -> Cmd {
    current(config, role, "--quiet")
}

/// The version of the container that [`current_container_id`] finds.
pub fn current_version(config: &Config, role: &Role) -> Cmd {
    let names = current(config, role, "--format '{{.Names}}'");
    names.pipe(versions_of_names(config, role))
}

/// The short id of the role's container of a version, running or not. Nothing if there is none.
pub fn container_id<'v>(config: &Config, role: &Role, version: impl Into<VersionRef<'v>>) -> Cmd {
    let filter = version.into().name_filter(&config.container_prefix(role));
    Cmd::docker("container ls --all --filter")
        .arg(filter)
        .arg("--quiet")
}

/// The versions of the role's running containers, newest first, one a line.
pub fn list_versions(config: &Config, role: &Role) -> Cmd {
    Cmd::docker("ps")
        .args(filters(config, Some(role)))
        .arg(r#"--format "{{.Names}}""#)
        .pipe(versions_of_names(config, role))
}

/// A table of the role's running containers.
pub fn info(config: &Config, role: &Role) -> Cmd {
    Cmd::docker("ps").args(filters(config, Some(role)))
}

/// A table of the app's containers, all roles, running or not.
pub fn list_containers(config: &Config) -> Cmd {
    Cmd::docker("container ls --all").args(filters(config, None))
}

/// A table of the app's images.
pub fn list_images(config: &Config) -> Cmd {
    Cmd::docker("image ls").arg(config.repository())
}

/// Two questions in a shell of their own, so that `head` sees one stream and takes the first answer.
fn current(config: &Config, role: &Role, format: &str) -> Cmd {
    let newest = || {
        Cmd::docker("ps --latest")
            .arg(format)
            .args(filters(config, Some(role)))
            .args(ACTIVE)
    };
    let of_latest_image = format!(
        "ancestor=$(docker image ls --filter reference={} --format '{{{{.ID}}}}')",
        config.latest_image()
    );
    let both = newest().arg("--filter").arg(of_latest_image).then(newest());
    let inner = both.real().replace('\'', r"'\''");
    Cmd::new("sh")
        .arg("-c")
        .arg(format!("'{inner}'"))
        .pipe(Cmd::new("head").arg("-1"))
}

/// Container names in, versions out.
fn versions_of_names(config: &Config, role: &Role) -> Cmd {
    let prefix = config.container_prefix(role);
    Cmd::new(format!(
        "while read line; do echo ${{line#{prefix}-}}; done"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{app, role, staged};

    #[test]
    fn item_143_current_container_lines() {
        let config = app();
        let web = role(&config, "web");
        assert_eq!(
            current_version(&config, web).real(),
            r"sh -c 'docker ps --latest --format '\''{{.Names}}'\'' --filter label=service=app --filter label=destination= --filter label=role=web --filter status=running --filter status=restarting --filter ancestor=$(docker image ls --filter reference=dhh/app:latest --format '\''{{.ID}}'\'') ; docker ps --latest --format '\''{{.Names}}'\'' --filter label=service=app --filter label=destination= --filter label=role=web --filter status=running --filter status=restarting' | head -1 | while read line; do echo ${line#app-web-}; done"
        );
        assert_eq!(
            current_container_id(&config, web).real(),
            r"sh -c 'docker ps --latest --quiet --filter label=service=app --filter label=destination= --filter label=role=web --filter status=running --filter status=restarting --filter ancestor=$(docker image ls --filter reference=dhh/app:latest --format '\''{{.ID}}'\'') ; docker ps --latest --quiet --filter label=service=app --filter label=destination= --filter label=role=web --filter status=running --filter status=restarting' | head -1"
        );
        let config = staged();
        let web = role(&config, "web");
        assert_eq!(
            current_version(&config, web).real(),
            r"sh -c 'docker ps --latest --format '\''{{.Names}}'\'' --filter label=service=app --filter label=destination=stg --filter label=role=web --filter status=running --filter status=restarting --filter ancestor=$(docker image ls --filter reference=dhh/app:latest-stg --format '\''{{.ID}}'\'') ; docker ps --latest --format '\''{{.Names}}'\'' --filter label=service=app --filter label=destination=stg --filter label=role=web --filter status=running --filter status=restarting' | head -1 | while read line; do echo ${line#app-web-stg-}; done"
        );
    }

    #[test]
    fn item_144_versions_lose_the_container_prefix() {
        let config = app();
        assert_eq!(
            list_versions(&config, role(&config, "web")).real(),
            r#"docker ps --filter label=service=app --filter label=destination= --filter label=role=web --format "{{.Names}}" | while read line; do echo ${line#app-web-}; done"#
        );
        let config = staged();
        assert_eq!(
            list_versions(&config, role(&config, "workers")).real(),
            r#"docker ps --filter label=service=app --filter label=destination=stg --filter label=role=workers --format "{{.Names}}" | while read line; do echo ${line#app-workers-stg-}; done"#
        );
    }

    #[test]
    fn item_169_listing_lines() {
        let config = app();
        assert_eq!(
            info(&config, role(&config, "web")).real(),
            "docker ps --filter label=service=app --filter label=destination= --filter label=role=web"
        );
        assert_eq!(
            list_containers(&config).real(),
            "docker container ls --all --filter label=service=app --filter label=destination="
        );
        assert_eq!(list_images(&config).real(), "docker image ls dhh/app");
        let config = staged();
        assert_eq!(
            info(&config, role(&config, "web")).real(),
            "docker ps --filter label=service=app --filter label=destination=stg --filter label=role=web"
        );
        assert_eq!(
            list_containers(&config).real(),
            "docker container ls --all --filter label=service=app --filter label=destination=stg"
        );
    }

    #[test]
    fn item_68_container_id() {
        let config = app();
        let web = role(&config, "web");
        assert_eq!(
            container_id(&config, web, "123").real(),
            "docker container ls --all --filter 'name=^app-web-123$' --quiet"
        );
        assert_eq!(
            container_id(&config, web, VersionRef::Variable("old")).real(),
            r#"docker container ls --all --filter "name=^app-web-${old}\$" --quiet"#
        );
        let config = staged();
        assert_eq!(
            container_id(&config, role(&config, "web"), "123").real(),
            "docker container ls --all --filter 'name=^app-web-stg-123$' --quiet"
        );
    }
}
