//! Bitwarden Secrets Manager, by `bws`. Its access token is in the environment.

use serde_json::Value;

use super::{Adapter, check_installed, parse, read};
use crate::fetched::secret;
use crate::runner::{Invocation, Runner};
use crate::{Fetched, Request, SecretsError};

pub(super) struct BitwardenSecretsManager;

impl Adapter for BitwardenSecretsManager {
    fn fetch(
        &self,
        request: &Request,
        _account: &str,
        runner: &mut dyn Runner,
    ) -> Result<Fetched, SecretsError> {
        check_installed(
            runner,
            ["bws", "--version"],
            "Bitwarden Secrets Manager CLI",
        )?;
        read(runner, &Invocation::new(["bws", "project", "list"]), || {
            "Could not authenticate to Bitwarden Secrets Manager. Did you set a valid access token?"
                .to_owned()
        })?;
        let names = request.prefixed();
        let mut fetched = Fetched::default();
        let mut take = |item: &Value| {
            let key = item.get("key").and_then(Value::as_str).unwrap_or_default();
            fetched.set(key, secret(item.get("value")));
        };
        match names.as_slice() {
            [] => {
                return Err(SecretsError::adapter(
                    "You must specify what to retrieve from Bitwarden Secrets Manager",
                ));
            }
            [all] if all == "all" || all.ends_with("/all") => {
                let project = all.strip_suffix("/all");
                let words = ["bws", "secret", "list"].into_iter().chain(project);
                let output = read(runner, &Invocation::new(words), || {
                    "Could not read secrets from Bitwarden Secrets Manager".to_owned()
                })?;
                parse("bws secret list", &output)?
                    .as_array()
                    .into_iter()
                    .flatten()
                    .for_each(&mut take);
            }
            ids => {
                for id in ids {
                    let get = Invocation::new(["bws", "secret", "get", id]);
                    let output = read(runner, &get, || {
                        format!("Could not read {id} from Bitwarden Secrets Manager")
                    })?;
                    take(&parse("bws secret get", &output)?);
                }
            }
        }
        Ok(fetched)
    }
}

#[cfg(test)]
mod tests {
    use crate::adapters::script::{Line, Script, fails, missing, ok};

    fn ready() -> [Line; 2] {
        [ok("bws|--version", ""), ok("bws|project|list", "[]")]
    }

    #[test]
    fn item_17_10_all_of_a_project_or_some_by_id() {
        let items = r#"[{"key":"A","value":"1"},{"key":"B","value":"2"}]"#;
        for (from, words) in [(None, "bws|secret|list"), (Some("P"), "bws|secret|list|P")] {
            let fetched = Script::new(ready().into_iter().chain([ok(words, items)])).fetch(
                "bitwarden-sm",
                None,
                from,
                &["all"],
            );
            assert_eq!(fetched.unwrap(), r#"{"A":"1","B":"2"}"#);
        }
        let fetched = Script::new(ready().into_iter().chain([
            ok("bws|secret|get|id1", r#"{"key":"A","value":"1"}"#),
            ok("bws|secret|get|id2", r#"{"key":"B","value":"2"}"#),
        ]))
        .fetch("bitwarden-sm", None, None, &["id1", "id2"]);
        assert_eq!(fetched.unwrap(), r#"{"A":"1","B":"2"}"#);
    }

    #[test]
    fn item_17_10_what_fails_is_named() {
        let fetch = |lines: Vec<Line>, names: &[&str]| {
            Script::new(lines)
                .fetch("bitwarden-sm", None, None, names)
                .unwrap_err()
        };
        assert_eq!(
            fetch(vec![missing("bws|--version")], &["x"]),
            "Bitwarden Secrets Manager CLI is not installed"
        );
        assert_eq!(
            fetch(
                vec![ok("bws|--version", ""), fails("bws|project|list")],
                &["x"]
            ),
            "Could not authenticate to Bitwarden Secrets Manager. Did you set a valid access token?"
        );
        assert_eq!(
            fetch(ready().into(), &[]),
            "You must specify what to retrieve from Bitwarden Secrets Manager"
        );
        let with = |line| ready().into_iter().chain([line]).collect();
        assert_eq!(
            fetch(with(fails("bws|secret|get|x")), &["x"]),
            "Could not read x from Bitwarden Secrets Manager"
        );
        assert_eq!(
            fetch(with(fails("bws|secret|list")), &["all"]),
            "Could not read secrets from Bitwarden Secrets Manager"
        );
    }
}
