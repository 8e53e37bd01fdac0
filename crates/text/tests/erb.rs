//! Every template of `vectors/erb` is rendered as Ruby renders it: text, exceptions, changes to the environment, what is printed.

use std::collections::BTreeMap;

use dhow_text::dotenv::{CommandFailure, CommandOutput, Expander};
use dhow_text::erb::{FileFailure, World, render};
use dhow_text::source::SourceId;
use serde_json::{Value as Json, json};

/// Templates that dhow renders otherwise on purpose.
const DIFFERENT: &[&str] = &[];

struct Table {
    env: BTreeMap<String, String>,
    commands: BTreeMap<String, String>,
    files: BTreeMap<String, String>,
    cwd: String,
    printed: String,
}

impl Expander for Table {
    fn env(&self, name: &str) -> Option<String> {
        self.env.get(name).cloned()
    }

    fn command(&mut self, line: &str) -> Result<CommandOutput, CommandFailure> {
        match self.commands.get(line) {
            Some(stdout) => Ok(CommandOutput {
                stdout: stdout.clone(),
                success: true,
            }),
            None => Err(CommandFailure::NotFound {
                program: line.to_owned(),
            }),
        }
    }

    fn secrets(&mut self, argv: &[String]) -> Result<String, String> {
        Err(format!("no secrets here: {argv:?}"))
    }
}

impl World for Table {
    fn set_env(&mut self, name: &str, value: Option<&str>) {
        match value {
            Some(value) => self.env.insert(name.to_owned(), value.to_owned()),
            None => self.env.remove(name),
        };
    }

    fn read(&mut self, path: &str) -> Result<String, FileFailure> {
        let name = path.strip_prefix(&format!("{}/", self.cwd)).unwrap_or(path);
        self.files.get(name).cloned().ok_or(FileFailure::NotFound)
    }

    fn exists(&self, path: &str) -> bool {
        self.files
            .keys()
            .any(|name| name == path || name.starts_with(&format!("{path}/")))
    }

    fn cwd(&self) -> String {
        self.cwd.clone()
    }

    fn puts(&mut self, text: &str) {
        self.printed.push_str(text);
    }

    fn ruby(&mut self, _script: &str, _template: &str) -> Option<Result<String, String>> {
        None
    }
}

fn strings(json: &Json) -> BTreeMap<String, String> {
    serde_json::from_value(json.clone()).expect("a map of strings")
}

#[test]
fn every_template_is_rendered_as_ruby_renders_it() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../vectors/erb/cases.json");
    let text = std::fs::read_to_string(file).expect("vectors/erb/cases.json is there");
    let vectors: Json = serde_json::from_str(&text).expect("it is JSON");
    let cases = vectors["cases"].as_array().unwrap();
    assert!(cases.len() > 300, "only {} cases", cases.len());
    let mut wrong = Vec::new();
    for case in cases {
        let template = case["template"].as_str().unwrap();
        let mut world = Table {
            env: strings(&vectors["env"]),
            commands: strings(&vectors["commands"]),
            files: strings(&vectors["files"]),
            cwd: vectors["cwd"].as_str().unwrap().to_owned(),
            printed: String::new(),
        };
        let before = world.env.clone();
        let mut ours = match render(SourceId(0), template, &mut world) {
            Ok(rendered) => json!({ "template": template, "text": rendered.text }),
            Err(error) => {
                json!({ "template": template, "error": error.class, "message": error.message })
            }
        };
        let changed: BTreeMap<_, _> = before
            .keys()
            .chain(world.env.keys())
            .filter(|name| before.get(*name) != world.env.get(*name))
            .map(|name| (name.clone(), world.env.get(name).cloned()))
            .collect();
        if !changed.is_empty() {
            ours["env"] = json!(changed);
        }
        if !world.printed.is_empty() {
            ours["printed"] = json!(world.printed);
        }
        if (ours != *case) != DIFFERENT.contains(&template) {
            wrong.push(format!("ruby {case}\ndhow {ours}"));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {} differ:\n{}",
        wrong.len(),
        cases.len(),
        wrong.join("\n")
    );
}
