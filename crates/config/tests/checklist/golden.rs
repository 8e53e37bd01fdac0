//! Whole deploy files as people write them (`vectors/config`), with what Kamal's own command says of each.
//!
//! `good/NAME.yml` loads, with `NAME.staging.yml` over it if that is there, and `NAME.kamal.yml` is what `kamal config` prints;
//! `bad/NAME.yml` does not, and `NAME.kamal.txt` is the line that Kamal ends with. `vectors/config/make` asks Kamal anew.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::deploy::*;
use dhow_config::{Failure, Loaded, dump, json_schema};
use dhow_text::redact::REDACTED;
use dhow_text::source::{SourceId, Span};
use dhow_text::yaml::{Map, Node, Value, parse, string_keys};
use serde_json::Value as Json;

/// The version that the files were dumped for.
const VERSION: &str = "20260101";

struct Case {
    name: String,
    base: String,
    overlay: Option<String>,
    answer: String,
}

impl Case {
    fn load(&self) -> Result<Loaded, Box<Failure>> {
        let world = World::default();
        world.templates.borrow_mut().folder = Some(folder("project"));
        let overlay = self.overlay.as_deref().map(|text| ("staging", text));
        load_in(&world, &self.base, overlay)
    }
}

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../vectors/config")
        .join(name)
}

fn cases(kind: &str, answer: &str) -> Vec<Case> {
    let folder = folder(kind);
    let mut names: Vec<String> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter_map(|name| name.strip_suffix(answer).map(str::to_owned))
        .collect();
    names.sort();
    let read = |name: String| std::fs::read_to_string(folder.join(name));
    names
        .into_iter()
        .map(|name| Case {
            base: read(format!("{name}.yml")).unwrap(),
            overlay: read(format!("{name}.staging.yml")).ok(),
            answer: read(format!("{name}{answer}")).unwrap(),
            name,
        })
        .collect()
}

fn good() -> Vec<Case> {
    let cases = cases("good", ".kamal.yml");
    assert!(cases.len() >= 60, "{}", cases.len());
    cases
}

#[test]
fn item_18_03_real_files_are_dumped_as_kamal_dumps_them() {
    let mut same = 0;
    for case in good() {
        let name = &case.name;
        let loaded = match case.load() {
            Ok(loaded) => loaded,
            Err(failure) => panic!("{name}: {:#?}", failure.diagnostics),
        };
        let text = dump(&loaded, VERSION);
        let ours = parse_dump(&text);
        let kamals = redacted(parse_dump(&case.answer));
        assert_eq!(ours.value, kamals.value, "{name}");
        same += usize::from(text == case.answer);
        // Letter by letter too, where there is nothing that only Kamal shows.
        assert!(
            text == case.answer || text.contains(REDACTED),
            "{name}: the same values, but otherwise written:\n{text}"
        );
    }
    assert!(same >= 50, "{same}");
}

/// Objects of Ruby's are maps here; which ones they are is compared as text.
fn parse_dump(text: &str) -> Node {
    let text = text.replace("!ruby/object:Net::SSH::Proxy::", "#");
    parse(SourceId(0), &text).unwrap()
}

/// What Kamal prints in clear, as Dhow prints it.
fn redacted(mut root: Node) -> Node {
    let node = || Node::new(Value::Str(REDACTED.to_owned()), Span::nowhere());
    change(&mut root, ":ssh_options", |ssh| {
        change(ssh, ":key_data", |keys| {
            if let Value::Seq(keys) = &mut keys.value {
                keys.iter_mut().for_each(|key| *key = node());
            }
        });
    });
    change(&mut root, ":accessories", |accessories| {
        each(accessories, |accessory| {
            change(accessory, "registry", |registry| {
                change(registry, "password", |password| {
                    if password.as_str().is_some() {
                        *password = node();
                    }
                });
            });
        });
    });
    root
}

/// Changes the value below a key; a leading colon is that of a symbol.
fn change(parent: &mut Node, key: &str, by: impl FnOnce(&mut Node)) {
    let key = match key.strip_prefix(':') {
        Some(name) => Value::Symbol(name.to_owned()),
        None => Value::Str(key.to_owned()),
    };
    if let Value::Map(map) = &mut parent.value
        && let Some(found) = map.get_node(&key)
    {
        let mut value = found.clone();
        by(&mut value);
        map.insert(Node::new(key, Span::nowhere()), value);
    }
}

