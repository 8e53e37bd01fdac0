//! `x-dhow`: what a deploy file says to Dhow alone. Kamal skips it.

use dhow_text::yaml::{Map, Node, Value};

use crate::findings::{Findings, below};
use crate::scalar;

/// The key of the section.
pub(crate) const KEY: &str = "x-dhow";

/// Its groups. An older Dhow must be able to read a newer one's file, so unknown keys are warned of, not refused.
pub(crate) const GROUPS: [&str; 2] = ["proxy", "delivery"];

/// The section; no setting is defined in it yet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Extension {}

impl Extension {
    /// Reads the section, warning of everything in it that means nothing.
    pub(crate) fn read(root: &Map, findings: &mut Findings) -> Self {
        if let Some(node) = root.get(KEY)
            && let Some(map) = groups(node, KEY, findings)
        {
            for (key, value) in map.iter() {
                let name = scalar::to_s(key);
                let path = below(KEY, &name);
                if !GROUPS.contains(&name.as_str()) {
                    findings.warning(KEY, &format!("unknown key: {name}"), key.span);
                } else if let Some(settings) = groups(value, &path, findings) {
                    for (key, _) in settings.iter() {
                        let text = format!("unknown key: {}", scalar::to_s(key));
                        findings.warning(&path, &text, key.span);
                    }
                }
            }
        }
        Self {}
    }
}

fn groups<'n>(node: &'n Node, path: &str, findings: &mut Findings) -> Option<&'n Map> {
    if !matches!(node.value, Value::Map(_)) {
        findings.warning(path, "should be a hash", node.span);
    }
    node.as_map()
}
