//! The build itself.

use dhow_config::{Cache, Config};
use dhow_text::redact::Secret;
use dhow_text::shell::{Cmd, ShellValue, key_values};

use super::build_env::{BuildArguments, BuildValue, build_arguments};
use super::{ImageBuilder, Kind, platforms};

/// A build, ready to be run by `sh -c` in the build directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Build {
    /// The command.
    pub cmd: Cmd,
    /// What its environment has beside the deployer's own: build arguments and secrets.
    pub env: Vec<(String, BuildValue)>,
}

/// What to build, and where to put it.
#[derive(Clone, Copy, Debug)]
pub struct BuildOptions<'b> {
    /// The version.
    pub version: &'b str,
    /// Where the image goes.
    pub output: Output<'b>,
    /// Whether the work tree is built as it is: both tags then end in `-dirty`.
    pub dirty: bool,
    /// Whether nothing of earlier builds is used.
    pub no_cache: bool,
    /// The builder's secrets, looked up.
    pub secrets: &'b [(String, Secret)],
}

/// Where an image goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output<'o> {
    /// To the registry.
    Registry,
    /// To the local docker.
    Docker,
    /// Wherever docker's exporter of that name puts it.
    Other(&'o str),
}

impl ImageBuilder<'_> {
    /// Builds an image.
    pub fn build(&self, options: &BuildOptions<'_>) -> Build {
        match self.kind {
            Kind::Pack => self.pack_build(options),
            Kind::Remote | Kind::Hybrid => {
                let Build { cmd, env } = self.docker_build(options);
                let cmd = Cmd::new("( export BUILDKIT_NO_CLIENT_TOKEN=\"1\"")
                    .then(cmd)
                    .arg(")");
                Build { cmd, env }
            }
            Kind::Local | Kind::Cloud => self.docker_build(options),
        }
    }

    fn docker_build(&self, options: &BuildOptions<'_>) -> Build {
        let builder = self.builder();
        let arches: Vec<&str> = builder.arches.iter().map(String::as_str).collect();
        let BuildArguments { words, mut env } =
            build_arguments("--build-arg", &builder.args, &builder.secrets);
        let secrets = builder.secrets.iter().flat_map(|name| {
            let name = ShellValue::Text(name.clone());
            key_values("--secret", [("id", &name)])
        });
        let platform = (!arches.is_empty()).then(|| format!("--platform {}", platforms(&arches)));
        let flag = |flag: &str, value: Option<&str>| {
            value
                .filter(|value| !value.trim().is_empty())
                .map(|value| format!("{flag} {value}"))
        };
        let sbom = builder.sbom.map(|sbom| sbom.to_string());
        let cmd = Cmd::docker("buildx build")
            .arg(format!("--output=type={}", options.output.exporter()))
            .args(platform)
            .args(self.name().map(|name| format!("--builder {name}")))
            .args(self.tags(options))
            .args(builder.cache.iter().flat_map(|c| cache(self.config, c)))
            .args(service_label(self.config))
            .args(words)
            .args(secrets)
            .arg(format!("--file {}", builder.dockerfile))
            .args(flag("--target", builder.target.as_deref()))
            .args(flag("--ssh", builder.ssh.as_deref()))
            .args(flag("--provenance", builder.provenance.as_deref()))
            .args(flag("--sbom", sbom.as_deref()))
            .args(options.no_cache.then_some("--no-cache"))
            .arg(builder.context.as_deref().unwrap_or("."))
            .arg("2>&1");
        env.extend(secret_values(options));
        Build { cmd, env }
    }

    fn pack_build(&self, options: &BuildOptions<'_>) -> Build {
        let builder = self.builder();
        let arches: Vec<&str> = builder.arches.iter().map(String::as_str).collect();
        let BuildArguments { words, mut env } =
            build_arguments("--env", &builder.args, &builder.secrets);
        let buildpacks = builder.pack.iter().flat_map(|pack| &pack.buildpacks);
        let buildpacks = buildpacks
            .map(String::as_str)
            .chain(["paketo-buildpacks/image-labels"])
            .flat_map(|buildpack| ["--buildpack", buildpack]);
        let secrets = builder.secrets.iter().flat_map(|name| ["--env", name]);
        let mut cmd = Cmd::new("pack")
            .arg("build")
            .arg(self.config.repository())
            .arg(format!("--platform {}", platforms(&arches)))
            .arg("--creation-time now --builder")
            .args(self.pack_builder())
            .args(buildpacks)
            .args(self.tags(options))
            .args(options.no_cache.then_some("--clear-cache"))
            .arg(format!(
                "--env BP_IMAGE_LABELS=service={}",
                self.config.service
            ))
            .args(words)
            .args(secrets)
            .arg("--path")
            .arg(builder.context.as_deref().unwrap_or("."));
        if options.output == Output::Registry {
            let [version, latest] = self.images(options);
            cmd = cmd
                .and(Cmd::docker("push").arg(version))
                .and(Cmd::docker("push").arg(latest));
        }
        env.extend(secret_values(options));
        Build { cmd, env }
    }

    /// The version's image and the latest image, as they are tagged.
    fn images(&self, options: &BuildOptions<'_>) -> [String; 2] {
        let suffix = if options.dirty { "-dirty" } else { "" };
        [
            self.config.absolute_image(options.version),
            self.config.latest_image(),
        ]
        .map(|image| format!("{image}{suffix}"))
    }

    fn tags(&self, options: &BuildOptions<'_>) -> [String; 2] {
        self.images(options).map(|image| format!("-t {image}"))
    }
}

