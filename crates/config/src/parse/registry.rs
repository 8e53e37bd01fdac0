//! `registry` of the root and of accessories.

use dhow_text::redact::Secret;
use dhow_text::source::Span;
use dhow_text::yaml::{Map, Node, Value};

use crate::findings::{Findings, below};
use crate::model::{Credential, Registry};
use crate::scalar;
use crate::schema::{check_keys, keys};

/// Checks a registry section; `span` is the section's place.
pub(super) fn check(map: &Map, span: Span, path: &str, findings: &mut Findings) {
    check_keys(keys::REGISTRY, false, map, path, findings);
    if is_local(map) || findings.faulty(&below(path, "server")) {
        return;
    }
    for key in ["username", "password"] {
        let path = below(path, key);
        let value = map.get(key);
        if !scalar::present(value) {
            let span = value.map_or(span, |node| node.span);
            findings.hinted(
                &path,
                "is required",
                span,
                "write it out, or name a secret in a list: `[KAMAL_REGISTRY_PASSWORD]`",
            );
        } else if let Some(node) = value.filter(|node| credential(node).is_none()) {
            findings.error(
                &path,
                "should be a string or an array with one string (for secret lookup)",
                node.span,
            );
        }
    }
}

/// Server and credentials. A local registry needs none, and none are taken.
pub(super) fn read(map: &Map) -> Registry {
    let credential = |key: &str| {
        let given = map.get(key).filter(|_| !is_local(map));
        given.and_then(credential)
    };
    Registry {
        server: scalar::text_at(map, "server"),
        username: credential("username"),
        password: credential("password"),
        omitted: false,
    }
}

fn credential(node: &Node) -> Option<Credential> {
    match &node.value {
        Value::Str(text) => Some(Credential::Literal(Secret::new(text.as_str()))),
        Value::Seq(items) => match items.as_slice() {
            [
                Node {
                    value: Value::Str(name),
                    ..
                },
            ] => Some(Credential::Secret(name.clone())),
            _ => None,
        },
        _ => None,
    }
}

/// `localhost:PORT`, by Kamal's pattern, which also takes a literal `$` for the colon.
fn is_local(map: &Map) -> bool {
    scalar::text_at(map, "server").is_some_and(|server| {
        server
            .lines()
            .any(|line| line.starts_with("localhost:") || line.starts_with("localhost$"))
    })
}