fn each(parent: &mut Node, by: impl Fn(&mut Node)) {
    if let Value::Map(map) = &mut parent.value {
        let pairs = std::mem::take(map).into_pairs().map(|(key, mut value)| {
            by(&mut value);
            (key, value)
        });
        *map = pairs.collect::<Map>();
    }
}

#[test]
fn failing_files_say_what_kamal_says() {
    let cases = cases("bad", ".kamal.txt");
    assert!(cases.len() >= 60, "{}", cases.len());
    let mut lines = std::collections::BTreeSet::new();
    for case in &cases {
        let name = &case.name;
        let kamals = case
            .answer
            .lines()
            .find(|line| line.starts_with("ERROR ("))
            .unwrap();
        let Err(failure) = case.load() else {
            panic!("{name} loads, and Kamal says {kamals}");
        };
        let first = &failure.diagnostics[0];
        let ours = format!("ERROR ({}): {}", first.class, first.message);
        lines.insert(kamals);
        assert_eq!(ours, kamals, "{name}");
    }
    assert!(lines.len() >= 60, "{} different ones", lines.len());
}

/// Counted over the files alone and merged, as the JSON Schema names the keys. What Kamal has no key for is no part of its files.
#[test]
fn every_key_occurs_three_times() {
    let schema: Json = serde_json::from_str(&json_schema()).unwrap();
    let mut counter = Counter {
        root: &schema,
        seen: BTreeMap::new(),
    };
    counter.register("", &schema);
    for case in good() {
        let loaded = case.load().unwrap();
        let root = Value::Map(loaded.raw.root().clone());
        let node = string_keys(Node::new(root, Span::nowhere()));
        counter.count("", &schema, &node);
    }
    let rare: Vec<_> = counter
        .seen
        .iter()
        .filter(|(key, count)| **count < 3 && !key.starts_with("/properties/x-dhow"))
        .collect();
    assert!(rare.is_empty(), "{rare:#?}");
    assert!(counter.seen.len() > 130, "{}", counter.seen.len());
}

struct Counter<'s> {
    root: &'s Json,
    seen: BTreeMap<String, usize>,
}

impl<'s> Counter<'s> {
    /// Makes every key of the schema known, with no occurrence.
    fn register(&mut self, at: &str, schema: &Json) {
        for (key, value) in schema.as_object().into_iter().flatten() {
            match key.as_str() {
                // Rules about keys, not keys.
                "dependentSchemas" | "if" | "else" => {}
                "properties" => {
                    for (name, value) in value.as_object().unwrap() {
                        // `false`: a key that is not allowed there.
                        if !value.is_boolean() {
                            self.seen
                                .entry(format!("{at}/properties/{name}"))
                                .or_default();
                            self.register(&format!("{at}/properties/{name}"), value);
                        }
                    }
                }
                key => self.register(&format!("{at}/{key}"), value),
            }
        }
    }

    fn count(&mut self, at: &str, schema: &'s Json, node: &Node) {
        if let Some(reference) = schema["$ref"].as_str() {
            let at = reference.trim_start_matches('#');
            self.count(at, self.root.pointer(at).unwrap(), node);
        }
        for option in schema["anyOf"].as_array().into_iter().flatten() {
            self.count(&format!("{at}/anyOf"), option, node);
        }
        for item in node.as_seq().into_iter().flatten() {
            self.count(&format!("{at}/items"), &schema["items"], item);
        }
        for (key, value) in node.as_map().into_iter().flat_map(Map::iter) {
            let name = key.as_str().unwrap_or_default();
            let named = &schema["properties"][name];
            if named.is_object() {
                let at = format!("{at}/properties/{name}");
                *self.seen.entry(at.clone()).or_default() += 1;
                self.count(&at, named, value);
            } else {
                let at = format!("{at}/additionalProperties");
                self.count(&at, &schema["additionalProperties"], value);
            }
        }
    }
}
