//! `proxy boot_config`: files on the host that say how the proxy's container is made (deprecated in favour of `proxy.run`).

use dhow_text::shell::Cmd;

use super::ProxyImage;
use super::run::{DEFAULT_OPTIONS, publish_flags, run_command};
use crate::{Upload, paths};

/// Options of `proxy boot_config set`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BootConfig {
    /// `--publish`
    pub publish: bool,
    /// `--publish-host-ip`
    pub bind_ips: Vec<String>,
    /// `--http-port`
    pub http_port: i64,
    /// `--https-port`
    pub https_port: i64,
    /// `--log-max-size`; empty leaves the option out.
    pub log_max_size: String,
    /// `--registry`
    pub registry: Option<String>,
    /// `--repository`: what comes before `/kamal-proxy`.
    pub repository: Option<String>,
    /// `--image-version`
    pub image_version: Option<String>,
    /// `--metrics-port`
    pub metrics_port: Option<i64>,
    /// `--debug`
    pub debug: bool,
    /// `--docker-options`, without their leading dashes.
    pub docker_options: Vec<String>,
}

/// A bind address that is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Invalid publish IP address: {0}")]
pub struct InvalidBindAddress(pub String);

/// What becomes of one of the files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BootFile {
    /// It is written.
    Write(Upload),
    /// It says nothing that the defaults don't; it is removed, and may be missing.
    Remove(Cmd),
}

impl BootConfig {
    /// The files, in order: `options`, `image`, `image_version`, `run_command`.
    pub fn files(&self) -> Result<[BootFile; 4], InvalidBindAddress> {
        let options = Some(self.options()?).filter(|options| options != DEFAULT_OPTIONS);
        let image = Some(self.image()).filter(|image| image != ProxyImage::KAMAL.repository);
        let says_how_to_run = self.debug || self.metrics_port.is_some();
        let command = says_how_to_run.then(|| run_command(self.debug, self.metrics_port));
        Ok([
            file("options", options),
            file("image", image),
            file("image_version", self.image_version.clone()),
            file("run_command", command),
        ])
    }

    fn options(&self) -> Result<String, InvalidBindAddress> {
        let mut flags = Vec::new();
        if self.publish {
            if let Some(bad) = self.bind_ips.iter().find(|ip| !is_address(ip)) {
                return Err(InvalidBindAddress(bad.clone()));
            }
            flags = publish_flags(self.http_port, self.https_port, &self.bind_ips);
        }
        if !self.log_max_size.is_empty() {
            flags.push(format!("--log-opt max-size={}", self.log_max_size));
        }
        flags.extend(self.metrics_port.map(|port| format!("--expose={port}")));
        flags.extend(
            self.docker_options
                .iter()
                .map(|option| format!("--{option}")),
        );
        Ok(flags.join(" "))
    }

    fn image(&self) -> String {
        let repository = non_empty(self.repository.as_deref()).unwrap_or("basecamp");
        let parts = non_empty(self.registry.as_deref())
            .into_iter()
            .chain([repository, "kamal-proxy"]);
        parts.collect::<Vec<_>>().join("/")
    }
}

/// What `proxy boot_config reset` does: removes the four files, which may be missing.
pub fn reset() -> [Cmd; 4] {
    ["options", "image", "image_version", "run_command"].map(remove)
}

fn file(name: &str, content: Option<String>) -> BootFile {
    match content {
        Some(content) => BootFile::Write(Upload::public(path(name), 0o640, content)),
        None => BootFile::Remove(remove(name)),
    }
}

fn remove(name: &str) -> Cmd {
    Cmd::new("rm").arg(path(name))
}

fn path(name: &str) -> String {
    format!("{}/{name}", paths::PROXY)
}

fn non_empty(text: Option<&str>) -> Option<&str> {
    text.filter(|text| !text.trim().is_empty())
}

/// Link-local addresses may name their interface.
fn is_address(text: &str) -> bool {
    let bare = match text.split_once('%') {
        Some((address, interface)) if !interface.is_empty() => address,
        _ => text,
    };
    bare.parse::<std::net::IpAddr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn defaults() -> BootConfig {
        BootConfig {
            publish: true,
            bind_ips: Vec::new(),
            http_port: 80,
            https_port: 443,
            log_max_size: "10m".to_owned(),
            registry: None,
            repository: None,
            image_version: None,
            metrics_port: None,
            debug: false,
            docker_options: Vec::new(),
        }
    }

    fn told(config: &BootConfig) -> Vec<String> {
        let files = config.files().expect("valid addresses");
        files
            .iter()
            .map(|file| match file {
                BootFile::Remove(cmd) => cmd.real(),
                BootFile::Write(upload) => {
                    assert_eq!(upload.mode, 0o640);
                    format!(
                        "{}: {}",
                        upload.path,
                        String::from_utf8_lossy(upload.bytes())
                    )
                }
            })
            .collect()
    }

    #[test]
    fn item_191_defaults_remove_every_file() {
        let removed = [
            "rm .kamal/proxy/options",
            "rm .kamal/proxy/image",
            "rm .kamal/proxy/image_version",
            "rm .kamal/proxy/run_command",
        ];
        assert_eq!(told(&defaults()), removed);
        assert_eq!(reset().map(|cmd| cmd.real()), removed);
    }

    #[test]
    fn item_192_options_with_ports_addresses_and_docker_options() {
        let config = BootConfig {
            bind_ips: vec!["127.0.0.1".to_owned(), "::1".to_owned()],
            http_port: 8080,
            https_port: 8443,
            log_max_size: String::new(),
            registry: Some("reg:5000".to_owned()),
            repository: Some("mine".to_owned()),
            image_version: Some("v0.9.3".to_owned()),
            metrics_port: Some(9090),
            debug: true,
            docker_options: vec!["label=foo=bar".to_owned(), "init".to_owned()],
            ..defaults()
        };
        assert_eq!(
            told(&config),
            [
                ".kamal/proxy/options: --publish 127.0.0.1:8080:80 --publish 127.0.0.1:8443:443 --publish [::1]:8080:80 --publish [::1]:8443:443 --expose=9090 --label=foo=bar --init",
                ".kamal/proxy/image: reg:5000/mine/kamal-proxy",
                ".kamal/proxy/image_version: v0.9.3",
                ".kamal/proxy/run_command: kamal-proxy run --debug --metrics-port \"9090\"",
            ]
        );
        let private = BootConfig {
            publish: false,
            registry: Some("reg:5000".to_owned()),
            ..defaults()
        };
        let told = told(&private);
        assert_eq!(told[0], ".kamal/proxy/options: --log-opt max-size=10m");
        assert_eq!(told[1], ".kamal/proxy/image: reg:5000/basecamp/kamal-proxy");
    }

    #[test]
    fn item_192_a_bad_address_is_refused() {
        for bad in ["1.2.3", "[::1]", "host", ""] {
            let config = BootConfig {
                bind_ips: vec![bad.to_owned()],
                ..defaults()
            };
            let error = config.files().expect_err("not an address");
            assert_eq!(
                error.to_string(),
                format!("Invalid publish IP address: {bad}")
            );
        }
    }
}
