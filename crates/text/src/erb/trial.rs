//! A first attempt at a template: what it does to the outside holds only if it comes to its end.
//!
//! In: the [`World`]. Out: a world like it. If Ruby has to render the template after all, it finds the environment as it was, and
//! nothing has been printed that it would print again.

use super::world::{FileFailure, Moment, World};
use crate::dotenv::{CommandFailure, CommandOutput, Expander};

/// A world whose changes can be taken back.
pub(super) struct Trial<'w> {
    world: &'w mut dyn World,
    printed: String,
    /// Variables as they were before each change.
    before: Vec<(String, Option<String>)>,
}

impl<'w> Trial<'w> {
    pub(super) fn new(world: &'w mut dyn World) -> Self {
        Self {
            world,
            printed: String::new(),
            before: Vec::new(),
        }
    }

    /// What was done holds.
    pub(super) fn keep(self) {
        if !self.printed.is_empty() {
            self.world.puts(&self.printed);
        }
    }

    /// Nothing was done.
    pub(super) fn undo(self) {
        for (name, value) in self.before.into_iter().rev() {
            self.world.set_env(&name, value.as_deref());
        }
    }
}

impl Expander for Trial<'_> {
    fn env(&self, name: &str) -> Option<String> {
        self.world.env(name)
    }

    fn command(&mut self, line: &str) -> Result<CommandOutput, CommandFailure> {
        self.world.command(line)
    }

    fn secrets(&mut self, argv: &[String]) -> Result<String, String> {
        self.world.secrets(argv)
    }
}

impl World for Trial<'_> {
    fn set_env(&mut self, name: &str, value: Option<&str>) {
        self.before.push((name.to_owned(), self.world.env(name)));
        self.world.set_env(name, value);
    }

    fn read(&mut self, path: &str) -> Result<String, FileFailure> {
        self.world.read(path)
    }

    fn exists(&self, path: &str) -> bool {
        self.world.exists(path)
    }

    fn cwd(&self) -> String {
        self.world.cwd()
    }

    fn puts(&mut self, text: &str) {
        self.printed.push_str(text);
    }

    fn notice(&mut self, text: &str) {
        self.world.notice(text);
    }

    fn now(&self) -> Option<Moment> {
        self.world.now()
    }

    fn ruby(&mut self, script: &str, template: &str) -> Option<Result<String, String>> {
        self.world.ruby(script, template)
    }
}
