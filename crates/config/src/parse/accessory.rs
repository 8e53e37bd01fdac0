//! `accessories`: containers that stay, each on hosts of its own choosing.

use dhow_text::source::Span;
use dhow_text::suggest::suggest;
use dhow_text::yaml::{Map, Node, Value};

use super::{container, env, proxy, registry};
use crate::findings::{Findings, below};
use crate::model::{Accessory, Env, Mount, Role, UploadedFile};
use crate::scalar::{self, map_at, pairs_at, present, text_at, texts_at};
use crate::schema::{check_keys, keys};

/// The keys of which exactly one says where an accessory runs.
pub(crate) const PLACEMENTS: [&str; 6] = ["host", "hosts", "role", "roles", "tag", "tags"];

/// What accessories need to know of the rest of the file.
pub(super) struct Surroundings<'f> {
    pub(super) service: &'f str,
    pub(super) servers: Option<&'f Node>,
    pub(super) roles: &'f [Role],
}

/// Checks an accessory.
pub(super) fn check(
    name: &str,
    key: Span,
    node: &Node,
    around: &Surroundings<'_>,
    findings: &mut Findings,
) {
    let path = below("accessories", name);
    let Some(map) = node.as_map() else {
        findings.error(&path, "should be a hash", node.span);
        return;
    };
    check_keys(keys::ACCESSORY, false, map, &path, findings);
    check_placement(map, &path, key, findings);
    container::check(map, &path, findings);
    check_roles(map, &path, around, findings);
    if let Some(env) = map.get("env") {
        env::check(env, &below(&path, "env"), findings);
    }
    // `false` and `{}` switch it off, `true` is no settings.
    if let Some(proxy) = map.get("proxy").filter(|node| present(Some(node))) {
        proxy::check(proxy, &below(&path, "proxy"), findings);
    }
    if let Some((node, registry)) = own_registry(map) {
        registry::check(registry, node.span, &below(&path, "registry"), findings);
    }
    if !present(map.get("image")) && !findings.faulty(&path) {
        findings.warning(&path, "has no image and can't be booted", key);
    }
}

/// The accessory.
pub(super) fn read(name: &str, map: &Map, around: &Surroundings<'_>) -> Accessory {
    let service_name =
        text_at(map, "service").unwrap_or_else(|| format!("{}-{name}", around.service));
    let registry = own_registry(map).map(|(_, registry)| registry::read(registry));
    let image = text_at(map, "image").unwrap_or_default();
    Accessory {
        name: name.to_owned(),
        image: match registry.as_ref().and_then(|r| r.server.as_ref()) {
            Some(server) => format!("{server}/{image}"),
            None => image,
        },
        registry,
        hosts: hosts(map, around),
        cmd: text_at(map, "cmd"),
        publish: text_at(map, "port").map(|port| match port.contains(':') {
            true => port,
            false => format!("{port}:{port}"),
        }),
        labels: pairs_at(map, "labels"),
        options: container::options(map),
        restart: container::restart(map),
        env: map_at(map, "env").map_or_else(Env::default, env::read),
        files: mounts(map, "files").filter_map(read_file).collect(),
        directories: mounts(map, "directories")
            .filter_map(read_directory)
            .collect(),
        volumes: texts_at(map, "volumes"),
        network: text_at(map, "network").unwrap_or_else(|| "kamal".to_owned()),
        proxy: map_at(map, "proxy")
            .filter(|map| !map.is_empty())
            .map(proxy::read),
        service_name,
    }
}

fn own_registry(map: &Map) -> Option<(&Node, &Map)> {
    let node = map.get("registry")?;
    let registry = node.as_map()?;
    (!registry.is_empty()).then_some((node, registry))
}

/// Checks what Kamal would fall over later: a tag where there are no roles to look for it, and when it uploads, an item without a
/// remote side.
pub(super) fn check_late(
    name: &str,
    map: &Map,
    around: &Surroundings<'_>,
    findings: &mut Findings,
) {
    let path = &below("accessories", name);
    let tags = map.get("tag").or_else(|| map.get("tags"));
    if let Some(tags) = tags
        && !findings.faulty(path)
        && around.servers.and_then(Node::as_map).is_none()
    {
        findings.hinted(
            path,
            "hosts are found by tag only where `servers` is a map of roles",
            tags.span,
            "write `servers: {web: [...]}`, or name the hosts with `hosts`",
        );
    }
    for key in ["files", "directories"] {
        if findings.faulty(&below(path, key)) {
            continue;
        }
        for (index, node) in mounts(map, key).enumerate() {
            if Parts::of(node).is_none() {
                findings.error(
                    &below(path, format_args!("{key}/{index}")),
                    "needs a local and a remote path (`LOCAL:REMOTE`)",
                    node.span,
                );
            }
        }
    }
}

fn check_placement(map: &Map, path: &str, key: Span, findings: &mut Findings) {
    let given = map
        .iter()
        .filter(|(key, _)| key.as_str().is_some_and(|key| PLACEMENTS.contains(&key)));
    let spans: Vec<Span> = given.map(|(key, _)| key.span).collect();
    if spans.len() == 1 {
        return;
    }
    let text = "specify one of `host`, `hosts`, `role`, `roles`, `tag` or `tags`";
    let mut diagnostic = Findings::worded(path, text);
    for span in if spans.is_empty() { vec![key] } else { spans } {
        diagnostic = diagnostic.at(span, "");
    }
    findings.push(path, diagnostic);
}

