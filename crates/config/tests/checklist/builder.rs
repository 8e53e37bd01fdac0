//! How images are built.

use crate::deploy::*;
use dhow_config::{Builder, BuilderKind};

fn builder(settings: &str) -> Builder {
    config(&with(&format!("builder: {{{settings}}}"))).builder
}

#[test]
fn item_9_01_arch() {
    let unset = "builder: Builder arch not set";
    refused(&[
        ("builder: {}", unset),
        ("builder: {arch: ''}", unset),
        ("builder: {arch: []}", unset),
        (
            "builder: {arch: 2024-01-01}",
            "builder/arch: should be an array or a string",
        ),
        (
            "builder: {arch: {a: b}}",
            "builder/arch: should be an array or a string",
        ),
        (
            "builder: {arch: [amd64, ~]}",
            "builder/arch: should be an array or a string",
        ),
    ]);
    let none = LEAST.replace("builder: {arch: amd64}\n", "");
    assert_eq!(errors(&none), [unset]);
    assert_eq!(builder("arch: [amd64, arm64]").arches, ["amd64", "arm64"]);
    assert_eq!(builder("arch: sparc").arches, ["sparc"]);
    for (setting, message) in [
        ("remote: [a]", "/remote: should be a string"),
        ("local: 1", "/local: should be a boolean"),
        ("pack: a", "/pack: should be a hash"),
        ("cache: a", "/cache: should be a hash"),
        (
            "cache: {type: gha, options: [a]}",
            "/cache/options: should be a string",
        ),
        ("cache: {type: [a]}", "/cache/type: should be a string"),
        ("cache: {image: [a]}", "/cache/image: should be a string"),
        ("context: [a]", "/context: should be a string"),
        ("dockerfile: [a]", "/dockerfile: should be a string"),
        ("target: [a]", "/target: should be a string"),
        ("args: [A=b]", "/args: should be a hash"),
        ("secrets: A", "/secrets: should be an array"),
        ("secrets: [~]", "/secrets/0: should be a string"),
        ("ssh: [a]", "/ssh: should be a string"),
        ("driver: [a]", "/driver: should be a string"),
        ("multiarch: true, foo: 1", ": unknown keys: multiarch, foo"),
    ] {
        let more = format!("builder: {{arch: amd64, {setting}}}");
        refused(&[(&more, &format!("builder{message}"))]);
    }
}

#[test]
fn item_9_02_rules_between_keys() {
    for (settings, message) in [
        ("cache: {type: x}", ": Invalid cache type: x"),
        ("cache: {foo: 1}", "/cache: unknown key: foo"),
        ("pack: {foo: 1}", "/pack: unknown key: foo"),
        ("pack: {builder: [a]}", "/pack/builder: should be a string"),
        (
            "pack: {buildpacks: a}",
            "/pack/buildpacks: should be an array",
        ),
        (
            "pack: {builder: b}, arch: [amd64, arm64]",
            ": buildpacks only support building for one arch",
        ),
        (
            "local: false",
            ": Cannot disable local builds, no remote is set",
        ),
        (
            "local: false, remote: ''",
            ": Cannot disable local builds, no remote is set",
        ),
    ] {
        let more = format!("builder: {{arch: amd64, {settings}}}");
        refused(&[(&more, &format!("builder{message}"))]);
    }
    // All four at once, in their order.
    assert_eq!(
        errors(&with("builder: {arch: [], cache: {type: x}, local: false}")),
        [
            "builder: Invalid cache type: x",
            "builder: Builder arch not set",
            "builder: Cannot disable local builds, no remote is set",
        ]
    );
}

#[test]
fn item_9_03_provenance_and_sbom() {
    for (value, text) in [
        ("true", "true"),
        ("false", "false"),
        ("mode=max", "mode=max"),
    ] {
        let provenance = builder(&format!("arch: amd64, provenance: {value}")).provenance;
        assert_eq!(provenance.as_deref(), Some(text));
    }
    assert_eq!(builder("arch: amd64, sbom: false").sbom, Some(false));
    refused(&[
        (
            "builder: {arch: amd64, provenance: ~}",
            "builder/provenance: should be a string",
        ),
        (
            "builder: {arch: amd64, sbom: 'true'}",
            "builder/sbom: should be a boolean",
        ),
    ]);
}

