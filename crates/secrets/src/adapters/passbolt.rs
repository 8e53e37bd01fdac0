//! Passbolt, by `passbolt`. A name is `[folder/…]secret`; folders are looked up first, level by level.

use serde_json::Value;

use super::{Adapter, check_installed, list, parse, read};
use crate::fetched::secret;
use crate::runner::{Invocation, Runner, run};
use crate::{Fetched, Request, SecretsError};

pub(super) struct Passbolt;

impl Adapter for Passbolt {
    fn fetch(
        &self,
        request: &Request,
        _account: &str,
        runner: &mut dyn Runner,
    ) -> Result<Fetched, SecretsError> {
        check_installed(runner, ["passbolt", "--version"], "Passbolt CLI")?;
        read(runner, &Invocation::new(["passbolt", "verify"]), || {
            "Failed to login to Passbolt".to_owned()
        })?;
        let names = request.prefixed();
        if names.is_empty() {
            return Err(SecretsError::Argument {
                message: "No secrets given to fetch".to_owned(),
            });
        }
        let paths: Vec<Vec<&str>> = names.iter().map(|name| name.split('/').collect()).collect();
        let folders = folders(&paths, runner)?;
        let mut argv: Vec<String> = ["passbolt", "list", "resources", "--filter"]
            .map(str::to_owned)
            .to_vec();
        argv.push(filter(&paths, &folders));
        for folder in &folders {
            argv.extend(["--folder".to_owned(), folder.id.clone()]);
        }
        argv.extend(["--column", "name", "--column", "password", "--json"].map(str::to_owned));
        let output = read(runner, &Invocation::new(argv), || {
            format!("Could not read {} from Passbolt", list(&names))
        })?;
        let items = parse("passbolt list resources", &output)?;
        let mut fetched = Fetched::default();
        for item in items.as_array().into_iter().flatten() {
            let name = item.get("name").and_then(Value::as_str).unwrap_or_default();
            fetched.set(name, secret(item.get("password")));
        }
        let bare = paths.iter().filter_map(|path| path.last().copied());
        let missing: Vec<&str> = bare.filter(|name| !fetched.has(name)).collect();
        if !missing.is_empty() {
            let message = format!(
                "Could not find the following secrets in Passbolt: {}",
                missing.join(", ")
            );
            return Err(SecretsError::adapter(message));
        }
        Ok(fetched)
    }
}

/// A folder and the names that lead to it.
struct Folder {
    id: String,
    name: String,
    parent: String,
}

/// All folders on the way to the secrets. The same look-up is made once.
fn folders(paths: &[Vec<&str>], runner: &mut dyn Runner) -> Result<Vec<Folder>, SecretsError> {
    let mut wanted: Vec<&[&str]> = Vec::new();
    for path in paths {
        if let Some((_, folders)) = path.split_last()
            && !folders.is_empty()
            && !wanted.contains(&folders)
        {
            wanted.push(folders);
        }
    }
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let mut tops: Vec<&str> = Vec::new();
    for top in wanted.iter().filter_map(|path| path.first()) {
        if !tops.contains(top) {
            tops.push(top);
        }
    }
    let conditions: Vec<String> = tops
        .iter()
        .map(|name| format!("Name == {}", quoted(name)))
        .collect();
    let output = read(runner, &list_folders(&conditions.join(" || ")), || {
        "Could not read folders from Passbolt".to_owned()
    })?;
    let mut found = parsed(&output)?;
    for path in &wanted {
        let (mut parent, rest) = match path.split_first() {
            Some((top, rest)) => (found.iter().position(|folder| folder.name == *top), rest),
            None => continue,
        };
        for name in rest {
            let Some(id) = parent
                .and_then(|at| found.get(at))
                .map(|folder| folder.id.clone())
            else {
                break;
            };
            let known = |found: &[Folder]| {
                found
                    .iter()
                    .position(|folder| folder.name == *name && folder.parent == id)
            };
            if known(&found).is_none() {
                let condition = format!(
                    "Name == {} && FolderParentID == {}",
                    quoted(name),
                    quoted(&id)
                );
                let output = run(runner, &list_folders(&condition));
                if output.success {
                    found.extend(parsed(&output.stdout)?);
                }
            }
            parent = known(&found);
        }
    }
    let paths: Vec<String> = wanted.iter().map(|path| path.join("/")).collect();
    let missing: Vec<&str> = paths
        .iter()
        .map(String::as_str)
        .filter(|path| at_path(&found, path).is_none())
        .collect();
    if missing.is_empty() {
        Ok(found)
    } else {
        let message = format!(
            "Could not find the following folders in Passbolt: {}",
            missing.join(", ")
        );
        Err(SecretsError::adapter(message))
    }
}

fn list_folders(condition: &str) -> Invocation {
    Invocation::new([
        "passbolt", "list", "folders", "--filter", condition, "--json",
    ])
}

fn parsed(output: &dhow_text::redact::Secret) -> Result<Vec<Folder>, SecretsError> {
    let items = parse("passbolt list folders", output)?;
    let folder = |item: &Value| {
        let text = |key: &str| {
            item.get(key)
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned()
        };
        Folder {
            id: text("id"),
            name: text("name"),
            parent: text("folder_parent_id"),
        }
    };
    Ok(items.as_array().into_iter().flatten().map(folder).collect())
}

/// The folder that a path of names leads to.
fn at_path<'f>(folders: &'f [Folder], path: &str) -> Option<&'f Folder> {
    folders.iter().find(|folder| {
        let mut names = vec![folder.name.as_str()];
        let mut above = folder.parent.as_str();
        // A folder has fewer folders above it than there are.
        for _ in folders {
            let Some(parent) = folders
                .iter()
                .find(|other| !above.is_empty() && other.id == above)
            else {
                break;
            };
            names.push(&parent.name);
            above = &parent.parent;
        }
        names.reverse();
        names.join("/") == path
    })
}

