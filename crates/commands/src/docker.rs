//! Docker itself: is it there, can it be installed, its network.
//!
//! In: nothing, or a container's name. Out: commands for hosts and for the deployer's machine.

use dhow_text::shell::Cmd;

/// What a failed `docker network create` says when there is nothing to do.
pub const ALREADY_EXISTS: &str = "already exists";

/// Makes the network that app containers and the proxy share; fails with [`ALREADY_EXISTS`] if it is there.
pub fn create_network() -> Cmd {
    Cmd::docker("network create kamal")
}

/// Succeeds if docker is installed.
pub fn is_installed() -> Cmd {
    Cmd::docker("-v")
}

/// Succeeds if docker is installed here, with buildx.
pub fn has_buildx() -> Cmd {
    Cmd::docker("--version").and(Cmd::docker("buildx version"))
}

/// Prints the architecture of docker's host, as the kernel calls it; see [`architecture_name`].
pub fn architecture() -> Cmd {
    Cmd::docker("info --format '{{.Architecture}}'")
}

/// Docker's name for what [`architecture`] printed.
pub fn architecture_name(printed: &str) -> &str {
    let printed = printed.trim();
    if printed.contains("aarch64") {
        "arm64"
    } else if printed.contains("x86_64") {
        "amd64"
    } else {
        printed
    }
}

/// Succeeds if the user may install docker: root, or `sudo` without a password.
pub fn is_superuser() -> Cmd {
    Cmd::new(r#"[ "${EUID:-$(id -u)}" -eq 0 ] || sudo -nl usermod >/dev/null"#)
}

/// Succeeds if the user is root.
pub fn is_root() -> Cmd {
    Cmd::new(r#"[ "${EUID:-$(id -u)}" -eq 0 ]"#)
}

/// Succeeds if the user may talk to docker.
pub fn is_in_group() -> Cmd {
    Cmd::new(r#"id -nG "${USER:-$(id -un)}" | grep -qw docker"#)
}

/// Lets the user talk to docker, from the next log-in on.
pub fn add_to_group() -> Cmd {
    Cmd::new(r#"sudo -n usermod -aG docker "${USER:-$(id -un)}""#)
}

/// Ends the session, so that the next one has the new group.
pub fn refresh_session() -> Cmd {
    Cmd::new("kill -HUP $PPID")
}

/// Installs docker with Docker's own script.
pub fn install() -> Cmd {
    Cmd::new(
        r#"sh -c 'curl -fsSL https://get.docker.com || wget -O - https://get.docker.com || echo "exit 1"'"#,
    )
    .pipe(Cmd::new("sh"))
}

/// The short id of a running container. Nothing if none runs under that name.
pub fn running_container_id(name: &str) -> Cmd {
    Cmd::docker("container ls --filter")
        .arg(format!("'name=^{name}$'"))
        .arg("--quiet")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn item_200_network_and_item_68_running_id() {
        assert_eq!(create_network().real(), "docker network create kamal");
        assert_eq!(
            running_container_id("app-db").real(),
            "docker container ls --filter 'name=^app-db$' --quiet"
        );
    }

    #[test]
    fn item_208_bootstrap_lines() {
        assert_eq!(is_installed().real(), "docker -v");
        assert_eq!(
            is_superuser().real(),
            r#"[ "${EUID:-$(id -u)}" -eq 0 ] || sudo -nl usermod >/dev/null"#
        );
        assert_eq!(is_root().real(), r#"[ "${EUID:-$(id -u)}" -eq 0 ]"#);
        assert_eq!(
            is_in_group().real(),
            r#"id -nG "${USER:-$(id -un)}" | grep -qw docker"#
        );
        assert_eq!(
            add_to_group().real(),
            r#"sudo -n usermod -aG docker "${USER:-$(id -un)}""#
        );
        assert_eq!(refresh_session().real(), "kill -HUP $PPID");
        assert_eq!(
            install().real(),
            r#"sh -c 'curl -fsSL https://get.docker.com || wget -O - https://get.docker.com || echo "exit 1"' | sh"#
        );
    }

    #[test]
    fn item_223_local_check() {
        assert_eq!(
            has_buildx().real(),
            "docker --version && docker buildx version"
        );
    }

    /// Configuration checklist 14.10.
    #[test]
    fn config_item_14_10_architectures() {
        assert_eq!(
            architecture().real(),
            "docker info --format '{{.Architecture}}'"
        );
        for (printed, name) in [
            ("x86_64\n", "amd64"),
            ("aarch64\n", "arm64"),
            ("riscv64\n", "riscv64"),
        ] {
            assert_eq!(architecture_name(printed), name);
        }
    }
}
