//! Google Secret Manager, by `gcloud`. The account is `user[|service account[,delegate…]]`; `default` leaves the user out.

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use dhow_text::redact::Secret;
use serde_json::Value;

use super::{Adapter, check_installed, parse, read};
use crate::runner::{Invocation, Runner, run};
use crate::{Fetched, Request, SecretsError};

pub(super) struct GcpSecretManager;

impl Adapter for GcpSecretManager {
    fn requires_account(&self) -> bool {
        true
    }

    fn fetch(
        &self,
        request: &Request,
        account: &str,
        runner: &mut dyn Runner,
    ) -> Result<Fetched, SecretsError> {
        check_installed(runner, ["gcloud", "--version"], "gcloud CLI")?;
        login(runner)?;
        let (user, service_account) = match account.split_once('|') {
            Some((user, service_account)) => (user, Some(service_account)),
            None => (account, None),
        };
        let mut fetched = Fetched::default();
        for name in request.prefixed() {
            let (project, secret, version) = parts(&name);
            let mut argv: Vec<String> = ["gcloud", "secrets", "versions", "access", version]
                .map(str::to_owned)
                .to_vec();
            argv.push(format!("--secret={secret}"));
            argv.extend((project != "default").then(|| format!("--project={project}")));
            argv.extend((user != "default").then(|| format!("--account={user}")));
            argv.extend(
                service_account.map(|account| format!("--impersonate-service-account={account}")),
            );
            argv.push("--format=json".to_owned());
            let unreadable =
                || format!("Could not read {project}/{secret} from Google Secret Manager");
            let output = read(runner, &Invocation::new(argv), unreadable)?;
            let answer = parse("gcloud secrets versions access", &output)?;
            let value = decoded(&answer).ok_or_else(|| SecretsError::adapter(unreadable()))?;
            fetched.set(format!("{project}/{secret}"), Some(value));
        }
        Ok(fetched)
    }
}

fn login(runner: &mut dyn Runner) -> Result<(), SecretsError> {
    if !logged_in(runner)? {
        run(runner, &Invocation::new(["gcloud", "auth", "login"]));
        if !logged_in(runner)? {
            return Err(SecretsError::adapter("could not login to gcloud"));
        }
    }
    Ok(())
}

fn logged_in(runner: &mut dyn Runner) -> Result<bool, SecretsError> {
    let output = run(
        runner,
        &Invocation::new(["gcloud", "auth", "list", "--format=json"]),
    )
    .stdout;
    let accounts = parse("gcloud auth list", &output)?;
    Ok(accounts
        .as_array()
        .is_some_and(|accounts| !accounts.is_empty()))
}

/// `[project/]secret[/version]`
fn parts(name: &str) -> (&str, &str, &str) {
    let mut parts = name.split('/');
    match (parts.next(), parts.next(), parts.next()) {
        (Some(project), Some(secret), version) => (project, secret, version.unwrap_or("latest")),
        (first, ..) => ("default", first.unwrap_or_default(), "latest"),
    }
}

fn decoded(answer: &Value) -> Option<Secret> {
    // As Ruby's decoder: padding or not, line breaks ignored.
    let config =
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let data = answer
        .pointer("/payload/data")?
        .as_str()?
        .replace(['\n', '\r'], "")
        .replace('-', "+")
        .replace('_', "/");
    let bytes = GeneralPurpose::new(&STANDARD, config).decode(data).ok()?;
    String::from_utf8(bytes).ok().map(Secret::new)
}

#[cfg(test)]
mod tests {
    use crate::adapters::script::{Line, Script, fails, missing, ok};

    const VALUE: &str = r#"{"name":"x","payload":{"data":"aHVudGVyMg=="}}"#;
    const ACCESS: &str = "gcloud|secrets|versions|access";

    fn ready() -> [Line; 2] {
        [
            ok("gcloud|--version", ""),
            ok("gcloud|auth|list|--format=json", r#"[{"account":"me"}]"#),
        ]
    }

    #[test]
    fn item_17_12_project_secret_version_and_account() {
        for (account, from, name, call, key) in [
            (
                "default",
                None,
                "S",
                "latest|--secret=S|--format=json",
                "default/S",
            ),
            (
                "me@x",
                None,
                "P/S",
                "latest|--secret=S|--project=P|--account=me@x|--format=json",
                "P/S",
            ),
            (
                "default",
                Some("P"),
                "S/7",
                "7|--secret=S|--project=P|--format=json",
                "P/S",
            ),
            (
                "me@x|a@y,b@y",
                None,
                "default/S",
                "latest|--secret=S|--account=me@x|--impersonate-service-account=a@y,b@y|--format=json",
                "default/S",
            ),
        ] {
            let fetched = Script::new(
                ready()
                    .into_iter()
                    .chain([ok(&format!("{ACCESS}|{call}"), VALUE)]),
            )
            .fetch("gcp", Some(account), from, &[name]);
            assert_eq!(fetched.unwrap(), format!(r#"{{"{key}":"hunter2"}}"#));
        }
    }

    #[test]
    fn item_17_12_what_fails_is_named() {
        let fetch = |lines: Vec<Line>| {
            Script::new(lines)
                .fetch("gcp", Some("default"), None, &["P/S"])
                .unwrap_err()
        };
        assert_eq!(
            fetch(vec![missing("gcloud|--version")]),
            "gcloud CLI is not installed"
        );
        let nobody = || ok("gcloud|auth|list|--format=json", "[]");
        assert_eq!(
            fetch(vec![
                ok("gcloud|--version", ""),
                nobody(),
                fails("gcloud|auth|login"),
                nobody()
            ]),
            "could not login to gcloud"
        );
        let call = format!("{ACCESS}|latest|--secret=S|--project=P|--format=json");
        for line in [fails(&call), ok(&call, "{}")] {
            assert_eq!(
                fetch(ready().into_iter().chain([line]).collect()),
                "Could not read P/S from Google Secret Manager"
            );
        }
    }
}
