//! The proxy's container: look at it, start it, stop it, remove it.

use dhow_text::shell::Cmd;

use super::{CONTAINER, MINIMUM_VERSION};
use crate::{LogOptions, paths};

const TITLE_FILTER: &str = "--filter label=org.opencontainers.image.title=kamal-proxy";

/// Prints the tag of the proxy's image. Nothing, without failing, if there is no proxy.
pub fn running_version() -> Cmd {
    Cmd::docker("inspect")
        .arg(CONTAINER)
        .arg("--format '{{.Config.Image}}'")
        .pipe(Cmd::new("awk -F: '{print $NF}'"))
}

/// Whether a tag is a version below [`MINIMUM_VERSION`]. A tag that is no version (`latest`, `main`) is not.
pub fn is_too_old(tag: &str) -> bool {
    match (numbers(tag), numbers(MINIMUM_VERSION)) {
        (Some(tag), Some(minimum)) => tag < minimum,
        _ => false,
    }
}

/// Makes the proxy's directory.
pub fn make_directory() -> Cmd {
    Cmd::new("mkdir").arg("-p").arg(paths::PROXY)
}

/// Makes the directory of per-app files that the container sees.
pub fn make_apps_config_directory() -> Cmd {
    Cmd::new("mkdir").arg("-p").arg(paths::PROXY_APPS_CONFIG)
}

/// Starts the container that is there.
pub fn start() -> Cmd {
    Cmd::docker("container start").arg(CONTAINER)
}

/// Stops the container.
pub fn stop_container() -> Cmd {
    Cmd::docker("container stop").arg(CONTAINER)
}

/// Removes the stopped container.
pub fn remove_container() -> Cmd {
    Cmd::docker("container prune --force").arg(TITLE_FILTER)
}

/// Removes images that no container uses.
pub fn remove_image() -> Cmd {
    Cmd::docker("image prune --all --force").arg(TITLE_FILTER)
}

/// Removes the proxy's directory.
pub fn remove_directory() -> Cmd {
    Cmd::new("rm").arg("-r").arg(paths::PROXY)
}

/// Prints how many apps the host has, all services.
pub fn number_of_apps() -> Cmd {
    Cmd::new("ls").arg(paths::APPS).pipe(Cmd::new("wc -l"))
}

/// A table of the running container, and what it has become since it was made: the table knows only what it was made of.
pub fn details() -> Cmd {
    Cmd::docker("ps --filter 'name=^kamal-proxy$'").and(Cmd::new(format!(
        "{{ {{ read -r id image content <{}; }} 2>/dev/null && [ \"$(docker ps --quiet --no-trunc --filter 'name=^kamal-proxy$')\" = \"$id\" ] && echo \"The program in it is now that of $image, content $content\"; true; }}",
        paths::PROXY_IN_PLACE
    )))
}

/// Prints the container's log.
pub fn logs(options: &LogOptions<'_>) -> Cmd {
    options.filtered(
        Cmd::docker("logs")
            .arg(CONTAINER)
            .args(options.since_flag())
            .args(options.tail_flag())
            .args(options.timestamps_flag())
            .arg("2>&1"),
    )
}

/// Prints the container's log as it grows, from the last ten lines on.
pub fn follow_logs(options: &LogOptions<'_>) -> Cmd {
    options.followed(
        Cmd::docker("logs")
            .arg(CONTAINER)
            .args(options.timestamps_flag())
            .arg("--tail 10 --follow 2>&1"),
    )
}

/// Removes the proxy that Kamal 1 had.
pub fn remove_traefik() -> Cmd {
    let title = "--filter label=org.opencontainers.image.title=Traefik";
    Cmd::docker("container stop traefik").then(
        Cmd::docker("container prune --force")
            .arg(title)
            .and(Cmd::docker("image prune --all --force").arg(title)),
    )
}