impl<'o> Output<'o> {
    /// The name of docker's exporter.
    pub fn exporter(self) -> &'o str {
        match self {
            Self::Registry => "registry",
            Self::Docker => "docker",
            Self::Other(name) => name,
        }
    }
}

/// Builds an image from `dockerfile` that knows which files are in the build context; [`context_files`] runs it.
pub fn context_check(dockerfile: &str) -> Cmd {
    Cmd::docker("buildx build -t=kamal-local-build-check")
        .arg(format!("-f={dockerfile}"))
        .arg(".")
}

/// Runs the image that [`context_check`] built.
pub fn context_files() -> Cmd {
    Cmd::docker("run --rm kamal-local-build-check")
}

fn service_label(config: &Config) -> Vec<String> {
    let service = ShellValue::Text(config.service.clone());
    key_values("--label", [("service", &service)])
}

fn secret_values(options: &BuildOptions<'_>) -> impl Iterator<Item = (String, BuildValue)> {
    options
        .secrets
        .iter()
        .map(|(name, value)| (name.clone(), BuildValue::Secret(value.clone())))
}

/// `--cache-to … --cache-from …`
fn cache(config: &Config, cache: &Cache) -> [String; 2] {
    let options = cache
        .options
        .as_deref()
        .filter(|options| !options.trim().is_empty());
    let with = |base: &str, options: Option<&str>| match options {
        Some(options) => format!("{base},{options}"),
        None => base.to_owned(),
    };
    let (to, from) = if cache.kind == "gha" {
        let read = options.map(readable_options).filter(|o| !o.is_empty());
        (with("type=gha", options), with("type=gha", read.as_deref()))
    } else {
        let image = cache
            .image
            .clone()
            .unwrap_or_else(|| format!("{}-build-cache", config.image));
        let reference = match &config.registry.server {
            Some(server) => format!("{server}/{image}"),
            None => image,
        };
        let base = format!("type=registry,ref={reference}");
        (with(&base, options), base)
    };
    [format!("--cache-to {to}"), format!("--cache-from {from}")]
}

/// Those of the options that matter for reading GitHub's cache.
fn readable_options(options: &str) -> String {
    const READABLE: [&str; 5] = ["url", "url_v2", "token", "scope", "timeout"];
    let readable: Vec<&str> = options
        .split(',')
        .filter(|option| {
            let name = option.split('=').next().unwrap_or_default();
            READABLE.contains(&name)
        })
        .collect();
    readable.join(",")
}

