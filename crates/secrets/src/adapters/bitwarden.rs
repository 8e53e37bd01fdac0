//! Bitwarden, by `bw`.

use dhow_text::redact::Secret;
use serde_json::Value;

use super::{Adapter, check_installed, parse, read};
use crate::fetched::secret;
use crate::runner::{Invocation, Runner, run};
use crate::{Fetched, Request, SecretsError};

pub(super) struct Bitwarden;

impl Adapter for Bitwarden {
    fn requires_account(&self) -> bool {
        true
    }

    fn fetch(
        &self,
        request: &Request,
        account: &str,
        runner: &mut dyn Runner,
    ) -> Result<Fetched, SecretsError> {
        check_installed(runner, ["bw", "--version"], "Bitwarden CLI")?;
        let session = unlock(account, runner)?;
        let mut fetched = Fetched::default();
        for (item, fields) in items(&request.prefixed()) {
            let get = bw(&["get", "item", &item], session.as_ref());
            let output = read(runner, &get, || {
                format!("Could not read {item} from Bitwarden")
            })?;
            let json = parse("bw get item", &output)?;
            take(&item, &fields, &json, &mut fetched)?;
        }
        Ok(fetched)
    }
}

/// Logs in and unlocks as far as needed, then syncs. Gives the session, if unlocking gave one.
fn unlock(account: &str, runner: &mut dyn Runner) -> Result<Option<Secret>, SecretsError> {
    let mut session = None;
    let mut state = status(None, runner)?;
    if state == "unauthenticated" {
        run(runner, &bw(&["login", account], None));
        state = status(None, runner)?;
    }
    if state == "locked" {
        let output = run(runner, &bw(&["unlock", "--raw"], None)).stdout;
        let token = output.reveal().trim();
        session = (!token.is_empty()).then(|| Secret::new(token));
        state = status(session.as_ref(), runner)?;
    }
    if state != "unlocked" {
        return Err(SecretsError::adapter(
            "Failed to login to and unlock Bitwarden",
        ));
    }
    read(runner, &bw(&["sync"], session.as_ref()), || {
        "Failed to sync Bitwarden".to_owned()
    })?;
    Ok(session)
}

fn status(session: Option<&Secret>, runner: &mut dyn Runner) -> Result<String, SecretsError> {
    let output = run(runner, &bw(&["status"], session)).stdout;
    let status = parse("bw status", &output)?;
    Ok(status
        .get("status")
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned())
}

/// The session goes by the environment, as `bw` has it.
fn bw(words: &[&str], session: Option<&Secret>) -> Invocation {
    let invocation = Invocation::new(std::iter::once("bw").chain(words.iter().copied()));
    match session {
        Some(session) => invocation.with("BW_SESSION", session),
        None => invocation,
    }
}

/// `item[/field]`, gathered by item. A name without a field means the item's password.
fn items(names: &[String]) -> Vec<(String, Vec<Option<String>>)> {
    let mut items: Vec<(String, Vec<Option<String>>)> = Vec::new();
    for name in names {
        let mut parts = name.split('/').map(str::to_owned);
        let (item, field) = (parts.next().unwrap_or_default(), parts.next());
        match items.iter_mut().find(|(known, _)| *known == item) {
            Some((_, fields)) => fields.push(field),
            None => items.push((item, vec![field])),
        }
    }
    items
}

