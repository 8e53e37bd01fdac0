//! `env` of the root, of roles, tags and accessories: all pairs clear, or `clear`, `secret` and (at the root) `tags`.

use dhow_text::yaml::{Map, Node, Value};

use crate::findings::{Findings, below};
use crate::model::{Env, SecretRef};
use crate::scalar;
use crate::schema::{Shape, check_texts, keys, unknown_keys};

/// Checks an env section. Only the root's (path `env`) may have tags.
pub(super) fn check(node: &Node, path: &str, findings: &mut Findings) {
    let Value::Map(map) = &node.value else {
        return;
    };
    if !is_complex(map) {
        check_texts(map, path, findings);
        return;
    }
    let special = |key: &Node| key.as_str().is_some_and(|key| keys::ENV.contains(&key));
    let unknown = map.iter().map(|(key, _)| key).filter(|key| !special(key));
    unknown_keys(unknown, keys::ENV, path, findings);
    for (key, shape) in [("clear", Shape::TextMap), ("secret", Shape::Texts)] {
        if let Some(value) = map.get(key) {
            crate::schema::check(shape, value, &below(path, key), findings);
        }
    }
    if let Some((key, tags)) = map.iter().find(|(key, _)| key.as_str() == Some("tags")) {
        if path == "env" {
            check_tags(tags, findings);
        } else {
            findings.error(path, "tags are only allowed in the root env", key.span);
        }
    }
}

/// Clear values and secrets; tags are left aside.
pub(super) fn read(map: &Map) -> Env {
    if is_complex(map) {
        Env {
            clear: scalar::pairs_at(map, "clear"),
            secrets: scalar::texts_at(map, "secret")
                .iter()
                .map(|item| SecretRef::new(item))
                .collect(),
        }
    } else {
        Env {
            clear: scalar::pairs(map),
            secrets: Vec::new(),
        }
    }
}

/// The environments of `env.tags`.
pub(super) fn read_tags(map: &Map) -> Vec<(String, Env)> {
    let Some(tags) = scalar::map_at(map, "tags") else {
        return Vec::new();
    };
    tags.iter()
        .filter_map(|(tag, env)| Some((scalar::to_s(tag), read(env.as_map()?))))
        .collect()
}

fn check_tags(tags: &Node, findings: &mut Findings) {
    let Value::Map(map) = &tags.value else {
        findings.error("env/tags", "should be a hash", tags.span);
        return;
    };
    for (tag, env) in map.iter() {
        let path = below("env/tags", scalar::to_s(tag));
        match &env.value {
            Value::Map(_) => check(env, &path, findings),
            _ => findings.error(&path, "should be a hash", env.span),
        }
    }
}

fn is_complex(map: &Map) -> bool {
    keys::ENV.iter().any(|key| map.get(key).is_some())
}
