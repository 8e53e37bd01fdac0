//! How the proxy's container comes into being.
//!
//! With `proxy.run` in the deploy file, everything is on the line; without, files on the host (written by `proxy boot_config`) say
//! what differs from the default.

use dhow_config::{ProxyExtension, ProxyRun};
use dhow_text::shell::{Cmd, quote_value};

use super::own::{self, is_own_image};
use super::{CONTAINER, ProxyImage, start};
use crate::container_args::docker_options;
use crate::paths;

/// Options of `docker run` where no file on the host says otherwise.
pub(super) const DEFAULT_OPTIONS: &str = "--publish 80:80 --publish 443:443 --log-opt max-size=10m";

/// Creates and starts the container.
pub fn run(run: Option<&ProxyRun>, default: ProxyImage<'_>) -> Cmd {
    run_extended(run, default, &ProxyExtension::default())
}

/// The same with what the deploy file says to dhow's proxy, if that is the one.
pub fn run_extended(
    run: Option<&ProxyRun>,
    default: ProxyImage<'_>,
    extension: &ProxyExtension,
) -> Cmd {
    let made = Cmd::docker("run --name")
        .arg(CONTAINER)
        .arg("--network kamal --detach");
    made_of(made, run, default, extension)
}

/// Creates the same container as [`run_extended`] under another name, without a start.
pub fn create_extended(
    name: &str,
    run: Option<&ProxyRun>,
    default: ProxyImage<'_>,
    extension: &ProxyExtension,
) -> Cmd {
    let made = Cmd::docker("create --name")
        .arg(name)
        .arg("--network kamal");
    made_of(made, run, default, extension)
}

fn made_of(
    made: Cmd,
    run: Option<&ProxyRun>,
    default: ProxyImage<'_>,
    extension: &ProxyExtension,
) -> Cmd {
    let fixed = made
        .arg("--restart unless-stopped")
        .arg("--volume kamal-proxy-config:/home/kamal-proxy/.config/kamal-proxy --volume")
        .arg(format!(
            "$PWD/{}:{}",
            paths::PROXY_APPS_CONFIG,
            paths::PROXY_APPS_CONFIG_INSIDE
        ));
    match run {
        None => boot_config(default, extension).pipe(Cmd::new("xargs").args(words(&fixed))),
        Some(run) => {
            let image = run_image(run, default);
            let own = is_own_image(&image);
            let flags = Some(own::run_flags(extension)).filter(|_| own);
            fixed
                .args(run_flags(run, own && extension.http3))
                .arg(image)
                .arg(run_command(run.debug, run.metrics_port))
                .args(flags.unwrap_or_default())
        }
    }
}

/// Starts the container that is there, or creates it.
pub fn boot(options: Option<&ProxyRun>, default: ProxyImage<'_>) -> Cmd {
    start().or(run(options, default))
}

/// Prints what follows `docker run`: options, image and command, from the files on the host or the defaults.
///
/// A file that names only the image or only its version means Kamal's image otherwise, as it did when it was written.
/// What the deploy file says to dhow's proxy is part of it, if that is the one.
pub fn boot_config(default: ProxyImage<'_>, extension: &ProxyExtension) -> Cmd {
    let read = |name: &str, otherwise: &str| {
        format!("$(cat {}/{name} 2> /dev/null || {otherwise})", paths::PROXY)
    };
    let echo = |text: &str| format!("echo \"{text}\"");
    let otherwise = |neighbour: &str, kamals: &str, ours: &str| {
        if default == ProxyImage::KAMAL {
            echo(kamals)
        } else {
            let file = format!("{}/{neighbour}", paths::PROXY);
            format!(
                "{{ test -e {file} && {}; }} || {}",
                echo(kamals),
                echo(ours)
            )
        }
    };
    let kamal = ProxyImage::KAMAL;
    let image = read(
        "image",
        &otherwise("image_version", kamal.repository, default.repository),
    );
    let version = read(
        "image_version",
        &otherwise("image", kamal.version, default.version),
    );
    let flags = own::run_flags(extension);
    let command = if flags.is_empty() || default == ProxyImage::KAMAL {
        read("run_command", &echo(""))
    } else {
        // Files may name another image, which is told nothing of dhow's.
        let file = |name: &str| format!("{}/{name}", paths::PROXY);
        format!(
            "$(c=\"$(cat {} 2> /dev/null)\"; test -e {} || test -e {} || c=\"${{c:-kamal-proxy run}} {}\"; echo \"$c\")",
            file("run_command"),
            file("image"),
            file("image_version"),
            flags.join(" ")
        )
    };
    let mut options = DEFAULT_OPTIONS.to_owned();
    if extension.http3 {
        options.push_str(" --publish 443:443/udp");
    }
    Cmd::new("echo")
        .arg(read("options", &echo(&options)))
        .arg(format!("{image}:{version}"))
        .arg(command)
}

