//! The sections of the deploy file, each with the rules that its table of keys doesn't tell.

use serde_json::{Map, Value, json};

use super::hover::Page;
use super::types::{
    described, integer, list, map, matching, merged, object, one_of, reference, text,
};
use crate::extension;
use crate::parse::{BUILT_IN, CACHES, LOG_LEVELS, PLACEMENTS, RESERVED_LABELS, RESTART_POLICIES};
use crate::schema::keys::{self, ENV, Field};

/// The file itself.
pub(super) fn root() -> Map<String, Value> {
    let page = Page::of(None);
    let mut root = section(keys::ROOT, &page, &[]);
    for (key, _) in keys::ROOT {
        let Some(schema) = of_root(key) else { continue };
        let subject = match *key {
            "accessories" => Some("accessory"),
            "aliases" => Some("alias"),
            "servers" => Some("servers"),
            _ => crate::SECTIONS.contains(key).then_some(*key),
        };
        let own = page.about(&[key]);
        let description = match subject {
            Some(subject) => format!("{own}\n\n{}", Page::of(Some(subject)).head()),
            None => own.to_owned(),
        };
        set(&mut root, key, described(schema, &description));
    }
    set(&mut root, extension::KEY, dhow());
    let mut out = Map::new();
    out.insert("description".to_owned(), json!(page.head()));
    // The root is no text: what an editor can't read as a map, it has reported.
    out.insert("type".to_owned(), json!("object"));
    if let Some(properties) = root.pointer_mut("/properties") {
        out.insert("properties".to_owned(), properties.take());
    }
    out.insert("patternProperties".to_owned(), json!({"^x-": true}));
    out.insert("additionalProperties".to_owned(), json!(false));
    out
}

/// What several places have in common, or what makes the whole easier to read.
pub(super) fn definitions() -> Map<String, Value> {
    let mut out = Map::new();
    let mut put = |name: &str, schema: Value| out.insert(name.to_owned(), schema);
    put("role", role());
    put("host", host());
    put("env", env(false));
    put("root_env", env(true));
    put("labels", labels());
    put("options", options());
    put("registry", registry());
    put("accessory", accessory());
    put("mount", mount());
    put("proxy", proxy());
    put("builder", builder());
    for (name, fields) in [
        ("boot", keys::BOOT),
        ("logging", keys::LOGGING),
        ("output", keys::OUTPUT),
        ("sshkit", keys::SSHKIT),
    ] {
        put(name, section(fields, &Page::of(Some(name)), &[name]));
    }
    put("ssh", ssh());
    out
}

/// Root keys with more to say than their shape does.
fn of_root(key: &str) -> Option<Value> {
    Some(match key {
        "service" => matching("^[A-Za-z0-9_-]+$"),
        "retain_containers" => merged(integer(), json!({"minimum": 1})),
        "servers" => {
            let roles =
                map(json!({"items": reference("host"), "additionalProperties": reference("role")}));
            merged(roles, json!({"type": ["object", "array", "string"]}))
        }
        "env" => reference("root_env"),
        "hooks_output" => {
            let level = one_of(&["quiet", "verbose", ":quiet", ":verbose"]);
            json!({"anyOf": [
                level,
                {"type": ["boolean", "number"]},
                {"type": "object", "additionalProperties": level},
            ]})
        }
        "accessories" => map(json!({"additionalProperties": reference("accessory")})),
        "aliases" => map(json!({
            "propertyNames": {"pattern": "^[a-z0-9_-]+$", "not": {"enum": BUILT_IN}},
            "additionalProperties": text(),
        })),
        "boot" | "builder" | "logging" | "output" | "proxy" | "registry" | "ssh" | "sshkit" => {
            reference(key)
        }
        _ => return None,
    })
}

