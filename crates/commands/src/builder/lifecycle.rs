//! Docker's builders: is the right one there, make it, remove it.

use dhow_text::shell::Cmd;

use super::{ImageBuilder, Kind, platforms};

impl ImageBuilder<'_> {
    /// Fails if the builder has to be made first. None if there is nothing that could be missing.
    pub fn check(&self) -> Option<Cmd> {
        if self.kind == Kind::Pack {
            return Some(
                Cmd::new("pack")
                    .args(["builder", "inspect"])
                    .args(self.pack_builder()),
            );
        }
        let inspect = Cmd::docker("buildx inspect").arg(self.name()?);
        if !self.is_remote() {
            return Some(inspect);
        }
        let context = self.context()?;
        let endpoint = inspect.pipe(
            Cmd::new("grep")
                .arg("-q")
                .arg(format!("Endpoint:.*{context}")),
        );
        let host = Cmd::docker("context inspect")
            .arg(context)
            .arg("--format '{{.Endpoints.docker.Host}}'")
            .pipe(Cmd::new("grep").arg("-xq").arg(self.remote()));
        Some(
            endpoint
                .and(host)
                .or(Cmd::new("(echo no compatible builder && exit 1)")),
        )
    }

    /// Makes the builder. None if there is nothing to make.
    pub fn create(&self) -> Option<Cmd> {
        let driver = &self.builder().driver;
        match self.kind {
            Kind::Pack => None,
            Kind::Local => Some(
                Cmd::docker("buildx create --name")
                    .arg(self.name()?)
                    .arg(format!("--driver={driver}"))
                    .args(self.driver_options()),
            ),
            Kind::Cloud => Some(Cmd::docker("buildx create --driver").arg(driver.as_str())),
            Kind::Remote => Some(
                self.create_context()?.then(
                    Cmd::docker("buildx create --name")
                        .arg(self.name()?)
                        .args(self.driver_options())
                        .arg(self.context()?),
                ),
            ),
            Kind::Hybrid => Some(
                Cmd::docker("buildx create --platform")
                    .arg(platforms(&self.local_arches))
                    .arg("--name")
                    .arg(self.name()?)
                    .arg(format!("--driver={driver}"))
                    .args(self.driver_options())
                    .and(self.create_context()?)
                    .and(
                        Cmd::docker("buildx create --platform")
                            .arg(platforms(&self.remote_arches))
                            .arg("--append --name")
                            .arg(self.name()?)
                            .args(self.driver_options())
                            .arg(self.context()?),
                    ),
            ),
        }
    }

    /// Removes the builder. None if there is nothing to remove.
    pub fn remove(&self) -> Option<Cmd> {
        let remove = Cmd::docker("buildx rm").arg(self.name()?);
        if !self.is_remote() {
            return Some(remove);
        }
        let context = Cmd::docker("context rm").arg(self.context()?);
        Some(context.then(remove))
    }

    /// Tables of docker's contexts and builders.
    pub fn details(&self) -> Cmd {
        let contexts = Cmd::docker("context ls");
        let builders = Cmd::docker("buildx ls");
        if self.is_remote() {
            contexts.then(builders)
        } else {
            contexts.and(builders)
        }
    }

    pub(super) fn pack_builder(&self) -> Option<&str> {
        self.builder().pack.as_ref()?.builder.as_deref()
    }

    fn context(&self) -> Option<String> {
        Some(format!("{}-context", self.name()?))
    }

    fn create_context(&self) -> Option<Cmd> {
        Some(
            Cmd::docker("context create")
                .arg(self.context()?)
                .arg(format!("--description '{} host'", self.name()?))
                .arg(format!("--docker 'host={}'", self.remote())),
        )
    }

    /// A builder that is to push to the registry on this machine needs this machine's network.
    fn driver_options(&self) -> Option<&'static str> {
        self.has_local_registry()
            .then_some("--driver-opt network=host")
    }
}

#[cfg(test)]
mod tests {
    use dhow_config::{Config, Pack, Registry};

    use super::*;
    use crate::sample::app;

    const REMOTE: &str = "ssh://app@1.1.1.5";

    fn lines(config: &Config) -> [Option<String>; 3] {
        let builder = ImageBuilder::new(config, Some("amd64"));
        [builder.check(), builder.create(), builder.remove()].map(|cmd| Some(cmd?.real()))
    }

    fn some(lines: [&str; 3]) -> [Option<String>; 3] {
        lines.map(|line| Some(line.to_owned()))
    }

