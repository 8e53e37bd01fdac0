//! The reference pages and what `dhow init` writes: all of it loads.

use crate::deploy::*;
use dhow_config::{SECTIONS, docs, templates};
use dhow_text::shell::ShellValue;

/// Every page is an example that loads; pages that show one section stand on top of a file that has the rest.
#[test]
fn item_18_05_every_page_loads() {
    let config = config(docs(None).unwrap());
    assert_eq!(config.service, "myapp");
    for section in SECTIONS {
        let page = docs(Some(section)).unwrap();
        let base = LEAST.replace("servers: [1.1.1.1]", "servers: {web: [1.1.1.1]}");
        let text = format!("{base}{page}");
        assert_eq!(errors(&text), Vec::<String>::new(), "{section}");
        assert_eq!(loaded(&text).warnings, [], "{section}");
    }
}

/// What is commented out loads too, once the comment signs before the keys are taken away.
#[test]
fn item_18_06_the_deploy_file_loads_as_it_is_and_with_everything_in_it() {
    let config = config(templates::DEPLOY_FILE);
    assert_eq!(config.service, "my-app");
    assert_eq!(config.image, "my-user/my-app");
    assert_eq!(config.all_hosts(), ["192.168.0.1"]);
    assert_eq!(config.proxy.hosts, ["app.example.com"]);
    assert_eq!(config.registry.server.as_deref(), Some("localhost:5555"));
    assert_eq!(config.builder.arches, ["amd64"]);
    assert!(config.accessories.is_empty() && config.aliases.is_empty());

    let everything = uncommented(templates::DEPLOY_FILE);
    let config = crate::deploy::config(&everything);
    assert_eq!(config.accessories.len(), 2);
    assert_eq!(config.roles.len(), 2);
    assert_eq!(config.proxy.app_port, 3000);
    let version = &config.builder.args[0].1;
    assert!(
        matches!(version, ShellValue::Text(text) if text.starts_with("ruby-")),
        "{version:?}"
    );
}

/// Lines such as `# key: value` and `#   - item` without their `# `; prose stays a comment.
fn uncommented(text: &str) -> String {
    let is_yaml = |line: &str| {
        let rest = line.trim_start();
        let key = rest.split(':').next().unwrap_or("");
        let names = key.chars().all(|c| c.is_ascii_lowercase() || c == '_')
            || key.chars().all(|c| c.is_ascii_uppercase() || c == '_');
        rest.starts_with("- ") || (rest.contains(':') && !key.is_empty() && names)
    };
    let lines = text.lines().map(|line| match line.split_once("# ") {
        Some((indent, rest)) if indent.trim().is_empty() && is_yaml(rest) => {
            format!("{indent}{rest}\n")
        }
        _ => format!("{line}\n"),
    });
    lines.collect()
}

#[test]
fn item_18_06_secrets_and_hooks() {
    assert!(templates::SECRETS.contains("KAMAL_REGISTRY_PASSWORD=$KAMAL_REGISTRY_PASSWORD"));
    assert!(
        templates::SECRETS
            .lines()
            .all(|line| line.is_empty() || line.starts_with('#'))
    );
    let names: Vec<&str> = templates::SAMPLE_HOOKS
        .iter()
        .map(|(name, _)| *name)
        .collect();
    assert_eq!(
        names,
        [
            "docker-setup.sample",
            "pre-connect.sample",
            "pre-build.sample",
            "pre-deploy.sample",
            "post-deploy.sample",
            "pre-app-boot.sample",
            "post-app-boot.sample",
            "pre-proxy-reboot.sample",
            "post-proxy-reboot.sample",
        ]
    );
    for (name, text) in templates::SAMPLE_HOOKS {
        assert!(text.starts_with("#!/bin/sh\n"), "{name}");
    }
}