#[test]
fn item_9_04_the_docker_driver_goes_with_anything() {
    accepted(&[
        "builder: {arch: [amd64, arm64], driver: docker}",
        "builder: {arch: amd64, driver: docker, remote: 'ssh://a'}",
        "builder: {arch: amd64, driver: docker, cache: {type: gha}}",
    ]);
}

#[test]
fn item_9_05_who_builds_what() {
    let here = Some("amd64");
    for (settings, local, remote, kind) in [
        ("arch: amd64", "amd64", "", BuilderKind::Local),
        (
            "arch: [amd64, arm64]",
            "amd64 arm64",
            "",
            BuilderKind::Local,
        ),
        (
            "arch: arm64, remote: 'ssh://a'",
            "",
            "arm64",
            BuilderKind::Remote,
        ),
        (
            "arch: [amd64, arm64], remote: 'ssh://a'",
            "amd64",
            "arm64",
            BuilderKind::Hybrid,
        ),
        (
            "arch: amd64, remote: 'ssh://a'",
            "amd64",
            "",
            BuilderKind::Local,
        ),
        (
            "arch: [amd64, arm64], remote: 'ssh://a', local: false",
            "",
            "amd64 arm64",
            BuilderKind::Remote,
        ),
        (
            "arch: amd64, pack: {builder: b}",
            "amd64",
            "",
            BuilderKind::Pack,
        ),
        (
            "arch: amd64, driver: cloud a/b",
            "amd64",
            "",
            BuilderKind::Cloud,
        ),
    ] {
        let builder = builder(settings);
        assert_eq!(builder.local_arches(here).join(" "), local, "{settings}");
        assert_eq!(builder.remote_arches(here).join(" "), remote, "{settings}");
        assert_eq!(builder.kind(here), kind, "{settings}");
    }
    assert!(builder("arch: amd64, remote: 'ssh://a'").needs_local_architecture());
    assert!(!builder("arch: amd64, remote: 'ssh://a', local: false").needs_local_architecture());
}

#[test]
fn item_9_06_caches() {
    for (settings, server, from, to) in [
        ("", None, None, None),
        ("cache: {image: x}", None, None, None),
        (
            "cache: {type: gha}",
            None,
            Some("type=gha"),
            Some("type=gha"),
        ),
        (
            "cache: {type: gha, options: 'mode=max,scope=a,url=b'}",
            None,
            Some("type=gha,scope=a,url=b"),
            Some("type=gha,mode=max,scope=a,url=b"),
        ),
        (
            "cache: {type: registry}",
            None,
            Some("type=registry,ref=dhh/app-build-cache"),
            Some("type=registry,ref=dhh/app-build-cache"),
        ),
        (
            "cache: {type: registry, options: mode=max, image: dhh/cache}",
            Some("ghcr.io"),
            Some("type=registry,ref=ghcr.io/dhh/cache"),
            Some("type=registry,ref=ghcr.io/dhh/cache,mode=max"),
        ),
    ] {
        let builder = builder(&format!("arch: amd64, {settings}"));
        assert_eq!(
            builder.cache_from(server, "dhh/app").as_deref(),
            from,
            "{settings}"
        );
        assert_eq!(
            builder.cache_to(server, "dhh/app").as_deref(),
            to,
            "{settings}"
        );
    }
}

#[test]
fn item_9_07_defaults() {
    let builder = builder("arch: amd64, secrets: [A, B], args: {X: 1, Y: ''}");
    assert_eq!(builder.dockerfile, "Dockerfile");
    assert_eq!(builder.driver, "docker-container");
    assert_eq!(builder.context, None);
    assert_eq!(builder.secrets, ["A", "B"]);
    assert_eq!(builder.args.len(), 2);
    assert!(builder.local);
}
