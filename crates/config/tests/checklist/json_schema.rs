//! The JSON Schema of the deploy file, held against a validator, against files that load and against files that don't.

use std::path::Path;

use crate::deploy::*;
use boon::{Compiler, SchemaIndex, Schemas};
use dhow_config::{SECTIONS, docs, json_schema, templates};
use dhow_text::source::SourceId;
use dhow_text::yaml::{Node, Value, parse, string_keys};
use serde_json::{Value as Json, json};

const FILE: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../docs/schema/deploy.schema.json"
);

/// `DHOW_BLESS=1` writes it.
#[test]
fn the_file_in_docs_is_current() {
    let schema = json_schema();
    if std::env::var_os("DHOW_BLESS").is_some() {
        std::fs::write(FILE, &schema).unwrap();
    }
    let committed = std::fs::read_to_string(FILE).unwrap();
    assert!(
        committed == schema,
        "docs/schema/deploy.schema.json is stale: run this test with DHOW_BLESS=1"
    );
}

/// A compiled schema; compiling checks it against the schema of schemas.
struct Checker {
    schemas: Schemas,
    index: SchemaIndex,
}

impl Checker {
    fn new() -> Self {
        let schema: Json = serde_json::from_str(&json_schema()).unwrap();
        let mut compiler = Compiler::new();
        compiler.add_resource("deploy.json", schema).unwrap();
        let mut schemas = Schemas::new();
        let index = compiler.compile("deploy.json", &mut schemas).unwrap();
        Self { schemas, index }
    }

    fn check(&self, json: &Json) -> Result<(), String> {
        let checked = self.schemas.validate(json, self.index);
        checked.map_err(|error| error.to_string())
    }

    fn check_text(&self, text: &str) -> Result<(), String> {
        let node = parse(SourceId(0), text).map_err(|error| error.message)?;
        self.check(&json(&string_keys(node)))
    }
}

/// A tree as an editor's parser gives it to the validator.
fn json(node: &Node) -> Json {
    match &node.value {
        Value::Null => Json::Null,
        Value::Bool(bool) => json!(bool),
        Value::Int(int) => json!(int),
        Value::BigInt(digits) => serde_json::from_str(digits).unwrap(),
        Value::Float(float) => {
            serde_json::Number::from_f64(*float).map_or(Json::Null, Json::Number)
        }
        Value::Str(text) => json!(text),
        // Nothing but text takes them, and text is all that YAML without Ruby has for them.
        Value::Symbol(name) => json!(format!(":{name}")),
        // Not of any type that a deploy file has.
        Value::Date(_) | Value::Time(_) => Json::Null,
        Value::Seq(items) => items.iter().map(json).collect(),
        Value::Map(map) => {
            let pairs = map.iter().map(|(key, value)| (key_text(key), json(value)));
            Json::Object(pairs.collect())
        }
    }
}

fn key_text(key: &Node) -> String {
    match json(key) {
        Json::String(text) => text,
        other => other.to_string(),
    }
}

#[test]
fn good_files_pass() {
    let checker = Checker::new();
    let mut files = vec![
        ("template".to_owned(), templates::DEPLOY_FILE.to_owned()),
        ("docs".to_owned(), docs(None).unwrap().to_owned()),
    ];
    for section in SECTIONS {
        files.push((section.to_owned(), docs(Some(section)).unwrap().to_owned()));
    }
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    for folder in ["tests/files", "../../vectors/config/good"] {
        for entry in std::fs::read_dir(here.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            let text = std::fs::read_to_string(&path).unwrap();
            // Those with tags between the lines are no YAML before they are rendered.
            if ![".dump.", ".kamal."].iter().any(|part| name.contains(part))
                && !text.contains("-%>")
            {
                files.push((name, text));
            }
        }
    }
    assert!(files.len() >= 80, "{}", files.len());
    for (name, text) in files {
        assert_eq!(checker.check_text(&text), Ok(()), "{name}");
    }
}

/// Bases and overlays that Kamal itself took, each alone, as an editor sees them.
#[test]
fn files_that_kamal_takes_pass() {
    let checker = Checker::new();
    let mut seen = 0;
    for case in kamal_cases() {
        if case["message"].is_string() {
            continue;
        }
        let whole = base(&case);
        for text in [Some(whole.as_str()), case["overlay"].as_str()]
            .into_iter()
            .flatten()
        {
            // What the other file replaces may be anything; what Dhow alone warns of is marked.
            let alone = load_text(text);
            let odd = alone.as_ref().map_or_else(
                |_| case["overlay"].is_string(),
                |loaded| !loaded.warnings.is_empty(),
            );
            if odd && text == whole {
                continue;
            }
            seen += 1;
            assert_eq!(checker.check_text(text), Ok(()), "{text}");
        }
    }
    assert!(seen > 200, "{seen}");
}

/// Refused by Kamal; to the schema the place may come from the other file.
const NO_PLACE: &str = "accessories: {db: {image: x, cmd: a}}\n";

/// Whatever Kamal refuses for its type or its name in a single file, the schema refuses too.
#[test]
fn files_of_wrong_shape_fail() {
    let checker = Checker::new();
    let mut seen = 0;
    let mut passed = Vec::new();
    for case in kamal_cases() {
        let Some(message) = case["message"].as_str() else {
            continue;
        };
        let about_shape = [
            "should be a",
            "unknown key",
            "invalid label",
            "multiple hosts",
            "Invalid alias",
            "conflicts with a built-in",
            "Invalid cache",
            "specify one of",
        ];
        if case["overlay"].is_string() || !about_shape.iter().any(|words| message.contains(words)) {
            continue;
        }
        seen += 1;
        if checker.check_text(&base(&case)).is_ok() && case["more"] != NO_PLACE {
            passed.push(format!("{message}\n{}", base(&case)));
        }
    }
    assert!(seen > 500, "{seen}");
    assert!(
        passed.is_empty(),
        "{} of {seen}:\n{}",
        passed.len(),
        passed.join("\n")
    );
}