#[cfg(test)]
mod tests {
    use dhow_config::{Pack, Registry};

    use super::*;
    use crate::sample::{app, pairs, staged};

    const PUSH: BuildOptions<'static> = BuildOptions {
        version: "123",
        output: Output::Registry,
        dirty: false,
        no_cache: false,
        secrets: &[],
    };

    fn line(config: &Config, options: &BuildOptions<'_>) -> String {
        let builder = ImageBuilder::new(config, Some("amd64"));
        builder.build(options).cmd.real()
    }

    /// The last line of the golden transcript of a local build.
    #[test]
    fn item_226_golden_build() {
        assert_eq!(
            line(&app(), &PUSH),
            r#"docker buildx build --output=type=registry --platform linux/amd64 --builder kamal-local-docker-container -t dhh/app:123 -t dhh/app:latest --label service="app" --file Dockerfile . 2>&1"#
        );
    }

    #[test]
    fn item_226_flag_order() {
        let mut config = staged();
        config.registry.server = Some("ghcr.io".to_owned());
        let builder = &mut config.builder;
        builder.arches = vec!["amd64".to_owned(), "arm64".to_owned()];
        builder.cache = Some(Cache {
            kind: "registry".to_owned(),
            options: Some("mode=max".to_owned()),
            image: None,
        });
        builder.args = pairs(&[("A", "1")]);
        builder.secrets = vec!["TOKEN".to_owned()];
        builder.dockerfile = "Dockerfile.xyz".to_owned();
        builder.target = Some("prod".to_owned());
        builder.ssh = Some("default=$SSH_AUTH_SOCK".to_owned());
        builder.provenance = Some("mode=max".to_owned());
        builder.sbom = Some(true);
        builder.context = Some("./app".to_owned());
        let secrets = [("TOKEN".to_owned(), Secret::new("hunter22"))];
        let options = BuildOptions {
            no_cache: true,
            secrets: &secrets,
            ..PUSH
        };
        let build = ImageBuilder::new(&config, None).build(&options);
        assert_eq!(
            build.cmd.real(),
            r#"docker buildx build --output=type=registry --platform linux/amd64,linux/arm64 --builder kamal-local-docker-container -t ghcr.io/dhh/app:123 -t ghcr.io/dhh/app:latest-stg --cache-to type=registry,ref=ghcr.io/dhh/app-build-cache,mode=max --cache-from type=registry,ref=ghcr.io/dhh/app-build-cache --label service="app" --build-arg A --secret id="TOKEN" --file Dockerfile.xyz --target prod --ssh default=$SSH_AUTH_SOCK --provenance mode=max --sbom true --no-cache ./app 2>&1"#
        );
        assert_eq!(
            build.env,
            [
                ("A".to_owned(), BuildValue::Clear("1".to_owned())),
                (
                    "TOKEN".to_owned(),
                    BuildValue::Secret(Secret::new("hunter22"))
                ),
            ]
        );
    }

    #[test]
    fn item_226_caches() {
        let mut config = app();
        let mut cached = |kind: &str, options: Option<&str>, image: Option<&str>| {
            config.registry.server = None;
            cache(
                &config,
                &Cache {
                    kind: kind.to_owned(),
                    options: options.map(str::to_owned),
                    image: image.map(str::to_owned),
                },
            )
            .join(" ")
        };
        assert_eq!(
            cached("gha", None, None),
            "--cache-to type=gha --cache-from type=gha"
        );
        assert_eq!(
            cached("gha", Some("mode=max"), None),
            "--cache-to type=gha,mode=max --cache-from type=gha"
        );
        assert_eq!(
            cached("gha", Some("mode=max,scope=x,url_v2=y"), None),
            "--cache-to type=gha,mode=max,scope=x,url_v2=y --cache-from type=gha,scope=x,url_v2=y"
        );
        assert_eq!(
            cached("registry", None, Some("mine")),
            "--cache-to type=registry,ref=mine --cache-from type=registry,ref=mine"
        );
    }

    #[test]
    fn item_226_false_provenance_and_sbom_and_no_builder_for_the_docker_driver() {
        let mut config = app();
        config.builder.driver = "docker".to_owned();
        config.builder.provenance = Some("false".to_owned());
        config.builder.sbom = Some(false);
        assert_eq!(
            line(&config, &PUSH),
            r#"docker buildx build --output=type=registry --platform linux/amd64 -t dhh/app:123 -t dhh/app:latest --label service="app" --file Dockerfile --provenance false --sbom false . 2>&1"#
        );
    }

    #[test]
    fn item_227_no_client_token_for_build_hosts() {
        let mut config = app();
        config.builder.remote = Some("ssh://h".to_owned());
        config.builder.local = false;
        assert_eq!(
            line(&config, &PUSH),
            r#"( export BUILDKIT_NO_CLIENT_TOKEN="1" ; docker buildx build --output=type=registry --platform linux/amd64 --builder kamal-remote-ssh---h -t dhh/app:123 -t dhh/app:latest --label service="app" --file Dockerfile . 2>&1 )"#
        );
    }

    #[test]
    fn item_231_dev_build() {
        let dev = BuildOptions {
            output: Output::Docker,
            dirty: true,
            ..PUSH
        };
        assert_eq!(
            line(&staged(), &dev),
            r#"docker buildx build --output=type=docker --platform linux/amd64 --builder kamal-local-docker-container -t dhh/app:123-dirty -t dhh/app:latest-stg-dirty --label service="app" --file Dockerfile . 2>&1"#
        );
        assert_eq!(
            context_check("/tmp/x").real(),
            "docker buildx build -t=kamal-local-build-check -f=/tmp/x ."
        );
        assert_eq!(
            context_files().real(),
            "docker run --rm kamal-local-build-check"
        );
    }

    #[test]
    fn item_232_pack() {
        let mut config = app();
        config.registry = Registry {
            server: Some("ghcr.io".to_owned()),
            ..config.registry
        };
        config.builder.pack = Some(Pack {
            builder: Some("heroku/builder:24".to_owned()),
            buildpacks: vec!["heroku/ruby".to_owned(), "heroku/procfile".to_owned()],
        });
        config.builder.args = pairs(&[("A", "1")]);
        config.builder.secrets = vec!["TOKEN".to_owned()];
        let pack = "pack build ghcr.io/dhh/app --platform linux/amd64 --creation-time now --builder heroku/builder:24 --buildpack heroku/ruby --buildpack heroku/procfile --buildpack paketo-buildpacks/image-labels -t ghcr.io/dhh/app:123 -t ghcr.io/dhh/app:latest";
        let rest = "--env BP_IMAGE_LABELS=service=app --env A --env TOKEN --path .";
        assert_eq!(
            line(&config, &PUSH),
            format!(
                "{pack} {rest} && docker push ghcr.io/dhh/app:123 && docker push ghcr.io/dhh/app:latest"
            )
        );
        let local = BuildOptions {
            output: Output::Docker,
            no_cache: true,
            ..PUSH
        };
        assert_eq!(
            line(&config, &local),
            format!("{pack} --clear-cache {rest}")
        );
    }

    #[test]
    fn no_value_of_a_build_secret_stands_on_the_line() {
        let mut config = app();
        config.builder.secrets = vec!["TOKEN".to_owned()];
        let secrets = [("TOKEN".to_owned(), Secret::new("hunter22"))];
        for pack in [None, Some(Pack::default())] {
            config.builder.pack = pack;
            let options = BuildOptions {
                secrets: &secrets,
                ..PUSH
            };
            let build = ImageBuilder::new(&config, None).build(&options);
            assert!(build.cmd.real().contains("TOKEN"));
            assert!(!build.cmd.real().contains("hunter22"));
            assert!(!format!("{build:?}").contains("hunter22"));
        }
    }
}
