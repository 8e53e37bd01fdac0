//! 1Password, by `op`.

use serde_json::Value;

use super::{Adapter, check_installed, parse, read};
use crate::fetched::secret;
use crate::runner::{Invocation, Runner, run};
use crate::{Fetched, Request, SecretsError};

pub(super) struct OnePassword;

impl Adapter for OnePassword {
    fn requires_account(&self) -> bool {
        true
    }

    fn fetch(
        &self,
        request: &Request,
        account: &str,
        runner: &mut dyn Runner,
    ) -> Result<Fetched, SecretsError> {
        check_installed(runner, ["op", "--version"], "1Password CLI")?;
        let session = login(account, runner)?;
        let mut fetched = Fetched::default();
        for Item {
            vault,
            item,
            fields,
        } in items(request)
        {
            let get = ItemGet {
                vault: &vault,
                item: &item,
                fields: &fields,
                account,
                session: &session,
            };
            let output = parse("op item get", &get.run(runner)?)?;
            for field in found(&output, fields.is_empty()) {
                let reference = field
                    .get("reference")
                    .and_then(Value::as_str)
                    .unwrap_or_default();
                let name = reference.strip_prefix("op://").unwrap_or(reference);
                fetched.set(
                    name.strip_suffix("/password").unwrap_or(name),
                    secret(field.get("value")),
                );
            }
        }
        Ok(fetched)
    }
}

/// The session to go on with; empty where `op` keeps it itself.
fn login(account: &str, runner: &mut dyn Runner) -> Result<String, SecretsError> {
    let get = Invocation::new(["op", "account", "get", "--account", account]).quietly();
    if run(runner, &get).success {
        return Ok(String::new());
    }
    let sign_in = Invocation::new(["op", "signin", "--account", account, "--force", "--raw"]);
    let session = read(runner, &sign_in, || {
        "Failed to login to 1Password".to_owned()
    })?;
    Ok(session.reveal().trim().to_owned())
}

/// One item and the fields wanted of it; none means all.
struct Item {
    vault: String,
    item: String,
    fields: Vec<String>,
}

/// `[op://]vault/item[/section…/field]`, gathered by item. Without names, the item that `--from` names.
fn items(request: &Request) -> Vec<Item> {
    let bare = |path: &str| path.strip_prefix("op://").unwrap_or(path).to_owned();
    if request.names.is_empty() {
        let from = bare(request.from.as_deref().unwrap_or(""));
        let mut parts = from.split('/').map(str::to_owned);
        return vec![Item {
            vault: parts.next().unwrap_or_default(),
            item: parts.next().unwrap_or_default(),
            fields: Vec::new(),
        }];
    }
    let mut vaults: Vec<(String, Vec<Item>)> = Vec::new();
    for name in request.prefixed() {
        let name = bare(&name);
        let mut parts = name.split('/').map(str::to_owned);
        let (vault, item) = (
            parts.next().unwrap_or_default(),
            parts.next().unwrap_or_default(),
        );
        let path: Vec<String> = parts.collect();
        let field = if path.is_empty() {
            "password".to_owned()
        } else {
            path.join(".")
        };
        let at = vaults
            .iter()
            .position(|(known, _)| *known == vault)
            .unwrap_or_else(|| {
                vaults.push((vault.clone(), Vec::new()));
                vaults.len() - 1
            });
        if let Some((_, items)) = vaults.get_mut(at) {
            match items.iter_mut().find(|known| known.item == item) {
                Some(known) => known.fields.push(field),
                None => items.push(Item {
                    vault,
                    item,
                    fields: vec![field],
                }),
            }
        }
    }
    vaults.into_iter().flat_map(|(_, items)| items).collect()
}

struct ItemGet<'a> {
    vault: &'a str,
    item: &'a str,
    fields: &'a [String],
    account: &'a str,
    session: &'a str,
}

impl ItemGet<'_> {
    fn run(&self, runner: &mut dyn Runner) -> Result<dhow_text::redact::Secret, SecretsError> {
        let mut argv = vec![
            "op",
            "item",
            "get",
            self.item,
            "--vault",
            self.vault,
            "--format",
            "json",
            "--account",
            self.account,
        ];
        if !self.session.is_empty() {
            argv.extend(["--session", self.session]);
        }
        let labels: Vec<String> = self
            .fields
            .iter()
            .map(|field| format!("label={field}"))
            .collect();
        let labels = labels.join(",");
        if !labels.is_empty() {
            argv.extend(["--fields", &labels]);
        }
        read(runner, &Invocation::new(argv), || {
            let of = if self.fields.is_empty() {
                String::new()
            } else {
                format!("{} ", self.fields.join(", "))
            };
            format!(
                "Could not read {of}from {} in the {} 1Password vault",
                self.item, self.vault
            )
        })
    }
}

