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