#[test]
fn broken_sections_fail() {
    let checker = Checker::new();
    for text in [
        "servics: app",
        "service: a b",
        "service:",
        "proxy: true",
        "proxy: {host: a, hosts: [b]}",
        "proxy: {ssl: {certificate_pem: A}}",
        "proxy: {app_port: '80'}",
        "servers: {web: {host: [a]}}",
        "servers: {web: {labels: {role: x}}}",
        "servers: {web: {options: {restart: sometimes}}}",
        "servers: {web: {options: {restart: no}}}",
        "servers: [{a: x, b: y}]",
        "env: {A: }",
        "env: {clear: {A: 1}, B: 2}",
        "env: {clear: [A=1]}",
        "accessories: {db: {host: a, roles: [web]}}",
        "accessories: {db: {host: a, proxy: true}}",
        "accessories: {db: {host: a, env: {tags: {}}}}",
        "registry: {password: [A, B]}",
        "builder: {cache: {type: s3}}",
        "retain_containers: 0",
        "hooks_output: loud",
        "hooks_output: {pre-build: loud}",
        "aliases: {deploy: x}",
        "aliases: {Shell: x}",
        "ssh: {log_level: chatty}",
        "boot: {parallel_roles: 1}",
        "x-dhow: 1",
    ] {
        assert!(checker.check_text(text).is_err(), "{text}");
    }
}

/// YAML 1.2, which editors speak, has texts where Ruby's YAML 1.1 has numbers and booleans; and tags of ERB are texts to it.
#[test]
fn what_an_editor_sees_as_text_passes() {
    let checker = Checker::new();
    for file in [
        json!({"proxy": {"buffering": {"memory": "2_000_000"}, "ssl": "yes"}}),
        json!({"proxy": {"app_port": "<%= ENV['PORT'] %>", "ssl": "<%= tls? %>"}}),
        json!({"servers": "<%= hosts.to_json %>", "env": "<%= env.to_json %>"}),
        json!({"servers": {"web": "<%= ENV['HOSTS'].split(',') %>"}}),
        json!({"builder": {"cache": {"type": "<%= cache %>"}}, "hooks_output": ":quiet"}),
        json!({"x-shared": null, "x-dhow": {"proxy": {}, "new": 1}}),
    ] {
        assert_eq!(checker.check(&file), Ok(()), "{file}");
    }
}

#[test]
fn every_key_has_a_text_to_show() {
    let schema: Json = serde_json::from_str(&json_schema()).unwrap();
    let mut seen = 0;
    let mut todo = vec![(String::new(), &schema)];
    while let Some((path, schema)) = todo.pop() {
        for (key, value) in schema.as_object().into_iter().flatten() {
            let path = format!("{path}/{key}");
            if key == "properties" {
                for (key, value) in value.as_object().unwrap() {
                    let bare = value.is_boolean()
                        || ["dependentSchemas", "/if", "/else"]
                            .iter()
                            .any(|part| path.contains(part))
                        || path.contains("x-dhow");
                    let text = value["description"].as_str().unwrap_or_default();
                    assert!(bare || text.len() > 10, "{path}/{key}: {text:?}");
                    seen += 1;
                }
            }
            todo.push((path, value));
        }
        for item in schema.as_array().into_iter().flatten() {
            todo.push((path.clone(), item));
        }
    }
    assert!(seen > 150, "{seen}");
}

/// The texts are those of the reference pages.
#[test]
fn texts_come_from_the_pages() {
    let schema: Json = serde_json::from_str(&json_schema()).unwrap();
    let about = |path: &str| {
        let found = schema
            .pointer(path)
            .and_then(|schema| schema["description"].as_str());
        found.unwrap_or_else(|| panic!("{path}")).to_owned()
    };
    for (path, text) in [
        (
            "/properties/volumes",
            "Volumes for the containers of every role, as `docker run --volume` takes them.",
        ),
        (
            "/properties/boot",
            "How many hosts at once: see `dhow docs boot`.\n\nContainers are started on all hosts at once, unless told otherwise.",
        ),
        (
            "/$defs/proxy/properties/hosts",
            "The names to answer to; several at once with commas or as a list in `hosts`, but not both keys. Without any, every name.",
        ),
        (
            "/$defs/proxy/properties/run/properties/https_port",
            "Ports on the host; default 80 and 443.",
        ),
        (
            "/$defs/accessory/properties/roles",
            "Where it runs: all hosts of several roles.",
        ),
        (
            "/$defs/builder/properties/pack/properties/buildpacks",
            "Buildpacks instead of a Dockerfile, for a single architecture.",
        ),
        (
            "/$defs/builder/properties/cache/properties/image",
            "The name of a registry cache; default the image's with `-build-cache` at its end.",
        ),
    ] {
        assert_eq!(about(path), text, "{path}");
    }
    let example = "Without secrets and tags, a map of names and values:\n\n    env:\n      DATABASE_HOST: mysql-db1\n\nOtherwise";
    assert!(
        about("/$defs/root_env").starts_with(example),
        "{}",
        about("/$defs/root_env")
    );
}

fn kamal_cases() -> impl Iterator<Item = Json> {
    let lines = include_str!("../vectors/kamal.jsonl").lines();
    lines.map(|line| serde_json::from_str(line).unwrap())
}

fn base(case: &Json) -> String {
    match case["base"].as_str() {
        Some(base) => base.to_owned(),
        None => format!("{LEAST}{}", case["more"].as_str().unwrap()),
    }
}
