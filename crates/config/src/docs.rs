//! The annotated reference of the deploy file, section by section (`dhow docs [SECTION]`).
//!
//! In: a section's name. Out: a YAML document to read, and to copy from.

/// The sections that have a page, by name.
pub const SECTIONS: [&str; 13] = [
    "accessory",
    "alias",
    "boot",
    "builder",
    "env",
    "logging",
    "output",
    "proxy",
    "registry",
    "role",
    "servers",
    "ssh",
    "sshkit",
];

/// The page of a section, whatever the case of its name; of the whole file if none is named. Beside [`SECTIONS`], which are
/// Kamal's, `x-dhow` has one.
pub fn docs(section: Option<&str>) -> Option<&'static str> {
    let Some(section) = section else {
        return Some(include_str!("docs/configuration.yml"));
    };
    Some(match section.to_lowercase().as_str() {
        "accessory" => include_str!("docs/accessory.yml"),
        "alias" => include_str!("docs/alias.yml"),
        "boot" => include_str!("docs/boot.yml"),
        "builder" => include_str!("docs/builder.yml"),
        "env" => include_str!("docs/env.yml"),
        "logging" => include_str!("docs/logging.yml"),
        "output" => include_str!("docs/output.yml"),
        "proxy" => include_str!("docs/proxy.yml"),
        "registry" => include_str!("docs/registry.yml"),
        "role" => include_str!("docs/role.yml"),
        "servers" => include_str!("docs/servers.yml"),
        "ssh" => include_str!("docs/ssh.yml"),
        "sshkit" => include_str!("docs/sshkit.yml"),
        "x-dhow" => include_str!("docs/x-dhow.yml"),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::extension::GROUPS;
    use crate::schema::Shape;
    use crate::schema::keys::{self, Field};

    #[test]
    fn item_18_05_first_lines() {
        for (section, first) in [
            (None, "# Kamal Configuration"),
            (Some("accessory"), "# Accessories"),
            (Some("alias"), "# Aliases"),
            (Some("boot"), "# Booting"),
            (Some("builder"), "# Builder"),
            (Some("env"), "# Environment variables"),
            (Some("logging"), "# Custom logging configuration"),
            (Some("output"), "# Output"),
            (Some("proxy"), "# Proxy"),
            (Some("registry"), "# Registry"),
            (Some("role"), "# Roles"),
            (Some("servers"), "# Servers"),
            (Some("ssh"), "# SSH configuration"),
            (Some("SSHKit"), "# SSHKit"),
            (Some("x-dhow"), "# Settings of Dhow's own"),
        ] {
            let text = docs(section).unwrap();
            assert_eq!(text.lines().next(), Some(first));
        }
        assert_eq!(docs(Some("configuration")), None);
        assert!(SECTIONS.iter().all(|name| docs(Some(name)).is_some()));
    }

    /// A page that leaves out a key, or names one that there is not, is out of date.
    #[test]
    fn every_key_is_on_its_page() {
        for (section, fields) in [
            (None, keys::ROOT),
            (Some("accessory"), keys::ACCESSORY),
            (Some("boot"), keys::BOOT),
            (Some("builder"), keys::BUILDER),
            (Some("logging"), keys::LOGGING),
            (Some("output"), keys::OUTPUT),
            (Some("proxy"), keys::PROXY),
            (Some("registry"), keys::REGISTRY),
            (Some("role"), keys::ROLE),
            (Some("ssh"), keys::SSH),
            (Some("sshkit"), keys::SSHKIT),
            (Some("x-dhow"), GROUPS[0].1),
        ] {
            assert_mentions(docs(section).unwrap(), fields);
        }
    }

    fn assert_mentions(page: &str, fields: &[Field]) {
        for (key, shape) in fields {
            let named = |line: &str| {
                let line = line.trim_start_matches(['#', ' ']);
                line.starts_with(&format!("{key}:"))
            };
            assert!(page.lines().any(named), "{key} in\n{page}");
            if let Shape::Keys(fields) = shape {
                assert_mentions(page, fields);
            }
        }
    }
}
