//! `servers`: a list of hosts (one role, `web`), or roles by name.

use dhow_text::yaml::{Map, Node, Value, merge};

use super::{container, env, logging, proxy};
use crate::findings::{Findings, below};
use crate::model::{Env, Host, Logging, Pairs, Proxy, Role};
use crate::scalar::{self, int_at, map_at, pairs_at, text_at};
use crate::schema::{check_hosts, check_keys, keys};

/// A role as the file has it: its name and what stands below it.
pub(super) struct RoleEntry<'f> {
    /// Its name.
    pub(super) name: String,
    /// The key, or the list of a file without roles.
    pub(super) key: &'f Node,
    /// Hosts (a list) or settings (a map).
    node: &'f Node,
}

/// What root sections give to roles.
pub(super) struct RoleDefaults<'f> {
    pub(super) primary_role: &'f str,
    pub(super) stop_timeout: Option<i64>,
    pub(super) asset_path: Option<&'f str>,
    pub(super) labels: Pairs,
    pub(super) logging: Option<&'f Node>,
    pub(super) proxy: Option<&'f Node>,
}

/// The roles, by name.
pub(super) fn entries(servers: &Node) -> Vec<RoleEntry<'_>> {
    match &servers.value {
        Value::Seq(_) => vec![RoleEntry {
            name: "web".to_owned(),
            key: servers,
            node: servers,
        }],
        Value::Map(map) => {
            let mut entries: Vec<_> = map
                .iter()
                .map(|(key, node)| RoleEntry {
                    name: scalar::to_s(key),
                    key,
                    node,
                })
                .collect();
            entries.sort_by(|a, b| a.name.cmp(&b.name));
            entries
        }
        _ => Vec::new(),
    }
}

