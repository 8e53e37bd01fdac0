//! This machine, as deploy files and secrets files may ask about it: environment, files, programs, the time.
//!
//! Variables that a file sets (`ENV["X"] = …`, `Dotenv.load`) are kept here for the rest of the load; [`Machine::changes`] tells of them
//! afterwards. The process environment itself is never changed.

use std::cell::RefCell;
use std::collections::HashMap;
use std::io::Write;
use std::process::{Command, Stdio};

use dhow_config::Outside;
use dhow_text::diagnostic::Diagnostic;
use dhow_text::dotenv::{CommandFailure, CommandOutput, Expander};
use dhow_text::erb::{self, FileFailure, Moment, World};
use dhow_text::redact::Secret;
use dhow_text::shell::direct_argv;

use crate::edge::{Changes, Edge};

/// The real files and programs behind [`Outside`].
pub(crate) struct Machine<'e> {
    edge: &'e Edge,
    world: RefCell<RealWorld<'e>>,
}

/// What one load sees and changes.
pub(crate) struct RealWorld<'e> {
    edge: &'e Edge,
    env: HashMap<String, String>,
    notices: Vec<String>,
}

impl<'e> Machine<'e> {
    /// For one load. `KAMAL_DESTINATION` is set for it, or removed, as Kamal does.
    pub(crate) fn new(edge: &'e Edge, destination: Option<&str>) -> Self {
        let mut world = RealWorld::new(edge);
        world.set_env("KAMAL_DESTINATION", destination);
        Self {
            edge,
            world: RefCell::new(world),
        }
    }
}

impl Machine<'_> {
    /// What templates had to say to those who ask for details.
    pub(crate) fn notices(&self) -> Vec<String> {
        self.world.borrow().notices.clone()
    }

    /// What the load did to the environment, by name.
    pub(crate) fn changes(&self) -> Changes {
        let (before, after) = (self.edge.environment(), &self.world.borrow().env);
        let mut names: Vec<&String> = before.keys().chain(after.keys()).collect();
        names.sort();
        names.dedup();
        names
            .into_iter()
            .filter(|name| before.get(*name) != after.get(*name))
            .map(|name| (name.clone(), after.get(name).cloned()))
            .collect()
    }
}

/// A template rendered with more in its environment, for that template only.
pub(crate) fn rendered(
    edge: &Edge,
    name: &str,
    template: &str,
    env: &[(String, Secret)],
) -> Result<String, Diagnostic> {
    let mut world = RealWorld::new(edge);
    for (name, value) in env {
        world.set_env(name, Some(value.reveal()));
    }
    let mut sources = dhow_text::source::Sources::default();
    let source = sources.add(name, template);
    erb::render(source, template, &mut world).map(|rendered| rendered.text)
}

impl<'e> RealWorld<'e> {
    /// With the environment of this process.
    pub(crate) fn new(edge: &'e Edge) -> Self {
        Self {
            edge,
            env: edge.environment().clone(),
            notices: Vec::new(),
        }
    }

    /// The machine around it.
    pub(crate) fn edge(&self) -> &'e Edge {
        self.edge
    }

    fn program(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command
            .current_dir(&self.edge.cwd)
            .env_clear()
            .envs(&self.env);
        command
    }
}

impl Outside for Machine<'_> {
    fn file_exists(&self, path: &str) -> bool {
        self.edge.path(path).exists()
    }

    fn docker_architecture(&self) -> String {
        let output = Command::new("docker")
            .args(["info", "--format", "{{.Architecture}}"])
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .output();
        let printed = output
            .map(|o| String::from_utf8_lossy(&o.stdout).trim().to_owned())
            .unwrap_or_default();
        dhow_commands::docker::architecture_name(&printed).to_owned()
    }

    fn world(&self) -> Option<&RefCell<dyn World + '_>> {
        Some(&self.world)
    }
}

impl Expander for RealWorld<'_> {
    fn env(&self, name: &str) -> Option<String> {
        self.env.get(name).cloned()
    }

    fn command(&mut self, line: &str) -> Result<CommandOutput, CommandFailure> {
        let argv = direct_argv(line);
        let mut command = match argv.as_deref() {
            Some([program, arguments @ ..]) => {
                let mut command = self.program(program);
                command.args(arguments);
                command
            }
            _ => {
                let mut command = self.program("sh");
                command.args(["-c", line]);
                command
            }
        };
        let output = command.stderr(Stdio::inherit()).output().map_err(|error| {
            match (error.kind(), &argv) {
                (std::io::ErrorKind::NotFound, Some(words)) => CommandFailure::NotFound {
                    program: words.first().cloned().unwrap_or_default(),
                },
                _ => CommandFailure::Other(error.to_string()),
            }
        })?;
        Ok(CommandOutput {
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            success: output.status.success(),
        })
    }

    fn secrets(&mut self, argv: &[String]) -> Result<String, String> {
        let mut programs = crate::secrets::Programs(self.edge);
        let inlined = dhow_secrets::inline(argv, &mut programs);
        inlined
            .map(|value| value.reveal().to_owned())
            .map_err(|error| error.to_string())
    }
}

impl World for RealWorld<'_> {
    fn set_env(&mut self, name: &str, value: Option<&str>) {
        match value {
            Some(value) => self.env.insert(name.to_owned(), value.to_owned()),
            None => self.env.remove(name),
        };
    }

    fn read(&mut self, path: &str) -> Result<String, FileFailure> {
        let bytes = std::fs::read(self.edge.path(path)).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => FileFailure::NotFound,
            _ => FileFailure::Other(error.to_string()),
        })?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    fn exists(&self, path: &str) -> bool {
        self.edge.path(path).exists()
    }

    fn cwd(&self) -> String {
        self.edge.cwd.display().to_string()
    }

    fn puts(&mut self, text: &str) {
        // Nobody reading it is no reason to stop.
        let _ = std::io::stdout().write_all(text.as_bytes());
    }

    fn notice(&mut self, text: &str) {
        self.notices.push(text.to_owned());
    }

    fn now(&self) -> Option<Moment> {
        let now = jiff::Zoned::now();
        Some(Moment {
            seconds: now.timestamp().as_second(),
            offset: now.offset().seconds(),
        })
    }

    fn ruby(&mut self, script: &str, template: &str) -> Option<Result<String, String>> {
        let spawned = self
            .program("ruby")
            .args(["-e", script])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        let mut child = match spawned {
            Ok(child) => child,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return None,
            Err(error) => return Some(Err(error.to_string())),
        };
        if let Some(mut stdin) = child.stdin.take() {
            // A script that fails early does not read its input; its own words say why.
            let _ = stdin.write_all(template.as_bytes());
        }
        Some(match child.wait_with_output() {
            Ok(output) if output.status.success() => {
                Ok(String::from_utf8_lossy(&output.stdout).into_owned())
            }
            Ok(output) => Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
            Err(error) => Err(error.to_string()),
        })
    }
}
