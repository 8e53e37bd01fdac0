//! The secrets files of the app in the working directory, read when a command needs them and not before.

use dhow_run::Failed;
use dhow_text::redact::Secret;

use crate::edge::Edge;
use crate::failed;
use crate::job::SecretMap;

/// The secrets with these names, and all pairs (for hooks that get everything). Reads nothing if no name is wanted and `all` is not.
pub(crate) fn look_up(
    edge: &Edge,
    secrets_path: &str,
    destination: Option<&str>,
    names: &[String],
    all: bool,
) -> Result<(SecretMap, Vec<(String, Secret)>), Failed> {
    if names.is_empty() && !all {
        return Ok(Default::default());
    }
    let pairs = read(edge, secrets_path, destination)?;
    let mut found = SecretMap::new();
    for name in names {
        let value = pairs
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.clone());
        let Some(value) = value else {
            return Err(failed::error(
                "Kamal::ConfigurationError",
                format!("Secret '{name}' not found in {secrets_path}"),
            ));
        };
        found.insert(name.clone(), value);
    }
    Ok((found, pairs))
}

fn read(
    edge: &Edge,
    secrets_path: &str,
    destination: Option<&str>,
) -> Result<Vec<(String, Secret)>, Failed> {
    let own = match destination {
        Some(destination) => format!("{secrets_path}.{destination}"),
        None => secrets_path.to_owned(),
    };
    let mut pairs: Vec<(String, Secret)> = Vec::new();
    for name in [format!("{secrets_path}-common"), own] {
        let Ok(text) = std::fs::read_to_string(edge.path(&name)) else {
            continue;
        };
        let mut expander = crate::world::RealWorld::new(edge);
        let parsed = dhow_text::dotenv::parse(
            dhow_text::source::SourceId(0),
            &text,
            dhow_text::dotenv::Existing::Overridden,
            &mut expander,
        )
        .map_err(|d| failed::error(d.class, d.message))?;
        for entry in parsed.entries {
            pairs.retain(|(key, _)| *key != entry.name);
            pairs.push((entry.name, entry.value));
        }
    }
    Ok(pairs)
}

/// `secrets fetch …` or `secrets extract …` inside a secrets file.
pub(crate) fn inline(_edge: &Edge, argv: &[String]) -> Result<String, String> {
    Err(format!("`secrets {}` is not understood", argv.join(" ")))
}