fn dhow() -> Value {
    let page = Page::of(Some(extension::KEY));
    let groups = extension::GROUPS.iter().map(|(group, fields)| {
        let path = [extension::KEY, *group];
        let mut schema = section(fields, &page, &path);
        if *group == "proxy" {
            let about = page.about(&[extension::KEY, group, "proxy_protocol"]);
            let words = json!({"anyOf": [one_of(&extension::PROXY_PROTOCOLS), {"const": false}]});
            set(&mut schema, "proxy_protocol", described(words, about));
        }
        let schema = merged(
            schema,
            json!({"description": page.about(&path), "additionalProperties": true}),
        );
        ((*group).to_owned(), schema)
    });
    described(
        json!({"type": "object", "properties": groups.collect::<Map<_, _>>()}),
        page.head(),
    )
}

fn role() -> Value {
    let page = Page::of(Some("role"));
    let mut role = section(keys::ROLE, &page, &["servers", "workers"]);
    refer(&mut role, "env", &reference("env"));
    refer(&mut role, "labels", &reference("labels"));
    refer(&mut role, "logging", &reference("logging"));
    refer(&mut role, "options", &reference("options"));
    refer(
        &mut role,
        "proxy",
        &json!({"anyOf": [{"type": "boolean"}, reference("proxy")]}),
    );
    merged(
        role,
        json!({"type": ["object", "array", "string"], "items": reference("host")}),
    )
}

fn host() -> Value {
    let page = Page::of(Some("servers"));
    let tags = json!({"type": ["string", "number", "boolean", "array"], "items": text()});
    described(
        json!({
            "type": ["string", "number", "boolean", "object"],
            "minProperties": 1,
            "maxProperties": 1,
            "additionalProperties": tags,
        }),
        page.about(&["servers", "web", "192.168.0.2"]),
    )
}

fn env(root: bool) -> Value {
    let page = Page::of(Some("env"));
    let about = |key: &str| page.about(&["env", key]).to_owned();
    let values = map(json!({"additionalProperties": text()}));
    let tags = map(json!({"additionalProperties": reference("env")}));
    let tags = if root {
        described(tags, &about("tags"))
    } else {
        json!(false)
    };
    let only_special = json!({"propertyNames": {"enum": ENV}});
    let special = ENV
        .iter()
        .map(|key| ((*key).to_owned(), only_special.clone()));
    described(
        map(json!({
            "properties": {
                "clear": described(values, &about("clear")),
                "secret": described(list(&text()), &about("secret")),
                "tags": tags,
            },
            "additionalProperties": text(),
            "dependentSchemas": special.collect::<Map<_, _>>(),
        })),
        page.head(),
    )
}

fn labels() -> Value {
    map(
        json!({"propertyNames": {"not": {"enum": RESERVED_LABELS}}, "additionalProperties": text()}),
    )
}

fn options() -> Value {
    let page = Page::of(Some("role"));
    let about = page.about(&["servers", "workers", "options"]);
    let policy = json!({"anyOf": [{"enum": RESTART_POLICIES}, matching("^on-failure:[0-9]+$")]});
    map(json!({"properties": {"restart": described(policy, about)}}))
}

fn registry() -> Value {
    let page = Page::of(Some("registry"));
    let mut registry = section(keys::REGISTRY, &page, &["registry"]);
    for key in ["username", "password"] {
        refer(&mut registry, key, &json!({}));
    }
    let one = json!({"type": ["string", "array"], "items": {"type": "string"}, "minItems": 1, "maxItems": 1});
    // A local registry's are not looked at.
    let local = json!({"type": "string", "pattern": "^localhost[:$]"});
    let rule = json!({
        "if": {"properties": {"server": local}, "required": ["server"]},
        "else": {"properties": {"username": one, "password": one}},
    });
    merged(registry, rule)
}

