//! `builder`: how images are built.

use super::Pairs;

/// The build section.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Builder {
    /// `arch`, at least one.
    pub arches: Vec<String>,
    /// `remote`: a build host's URL.
    pub remote: Option<String>,
    /// `local`, default true.
    pub local: bool,
    /// `pack`
    pub pack: Option<Pack>,
    /// `cache`; none without a type.
    pub cache: Option<Cache>,
    /// `context`; given at all, it turns the clone off.
    pub context: Option<String>,
    /// `dockerfile`, default `Dockerfile`.
    pub dockerfile: String,
    /// `target`
    pub target: Option<String>,
    /// `args`
    pub args: Pairs,
    /// `secrets`: names.
    pub secrets: Vec<String>,
    /// `ssh`, verbatim.
    pub ssh: Option<String>,
    /// `driver`, default `docker-container`.
    pub driver: String,
    /// `provenance`, verbatim.
    pub provenance: Option<String>,
    /// `sbom`
    pub sbom: Option<bool>,
}

/// `builder.cache`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cache {
    /// `gha` or `registry`.
    pub kind: String,
    /// `options`, verbatim.
    pub options: Option<String>,
    /// `image`
    pub image: Option<String>,
}

/// `builder.pack`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pack {
    /// `builder`
    pub builder: Option<String>,
    /// `buildpacks`
    pub buildpacks: Vec<String>,
}

/// Who builds an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BuilderKind {
    /// On the deployer's machine.
    Local,
    /// On the remote alone.
    Remote,
    /// On both, each for its own architectures.
    Hybrid,
    /// With buildpacks.
    Pack,
    /// With Docker Build Cloud.
    Cloud,
}

impl Builder {
    /// Architectures built on the deployer's machine, whose docker is of the architecture `here` (asked for only if there is a
    /// remote and local builds are on; see [`Self::needs_local_architecture`]).
    pub fn local_arches(&self, here: Option<&str>) -> Vec<&str> {
        let all = self.arches.iter().map(String::as_str);
        match (self.local, &self.remote) {
            (false, _) => Vec::new(),
            (true, Some(_)) => all.filter(|arch| Some(*arch) == here).collect(),
            (true, None) => all.collect(),
        }
    }

    /// Architectures built on the remote.
    pub fn remote_arches(&self, here: Option<&str>) -> Vec<&str> {
        if self.remote.is_none() {
            return Vec::new();
        }
        let local = self.local_arches(here);
        let all = self.arches.iter().map(String::as_str);
        all.filter(|arch| !local.contains(arch)).collect()
    }

    /// Whether the architecture of the deployer's docker decides who builds.
    pub fn needs_local_architecture(&self) -> bool {
        self.local && self.remote.is_some()
    }

    /// Who builds.
    pub fn kind(&self, here: Option<&str>) -> BuilderKind {
        let remote = !self.remote_arches(here).is_empty();
        let local = !self.local_arches(here).is_empty();
        match (remote, local) {
            (true, true) => BuilderKind::Hybrid,
            (true, false) => BuilderKind::Remote,
            _ if self.pack.is_some() => BuilderKind::Pack,
            _ if self.driver.starts_with("cloud") => BuilderKind::Cloud,
            _ => BuilderKind::Local,
        }
    }

    /// `--cache-from`, if there is a cache, for an image (without its server) of a registry's server.
    pub fn cache_from(&self, server: Option<&str>, image: &str) -> Option<String> {
        let cache = self.cache.as_ref()?;
        if cache.kind == "registry" {
            return Some(format!(
                "type=registry,ref={}",
                cache.reference(server, image)
            ));
        }
        let known = ["url", "url_v2", "token", "scope", "timeout"];
        let options = cache.options.as_deref().unwrap_or("").split(',');
        let kept = options.filter(|o| known.contains(&o.split('=').next().unwrap_or("")));
        Some(
            std::iter::once("type=gha")
                .chain(kept)
                .collect::<Vec<_>>()
                .join(","),
        )
    }

    /// `--cache-to`, if there is a cache.
    pub fn cache_to(&self, server: Option<&str>, image: &str) -> Option<String> {
        let cache = self.cache.as_ref()?;
        let mut parts = vec![format!("type={}", cache.kind)];
        if cache.kind == "registry" {
            parts.push(format!("ref={}", cache.reference(server, image)));
        }
        parts.extend(cache.options.clone().filter(|options| !options.is_empty()));
        Some(parts.join(","))
    }
}

impl Cache {
    fn reference(&self, server: Option<&str>, image: &str) -> String {
        let image = match &self.image {
            Some(image) => image.clone(),
            None => format!("{image}-build-cache"),
        };
        match server {
            Some(server) => format!("{server}/{image}"),
            None => image,
        }
    }
}
