//! Building the app's image: which builder, how it is made and removed, the build itself, the copy of the work tree.
//!
//! In: the builder section, the architecture of the local docker where it matters. Out: commands for the deployer's machine. They
//! are shell text (`sh -c`); for git there are arguments for a process without a shell ([`clone`]).

pub mod clone;

mod build;
mod build_env;
mod lifecycle;

pub use build::{Build, BuildOptions, Output, context_check, context_files};
pub use build_env::BuildValue;

use dhow_config::{Builder, Config};

/// The ways to build.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// With docker on the deployer's machine.
    Local,
    /// On a build host.
    Remote,
    /// Some architectures here, the others on a build host.
    Hybrid,
    /// With Docker Build Cloud.
    Cloud,
    /// With buildpacks.
    Pack,
}

/// The builder of a deploy file.
#[derive(Clone, Debug)]
pub struct ImageBuilder<'c> {
    config: &'c Config,
    kind: Kind,
    local_arches: Vec<&'c str>,
    remote_arches: Vec<&'c str>,
}

impl<'c> ImageBuilder<'c> {
    /// Whether [`ImageBuilder::new`] has to know the architecture of the local docker.
    pub fn needs_architecture(builder: &Builder) -> bool {
        builder.remote.is_some() && builder.local
    }

    /// The builder for a deploy file. `architecture` is the local docker's (see [`crate::docker::architecture_name`]).
    pub fn new(config: &'c Config, architecture: Option<&str>) -> Self {
        let builder = &config.builder;
        let has_remote = builder.remote.is_some();
        let is_local = |arch: &str| {
            builder.local && (!has_remote || architecture.is_some_and(|here| here == arch))
        };
        let (local_arches, others): (Vec<&str>, Vec<&str>) = builder
            .arches
            .iter()
            .map(String::as_str)
            .partition(|arch| is_local(arch));
        let remote_arches = if has_remote { others } else { Vec::new() };
        let kind = match (remote_arches.is_empty(), local_arches.is_empty()) {
            (false, false) => Kind::Hybrid,
            (false, true) => Kind::Remote,
            _ if builder.pack.is_some() => Kind::Pack,
            _ if builder.driver.starts_with("cloud") => Kind::Cloud,
            _ => Kind::Local,
        };
        Self {
            config,
            kind,
            local_arches,
            remote_arches,
        }
    }

    /// How it builds.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Whether a build host takes part. The local docker is then not logged in to the registry.
    pub fn is_remote(&self) -> bool {
        matches!(self.kind, Kind::Remote | Kind::Hybrid)
    }

    /// The name of docker's builder; none where docker itself or `pack` builds.
    pub fn name(&self) -> Option<String> {
        let driver = &self.builder().driver;
        match self.kind {
            Kind::Pack => None,
            Kind::Local if driver == "docker" => None,
            Kind::Local if self.has_local_registry() => {
                Some(format!("kamal-local-registry-{driver}"))
            }
            Kind::Local => Some(format!("kamal-local-{driver}")),
            Kind::Remote => Some(format!("kamal-remote-{}", self.remote_suffix())),
            Kind::Hybrid => Some(format!("kamal-hybrid-{driver}-{}", self.remote_suffix())),
            Kind::Cloud => Some(driver.replace([' ', '/'], "-")),
        }
    }

    fn builder(&self) -> &'c Builder {
        &self.config.builder
    }

    fn remote(&self) -> &'c str {
        self.builder().remote.as_deref().unwrap_or_default()
    }

    fn has_local_registry(&self) -> bool {
        self.config.registry.is_local()
    }

    fn remote_suffix(&self) -> String {
        let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "_-".contains(c);
        let mut suffix = self.remote().replace(|c: char| !allowed(c), "-");
        if self.has_local_registry() {
            suffix.push_str("-local-registry");
        }
        suffix
    }
}

/// `linux/amd64,linux/arm64`
fn platforms(arches: &[&str]) -> String {
    let platforms: Vec<String> = arches.iter().map(|arch| format!("linux/{arch}")).collect();
    platforms.join(",")
}

#[cfg(test)]
mod tests {
    use dhow_config::{Pack, Registry};

    use super::*;
    use crate::sample::app;

    type Change = fn(&mut Builder);

    fn kind_and_name(change: Change, local_registry: bool) -> (Kind, Option<String>) {
        let mut config = app();
        change(&mut config.builder);
        if local_registry {
            config.registry = Registry::omitted();
        }
        let builder = ImageBuilder::new(&config, Some("amd64"));
        (builder.kind(), builder.name())
    }

    #[test]
    fn item_224_selection_and_names() {
        const REMOTE: &str = "ssh://app@1.1.1.5";
        let cases: [(Change, Kind, Option<&str>, Option<&str>); 9] = [
            (
                |_| (),
                Kind::Local,
                Some("kamal-local-docker-container"),
                Some("kamal-local-registry-docker-container"),
            ),
            (|b| b.driver = "docker".to_owned(), Kind::Local, None, None),
            (
                |b| {
                    b.arches = vec!["arm64".to_owned()];
                    b.remote = Some(REMOTE.to_owned());
                },
                Kind::Remote,
                Some("kamal-remote-ssh---app-1-1-1-5"),
                Some("kamal-remote-ssh---app-1-1-1-5-local-registry"),
            ),
            (
                |b| {
                    b.arches = vec!["amd64".to_owned(), "arm64".to_owned()];
                    b.remote = Some(REMOTE.to_owned());
                },
                Kind::Hybrid,
                Some("kamal-hybrid-docker-container-ssh---app-1-1-1-5"),
                Some("kamal-hybrid-docker-container-ssh---app-1-1-1-5-local-registry"),
            ),
            (
                |b| {
                    b.local = false;
                    b.remote = Some(REMOTE.to_owned());
                },
                Kind::Remote,
                Some("kamal-remote-ssh---app-1-1-1-5"),
                Some("kamal-remote-ssh---app-1-1-1-5-local-registry"),
            ),
            (
                |b| b.remote = Some(REMOTE.to_owned()),
                Kind::Local,
                Some("kamal-local-docker-container"),
                Some("kamal-local-registry-docker-container"),
            ),
            (
                |b| b.arches.push("arm64".to_owned()),
                Kind::Local,
                Some("kamal-local-docker-container"),
                Some("kamal-local-registry-docker-container"),
            ),
            (
                |b| b.driver = "cloud org/builder name".to_owned(),
                Kind::Cloud,
                Some("cloud-org-builder-name"),
                Some("cloud-org-builder-name"),
            ),
            (|b| b.pack = Some(Pack::default()), Kind::Pack, None, None),
        ];
        for (change, kind, name, name_with_local_registry) in cases {
            let name = name.map(str::to_owned);
            assert_eq!(kind_and_name(change, false), (kind, name));
            let name = name_with_local_registry.map(str::to_owned);
            assert_eq!(kind_and_name(change, true), (kind, name));
        }
    }

    #[test]
    fn item_224_architecture_is_asked_only_beside_a_build_host() {
        let mut builder = app().builder;
        assert!(!ImageBuilder::needs_architecture(&builder));
        builder.remote = Some("ssh://h".to_owned());
        assert!(ImageBuilder::needs_architecture(&builder));
        builder.local = false;
        assert!(!ImageBuilder::needs_architecture(&builder));
    }
}