/// The fields in an answer: one object for one field, a list for several, below `fields` for a whole item.
fn found(output: &Value, whole: bool) -> Vec<&Value> {
    let fields = if whole {
        output.get("fields").unwrap_or(&Value::Null)
    } else {
        output
    };
    match fields {
        Value::Array(fields) => fields.iter().collect(),
        Value::Object(_) => vec![fields],
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use crate::adapters::script::{Line, Script, fails, missing, ok};

    fn signed_in() -> [Line; 2] {
        [
            ok("op|--version", ""),
            ok("op|account|get|--account|acc", ""),
        ]
    }

    #[test]
    fn item_17_07_fields_are_gathered_by_item_and_sections_are_dotted() {
        let fetched = Script::new(signed_in().into_iter().chain([
            ok(
                "op|item|get|My Item|--vault|V|--format|json|--account|acc|--fields|label=sec.A,label=sec.B",
                r#"[{"reference":"op://V/My Item/sec/A","value":"1"},{"reference":"op://V/My Item/sec/B","value":"2"}]"#,
            ),
            ok(
                "op|item|get|Other|--vault|V|--format|json|--account|acc|--fields|label=password",
                r#"{"reference":"op://V/Other/password","value":"3"}"#,
            ),
        ]))
        .fetch("1password", Some("acc"), Some("op://V"), &["My Item/sec/A", "Other", "My Item/sec/B"]);
        assert_eq!(
            fetched.unwrap(),
            r#"{"V/My Item/sec/A":"1","V/My Item/sec/B":"2","V/Other":"3"}"#
        );
    }

    #[test]
    fn item_17_07_without_names_the_whole_item_is_read() {
        let fetched = Script::new(signed_in().into_iter().chain([ok(
            "op|item|get|I|--vault|V|--format|json|--account|acc",
            r#"{"id":"x","fields":[{"reference":"op://V/I/a","value":"1"},{"reference":"op://V/I/password"}]}"#,
        )]))
        .fetch("1password", Some("acc"), Some("V/I"), &[]);
        assert_eq!(fetched.unwrap(), r#"{"V/I/a":"1","V/I":null}"#);
    }

    #[test]
    fn item_17_07_the_session_of_a_sign_in_is_used() {
        let signing_in = |session: &str| {
            [
                ok("op|--version", ""),
                fails("op|account|get|--account|acc"),
                ok("op|signin|--account|acc|--force|--raw", session),
            ]
        };
        let answer = r#"{"reference":"op://V/I/f","value":"1"}"#;
        let fetched = Script::new(signing_in("abc\n").into_iter().chain([ok(
            "op|item|get|I|--vault|V|--format|json|--account|acc|--session|abc|--fields|label=f",
            answer,
        )]))
        .fetch("1password", Some("acc"), None, &["V/I/f"]);
        assert!(fetched.is_ok());
        let fetched = Script::new(signing_in("").into_iter().chain([ok(
            "op|item|get|I|--vault|V|--format|json|--account|acc|--fields|label=f",
            answer,
        )]))
        .fetch("1password", Some("acc"), None, &["V/I/f"]);
        assert!(fetched.is_ok());
    }

    #[test]
    fn item_17_07_what_fails_is_named() {
        let error =
            Script::new([missing("op|--version")]).fetch("1password", Some("acc"), None, &["V/I"]);
        assert_eq!(error.unwrap_err(), "1Password CLI is not installed");
        let error = Script::new([
            ok("op|--version", ""),
            fails("op|account|get|--account|acc"),
            fails("op|signin|--account|acc|--force|--raw"),
        ])
        .fetch("1password", Some("acc"), None, &["V/I"]);
        assert_eq!(error.unwrap_err(), "Failed to login to 1Password");
        let error = Script::new(signed_in().into_iter().chain([fails(
            "op|item|get|I|--vault|V|--format|json|--account|acc|--fields|label=a,label=b",
        )]))
        .fetch("1password", Some("acc"), None, &["V/I/a", "V/I/b"]);
        assert_eq!(
            error.unwrap_err(),
            "Could not read a, b from I in the V 1Password vault"
        );
        let error = Script::new(
            signed_in()
                .into_iter()
                .chain([fails("op|item|get|I|--vault|V|--format|json|--account|acc")]),
        )
        .fetch("1password", Some("acc"), Some("V/I"), &[]);
        assert_eq!(
            error.unwrap_err(),
            "Could not read from I in the V 1Password vault"
        );
        assert_eq!(
            Script::new([])
                .fetch("1password", None, None, &["V/I"])
                .unwrap_err(),
            "Missing required option '--account'"
        );
    }
}