/// The image that `proxy.run` asks for: the default if it names none; parts that it leaves out are Kamal's.
pub fn run_image(run: &ProxyRun, default: ProxyImage<'_>) -> String {
    let named = run.registry.is_some() || run.repository.is_some() || run.version.is_some();
    let base = if named { ProxyImage::KAMAL } else { default };
    let repository = run.repository.as_deref().unwrap_or(base.repository);
    let version = run.version.as_deref().unwrap_or(base.version);
    match &run.registry {
        Some(registry) => format!("{registry}/{repository}:{version}"),
        None => format!("{repository}:{version}"),
    }
}

/// The command of the container: `kamal-proxy run`, with what it is to do beyond that.
pub fn run_command(debug: bool, metrics_port: Option<i64>) -> String {
    let mut command = "kamal-proxy run".to_owned();
    if debug {
        command.push_str(" --debug");
    }
    if let Some(port) = metrics_port {
        command.push_str(" --metrics-port ");
        command.push_str(&quote_value(&port.to_string()));
    }
    command
}

/// An address as `--publish` wants it: IPv6 in brackets.
pub fn publish_address(address: &str) -> String {
    let is_v6 = address.parse::<std::net::Ipv6Addr>().is_ok();
    if is_v6 {
        format!("[{address}]")
    } else {
        address.to_owned()
    }
}

/// `--publish [address:]http:80 --publish [address:]https:443`, for every address or for all at once.
pub(super) fn publish_flags(http: i64, https: i64, addresses: &[String]) -> Vec<String> {
    let both = |prefix: &str| {
        [
            "--publish".to_owned(),
            format!("{prefix}{http}:80"),
            "--publish".to_owned(),
            format!("{prefix}{https}:443"),
        ]
    };
    if addresses.is_empty() {
        return both("").into();
    }
    addresses
        .iter()
        .flat_map(|address| both(&format!("{}:", publish_address(address))))
        .collect()
}

/// `--publish [address:]https:443/udp` likewise.
fn publish_udp(https: i64, addresses: &[String]) -> Vec<String> {
    let one = |prefix: &str| ["--publish".to_owned(), format!("{prefix}{https}:443/udp")];
    if addresses.is_empty() {
        return one("").into();
    }
    addresses
        .iter()
        .flat_map(|address| one(&format!("{}:", publish_address(address))))
        .collect()
}

fn run_flags(run: &ProxyRun, udp: bool) -> Vec<String> {
    let mut flags = Vec::new();
    if run.publish {
        flags.extend(publish_flags(run.http_port, run.https_port, &run.bind_ips));
        if udp {
            flags.extend(publish_udp(run.https_port, &run.bind_ips));
        }
    }
    if !run.log_max_size.is_empty() {
        flags.push(format!("--log-opt max-size={}", run.log_max_size));
    }
    flags.extend(run.metrics_port.map(|port| format!("--expose={port}")));
    flags.extend(docker_options(&run.options));
    flags
}