fn check_roles(map: &Map, path: &str, around: &Surroundings<'_>, findings: &mut Findings) {
    let names = match map.get("role") {
        Some(role) => std::slice::from_ref(role),
        None => map.get("roles").and_then(Node::as_seq).unwrap_or_default(),
    };
    let known = |name: &str| around.roles.iter().any(|role| role.name == name);
    let unknown: Vec<(&Node, String)> = names
        .iter()
        .filter_map(|node| Some((node, scalar::text(node)?)))
        .filter(|(_, name)| !known(name))
        .collect();
    if unknown.is_empty() || findings.faulty("servers") {
        return;
    }
    // By the key, however many they are.
    let plural = if map.get("role").is_some() { "" } else { "s" };
    let list: Vec<&str> = unknown.iter().map(|(_, name)| name.as_str()).collect();
    let text = format!("unknown role{plural} {}", list.join(", "));
    let mut diagnostic = Findings::worded(path, &text);
    for (node, _) in &unknown {
        diagnostic = diagnostic.at(node.span, "");
    }
    let roles: Vec<&str> = around.roles.iter().map(|role| role.name.as_str()).collect();
    let near = list
        .iter()
        .find_map(|name| suggest(name, roles.iter().copied()));
    if let Some(near) = near {
        diagnostic = diagnostic.hinted(format!("did you mean `{near}`?"));
    } else if !roles.is_empty() {
        diagnostic = diagnostic.hinted(format!("roles of this file: {}", roles.join(", ")));
    }
    findings.push(path, diagnostic);
}

/// Where it stands, duplicates kept.
fn hosts(map: &Map, around: &Surroundings<'_>) -> Vec<String> {
    let of_role = |name: String| {
        let role = around.roles.iter().find(|role| role.name == name);
        role.into_iter()
            .flat_map(Role::host_names)
            .map(str::to_owned)
    };
    if let Some(host) = text_at(map, "host") {
        return vec![host];
    }
    if let Some(hosts) = map.get("hosts").and_then(Node::as_seq) {
        return hosts.iter().filter_map(host_name).collect();
    }
    let roles = text_at(map, "role").map_or_else(|| texts_at(map, "roles"), |role| vec![role]);
    let tags = match map.get("tag") {
        Some(tag) => std::slice::from_ref(tag),
        None => map.get("tags").and_then(Node::as_seq).unwrap_or_default(),
    };
    let tagged = tags
        .iter()
        .flat_map(|tag| hosts_with_tag(tag, around.servers));
    roles.into_iter().flat_map(of_role).chain(tagged).collect()
}

fn host_name(node: &Node) -> Option<String> {
    match &node.value {
        Value::Map(map) => map.iter().next().map(|(host, _)| scalar::to_s(host)),
        _ => scalar::text(node),
    }
}

/// Hosts that carry a tag, in the file's order of roles. Kamal looks only at roles that are plain lists, and of a host with a
/// single tag it asks whether the tag's text contains the one looked for.
fn hosts_with_tag(tag: &Node, servers: Option<&Node>) -> Vec<String> {
    let roles = servers
        .and_then(Node::as_map)
        .into_iter()
        .flat_map(Map::iter);
    let entries = roles.flat_map(|(_, hosts)| hosts.as_seq().unwrap_or_default());
    let carries = |tags: &Node| match tags.as_seq() {
        Some(tags) => tags.contains(tag),
        None => match (scalar::text(tags), scalar::text(tag)) {
            (Some(tags), Some(tag)) => tags.contains(&tag),
            _ => false,
        },
    };
    entries
        .filter_map(|entry| {
            let (host, tags) = entry.as_map()?.iter().next()?;
            carries(tags).then(|| scalar::to_s(host))
        })
        .collect()
}

fn mounts<'m>(map: &'m Map, key: &str) -> impl Iterator<Item = &'m Node> {
    map.get(key)
        .and_then(Node::as_seq)
        .unwrap_or_default()
        .iter()
}

/// An item of `files` or `directories`.
struct Parts {
    local: String,
    remote: String,
    options: Option<String>,
    mode: Option<String>,
    owner: Option<String>,
}

impl Parts {
    /// The string form is split at the first two colons.
    fn of(node: &Node) -> Option<Self> {
        let parts = match &node.value {
            Value::Map(map) => Self {
                local: text_at(map, "local")?,
                remote: text_at(map, "remote")?,
                options: text_at(map, "options"),
                mode: text_at(map, "mode"),
                owner: text_at(map, "owner"),
            },
            _ => {
                let text = scalar::text(node)?;
                let mut parts = text.splitn(3, ':').map(str::to_owned);
                Self {
                    local: parts.next()?,
                    remote: parts.next()?,
                    options: parts.next(),
                    mode: None,
                    owner: None,
                }
            }
        };
        let whole = !parts.local.is_empty() && !parts.remote.is_empty();
        whole.then_some(parts)
    }
}

fn read_file(node: &Node) -> Option<UploadedFile> {
    let parts = Parts::of(node)?;
    Some(UploadedFile {
        local: parts.local,
        remote: parts.remote,
        options: parts.options,
        mode: parts.mode.unwrap_or_else(|| "755".to_owned()),
        owner: parts.owner,
    })
}

fn read_directory(node: &Node) -> Option<Mount> {
    let parts = Parts::of(node)?;
    Some(Mount {
        host_path: parts.local,
        remote: parts.remote,
        options: parts.options,
        mode: parts.mode,
        owner: parts.owner,
    })
}
