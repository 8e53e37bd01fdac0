//! Lists whose items may be maps: hosts with tags, and files and directories of accessories.

use dhow_text::yaml::{Node, Value};

use super::shape::{Shape, check};
use crate::findings::{Findings, below};
use crate::scalar;

/// Checks host entries: a name, or one name with its tag or tags.
pub(crate) fn check_hosts(items: &[Node], path: &str, findings: &mut Findings) {
    for (index, item) in items.iter().enumerate() {
        let path = below(path, index);
        match &item.value {
            Value::Map(map) => {
                let mut pairs = map.iter();
                match (pairs.next(), pairs.next()) {
                    (Some((host, tags)), None) => {
                        check_tags(tags, &below(&path, scalar::to_s(host)), findings);
                    }
                    _ => findings.hinted(
                        &path,
                        "multiple hosts found",
                        item.span,
                        "one host an item: `- HOST: TAG` or `- HOST: [TAG, TAG]`",
                    ),
                }
            }
            _ => text_or_map(item, &path, findings),
        }
    }
}

/// Checks items of `files` and `directories`: `LOCAL:REMOTE[:OPTIONS]`, or a map. Keys besides the five known ones are not looked at.
pub(super) fn check_mounts(items: &[Node], path: &str, findings: &mut Findings) {
    for (index, item) in items.iter().enumerate() {
        let path = below(path, index);
        match &item.value {
            Value::Map(map) => {
                for key in ["local", "remote", "mode", "owner", "options"] {
                    if let Some(value) = map.get(key) {
                        check(Shape::Text, value, &below(&path, key), findings);
                    }
                }
            }
            _ => text_or_map(item, &path, findings),
        }
    }
}

fn check_tags(tags: &Node, path: &str, findings: &mut Findings) {
    match &tags.value {
        Value::Seq(_) => check(Shape::Texts, tags, path, findings),
        _ if scalar::text(tags).is_some() => {}
        _ => findings.error(path, "should be a string or an array", tags.span),
    }
}

fn text_or_map(item: &Node, path: &str, findings: &mut Findings) {
    if scalar::text(item).is_none() {
        findings.error(path, "should be a string or a hash", item.span);
    }
}
