//! `aliases`: names for command lines.

use dhow_text::yaml::Map;

use crate::findings::{Findings, below};
use crate::scalar;
use crate::schema::{Shape, check as check_shape};

/// The commands that an alias can't take the name of.
pub(crate) const BUILT_IN: [&str; 21] = [
    "setup",
    "deploy",
    "redeploy",
    "rollback",
    "details",
    "audit",
    "config",
    "docs",
    "init",
    "remove",
    "upgrade",
    "version",
    "accessory",
    "app",
    "build",
    "lock",
    "proxy",
    "prune",
    "registry",
    "secrets",
    "server",
];

/// Checks names and values.
pub(super) fn check(aliases: &Map, findings: &mut Findings) {
    for (key, command) in aliases.iter() {
        let name = scalar::to_s(key);
        let path = below("aliases", &name);
        check_shape(Shape::Text, command, &path, findings);
        let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "_-".contains(c);
        if name.is_empty() || !name.chars().all(allowed) {
            let text = format!(
                "Invalid alias name: '{name}'. Must only contain lowercase letters, alphanumeric, hyphens and underscores."
            );
            findings.error(&path, &text, key.span);
        } else if BUILT_IN.contains(&name.as_str()) {
            let text = format!("Alias '{name}' conflicts with a built-in command.");
            findings.error(&path, &text, key.span);
        }
    }
}

/// Names and command lines.
pub(super) fn read(aliases: &Map) -> Vec<(String, String)> {
    aliases
        .iter()
        .filter_map(|(name, command)| Some((scalar::to_s(name), scalar::text(command)?)))
        .collect()
}