fn accessory() -> Value {
    let page = Page::of(Some("accessory"));
    let mut accessory = section(keys::ACCESSORY, &page, &["accessories", "mysql"]);
    refer(&mut accessory, "env", &reference("env"));
    refer(&mut accessory, "labels", &reference("labels"));
    refer(&mut accessory, "options", &reference("options"));
    refer(&mut accessory, "registry", &reference("registry"));
    refer(
        &mut accessory,
        "proxy",
        &json!({"anyOf": [{"const": false}, reference("proxy")]}),
    );
    let one_place = PLACEMENTS.iter().map(|place| {
        let others = PLACEMENTS.iter().filter(|other| *other != place);
        let none: Map<String, Value> = others
            .map(|other| ((*other).to_owned(), json!(false)))
            .collect();
        ((*place).to_owned(), json!({"properties": none}))
    });
    merged(
        accessory,
        json!({"dependentSchemas": one_place.collect::<Map<_, _>>()}),
    )
}

fn mount() -> Value {
    let page = Page::of(Some("accessory"));
    let about = page.about(&["accessories", "mysql", "files"]);
    let known = ["local", "remote", "mode", "owner", "options"];
    let properties = known.map(|key| (key.to_owned(), described(text(), about)));
    json!({
        "type": ["string", "number", "boolean", "object"],
        "properties": Map::from_iter(properties),
    })
}

fn proxy() -> Value {
    let page = Page::of(Some("proxy"));
    let mut proxy = section(keys::PROXY, &page, &["proxy"]);
    let pem = described(text(), page.about(&["proxy", "ssl"]));
    let certificate = json!({
        "properties": {"certificate_pem": pem, "private_key_pem": pem},
        "dependentRequired": {"certificate_pem": ["private_key_pem"], "private_key_pem": ["certificate_pem"]},
    });
    extend(&mut proxy, "ssl", certificate);
    merged(
        proxy,
        json!({"dependentSchemas": {"host": {"properties": {"hosts": false}}}}),
    )
}

fn builder() -> Value {
    let page = Page::of(Some("builder"));
    let mut builder = section(keys::BUILDER, &page, &["builder"]);
    extend(
        &mut builder,
        "arch",
        json!({"examples": ["amd64", "arm64"]}),
    );
    extend(
        &mut builder,
        "driver",
        json!({"examples": ["docker-container", "docker", "cloud"]}),
    );
    if let Some(kind) = builder.pointer_mut("/properties/cache/properties/type") {
        let about = page.about(&["builder", "cache", "type"]);
        *kind = described(one_of(&CACHES), about);
    }
    builder
}

fn ssh() -> Value {
    let page = Page::of(Some("ssh"));
    let mut ssh = section(keys::SSH, &page, &["ssh"]);
    let upper = LOG_LEVELS.map(str::to_uppercase);
    let symbols = LOG_LEVELS.map(|level| format!(":{level}"));
    let others = upper.iter().chain(&symbols).map(String::as_str);
    let levels: Vec<&str> = LOG_LEVELS.into_iter().chain(others).collect();
    refer(
        &mut ssh,
        "log_level",
        &json!({"anyOf": [one_of(&levels), {"type": "integer"}]}),
    );
    ssh
}

/// A section as its table of keys says, with the texts of its page.
fn section(fields: &[Field], page: &Page, path: &[&str]) -> Value {
    let about = |path: &[&str]| page.about(path).to_owned();
    let schema = object(fields, &about, path);
    if path.is_empty() {
        schema
    } else {
        described(schema, page.head())
    }
}

/// Puts another schema below a key; the text for hovering stays.
fn refer(section: &mut Value, key: &str, schema: &Value) {
    let about = section.pointer(&format!("/properties/{key}/description"));
    let about = about.and_then(Value::as_str).unwrap_or_default().to_owned();
    set(section, key, described(schema.clone(), &about));
}

/// Says more about the schema below a key.
fn extend(section: &mut Value, key: &str, more: Value) {
    if let Some(Value::Object(schema)) = section.pointer_mut(&format!("/properties/{key}"))
        && let Value::Object(more) = more
    {
        schema.extend(more);
    }
}

fn set(section: &mut Value, key: &str, schema: Value) {
    if let Some(Value::Object(properties)) = section.pointer_mut("/properties") {
        properties.insert(key.to_owned(), schema);
    }
}
