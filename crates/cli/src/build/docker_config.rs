//! A registry login that leaves nothing behind: docker's settings of this user, with one login more, for the time of a build.
//!
//! Everything in the user's directory stays in force (other logins, contexts, plugins, builders); only `config.json` is a copy. A
//! credential store (a keychain) is passed by for this one registry: what goes into it would stay there.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, symlink};
use std::path::{Path, PathBuf};

use dhow_text::redact::Secret;
use serde_json::{Value, json};

use super::scratch::Scratch;
use crate::edge::Edge;

/// The file with logins, and with the names of contexts and credential stores.
const CONFIG: &str = "config.json";
/// The name under which docker keeps the login of Docker Hub.
const HUB: &str = "https://index.docker.io/v1/";

/// A directory for `DOCKER_CONFIG`. It goes when this value does.
#[derive(Debug)]
pub(super) struct DockerConfig {
    scratch: Scratch,
    builders: String,
}

impl DockerConfig {
    /// The user's settings, ready for a login to `server` (none: Docker Hub).
    pub(super) fn new(edge: &Edge, server: Option<&str>) -> io::Result<Self> {
        let given = |name: &str| edge.env(name).filter(|value| !value.is_empty());
        let usual = match given("DOCKER_CONFIG") {
            Some(directory) => edge.cwd.join(directory),
            None => edge.home.join(".docker"),
        };
        let scratch = Scratch::new(edge)?;
        fill(&usual, scratch.path(), server)?;
        let builders = match given("BUILDX_CONFIG") {
            Some(directory) => edge.cwd.join(directory),
            None => usual.join("buildx"),
        };
        Ok(Self {
            scratch,
            builders: builders.display().to_string(),
        })
    }

    /// What docker needs in its environment to see it. Builders stay where they are, those that are made now too.
    pub(super) fn env(&self) -> Vec<(String, Secret)> {
        let directory = self.scratch.path().display().to_string();
        [
            ("DOCKER_CONFIG", directory.as_str()),
            ("BUILDX_CONFIG", &self.builders),
        ]
        .map(|(name, value)| (name.to_owned(), Secret::new(value)))
        .into()
    }
}

fn fill(usual: &Path, directory: &Path, server: Option<&str>) -> io::Result<()> {
    for entry in entries(usual)? {
        let Some(name) = entry.file_name().filter(|name| *name != CONFIG) else {
            continue;
        };
        symlink(&entry, directory.join(name))?;
    }
    let text = match std::fs::read_to_string(usual.join(CONFIG)) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => "{}".to_owned(),
        Err(error) => return Err(error),
    };
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(directory.join(CONFIG))?
        .write_all(past_the_store(&text, server).as_bytes())
}

/// What is in a directory; nothing if there is no such directory.
fn entries(directory: &Path) -> io::Result<Vec<PathBuf>> {
    match std::fs::read_dir(directory) {
        Ok(entries) => entries.map(|entry| Ok(entry?.path())).collect(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// Docker's settings with the login of one registry kept in the file: an empty name of a helper means none. Settings that can't be
/// read are left to docker, which says what is wrong with them.
fn past_the_store(text: &str, server: Option<&str>) -> String {
    let Ok(Value::Object(mut settings)) = serde_json::from_str(text) else {
        return text.to_owned();
    };
    let helpers = settings.entry("credHelpers").or_insert_with(|| json!({}));
    if let Some(helpers) = helpers.as_object_mut() {
        for key in keys(server) {
            helpers.insert(key.to_owned(), json!(""));
        }
    }
    Value::Object(settings).to_string()
}

/// The names under which docker looks for a registry's login: as given, and the host alone.
fn keys(server: Option<&str>) -> Vec<&str> {
    match server {
        None | Some("docker.io" | "index.docker.io" | "registry-1.docker.io") => vec![HUB],
        Some(server) => {
            let bare = server
                .strip_prefix("https://")
                .or_else(|| server.strip_prefix("http://"));
            let host = bare.unwrap_or(server).split('/').next().unwrap_or(server);
            if host == server {
                vec![server]
            } else {
                vec![server, host]
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn the_keychain_is_passed_by_for_the_one_registry() {
        let settings = r#"{"auths":{"ghcr.io":{}},"credsStore":"desktop","credHelpers":{"quay.io":"secretservice"},"currentContext":"colima"}"#;
        assert_eq!(
            serde_json::from_str::<Value>(&past_the_store(settings, Some("ghcr.io"))).unwrap(),
            json!({
                "auths": {"ghcr.io": {}},
                "credsStore": "desktop",
                "credHelpers": {"quay.io": "secretservice", "ghcr.io": ""},
                "currentContext": "colima",
            })
        );
        assert_eq!(
            past_the_store("{}", None),
            format!(r#"{{"credHelpers":{{"{HUB}":""}}}}"#)
        );
        assert_eq!(past_the_store("{ broken", None), "{ broken");
        assert_eq!(
            past_the_store(r#"{"credHelpers":1}"#, None),
            r#"{"credHelpers":1}"#
        );
    }

    #[test]
    fn names_of_registries() {
        assert_eq!(keys(Some("docker.io")), [HUB]);
        assert_eq!(keys(Some("localhost:5000")), ["localhost:5000"]);
        assert_eq!(
            keys(Some("https://r.example.com/team")),
            ["https://r.example.com/team", "r.example.com"]
        );
    }

    #[test]
    fn everything_but_the_settings_file_is_the_users_own() {
        let usual = tempfile::tempdir().unwrap();
        let copy = tempfile::tempdir().unwrap();
        std::fs::create_dir(usual.path().join("contexts")).unwrap();
        std::fs::write(usual.path().join("contexts/a"), "there").unwrap();
        std::fs::write(usual.path().join(CONFIG), r#"{"currentContext":"a"}"#).unwrap();
        fill(usual.path(), copy.path(), Some("ghcr.io")).unwrap();

        let linked = std::fs::read_to_string(copy.path().join("contexts/a")).unwrap();
        assert_eq!(linked, "there");
        let settings = copy.path().join(CONFIG);
        assert!(!settings.symlink_metadata().unwrap().is_symlink());
        assert_eq!(
            settings.metadata().unwrap().permissions().mode() & 0o777,
            0o600
        );
        let text = std::fs::read_to_string(settings).unwrap();
        assert_eq!(
            text,
            r#"{"currentContext":"a","credHelpers":{"ghcr.io":""}}"#
        );
    }

    #[test]
    fn a_user_without_settings_gets_new_ones() {
        let copy = tempfile::tempdir().unwrap();
        fill(Path::new("/nonexistent/.docker"), copy.path(), None).unwrap();
        assert!(copy.path().join(CONFIG).exists());
    }
}
