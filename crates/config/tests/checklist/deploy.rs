//! Deploy files for tests: loads texts, gives back the configuration or what is wrong with them.

use std::cell::Cell;

use dhow_config::{Config, Failure, Inputs, Loaded, Outside, load};
use dhow_text::diagnostic::Severity;
use dhow_text::source::Source;

/// The least that loads; later keys of the same name win over these.
pub(crate) const LEAST: &str = "\
service: app
image: dhh/app
registry: {username: dhh, password: secret}
builder: {arch: amd64}
servers: [1.1.1.1]
";

/// A world with these files and an amd64 docker.
#[derive(Default)]
pub(crate) struct World {
    pub(crate) files: Vec<&'static str>,
    pub(crate) asked_docker: Cell<bool>,
}

impl Outside for World {
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