    #[test]
    fn item_225_local() {
        let mut config = app();
        assert_eq!(
            lines(&config),
            some([
                "docker buildx inspect kamal-local-docker-container",
                "docker buildx create --name kamal-local-docker-container --driver=docker-container",
                "docker buildx rm kamal-local-docker-container",
            ])
        );
        assert_eq!(
            ImageBuilder::new(&config, None).details().real(),
            "docker context ls && docker buildx ls"
        );
        config.registry = Registry::omitted();
        assert_eq!(
            lines(&config),
            some([
                "docker buildx inspect kamal-local-registry-docker-container",
                "docker buildx create --name kamal-local-registry-docker-container --driver=docker-container --driver-opt network=host",
                "docker buildx rm kamal-local-registry-docker-container",
            ])
        );
        config.builder.driver = "docker".to_owned();
        assert_eq!(lines(&config), [None, None, None]);
    }

    #[test]
    fn item_225_remote() {
        let mut config = app();
        config.builder.arches = vec!["arm64".to_owned()];
        config.builder.remote = Some(REMOTE.to_owned());
        assert_eq!(
            lines(&config),
            some([
                "docker buildx inspect kamal-remote-ssh---app-1-1-1-5 | grep -q Endpoint:.*kamal-remote-ssh---app-1-1-1-5-context && docker context inspect kamal-remote-ssh---app-1-1-1-5-context --format '{{.Endpoints.docker.Host}}' | grep -xq ssh://app@1.1.1.5 || (echo no compatible builder && exit 1)",
                "docker context create kamal-remote-ssh---app-1-1-1-5-context --description 'kamal-remote-ssh---app-1-1-1-5 host' --docker 'host=ssh://app@1.1.1.5' ; docker buildx create --name kamal-remote-ssh---app-1-1-1-5 kamal-remote-ssh---app-1-1-1-5-context",
                "docker context rm kamal-remote-ssh---app-1-1-1-5-context ; docker buildx rm kamal-remote-ssh---app-1-1-1-5",
            ])
        );
        assert_eq!(
            ImageBuilder::new(&config, Some("amd64")).details().real(),
            "docker context ls ; docker buildx ls"
        );
        config.registry = Registry::omitted();
        let [_, create, _] = lines(&config);
        assert_eq!(
            create.as_deref(),
            Some(
                "docker context create kamal-remote-ssh---app-1-1-1-5-local-registry-context --description 'kamal-remote-ssh---app-1-1-1-5-local-registry host' --docker 'host=ssh://app@1.1.1.5' ; docker buildx create --name kamal-remote-ssh---app-1-1-1-5-local-registry --driver-opt network=host kamal-remote-ssh---app-1-1-1-5-local-registry-context"
            )
        );
    }

    #[test]
    fn item_225_hybrid() {
        let mut config = app();
        config.builder.arches = vec!["amd64".to_owned(), "arm64".to_owned()];
        config.builder.remote = Some(REMOTE.to_owned());
        let name = "kamal-hybrid-docker-container-ssh---app-1-1-1-5";
        let [check, create, remove] = lines(&config);
        assert!(check.is_some_and(|c| c.starts_with(&format!("docker buildx inspect {name} | "))));
        assert_eq!(
            create,
            Some(format!(
                "docker buildx create --platform linux/amd64 --name {name} --driver=docker-container && docker context create {name}-context --description '{name} host' --docker 'host=ssh://app@1.1.1.5' && docker buildx create --platform linux/arm64 --append --name {name} {name}-context"
            ))
        );
        assert_eq!(
            remove,
            Some(format!(
                "docker context rm {name}-context ; docker buildx rm {name}"
            ))
        );
        config.registry = Registry::omitted();
        let name = format!("{name}-local-registry");
        let [_, create, _] = lines(&config);
        assert_eq!(
            create,
            Some(format!(
                "docker buildx create --platform linux/amd64 --name {name} --driver=docker-container --driver-opt network=host && docker context create {name}-context --description '{name} host' --docker 'host=ssh://app@1.1.1.5' && docker buildx create --platform linux/arm64 --append --name {name} --driver-opt network=host {name}-context"
            ))
        );
    }

    #[test]
    fn item_225_cloud_and_pack() {
        let mut config = app();
        config.builder.driver = "cloud org/name".to_owned();
        assert_eq!(
            lines(&config),
            some([
                "docker buildx inspect cloud-org-name",
                "docker buildx create --driver cloud org/name",
                "docker buildx rm cloud-org-name",
            ])
        );
        config.builder.pack = Some(Pack {
            builder: Some("heroku/builder:24".to_owned()),
            buildpacks: Vec::new(),
        });
        assert_eq!(
            lines(&config),
            [
                Some("pack builder inspect heroku/builder:24".to_owned()),
                None,
                None
            ]
        );
    }
}