fn words(cmd: &Cmd) -> [String; 1] {
    [cmd.real()]
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use dhow_text::shell::ShellValue;

    use super::*;
    use crate::sample::text;

    const KAMALS_RUN: &str = r#"echo $(cat .kamal/proxy/options 2> /dev/null || echo "--publish 80:80 --publish 443:443 --log-opt max-size=10m") $(cat .kamal/proxy/image 2> /dev/null || echo "basecamp/kamal-proxy"):$(cat .kamal/proxy/image_version 2> /dev/null || echo "v0.9.2") $(cat .kamal/proxy/run_command 2> /dev/null || echo "") | xargs docker run --name kamal-proxy --network kamal --detach --restart unless-stopped --volume kamal-proxy-config:/home/kamal-proxy/.config/kamal-proxy --volume $PWD/.kamal/proxy/apps-config:/home/kamal-proxy/.apps-config"#;

    /// Golden transcript, line 12.
    #[test]
    fn item_185_run_by_files_with_kamals_image() {
        assert_eq!(run(None, ProxyImage::KAMAL).real(), KAMALS_RUN);
        assert_eq!(
            boot(None, ProxyImage::KAMAL).real(),
            format!("docker container start kamal-proxy || {KAMALS_RUN}")
        );
    }

    /// The fully loaded line.
    #[test]
    fn item_185_run_by_the_deploy_file() {
        let options = ProxyRun {
            http_port: 8080,
            https_port: 8443,
            bind_ips: vec!["0.0.0.0".to_owned(), "::1".to_owned()],
            metrics_port: Some(9090),
            debug: true,
            log_max_size: "5m".to_owned(),
            registry: Some("reg:5000".to_owned()),
            version: Some("v0.9.3".to_owned()),
            options: vec![
                (
                    "label".to_owned(),
                    ShellValue::List(vec!["a=b".to_owned(), "c=d e".to_owned()]),
                ),
                ("memory".to_owned(), text("512m")),
            ],
            ..ProxyRun::default()
        };
        assert_eq!(
            boot(Some(&options), ProxyImage::DHOW).real(),
            r#"docker container start kamal-proxy || docker run --name kamal-proxy --network kamal --detach --restart unless-stopped --volume kamal-proxy-config:/home/kamal-proxy/.config/kamal-proxy --volume $PWD/.kamal/proxy/apps-config:/home/kamal-proxy/.apps-config --publish 0.0.0.0:8080:80 --publish 0.0.0.0:8443:443 --publish [::1]:8080:80 --publish [::1]:8443:443 --log-opt max-size=5m --expose=9090 --label "a=b" --label "c=d e" --memory "512m" reg:5000/basecamp/kamal-proxy:v0.9.3 kamal-proxy run --debug --metrics-port "9090""#
        );
    }

    #[test]
    fn item_185_flags_that_are_left_out() {
        let quiet = ProxyRun {
            publish: false,
            log_max_size: String::new(),
            ..ProxyRun::default()
        };
        let line = run(Some(&quiet), ProxyImage::KAMAL).real();
        assert!(
            line.ends_with(
                ":/home/kamal-proxy/.apps-config basecamp/kamal-proxy:v0.9.2 kamal-proxy run"
            ),
            "{line}"
        );
        assert_eq!(publish_address("[::1]"), "[::1]");
        let plain = run(Some(&ProxyRun::default()), ProxyImage::DHOW).real();
        assert!(
            plain.ends_with(
                " --publish 80:80 --publish 443:443 --log-opt max-size=10m dhow/kamal-proxy:v0.9.2.1 kamal-proxy run"
            ),
            "{plain}"
        );
    }

    /// What a real shell makes of the line, with every combination of files.
    #[test]
    fn files_that_name_half_an_image_mean_kamals_other_half() {
        for (files, image) in [
            (&[][..], "dhow/kamal-proxy:v0.9.2.1"),
            (
                &[("image_version", "v0.9.3")],
                "basecamp/kamal-proxy:v0.9.3",
            ),
            (
                &[("image", "reg/basecamp/kamal-proxy")],
                "reg/basecamp/kamal-proxy:v0.9.2",
            ),
            (&[("image", "mine"), ("image_version", "v2")], "mine:v2"),
        ] {
            let home = tempfile::tempdir().expect("a directory");
            let directory = home.path().join(".kamal/proxy");
            std::fs::create_dir_all(&directory).expect("a directory");
            for (name, content) in files {
                std::fs::write(directory.join(name), content).expect("a file");
            }
            let output = Command::new("sh")
                .args([
                    "-c",
                    &boot_config(ProxyImage::DHOW, &ProxyExtension::default()).real(),
                ])
                .current_dir(home.path())
                .output()
                .expect("sh runs");
            assert_eq!(
                String::from_utf8_lossy(&output.stdout).trim_end(),
                format!("{DEFAULT_OPTIONS} {image}")
            );
        }
    }
}