fn take(
    item: &str,
    fields: &[Option<String>],
    json: &Value,
    fetched: &mut Fetched,
) -> Result<(), SecretsError> {
    let custom: Vec<&Value> = json
        .get("fields")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .collect();
    let name_of = |field: &Value| {
        field
            .get("name")
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    for field in fields {
        let Some(field) = field else {
            let password = secret(json.pointer("/login/password"));
            if password.is_some() {
                fetched.set(item, password);
            } else if custom.is_empty() {
                let message =
                    format!("Item {item} is not a login type item and no fields were specified");
                return Err(SecretsError::adapter(message));
            } else {
                for field in &custom {
                    fetched.set(
                        format!("{item}/{}", name_of(field)),
                        secret(field.get("value")),
                    );
                }
            }
            continue;
        };
        let found = custom.iter().find(|known| name_of(known) == *field);
        let Some(found) = found else {
            let message = format!("Could not find field {field} in item {item} in Bitwarden");
            return Err(SecretsError::adapter(message));
        };
        fetched.set(format!("{item}/{field}"), secret(found.get("value")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::adapters::script::{Line, Script, fails, missing, ok};

    const LOGIN: &str = r#"{"login":{"password":"pw"},"fields":[{"name":"F","value":"1"},{"name":"G","value":null}]}"#;
    const NOTE: &str =
        r#"{"login":null,"fields":[{"name":"F","value":"1"},{"name":"G","value":"2"}]}"#;

    fn unlocked() -> [Line; 3] {
        [
            ok("bw|--version", ""),
            ok("bw|status", r#"{"status":"unlocked"}"#),
            ok("bw|sync", ""),
        ]
    }

    #[test]
    fn item_17_09_passwords_fields_and_notes() {
        let fetched = Script::new(unlocked().into_iter().chain([
            ok("bw|get|item|I", LOGIN),
            ok("bw|get|item|N", NOTE),
            ok("bw|get|item|M", LOGIN),
        ]))
        .fetch("bitwarden", Some("me"), None, &["I", "N", "M/F", "M/G"]);
        assert_eq!(
            fetched.unwrap(),
            r#"{"I":"pw","N/F":"1","N/G":"2","M/F":"1","M/G":null}"#
        );
        let fetched = Script::new(unlocked().into_iter().chain([ok("bw|get|item|I", LOGIN)]))
            .fetch("bitwarden", Some("me"), Some("I"), &["F"]);
        assert_eq!(fetched.unwrap(), r#"{"I/F":"1"}"#);
    }

    #[test]
    fn item_17_09_the_three_states_end_unlocked_with_the_session_in_the_environment() {
        let fetched = Script::new([
            ok("bw|--version", ""),
            ok("bw|status", r#"{"status":"unauthenticated"}"#),
            ok("bw|login|me", ""),
            ok("bw|status", r#"{"status":"locked"}"#),
            ok("bw|unlock|--raw", "s==\n"),
            ok("BW_SESSION=s==|bw|status", r#"{"status":"unlocked"}"#),
            ok("BW_SESSION=s==|bw|sync", ""),
            ok("BW_SESSION=s==|bw|get|item|I", LOGIN),
        ])
        .fetch("bitwarden", Some("me"), None, &["I"]);
        assert_eq!(fetched.unwrap(), r#"{"I":"pw"}"#);
    }

    #[test]
    fn item_17_09_what_fails_is_named() {
        let error =
            Script::new([missing("bw|--version")]).fetch("bitwarden", Some("me"), None, &["I"]);
        assert_eq!(error.unwrap_err(), "Bitwarden CLI is not installed");
        let error = Script::new([
            ok("bw|--version", ""),
            ok("bw|status", r#"{"status":"locked"}"#),
            fails("bw|unlock|--raw"),
            ok("bw|status", r#"{"status":"locked"}"#),
        ])
        .fetch("bitwarden", Some("me"), None, &["I"]);
        assert_eq!(
            error.unwrap_err(),
            "Failed to login to and unlock Bitwarden"
        );
        let error = Script::new([
            ok("bw|--version", ""),
            ok("bw|status", r#"{"status":"unlocked"}"#),
            fails("bw|sync"),
        ])
        .fetch("bitwarden", Some("me"), None, &["I"]);
        assert_eq!(error.unwrap_err(), "Failed to sync Bitwarden");
        for (line, names, message) in [
            (
                fails("bw|get|item|I"),
                ["I"],
                "Could not read I from Bitwarden",
            ),
            (
                ok("bw|get|item|I", LOGIN),
                ["I/X"],
                "Could not find field X in item I in Bitwarden",
            ),
            (
                ok("bw|get|item|I", "{}"),
                ["I"],
                "Item I is not a login type item and no fields were specified",
            ),
        ] {
            let error = Script::new(unlocked().into_iter().chain([line])).fetch(
                "bitwarden",
                Some("me"),
                None,
                &names,
            );
            assert_eq!(error.unwrap_err(), message);
        }
    }
}
