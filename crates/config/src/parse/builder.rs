//! `builder`: how images are built.

use dhow_text::source::Span;
use dhow_text::yaml::Map;

use crate::findings::Findings;
use crate::model::{Builder, Cache, Pack};
use crate::scalar::{bool_at, map_at, pairs_at, present, text_at, texts, texts_at, truthy};
use crate::schema::{check_keys, keys};

/// What `cache.type` may be.
pub(crate) const CACHES: [&str; 2] = ["gha", "registry"];

/// Checks the section; a missing one is an empty one at `span`.
pub(super) fn check(map: &Map, span: Span, findings: &mut Findings) {
    check_keys(keys::BUILDER, false, map, "builder", findings);
    let cache_type = map.get("cache").and_then(|cache| cache.get("type"));
    if let Some(node) = cache_type.filter(|node| truthy(Some(node)))
        && !findings.faulty("builder/cache")
        && !CACHES.map(Some).contains(&node.as_str())
    {
        let text = format!("Invalid cache type: {}", crate::scalar::to_s(node));
        findings.hinted("builder", &text, node.span, "one of `gha`, `registry`");
    }
    let arch = map.get("arch");
    if !findings.faulty("builder/arch") {
        if !present(arch) {
            let span = arch.map_or(span, |node| node.span);
            let hint = "say for which platform to build: `arch: amd64` or `arch: [amd64, arm64]`";
            findings.hinted("builder", "Builder arch not set", span, hint);
        }
        let several = arch.and_then(|arch| arch.as_seq()).map_or(0, <[_]>::len) > 1;
        if let Some(pack) = map.get("pack").filter(|_| several) {
            let text = "buildpacks only support building for one arch";
            findings.error("builder", text, pack.span);
        }
    }
    if let Some(local) = map.get("local")
        && bool_at(map, "local") == Some(false)
        && !findings.faulty("builder/remote")
        && !present(map.get("remote"))
    {
        let text = "Cannot disable local builds, no remote is set";
        findings.error("builder", text, local.span);
    }
}

/// The section.
pub(super) fn read(map: &Map) -> Builder {
    Builder {
        arches: map.get("arch").map(texts).unwrap_or_default(),
        remote: text_at(map, "remote").filter(|remote| !remote.trim().is_empty()),
        local: bool_at(map, "local").unwrap_or(true),
        pack: map_at(map, "pack").map(|pack| Pack {
            builder: text_at(pack, "builder"),
            buildpacks: texts_at(pack, "buildpacks"),
        }),
        cache: map_at(map, "cache").and_then(|cache| {
            Some(Cache {
                kind: text_at(cache, "type")?,
                options: text_at(cache, "options"),
                image: text_at(cache, "image"),
            })
        }),
        context: text_at(map, "context"),
        dockerfile: text_at(map, "dockerfile").unwrap_or_else(|| "Dockerfile".to_owned()),
        target: text_at(map, "target"),
        args: pairs_at(map, "args"),
        secrets: texts_at(map, "secrets"),
        ssh: text_at(map, "ssh"),
        driver: text_at(map, "driver").unwrap_or_else(|| "docker-container".to_owned()),
        provenance: text_at(map, "provenance"),
        sbom: bool_at(map, "sbom"),
    }
}
