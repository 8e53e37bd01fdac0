//! Checks that look at more than one section, in Kamal's order, after every section was looked at by itself.
//!
//! A check is left out if a section that it looks at was found faulty: it would only repeat what was said.

use std::cmp::Ordering;

use dhow_text::diagnostic::Diagnostic;
use dhow_text::source::Span;
use dhow_text::suggest::suggest;
use dhow_text::yaml::{Map, Node};

use super::proxy;
use super::role::{RoleDefaults, RoleEntry};
use crate::findings::Findings;
use crate::gem_version::GemVersion;
use crate::load::{KAMAL_VERSION, Outside};
use crate::model::{Config, Ssl};
use crate::scalar::{self, map_at, present};

/// A file with all its sections read, some of them perhaps faulty.
pub(super) struct Whole<'f> {
    pub(super) root: &'f Map,
    pub(super) config: &'f Config,
    pub(super) entries: &'f [RoleEntry<'f>],
    pub(super) defaults: &'f RoleDefaults<'f>,
    pub(super) outside: &'f dyn Outside,
}

impl Whole<'_> {
    /// Runs them all.
    pub(super) fn check(&self, findings: &mut Findings) {
        self.destination(findings);
        self.required(findings);
        self.roles(findings);
        self.minimum_version(findings);
        self.retained(findings);
        self.service_name(findings);
        self.traefik_hooks(findings);
        self.ssl_on_one_host(findings);
        self.ssl_hosts_differ(findings);
        self.local_registry(findings);
        self.proxy_runs_agree(findings);
    }

    fn destination(&self, findings: &mut Findings) {
        if self.config.require_destination && self.config.destination.is_none() {
            let diagnostic = Diagnostic::error("ArgumentError", "You must specify a destination")
                .at(self.span_of("require_destination"), "")
                .hinted("add `-d DESTINATION`");
            findings.push("require_destination", diagnostic);
        }
    }

    fn required(&self, findings: &mut Findings) {
        let image_given = self.config.registry.omitted || self.config.registry.is_local();
        for key in ["service", "image"] {
            let fallback = key == "image" && image_given;
            if !fallback && !present(self.root.get(key)) && !findings.faulty(key) {
                let text = format!("Missing required configuration for {key}");
                findings.error("", &text, self.span_of(key));
            }
        }
    }

    fn roles(&self, findings: &mut Findings) {
        let Some(servers) = self.root.get("servers") else {
            if !present(self.root.get("accessories")) {
                let text = "No servers or accessories specified";
                findings.error("", text, Span::nowhere());
            }
            return;
        };
        if findings.faulty("servers") || findings.faulty("primary_role") {
            return;
        }
        let primary_role = &self.config.primary_role;
        match self.config.role(primary_role) {
            None => {
                let text = format!("The primary_role {primary_role} isn't defined");
                let roles = self.config.roles.iter().map(|role| role.name.as_str());
                let hint = match suggest(primary_role, roles) {
                    Some(near) => format!("did you mean `primary_role: {near}`?"),
                    None => "name a role of this file with `primary_role`".to_owned(),
                };
                findings.hinted("", &text, servers.span, &hint);
            }
            Some(role) if role.hosts.is_empty() => {
                let text = format!("No servers specified for the {primary_role} primary_role");
                findings.error("", &text, self.role_span(primary_role));
            }
            Some(_) => {}
        }
        if self.config.allow_empty_roles {
            return;
        }
        let others = self.config.roles.iter().filter(|role| !role.primary);
        for role in others.filter(|role| role.hosts.is_empty()) {
            let text = format!(
                "No servers specified for the {} role. You can ignore this with allow_empty_roles: true",
                role.name
            );
            findings.error("", &text, self.role_span(&role.name));
        }
    }

    fn minimum_version(&self, findings: &mut Findings) {
        let Some(minimum) = &self.config.minimum_version else {
            return;
        };
        let span = self.span_of("minimum_version");
        let (ours, theirs) = (GemVersion::parse(KAMAL_VERSION), GemVersion::parse(minimum));
        if theirs.is_none() {
            let text = format!("Malformed version number string {minimum}");
            let diagnostic = Diagnostic::error("ArgumentError", text).at(span, "");
            findings.push("minimum_version", diagnostic);
        } else if theirs.cmp(&ours) == Ordering::Greater {
            let text = format!("Current version is {KAMAL_VERSION}, minimum required is {minimum}");
            findings.error("", &text, span);
        }
    }

    fn retained(&self, findings: &mut Findings) {
        if self.config.retain_containers < 1 {
            let span = self.span_of("retain_containers");
            findings.error("", "Must retain at least 1 container", span);
        }
    }

    fn service_name(&self, findings: &mut Findings) {
        let service = &self.config.service;
        let allowed = |c: char| c.is_ascii_alphanumeric() || "_-".contains(c);
        if !service.trim().is_empty() && !service.chars().all(allowed) {
            let text =
                "Service name can only include alphanumeric characters, hyphens, and underscores";
            findings.error("", text, self.span_of("service"));
        }
    }

    fn traefik_hooks(&self, findings: &mut Findings) {
        let hooks = ["pre-traefik-reboot", "post-traefik-reboot"];
        let path = |hook: &&str| format!("{}/{hook}", self.config.hooks_path);
        let found: Vec<&str> = hooks
            .into_iter()
            .filter(|hook| self.outside.file_exists(&path(hook)))
            .collect();
        if !found.is_empty() {
            let text = format!(
                "Found {}, these should be renamed to (pre|post)-proxy-reboot",
                found.join(", ")
            );
            findings.error("", &text, self.span_of("hooks_path"));
        }
    }

    /// Root and role settings, each right by itself, may not fit together: Kamal checks what they merge to as `proxy`.
    fn ssl_on_one_host(&self, findings: &mut Findings) {
        if findings.faulty("proxy") {
            return;
        }
        for (entry, role) in self.entries.iter().zip(&self.config.roles) {
            if findings.faulty(&entry.path()) {
                continue;
            }
            if let Some(settings) = entry.proxy_settings(self.defaults) {
                proxy::check(&settings, "proxy", findings);
            }
            let automatic = role.proxy.as_ref().is_some_and(|p| p.ssl == Ssl::Automatic);
            if automatic && role.hosts.len() > 1 {
                let text = format!(
                    "SSL is only supported on a single server unless you provide custom certificates, found {} servers for role {}",
                    role.hosts.len(),
                    role.name
                );
                findings.error("", &text, self.role_span(&role.name));
            }
        }
    }

    fn ssl_hosts_differ(&self, findings: &mut Findings) {
        if findings.faulty("proxy") || findings.faulty("servers") {
            return;
        }
        let proxies = self.config.roles.iter().filter_map(|r| r.proxy.as_ref());
        let hosts: Vec<&String> = proxies
            .filter(|proxy| proxy.ssl != Ssl::Off)
            .flat_map(|proxy| &proxy.hosts)
            .collect();
        let mut shared: Vec<&str> = Vec::new();
        for host in &hosts {
            let times = hosts.iter().filter(|other| *other == host).count();
            if times > 1 && !shared.contains(&host.as_str()) {
                shared.push(host);
            }
        }
        if !shared.is_empty() {
            let text = format!(
                "Different roles can't share the same host for SSL: {}",
                shared.join(", ")
            );
            findings.error("", &text, self.span_of("proxy"));
        }
    }

    fn local_registry(&self, findings: &mut Findings) {
        let builder = &self.config.builder;
        let registry = &self.config.registry;
        let Some(remote) = &builder.remote else {
            return;
        };
        if registry.omitted
            || !registry.is_local()
            || findings.faulty("registry")
            || findings.faulty("builder")
            || remote.starts_with("ssh://")
        {
            return;
        }
        let here = builder.local.then(|| self.outside.docker_architecture());
        if !builder.remote_arches(here.as_deref()).is_empty() {
            let text =
                "Local registry with remote builder requires an SSH URL (e.g., ssh://user@host)";
            let span = map_at(self.root, "builder").and_then(|b| b.get("remote"));
            findings.error("", text, span.map_or_else(Span::nowhere, |node| node.span));
        }
    }

    fn proxy_runs_agree(&self, findings: &mut Findings) {
        if ["servers", "accessories", "proxy"].map(|path| findings.faulty(path)) != [false; 3] {
            return;
        }
        let of_roles = self.entries.iter().zip(&self.config.roles);
        let mut runs: Vec<(Vec<&str>, Node)> = of_roles
            .filter_map(|(entry, role)| {
                let settings = entry.proxy_settings(self.defaults)?;
                Some((role.host_names().collect(), settings))
            })
            .collect();
        let accessories = map_at(self.root, "accessories");
        for (key, node) in accessories.iter().flat_map(|map| map.iter()) {
            let accessory = self.config.accessory(&scalar::to_s(key));
            if let (Some(accessory), Some(settings)) = (accessory, node.get("proxy")) {
                runs.push((accessory.host_names().collect(), settings.clone()));
            }
        }
        for host in self.config.all_hosts() {
            let on_host = runs.iter().filter(|(hosts, _)| hosts.contains(&host));
            let mut maps = on_host.filter_map(|(_, node)| node.as_map().and_then(proxy::run_of));
            let Some(first) = maps.next() else {
                continue;
            };
            if let Some(other) = maps.find(|other| *other != first) {
                let text = format!("Conflicting proxy run configurations for host {host}");
                let mut diagnostic = Findings::worded("", &text);
                for map in [first, other] {
                    if let Some((key, _)) = map.iter().next() {
                        diagnostic = diagnostic.at(key.span, "");
                    }
                }
                findings.push("", diagnostic);
            }
        }
    }

    fn span_of(&self, key: &str) -> Span {
        self.root
            .get(key)
            .map_or_else(Span::nowhere, |node| node.span)
    }

    fn role_span(&self, name: &str) -> Span {
        let entry = self.entries.iter().find(|entry| entry.name == name);
        entry.map_or_else(Span::nowhere, |entry| entry.key.span)
    }
}