impl RoleEntry<'_> {
    /// The path of the role's settings.
    pub(super) fn path(&self) -> String {
        below("servers", &self.name)
    }

    /// The settings of a role in the long form.
    pub(super) fn settings(&self) -> Option<&Map> {
        self.node.as_map()
    }

    /// Checks all that the role itself says.
    pub(super) fn check(&self, primary_role: &str, findings: &mut Findings) {
        let path = self.path();
        match &self.node.value {
            // Of a file without roles, the list stands at `servers` itself.
            Value::Seq(items) if std::ptr::eq(self.key, self.node) => {
                check_hosts(items, "servers", findings);
            }
            Value::Seq(items) => check_hosts(items, &path, findings),
            Value::Map(map) => self.check_settings(map, primary_role, findings),
            _ => findings.error(&path, "should be an array or a hash", self.node.span),
        }
        self.warn_of_dropped_hosts(findings);
    }

    /// Whether the role stands behind the proxy: the primary one unless told not to, others if told to.
    pub(super) fn runs_proxy(&self, primary_role: &str) -> bool {
        match self.settings().and_then(|map| map.get("proxy")) {
            None => self.name == primary_role,
            Some(node) => scalar::truthy(Some(node)),
        }
    }

    /// The proxy settings: the root's with the role's own on top; none if it does not stand behind the proxy.
    pub(super) fn proxy_settings(&self, defaults: &RoleDefaults<'_>) -> Option<Node> {
        if !self.runs_proxy(defaults.primary_role) {
            return None;
        }
        let own = self.settings().and_then(|map| map.get("proxy"));
        let own = own.filter(|node| node.as_map().is_some());
        let root = defaults.proxy.filter(|node| node.as_map().is_some());
        Some(match (root, own) {
            (Some(root), Some(own)) => merge(root.clone(), own.clone()),
            (Some(one), None) | (None, Some(one)) => one.clone(),
            (None, None) => Node::new(Value::Map(Map::new()), self.key.span),
        })
    }

    /// The role with what the root sections give it.
    pub(super) fn read(&self, defaults: &RoleDefaults<'_>) -> Role {
        let nothing = Map::new();
        let map = self.settings().unwrap_or(&nothing);
        let proxy: Option<Proxy> = self
            .proxy_settings(defaults)
            .and_then(|node| node.as_map().map(proxy::read));
        let asset_path = text_at(map, "asset_path");
        Role {
            primary: self.name == defaults.primary_role,
            hosts: self.hosts(),
            cmd: text_at(map, "cmd"),
            stop_timeout: int_at(map, "stop_timeout").or(defaults.stop_timeout),
            options: container::options(map),
            restart: container::restart(map),
            logging: read_logging(defaults.logging, map.get("logging")),
            labels: with(&defaults.labels, pairs_at(map, "labels")),
            env: map_at(map, "env").map_or_else(Env::default, env::read),
            assets: asset_path
                .as_deref()
                .or(defaults.asset_path)
                .filter(|path| proxy.is_some() && !path.trim().is_empty())
                .map(split_assets),
            proxy,
            name: self.name.clone(),
        }
    }

    fn check_settings(&self, map: &Map, primary_role: &str, findings: &mut Findings) {
        let path = self.path();
        check_keys(keys::ROLE, false, map, &path, findings);
        container::check(map, &path, findings);
        if let Some(node) = map.get("env") {
            env::check(node, &below(&path, "env"), findings);
        }
        if let Some(node) = map.get("logging") {
            logging::check(node, &below(&path, "logging"), findings);
        }
        if let Some(node) = map.get("proxy").filter(|node| node.as_map().is_some())
            && self.runs_proxy(primary_role)
        {
            proxy::check(node, &below(&path, "proxy"), findings);
        }
    }

    /// Host entries in order; of a host named twice, the first place and the last tags count. Entries that are plain but no
    /// strings are dropped, as Kamal drops them.
    fn hosts(&self) -> Vec<Host> {
        let mut hosts: Vec<Host> = Vec::new();
        for (name, tags) in self.host_nodes().iter().filter_map(host_and_tags) {
            match hosts.iter_mut().find(|host| host.name == name) {
                Some(host) => host.tags = tags,
                None => hosts.push(Host { name, tags }),
            }
        }
        hosts
    }

    fn host_nodes(&self) -> &[Node] {
        let list = match &self.node.value {
            Value::Map(map) => map.get("hosts"),
            _ => Some(self.node),
        };
        list.and_then(Node::as_seq).unwrap_or_default()
    }

    fn warn_of_dropped_hosts(&self, findings: &mut Findings) {
        for node in self.host_nodes() {
            if scalar::text(node).is_some() && node.as_str().is_none() {
                let text = format!(
                    "the host `{}` is no string and is left out",
                    scalar::to_s(node)
                );
                let mut warning = Findings::worded(&self.path(), &text)
                    .at(node.span, "")
                    .hinted("put it in quotes");
                warning.severity = dhow_text::diagnostic::Severity::Warning;
                findings.push(&self.path(), warning);
            }
        }
    }
}

fn host_and_tags(node: &Node) -> Option<(String, Vec<String>)> {
    match &node.value {
        Value::Map(map) => {
            let (host, tags) = map.iter().next()?;
            Some((scalar::to_s(host), scalar::texts(tags)))
        }
        Value::Str(host) => Some((host.clone(), Vec::new())),
        _ => None,
    }
}

/// Root logging with the role's on top.
fn read_logging(root: Option<&Node>, own: Option<&Node>) -> Logging {
    let merged = match (root, own) {
        (Some(root), Some(own)) => merge(root.clone(), own.clone()),
        (Some(one), None) | (None, Some(one)) => one.clone(),
        (None, None) => return Logging::default(),
    };
    merged.as_map().map(logging::read).unwrap_or_default()
}

/// Pairs with others on top: replaced in place, or added.
fn with(root: &Pairs, own: Pairs) -> Pairs {
    let mut all = root.clone();
    for (key, value) in own {
        match all.iter_mut().find(|(k, _)| *k == key) {
            Some(pair) => pair.1 = value,
            None => all.push((key, value)),
        }
    }
    all
}

/// `path[:mount-options]`
fn split_assets(asset_path: &str) -> (String, Option<String>) {
    match asset_path.split_once(':') {
        Some((path, options)) => (path.to_owned(), Some(options.to_owned())),
        None => (asset_path.to_owned(), None),
    }
}
