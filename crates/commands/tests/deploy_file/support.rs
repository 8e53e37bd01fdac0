//! Deploy files as people write them.

use dhow_config::{Config, Inputs, Outside, Role, load};
use dhow_text::source::Source;

struct Nowhere;

impl Outside for Nowhere {
    fn file_exists(&self, _: &str) -> bool {
        false
    }

    fn docker_architecture(&self) -> String {
        "amd64".to_owned()
    }
}

/// Service `app`, image `dhh/app`; `rest` is everything else.
#[track_caller]
pub(crate) fn config(rest: &str) -> Config {
    of(rest, None)
}

/// The same with destination `st`.
#[track_caller]
pub(crate) fn staged(rest: &str) -> Config {
    of(rest, Some("st"))
}

#[track_caller]
fn of(rest: &str, destination: Option<&str>) -> Config {
    let text = format!(
        "service: app\nimage: dhh/app\nregistry: {{ username: dhh, password: [PASSWORD] }}\nbuilder: {{ arch: amd64 }}\n{rest}"
    );
    let source = |name: &str, text: &str| Source {
        name: name.into(),
        text: text.into(),
    };
    let inputs = Inputs {
        base: source("config/deploy.yml", &text),
        overlay: destination.map(|_| source("config/deploy.st.yml", "{}\n")),
        destination: destination.map(str::to_owned),
        outside: &Nowhere,
    };
    match load(&inputs) {
        Ok(loaded) => loaded.config,
        Err(failure) => panic!("{text}\n{:#?}", failure.diagnostics),
    }
}

#[track_caller]
pub(crate) fn role<'c>(config: &'c Config, name: &str) -> &'c Role {
    config.role(name).expect("the file has this role")
}
