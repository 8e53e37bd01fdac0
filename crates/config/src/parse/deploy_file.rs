//! The walk over a whole deploy file, section by section in Kamal's order.

use dhow_text::source::Span;
use dhow_text::yaml::{Map, Node};

use super::accessory::Surroundings;
use super::role::{self, RoleDefaults};
use super::whole::Whole;
use super::{accessory, alias, boot, builder, env, hooks_output, logging, output, proxy};
use super::{registry, ssh};
use crate::findings::Findings;
use crate::load::Outside;
use crate::model::{
    Boot, Builder, Config, Env, Extension, HooksOutput, Logging, Output, Proxy, Registry, Ssh,
    Sshkit,
};
use crate::scalar::{self, bool_at, int_at, map_at, pairs_at, text_at, texts_at};
use crate::schema::{check_keys, keys};

/// Checks the merged tree (its root keys are strings) and reads it. The result counts only if nothing was found faulty.
pub(crate) fn parse(
    root: &Map,
    destination: Option<&str>,
    outside: &dyn Outside,
    findings: &mut Findings,
) -> Config {
    check_keys(keys::ROOT, true, root, "", findings);
    let primary_role = text_at(root, "primary_role").unwrap_or_else(|| "web".to_owned());
    let asset_path = text_at(root, "asset_path");
    let defaults = RoleDefaults {
        primary_role: &primary_role,
        stop_timeout: int_at(root, "stop_timeout"),
        asset_path: asset_path.as_deref(),
        labels: pairs_at(root, "labels"),
        logging: root.get("logging"),
        proxy: root.get("proxy"),
    };
    let entries = root.get("servers").map(role::entries).unwrap_or_default();
    for entry in &entries {
        entry.check(&primary_role, findings);
    }
    let roles: Vec<_> = entries.iter().map(|entry| entry.read(&defaults)).collect();
    let registry = read_registry(root, findings);
    let service = text_at(root, "service").unwrap_or_default();
    let around = Surroundings {
        service: &service,
        servers: root.get("servers"),
        roles: &roles,
    };
    let accessories = read_accessories(root, &around, findings);
    let section = Sections::checked(root, findings);

    let config = Config {
        image: text_at(root, "image")
            .filter(|image| !image.trim().is_empty())
            .unwrap_or_else(|| service.clone()),
        service,
        destination: destination.map(str::to_owned),
        labels: defaults.labels.clone(),
        volumes: texts_at(root, "volumes"),
        registry,
        roles,
        primary_role: primary_role.clone(),
        env: section.env,
        env_tags: map_at(root, "env").map(env::read_tags).unwrap_or_default(),
        accessories,
        aliases: map_at(root, "aliases").map(alias::read).unwrap_or_default(),
        boot: section.boot,
        builder: section.builder,
        logging: section.logging,
        output: section.output,
        proxy: section.proxy,
        ssh: section.ssh,
        sshkit: section.sshkit,
        asset_path: asset_path.clone(),
        hooks_path: text_at(root, "hooks_path").unwrap_or_else(|| ".kamal/hooks".to_owned()),
        hooks_output: root
            .get("hooks_output")
            .map_or_else(HooksOutput::default, hooks_output::read),
        secrets_path: text_at(root, "secrets_path").unwrap_or_else(|| ".kamal/secrets".to_owned()),
        error_pages_path: text_at(root, "error_pages_path"),
        require_destination: bool_at(root, "require_destination").unwrap_or(false),
        allow_empty_roles: bool_at(root, "allow_empty_roles").unwrap_or(false),
        retain_containers: int_at(root, "retain_containers").unwrap_or(5),
        minimum_version: text_at(root, "minimum_version"),
        readiness_delay: int_at(root, "readiness_delay").unwrap_or(7),
        deploy_timeout: int_at(root, "deploy_timeout").unwrap_or(30),
        drain_timeout: int_at(root, "drain_timeout").unwrap_or(30),
        stop_timeout: defaults.stop_timeout,
        // Read last: what is wrong there, Kamal does not see.
        extension: Extension::default(),
    };
    let whole = Whole {
        root,
        config: &config,
        entries: &entries,
        defaults: &defaults,
        outside,
    };
    whole.check(findings);
    if let Some(node) = root.get("hooks_output") {
        hooks_output::check(node, findings);
    }
    check_late(root, &config, findings);
    config
}

