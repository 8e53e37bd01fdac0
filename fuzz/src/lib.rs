//! What is done with a text in every run of a fuzzer, and what must hold whatever the text is.
//!
//! In: bytes. Out: nothing, or a panic if a promise is broken: nothing panics, places lie within the text they point into, what
//! is written can be read again. The same functions run over the kept corpora in the tests of `crates/config`.

use std::cell::RefCell;
use std::collections::BTreeMap;

use dhow_config::{Inputs, Outside, dump, load as load_config};
use dhow_text::diagnostic::Diagnostic;
use dhow_text::dotenv::{self, CommandFailure, CommandOutput, Existing, Expander};
use dhow_text::erb::{self, FileFailure, World};
use dhow_text::render::render;
use dhow_text::rendered::Rendered;
use dhow_text::source::{Source, SourceId, Sources};
use dhow_text::{shell, yaml};

/// Between a base and its overlay.
pub const SEPARATOR: &str = "\n=====\n";

/// Answers every command with its own text and has every file.
#[derive(Default)]
pub struct Echo {
    env: BTreeMap<String, String>,
}

impl Expander for Echo {
    fn env(&self, name: &str) -> Option<String> {
        self.env.get(name).cloned()
    }

    fn command(&mut self, line: &str) -> Result<CommandOutput, CommandFailure> {
        Ok(CommandOutput {
            stdout: line.to_owned(),
            success: !line.starts_with("false"),
        })
    }

    fn secrets(&mut self, argv: &[String]) -> Result<String, String> {
        match argv.len() {
            0..=1 => Err("nothing was asked for".to_owned()),
            _ => Ok(argv.join(" ")),
        }
    }
}

impl World for Echo {
    fn set_env(&mut self, name: &str, value: Option<&str>) {
        match value {
            Some(value) => self.env.insert(name.to_owned(), value.to_owned()),
            None => self.env.remove(name),
        };
    }

    fn read(&mut self, path: &str) -> Result<String, FileFailure> {
        match path.starts_with("no") {
            true => Err(FileFailure::NotFound),
            false => Ok(format!("{path}=<%= 1 %>\n")),
        }
    }

    fn exists(&self, path: &str) -> bool {
        !path.starts_with("no")
    }

    fn cwd(&self) -> String {
        "/here".to_owned()
    }

    fn puts(&mut self, _text: &str) {}

    fn ruby(&mut self, _script: &str, _template: &str) -> Option<Result<String, String>> {
        None
    }
}

/// Templates run in an [`Echo`]; no hook exists; docker is of another architecture than most files ask for.
#[derive(Default)]
pub struct Machine {
    world: RefCell<Echo>,
}

impl Outside for Machine {
    fn file_exists(&self, _path: &str) -> bool {
        false
    }

    fn docker_architecture(&self) -> String {
        "arm64".to_owned()
    }

    fn world(&self) -> Option<&RefCell<dyn World + '_>> {
        Some(&self.world)
    }
}

/// Reads YAML, and what was read once more after it was written.
pub fn yaml(data: &[u8]) {
    let text = &String::from_utf8_lossy(data);
    match yaml::parse(SourceId(0), text) {
        Ok(node) => {
            let written = yaml::emit(&node);
            let again = yaml::parse(SourceId(0), &written);
            // YAML 1.1 breaks lines at these three too, and folds what follows; the parser, of YAML 1.2, doesn't. And a symbol
            // with a quote behind its colon is written by Ruby in a way that Ruby itself reads as something else, or not at all.
            let breaks = ["\u{85}", "\u{2028}", "\u{2029}"];
            let symbols = [":'", ":\""];
            let readable = !breaks
                .iter()
                .chain(&symbols)
                .any(|text| written.contains(text));
            let again = match again {
                Ok(again) => again,
                Err(problem) => {
                    assert!(!readable, "{problem:?}: {written:?}");
                    node.clone()
                }
            };
            // One that has to be quoted as a whole comes back as a string, for Ruby too.
            if readable && !["! '", "! \""].iter().any(|text| written.contains(text)) {
                assert_eq!(yaml::emit(&again), written);
            }
            let _ = yaml::merge(node, again);
        }
        Err(problem) => show(&[problem], text),
    }
}

/// Renders a template.
pub fn erb(data: &[u8]) {
    let text = &String::from_utf8_lossy(data);
    match erb::render(SourceId(0), text, &mut Echo::default()) {
        Ok(rendered) => {
            if let Err(problem) = yaml::parse_rendered(SourceId(0), &rendered) {
                show(&[problem], text);
            }
        }
        Err(problem) => show(&[problem], text),
    }
    let _ = yaml::parse_rendered(SourceId(0), &Rendered::verbatim(text));
}

/// Reads a secrets file, and the text as a command line.
pub fn dotenv(data: &[u8]) {
    let text = &String::from_utf8_lossy(data);
    for existing in [Existing::Overridden, Existing::Kept] {
        match dotenv::parse(SourceId(0), text, existing, &mut Echo::default()) {
            Ok(parsed) => {
                for entry in &parsed.entries {
                    assert!(text.get(range(entry.span.start, entry.span.end)).is_some());
                }
                show(&parsed.warnings, text);
            }
            Err(problem) => show(&[problem], text),
        }
    }
    let _ = shell::split(text);
}

/// Loads a deploy file, with an overlay behind a [`SEPARATOR`], and prints it as `dhow config` does.
pub fn load(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let (base, overlay) = match text.split_once(SEPARATOR) {
        Some((base, overlay)) => (base, Some(overlay)),
        None => (&*text, None),
    };
    let source = |name: &str, text: &str| Source {
        name: name.to_owned(),
        text: text.into(),
    };
    let loaded = load_config(&Inputs {
        base: source("config/deploy.yml", base),
        overlay: overlay.map(|text| source("config/deploy.staging.yml", text)),
        destination: overlay.map(|_| "staging".to_owned()),
        outside: &Machine::default(),
    });
    match loaded {
        Ok(loaded) => {
            let printed = dump(&loaded, "1");
            // Ruby's own objects stand in it, which no YAML but Ruby's reads.
            let plain = printed.replace("!ruby/object:", "#");
            let read = yaml::parse(SourceId(0), &plain);
            assert!(read.is_ok(), "{read:?}: {printed:?}");
            let _ = render(&loaded.warnings, loaded.raw.sources(), false);
        }
        Err(failure) => {
            assert!(!failure.diagnostics.is_empty());
            let _ = render(&failure.diagnostics, &failure.sources, false);
        }
    }
}

/// Shows diagnostics; all of their places must lie within the text.
fn show(diagnostics: &[Diagnostic], text: &str) {
    let mut sources = Sources::default();
    sources.add("file", text);
    for label in diagnostics.iter().flat_map(|diagnostic| &diagnostic.labels) {
        let known = sources.get(label.span.source).is_some();
        let inside = text.get(range(label.span.start, label.span.end)).is_some();
        assert!(!known || inside, "{label:?} in {text:?}");
    }
    let _ = render(diagnostics, &sources, false);
}

fn range(start: u32, end: u32) -> std::ops::Range<usize> {
    usize::try_from(start).unwrap_or(usize::MAX)..usize::try_from(end).unwrap_or(usize::MAX)
}
