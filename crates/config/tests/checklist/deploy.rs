//! Deploy files for tests: loads texts, gives back the configuration or what is wrong with them.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::path::PathBuf;

use dhow_config::{Config, Failure, Inputs, Loaded, Outside, load};
use dhow_text::diagnostic::Severity;
use dhow_text::dotenv::{CommandFailure, CommandOutput, Expander};
use dhow_text::erb::FileFailure;
use dhow_text::source::Source;

/// The least that loads; later keys of the same name win over these.
pub(crate) const LEAST: &str = "\
service: app
image: dhh/app
registry: {username: dhh, password: secret}
builder: {arch: amd64}
servers: [1.1.1.1]
";

/// A world with these files, an amd64 docker and an environment.
#[derive(Default)]
pub(crate) struct World {
    pub(crate) files: Vec<&'static str>,
    pub(crate) asked_docker: Cell<bool>,
    pub(crate) templates: RefCell<Templates>,
}

/// What templates see: an environment, and the files of a folder if one is named.
#[derive(Default)]
pub(crate) struct Templates {
    pub(crate) env: BTreeMap<String, String>,
    pub(crate) folder: Option<PathBuf>,
}

impl Expander for Templates {
    fn env(&self, name: &str) -> Option<String> {
        self.env.get(name).cloned()
    }

    fn command(&mut self, line: &str) -> Result<CommandOutput, CommandFailure> {
        panic!("no command was expected: {line}")
    }

    fn secrets(&mut self, argv: &[String]) -> Result<String, String> {
        panic!("no secret was expected: {argv:?}")
    }
}

impl dhow_text::erb::World for Templates {
    fn set_env(&mut self, name: &str, value: Option<&str>) {
        match value {
            Some(value) => self.env.insert(name.to_owned(), value.to_owned()),
            None => self.env.remove(name),
        };
    }

    fn read(&mut self, path: &str) -> Result<String, FileFailure> {
        let file = self.folder.as_ref().map(|folder| folder.join(path));
        file.and_then(|file| std::fs::read_to_string(file).ok())
            .ok_or(FileFailure::NotFound)
    }

    fn exists(&self, _path: &str) -> bool {
        false
    }

    fn cwd(&self) -> String {
        "/app".to_owned()
    }

    fn puts(&mut self, text: &str) {
        panic!("no output was expected: {text}")
    }

    fn ruby(&mut self, _script: &str, _template: &str) -> Option<Result<String, String>> {
        None
    }
}

impl Outside for World {
    fn world(&self) -> Option<&RefCell<dyn dhow_text::erb::World + '_>> {
        Some(&self.templates)
    }

    fn file_exists(&self, path: &str) -> bool {
        self.files.contains(&path)
    }

    fn docker_architecture(&self) -> String {
        self.asked_docker.set(true);
        "amd64".to_owned()
    }
}

pub(crate) fn source(name: &str, text: &str) -> Source {
    Source {
        name: name.to_owned(),
        text: text.into(),
    }
}

pub(crate) fn load_in(
    world: &World,
    base: &str,
    overlay: Option<(&str, &str)>,
) -> Result<Loaded, Box<Failure>> {
    load(&Inputs {
        base: source("config/deploy.yml", base),
        overlay: overlay.map(|(dest, text)| source(&format!("config/deploy.{dest}.yml"), text)),
        destination: overlay.map(|(dest, _)| dest.to_owned()),
        outside: world,
    })
}

pub(crate) fn load_text(text: &str) -> Result<Loaded, Box<Failure>> {
    load_in(&World::default(), text, None)
}

/// The configuration of a file that must load.
#[track_caller]
pub(crate) fn config(text: &str) -> Config {
    loaded(text).config
}

#[track_caller]
pub(crate) fn loaded(text: &str) -> Loaded {
    match load_text(text) {
        Ok(loaded) => loaded,
        Err(failure) => panic!("{text}\n{:#?}", failure.diagnostics),
    }
}

/// [`LEAST`] with more on top.
pub(crate) fn with(more: &str) -> String {
    format!("{LEAST}{more}\n")
}

/// All error messages of a file.
pub(crate) fn errors(text: &str) -> Vec<String> {
    match load_text(text) {
        Ok(_) => Vec::new(),
        Err(failure) => messages(&failure, Severity::Error),
    }
}

pub(crate) fn messages(failure: &Failure, severity: Severity) -> Vec<String> {
    let all = failure.diagnostics.iter();
    all.filter(|d| d.severity == severity)
        .map(|d| d.message.clone())
        .collect()
}

/// Class and message of the first error.
pub(crate) fn first_error(text: &str) -> (String, String) {
    match load_text(text) {
        Ok(_) => ("".to_owned(), "(loads)".to_owned()),
        Err(failure) => {
            let first = &failure.diagnostics[0];
            (first.class.to_owned(), first.message.clone())
        }
    }
}

/// Asserts, for each addition to [`LEAST`], the first error's message; all of Kamal's usual class.
#[track_caller]
pub(crate) fn refused(cases: &[(&str, &str)]) {
    for (more, message) in cases {
        let (class, found) = first_error(&with(more));
        assert_eq!(found, *message, "\n{more}");
        assert_eq!(class, "Kamal::ConfigurationError", "\n{more}");
    }
}

/// Asserts that each addition to [`LEAST`] loads.
#[track_caller]
pub(crate) fn accepted(cases: &[&str]) {
    for more in cases {
        assert_eq!(errors(&with(more)), Vec::<String>::new(), "\n{more}");
    }
}
