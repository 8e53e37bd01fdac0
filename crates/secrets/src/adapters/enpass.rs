//! Enpass, by `enpass-cli`. `--from` is the path of the vault.

use serde_json::Value;

use super::{Adapter, check_installed, list, parse, read};
use crate::fetched::secret;
use crate::runner::{Invocation, Runner};
use crate::{Fetched, Request, SecretsError};

pub(super) struct Enpass;

impl Adapter for Enpass {
    fn fetch(
        &self,
        request: &Request,
        _account: &str,
        runner: &mut dyn Runner,
    ) -> Result<Fetched, SecretsError> {
        check_installed(runner, ["enpass-cli", "version"], "Enpass CLI")?;
        let Some(vault) = &request.from else {
            return Err(SecretsError::Argument {
                message: "missing keyword: :from (the path of the vault, `--from`)".to_owned(),
            });
        };
        let mut titles: Vec<&str> = Vec::new();
        for name in &request.names {
            let title = name
                .rsplit_once('/')
                .map_or(name.as_str(), |(title, _)| title);
            if !titles.contains(&title) {
                titles.push(title);
            }
        }
        let argv = ["enpass-cli", "-json", "-vault", vault.as_str(), "show"]
            .into_iter()
            .chain(titles);
        let output = read(runner, &Invocation::new(argv), || {
            format!("Could not read {} from Enpass", list(&request.names))
        })?;
        let items = parse("enpass-cli show", &output)?;
        let mut fetched = Fetched::default();
        for item in items.as_array().into_iter().flatten() {
            let text = |key: &str| item.get(key).and_then(Value::as_str).unwrap_or_default();
            let (title, label) = (text("title"), text("label"));
            if title.is_empty() || text("password").trim().is_empty() {
                continue;
            }
            let key = if label.is_empty() {
                title.to_owned()
            } else {
                format!("{title}/{label}")
            };
            if !request
                .names
                .iter()
                .any(|name| name == title || *name == key)
            {
                continue;
            }
            if fetched.has(&key) {
                return Err(SecretsError::adapter(format!(
                    "{key} is present more than once"
                )));
            }
            fetched.set(key, secret(item.get("password")));
        }
        Ok(fetched)
    }
}

#[cfg(test)]
mod tests {
    use crate::adapters::script::{Line, Script, fails, missing, ok};

    const ITEMS: &str = r#"[{"title":"F","label":"A","password":"1"},{"title":"F","label":"B","password":"2"},
        {"title":"G","label":"","password":"3"},{"title":"G","label":"L","password":" "},{"title":"H","password":"4"}]"#;

    fn fetch(lines: Vec<Line>, names: &[&str]) -> Result<String, String> {
        Script::new(lines).fetch("enpass", None, Some("my vault"), names)
    }

    fn with(line: Line) -> Vec<Line> {
        vec![ok("enpass-cli|version", ""), line]
    }

    #[test]
    fn item_17_14_whole_items_or_one_label() {
        let call = ok("enpass-cli|-json|-vault|my vault|show|F|G", ITEMS);
        assert_eq!(
            fetch(with(call), &["F/A", "F/C", "G"]).unwrap(),
            r#"{"F/A":"1","G":"3"}"#
        );
        let call = ok("enpass-cli|-json|-vault|my vault|show|F", ITEMS);
        assert_eq!(
            fetch(with(call), &["F"]).unwrap(),
            r#"{"F/A":"1","F/B":"2"}"#
        );
    }

    #[test]
    fn item_17_14_what_fails_is_named() {
        assert_eq!(
            fetch(vec![missing("enpass-cli|version")], &["F"]).unwrap_err(),
            "Enpass CLI is not installed"
        );
        let twice = r#"[{"title":"F","label":"A","password":"1"},{"title":"F","label":"A","password":"2"}]"#;
        let call = || "enpass-cli|-json|-vault|my vault|show|F";
        assert_eq!(
            fetch(with(ok(call(), twice)), &["F/A"]).unwrap_err(),
            "F/A is present more than once"
        );
        assert_eq!(
            fetch(with(fails(call())), &["F/A"]).unwrap_err(),
            r#"Could not read ["F/A"] from Enpass"#
        );
        let error = Script::new([ok("enpass-cli|version", "")]).fetch("enpass", None, None, &["F"]);
        assert!(error.unwrap_err().starts_with("missing keyword: :from"));
    }
}