/// The numbers of `v1.2.3` without trailing zeros, which compare as versions do.
fn numbers(version: &str) -> Option<Vec<u64>> {
    let version = version.trim();
    let version = version.strip_prefix('v').unwrap_or(version);
    let parsed: Result<Vec<u64>, _> = version.split('.').map(str::parse).collect();
    let mut numbers = parsed.ok()?;
    while numbers.last() == Some(&0) {
        numbers.pop();
    }
    Some(numbers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn item_184_minimum_version() {
        for tag in ["v0.9.1", "0.8.10", "v0.9", "v0.8.99.9"] {
            assert!(is_too_old(tag), "{tag}");
        }
        for tag in [
            "v0.9.2", "0.9.2", "v0.9.2.0", "v0.9.2.1", "v0.10.0", "v1", "latest", "", "main-1",
        ] {
            assert!(!is_too_old(tag), "{tag}");
        }
        assert_eq!(
            running_version().real(),
            "docker inspect kamal-proxy --format '{{.Config.Image}}' | awk -F: '{print $NF}'"
        );
    }

    #[test]
    fn item_187_and_188_start_stop_remove() {
        for (cmd, line) in [
            (make_directory(), "mkdir -p .kamal/proxy"),
            (
                make_apps_config_directory(),
                "mkdir -p .kamal/proxy/apps-config",
            ),
            (start(), "docker container start kamal-proxy"),
            (stop_container(), "docker container stop kamal-proxy"),
            (
                remove_container(),
                "docker container prune --force --filter label=org.opencontainers.image.title=kamal-proxy",
            ),
            (
                remove_image(),
                "docker image prune --all --force --filter label=org.opencontainers.image.title=kamal-proxy",
            ),
            (remove_directory(), "rm -r .kamal/proxy"),
            (number_of_apps(), "ls .kamal/apps | wc -l"),
        ] {
            assert_eq!(cmd.real(), line);
        }
    }

    #[test]
    fn item_189_logs() {
        let options = LogOptions {
            timestamps: true,
            since: Some("2h"),
            lines: Some(10),
            grep: Some("hello!"),
            grep_options: None,
        };
        assert_eq!(
            logs(&options).real(),
            "docker logs kamal-proxy --since 2h --tail 10 --timestamps 2>&1 | grep 'hello!'"
        );
        assert_eq!(
            logs(&LogOptions::default()).real(),
            "docker logs kamal-proxy 2>&1"
        );
        assert_eq!(
            follow_logs(&options).real(),
            "docker logs kamal-proxy --timestamps --tail 10 --follow 2>&1 | grep \"hello!\""
        );
    }

    #[test]
    fn item_193_traefik() {
        assert_eq!(
            remove_traefik().real(),
            "docker container stop traefik ; docker container prune --force --filter label=org.opencontainers.image.title=Traefik && docker image prune --all --force --filter label=org.opencontainers.image.title=Traefik"
        );
    }

    #[test]
    fn item_189_details_tell_what_the_container_has_become() {
        let line = details().real();
        assert!(line.starts_with("docker ps --filter 'name=^kamal-proxy$' && "));
        let docker =
            "docker() { case \"$*\" in *quiet*) echo aaa;; *) echo table; return $1_code;; esac; }";
        for (record, code, said) in [
            (None, 0, "table\n"),
            (
                Some("aaa d/k:v2 new\n"),
                0,
                "table\nThe program in it is now that of d/k:v2, content new\n",
            ),
            (Some("bbb d/k:v2 new\n"), 0, "table\n"),
            (Some("aaa d/k:v2 new\n"), 7, "table\n"),
        ] {
            let home = tempfile::tempdir().unwrap();
            let file = home.path().join(paths::PROXY_IN_PLACE);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            if let Some(record) = record {
                std::fs::write(file, record).unwrap();
            }
            let script = format!("{}\n{line}", docker.replace("$1_code", &code.to_string()));
            let output = std::process::Command::new("sh")
                .args(["-c", &script])
                .current_dir(home.path())
                .output()
                .unwrap();
            assert_eq!(output.status.code(), Some(code));
            assert_eq!(String::from_utf8(output.stdout).unwrap(), said);
        }
    }
}
