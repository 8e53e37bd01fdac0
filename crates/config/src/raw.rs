//! The tree of a deploy file before it is checked: rendered, parsed, overlaid.
//!
//! In: [`Inputs`]. Out: [`Raw`], which aliases are looked up in (they work however wrong the rest of the file is) and from which
//! the checked [`crate::Config`] is made.

use std::fmt;

use dhow_text::diagnostic::Diagnostic;
use dhow_text::erb;
use dhow_text::redact::Secret;
use dhow_text::rendered::Rendered;
use dhow_text::source::{Source, SourceId, Sources};
use dhow_text::yaml::{Map, Node, Value, merge, parse_rendered, string_keys};

use crate::load::{Failure, Inputs, Outside};
use crate::scalar;

/// A deploy file with its overlay merged in; the root's keys are strings, everything else is as written.
#[derive(Clone)]
pub struct Raw {
    pub(crate) root: Map,
    pub(crate) destination: Option<String>,
    pub(crate) sources: Sources,
}

impl Raw {
    /// Renders, parses and merges. `KAMAL_DESTINATION` is set in the world for this, or removed, and stays so.
    ///
    /// # Errors
    /// What ERB or YAML has to say, or that a file holds no map.
    pub fn read(inputs: &Inputs<'_>) -> Result<Self, Box<Failure>> {
        let mut sources = Sources::default();
        match read_files(inputs, &mut sources) {
            Ok(root) => Ok(Self {
                root,
                destination: inputs.destination.clone(),
                sources,
            }),
            Err(diagnostic) => Err(Box::new(Failure {
                diagnostics: vec![diagnostic],
                sources,
                credentials: Vec::new(),
            })),
        }
    }

    /// The command line of an alias.
    pub fn alias(&self, name: &str) -> Option<String> {
        let aliases = scalar::map_at(&self.root, "aliases")?;
        let found = aliases.iter().find(|(key, _)| scalar::to_s(key) == name);
        found.and_then(|(_, command)| scalar::text(command))
    }

    /// The merged tree's root.
    pub fn root(&self) -> &Map {
        &self.root
    }

    /// Credentials that stand in the files themselves, to be redacted wherever the files' text is shown.
    pub fn credentials(&self) -> Vec<Secret> {
        credentials(&self.root)
    }

    /// The texts it came from.
    pub fn sources(&self) -> &Sources {
        &self.sources
    }
}

/// What the files hold may be a password: only their names are shown.
impl fmt::Debug for Raw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Raw")
            .field("destination", &self.destination)
            .finish_non_exhaustive()
    }
}

/// Texts written out where credentials belong (mistyped keys too), of a registry or of `ssh.key_data`.
pub(crate) fn credentials(root: &Map) -> Vec<Secret> {
    let accessories = scalar::map_at(root, "accessories");
    let of_accessories = accessories
        .into_iter()
        .flat_map(Map::iter)
        .filter_map(|(_, accessory)| scalar::map_at(accessory.as_map()?, "registry"));
    let registries = scalar::map_at(root, "registry").into_iter();
    let in_registries = registries
        .chain(of_accessories)
        .flat_map(Map::iter)
        .filter(|(key, _)| !matches!(key.as_str(), Some("server" | "username")))
        .filter_map(|(_, value)| scalar::text(value));
    let ssh = scalar::map_at(root, "ssh");
    let key_data = ssh.map(|ssh| scalar::texts_at(ssh, "key_data"));
    in_registries
        .chain(key_data.into_iter().flatten())
        .map(Secret::new)
        .collect()
}

fn read_files(inputs: &Inputs<'_>, sources: &mut Sources) -> Result<Map, Diagnostic> {
    if let Some(world) = inputs.outside.world() {
        let destination = inputs.destination.as_deref();
        world.borrow_mut().set_env("KAMAL_DESTINATION", destination);
    }
    let base = read_file(&inputs.base, inputs.outside, sources)?;
    let tree = match &inputs.overlay {
        Some(overlay) => merge(base, read_file(overlay, inputs.outside, sources)?),
        None => base,
    };
    match tree.value {
        Value::Map(map) => Ok(map),
        _ => Err(no_map(&inputs.base.name)),
    }
}

fn read_file(
    file: &Source,
    outside: &dyn Outside,
    sources: &mut Sources,
) -> Result<Node, Diagnostic> {
    let id: SourceId = sources.add(file.name.clone(), file.text.clone());
    let rendered = match outside.world() {
        Some(world) => erb::render(id, &file.text, &mut *world.borrow_mut())?,
        None if file.text.contains("<%") => return Err(no_world(&file.name)),
        None => Rendered::verbatim(&file.text),
    };
    let node = parse_rendered(id, &rendered)?;
    match node.value {
        Value::Map(_) => Ok(string_keys(node)),
        _ => Err(no_map(&file.name)),
    }
}

fn no_world(name: &str) -> Diagnostic {
    let message = format!("`{name}` has ERB tags, and there is nothing to render them with");
    Diagnostic::error("ScriptError", message)
}

/// Kamal falls over such a file with an error of Ruby's.
fn no_map(name: &str) -> Diagnostic {
    let message = format!("`{name}` holds no settings: it should be a map of keys and values");
    Diagnostic::error(dhow_text::diagnostic::CONFIGURATION_ERROR, message)
}
