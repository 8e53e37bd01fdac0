//! `dhow config`: a loaded deploy file as the YAML document that `kamal config` prints.
//!
//! In: a [`Loaded`] file and the version in use. Out: the document, its keys Ruby symbols in Kamal's order. Unlike Kamal's it
//! shows no credential: `ssh.key_data` and passwords of accessories' registries are redacted.

use dhow_text::redact::REDACTED;
use dhow_text::shell::{OptionStyle, key_values, options};
use dhow_text::source::Span;
use dhow_text::yaml::{Map, Node, Value, emit_tagged};

use crate::load::Loaded;
use crate::model::Logging;
use crate::scalar;

const JUMP: &str = "!ruby/object:Net::SSH::Proxy::Jump";
const COMMAND: &str = "!ruby/object:Net::SSH::Proxy::Command";
/// Psych's mark of a text that stands for another object.
const TEXT: &str = "!";

/// The document.
pub fn dump(loaded: &Loaded, version: &str) -> String {
    let config = &loaded.config;
    let raw = &loaded.raw.root;
    let mut tags: Vec<(Vec<String>, &str)> = Vec::new();
    let section = |key: &str| raw.get(key).cloned().unwrap_or_else(|| map(Map::new()));
    let roles = config.roles.iter().map(|role| role.name.as_str());
    let volumes = config.volumes.iter().flat_map(|v| ["--volume", v]);
    let mut out = Map::new();
    let mut put = |key: &str, value: Node| out.insert(symbol(key), value);
    put("roles", list(roles));
    put("hosts", list(config.all_hosts()));
    if let Some(host) = config.primary_host() {
        put("primary_host", text(host));
    }
    put("version", text(version));
    put("repository", text(&config.repository()));
    put("absolute_image", text(&config.absolute_image(version)));
    put(
        "service_with_version",
        text(&config.service_with_version(version)),
    );
    put("volume_args", list(volumes));
    put("ssh_options", ssh_options(raw, &mut tags));
    put("sshkit", section("sshkit"));
    put("builder", section("builder"));
    let accessories = scalar::map_at(raw, "accessories");
    if let Some(accessories) = accessories.filter(|map| !map.is_empty()) {
        put("accessories", without_passwords(accessories, &mut tags));
    }
    let logging = log_args(&config.logging);
    put("logging", list(logging.iter().map(String::as_str)));
    let paths: Vec<(Vec<&str>, &str)> = tags
        .iter()
        .map(|(path, tag)| (path.iter().map(String::as_str).collect(), *tag))
        .collect();
    let tags: Vec<(&[&str], &str)> = paths.iter().map(|(p, tag)| (p.as_slice(), *tag)).collect();
    emit_tagged(&map(out), &tags)
}

/// Docker's arguments for a log driver and its options, as Kamal writes them.
fn log_args(logging: &Logging) -> Vec<String> {
    let driver = logging
        .driver
        .clone()
        .map(dhow_text::shell::ShellValue::Text);
    let mut args = options(
        OptionStyle::Space,
        driver.iter().map(|driver| ("log-driver", driver)),
    );
    let pairs = logging
        .options
        .iter()
        .map(|(key, value)| (key.as_str(), value));
    args.extend(key_values("--log-opt", pairs));
    if args.is_empty() {
        args = vec!["--log-opt".to_owned(), "max-size=\"10m\"".to_owned()];
    }
    args
}

fn ssh_options(raw: &Map, tags: &mut Vec<(Vec<String>, &str)>) -> Node {
    let nothing = Map::new();
    let ssh = scalar::map_at(raw, "ssh").unwrap_or(&nothing);
    let given = |key: &str| ssh.get(key).cloned();
    let mut out = Map::new();
    let mut put = |key: &str, value: Node| out.insert(symbol(key), value);
    put("user", given("user").unwrap_or_else(|| text("root")));
    put(
        "port",
        given("port").unwrap_or_else(|| node(Value::Int(22))),
    );
    let path = || vec!["ssh_options".to_owned(), "proxy".to_owned()];
    if let Some(jump) = scalar::text_at(ssh, "proxy") {
        let jump = if jump.contains('@') {
            jump
        } else {
            format!("root@{jump}")
        };
        put("proxy", pairs([("jump_proxies", text(&jump))]));
        tags.push((path(), JUMP));
    } else if let Some(command) = given("proxy_command") {
        let fields = [
            ("command_line_template", command),
            ("command_line", node(Value::Null)),
            ("timeout", node(Value::Int(60))),
        ];
        put("proxy", pairs(fields));
        tags.push((path(), COMMAND));
    }
    put("keepalive", node(Value::Bool(true)));
    put("keepalive_interval", node(Value::Int(30)));
    for key in ["keys_only", "keys", "key_data", "config", "forward_agent"] {
        let Some(value) = given(key) else {
            continue;
        };
        if key != "key_data" {
            put(key, value);
            continue;
        }
        let count = value.as_seq().unwrap_or_default().len();
        put(key, list(std::iter::repeat_n(REDACTED, count)));
        for at in 0..count {
            let path = ["ssh_options", "key_data", &at.to_string()].map(str::to_owned);
            tags.push((path.into(), TEXT));
        }
    }
    let fatal = || node(Value::Symbol("fatal".to_owned()));
    put("log_level", given("log_level").unwrap_or_else(fatal));
    map(out)
}

/// The accessories as written, but for passwords written out.
fn without_passwords(accessories: &Map, tags: &mut Vec<(Vec<String>, &str)>) -> Node {
    let mut out = Map::new();
    for (name, accessory) in accessories.iter() {
        let written_out = accessory
            .get("registry")
            .and_then(|registry| registry.get("password"))
            .is_some_and(|password| password.as_str().is_some());
        if !written_out {
            out.insert(name.clone(), accessory.clone());
            continue;
        }
        let path = ["accessories", &scalar::to_s(name), "registry", "password"];
        tags.push((path.map(str::to_owned).into(), TEXT));
        let redacted = replaced(accessory, "registry", |registry| {
            replaced(registry, "password", |_| text(REDACTED))
        });
        out.insert(name.clone(), redacted);
    }
    map(out)
}

/// A map with one value exchanged.
fn replaced(parent: &Node, key: &str, by: impl FnOnce(&Node) -> Node) -> Node {
    let mut out = parent.as_map().cloned().unwrap_or_default();
    if let Some(value) = parent.get(key) {
        out.insert(text(key), by(value));
    }
    Node::new(Value::Map(out), parent.span)
}

fn node(value: Value) -> Node {
    Node::new(value, Span::nowhere())
}

fn text(text: &str) -> Node {
    node(Value::Str(text.to_owned()))
}

fn symbol(name: &str) -> Node {
    node(Value::Symbol(name.to_owned()))
}

fn list<'i>(items: impl IntoIterator<Item = &'i str>) -> Node {
    node(Value::Seq(items.into_iter().map(text).collect()))
}

fn map(map: Map) -> Node {
    node(Value::Map(map))
}

fn pairs<const N: usize>(pairs: [(&str, Node); N]) -> Node {
    let mut out = Map::new();
    for (key, value) in pairs {
        out.insert(text(key), value);
    }
    map(out)
}