/// Each secret by its name and, below a folder, that folder's id.
fn filter(paths: &[Vec<&str>], folders: &[Folder]) -> String {
    let conditions = paths.iter().filter_map(|path| {
        let (name, above) = path.split_last()?;
        if above.is_empty() {
            return Some(format!("Name == {}", quoted(name)));
        }
        let folder = at_path(folders, &above.join("/"))?;
        Some(format!(
            "(Name == {} && FolderParentID == {})",
            quoted(name),
            quoted(&folder.id)
        ))
    });
    conditions.collect::<Vec<String>>().join(" || ")
}

/// A string of the filter language, which writes them as JSON does.
fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use crate::adapters::script::{Line, Script, fails, missing, ok};

    const TAIL: &str = "--column|name|--column|password|--json";

    fn fetch(
        lines: impl IntoIterator<Item = Line>,
        from: Option<&str>,
        names: &[&str],
    ) -> Result<String, String> {
        let ready = [ok("passbolt|--version", ""), ok("passbolt|verify", "")];
        Script::new(ready.into_iter().chain(lines)).fetch("passbolt", None, from, names)
    }

    #[test]
    fn item_17_15_secrets_at_the_root() {
        let call =
            format!(r#"passbolt|list|resources|--filter|Name == "A" || Name == "B \"c\""|{TAIL}"#);
        let answer = r#"[{"name":"A","password":"1"},{"name":"B \"c\"","password":"2"}]"#;
        let fetched = fetch([ok(&call, answer)], None, &["A", "B \"c\""]);
        assert_eq!(fetched.unwrap(), r#"{"A":"1","B \"c\"":"2"}"#);
    }

    #[test]
    fn item_17_15_secrets_in_folders_within_folders() {
        let fetched = fetch(
            [
                ok(
                    r#"passbolt|list|folders|--filter|Name == "f" || Name == "g"|--json"#,
                    r#"[{"id":"1","folder_parent_id":"","name":"f"},{"id":"2","folder_parent_id":"","name":"g"}]"#,
                ),
                ok(
                    r#"passbolt|list|folders|--filter|Name == "sub" && FolderParentID == "1"|--json"#,
                    r#"[{"id":"3","folder_parent_id":"1","name":"sub"}]"#,
                ),
                ok(
                    &format!(
                        r#"passbolt|list|resources|--filter|(Name == "A" && FolderParentID == "3") || (Name == "B" && FolderParentID == "3") || (Name == "C" && FolderParentID == "2")|--folder|1|--folder|2|--folder|3|{TAIL}"#
                    ),
                    r#"[{"name":"A","password":"1"},{"name":"B","password":"2"},{"name":"C","password":"3"}]"#,
                ),
            ],
            None,
            &["f/sub/A", "f/sub/B", "g/C"],
        );
        assert_eq!(fetched.unwrap(), r#"{"A":"1","B":"2","C":"3"}"#);
    }

    /// Names and ids are strings of the filter language, whatever is in them.
    #[test]
    fn item_17_15_quotes_in_names_and_ids() {
        let fetched = fetch(
            [
                ok(
                    r#"passbolt|list|folders|--filter|Name == "my \"f\""|--json"#,
                    r#"[{"id":"1\"2","folder_parent_id":"","name":"my \"f\""}]"#,
                ),
                ok(
                    &format!(
                        r#"passbolt|list|resources|--filter|(Name == "A\\B" && FolderParentID == "1\"2")|--folder|1"2|{TAIL}"#
                    ),
                    r#"[{"name":"A\\B","password":"1"}]"#,
                ),
            ],
            Some("my \"f\""),
            &["A\\B"],
        );
        assert_eq!(fetched.unwrap(), r#"{"A\\B":"1"}"#);
    }

    #[test]
    fn item_17_15_what_fails_is_named() {
        let script = Script::new([missing("passbolt|--version")]);
        assert_eq!(
            script.fetch("passbolt", None, None, &["A"]).unwrap_err(),
            "Passbolt CLI is not installed"
        );
        let script = Script::new([ok("passbolt|--version", ""), fails("passbolt|verify")]);
        assert_eq!(
            script.fetch("passbolt", None, None, &["A"]).unwrap_err(),
            "Failed to login to Passbolt"
        );
        assert_eq!(
            fetch([], None, &[]).unwrap_err(),
            "No secrets given to fetch"
        );
        let folders = r#"passbolt|list|folders|--filter|Name == "f"|--json"#;
        assert_eq!(
            fetch([fails(folders)], Some("f"), &["A"]).unwrap_err(),
            "Could not read folders from Passbolt"
        );
        assert_eq!(
            fetch([ok(folders, "[]")], Some("f"), &["A"]).unwrap_err(),
            "Could not find the following folders in Passbolt: f"
        );
        let sub = r#"passbolt|list|folders|--filter|Name == "s" && FolderParentID == "1"|--json"#;
        let top = r#"[{"id":"1","folder_parent_id":"","name":"f"}]"#;
        assert_eq!(
            fetch([ok(folders, top), fails(sub)], Some("f/s"), &["A"]).unwrap_err(),
            "Could not find the following folders in Passbolt: f/s"
        );
        let call = format!(r#"passbolt|list|resources|--filter|Name == "A"|{TAIL}"#);
        assert_eq!(
            fetch([fails(&call)], None, &["A"]).unwrap_err(),
            r#"Could not read ["A"] from Passbolt"#
        );
        assert_eq!(
            fetch([ok(&call, "[]")], None, &["A"]).unwrap_err(),
            "Could not find the following secrets in Passbolt: A"
        );
    }
}