/// What Kamal notices only later, when it is in the midst of things: here after everything that it would have noticed before.
fn check_late(root: &Map, config: &Config, findings: &mut Findings) {
    let around = Surroundings {
        service: &config.service,
        servers: root.get("servers"),
        roles: &config.roles,
    };
    for (key, node) in map_at(root, "accessories").into_iter().flat_map(Map::iter) {
        if let Some(map) = node.as_map() {
            accessory::check_late(&scalar::to_s(key), map, &around, findings);
        }
    }
    if let Some(section) = map_at(root, "boot") {
        boot::check_limit(section, findings);
    }
    if let Some(section) = map_at(root, "ssh") {
        ssh::check_late(section, findings);
    }
}

/// The root's registry; left out altogether, images are delivered directly.
fn read_registry(root: &Map, findings: &mut Findings) -> Registry {
    let Some(node) = root.get("registry") else {
        return Registry::omitted();
    };
    let Some(map) = node.as_map() else {
        return Registry::omitted();
    };
    registry::check(map, node.span, "registry", findings);
    registry::read(map)
}

fn read_accessories(
    root: &Map,
    around: &Surroundings<'_>,
    findings: &mut Findings,
) -> Vec<crate::model::Accessory> {
    let mut accessories = Vec::new();
    for (key, node) in map_at(root, "accessories").into_iter().flat_map(Map::iter) {
        let name = scalar::to_s(key);
        accessory::check(&name, key.span, node, around, findings);
        if let Some(map) = node.as_map() {
            accessories.push(accessory::read(&name, map, around));
        }
    }
    accessories
}

/// The sections that look at nothing but themselves.
struct Sections {
    boot: Boot,
    builder: Builder,
    env: Env,
    logging: Logging,
    output: Output,
    proxy: Proxy,
    ssh: Ssh,
    sshkit: Sshkit,
}

impl Sections {
    fn checked(root: &Map, findings: &mut Findings) -> Self {
        let map = |key: &str| map_at(root, key);
        let nothing = Map::new();
        if let Some(aliases) = map("aliases") {
            alias::check(aliases, findings);
        }
        if let Some(section) = map("boot") {
            boot::check(section, findings);
        }
        if !findings.faulty("builder") {
            let span = root
                .get("builder")
                .map_or_else(Span::nowhere, |node| node.span);
            builder::check(map("builder").unwrap_or(&nothing), span, findings);
        }
        if let Some(node) = root.get("env") {
            env::check(node, "env", findings);
        }
        if let Some(node) = root.get("logging") {
            logging::check(node, "logging", findings);
        }
        if let Some(section) = map("output") {
            output::check(section, findings);
        }
        if let Some(node) = root.get("proxy").filter(|node| !is_reported(node)) {
            proxy::check(node, "proxy", findings);
        }
        if let Some(section) = map("ssh") {
            ssh::check(section, findings);
        }
        if let Some(section) = map("sshkit") {
            ssh::check_sshkit(section, findings);
        }
        Self {
            boot: map("boot").map(boot::read).unwrap_or_default(),
            builder: builder::read(map("builder").unwrap_or(&nothing)),
            env: map("env").map(env::read).unwrap_or_default(),
            logging: map("logging").map(logging::read).unwrap_or_default(),
            output: map("output").map(output::read).unwrap_or_default(),
            proxy: map("proxy").map(proxy::read).unwrap_or_default(),
            ssh: map("ssh").map(ssh::read).unwrap_or_default(),
            sshkit: map("sshkit").map(ssh::read_sshkit).unwrap_or_default(),
        }
    }
}

/// Whether the root's types already say that it is neither a map nor a boolean.
fn is_reported(proxy: &Node) -> bool {
    use dhow_text::yaml::Value;
    !matches!(proxy.value, Value::Map(_) | Value::Bool(_))
}
