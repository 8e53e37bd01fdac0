//! AWS Secrets Manager, by `aws`. The account is a profile, and may be left out.

use serde_json::Value;

use super::{Adapter, check_installed, list, parse, read};
use crate::fetched::secret;
use crate::runner::{Invocation, Runner};
use crate::{Fetched, Request, SecretsError};

pub(super) struct AwsSecretsManager;

impl Adapter for AwsSecretsManager {
    fn fetch(
        &self,
        request: &Request,
        account: &str,
        runner: &mut dyn Runner,
    ) -> Result<Fetched, SecretsError> {
        check_installed(runner, ["aws", "--version"], "AWS CLI")?;
        let names = request.prefixed();
        let mut argv = vec![
            "aws",
            "secretsmanager",
            "batch-get-secret-value",
            "--secret-id-list",
        ];
        argv.extend(names.iter().map(String::as_str));
        if !account.is_empty() {
            argv.extend(["--profile", account]);
        }
        argv.extend(["--output", "json"]);
        // Kamal puts the output here, which may hold values.
        let output = read(runner, &Invocation::new(argv), || {
            format!("Could not read {} from AWS Secrets Manager", list(&names))
        })?;
        let answer = parse("aws secretsmanager batch-get-secret-value", &output)?;
        let errors: Vec<String> = answer
            .get("Errors")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .map(describe)
            .collect();
        if !errors.is_empty() {
            return Err(SecretsError::adapter(errors.join(" ")));
        }
        let mut fetched = Fetched::default();
        for item in answer
            .get("SecretValues")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
        {
            let name = item.get("Name").and_then(Value::as_str).unwrap_or_default();
            let text = item
                .get("SecretString")
                .and_then(Value::as_str)
                .unwrap_or_default();
            match serde_json::from_str(text) {
                Ok(Value::Object(pairs)) => {
                    for (key, value) in &pairs {
                        let value = match value {
                            Value::Null => Some(dhow_text::redact::Secret::new("null")),
                            value => secret(Some(value)),
                        };
                        fetched.set(format!("{name}/{key}"), value);
                    }
                }
                _ => fetched.set(name, secret(item.get("SecretString"))),
            }
        }
        Ok(fetched)
    }
}

fn describe(error: &Value) -> String {
    let text = |key: &str| error.get(key).and_then(Value::as_str).unwrap_or_default();
    format!("{}: {}", text("SecretId"), text("Message"))
}

#[cfg(test)]
mod tests {
    use crate::adapters::script::{Script, fails, missing, ok};

    const GET: &str = "aws|secretsmanager|batch-get-secret-value|--secret-id-list";

    #[test]
    fn item_17_11_maps_texts_and_other_values() {
        let answer = r#"{"SecretValues":[
            {"Name":"s1","SecretString":"{\"K\":\"v\",\"P\":5432,\"B\":true,\"N\":null,\"O\":{\"a\":1}}"},
            {"Name":"s2","SecretString":"plain text"},
            {"Name":"s3","SecretString":"12"},
            {"Name":"s4","SecretString":"[1]"}],"Errors":[]}"#;
        let fetched = Script::new([
            ok("aws|--version", ""),
            ok(
                &format!("{GET}|p/s1|p/s2|--profile|me|--output|json"),
                answer,
            ),
        ])
        .fetch("aws_secrets_manager", Some("me"), Some("p"), &["s1", "s2"]);
        assert_eq!(
            fetched.unwrap(),
            r#"{"s1/K":"v","s1/P":"5432","s1/B":"true","s1/N":"null","s1/O":"{\"a\":1}","s2":"plain text","s3":"12","s4":"[1]"}"#
        );
    }

    #[test]
    fn item_17_11_what_fails_is_named() {
        let fetch = |lines: Vec<_>| {
            Script::new(lines)
                .fetch("aws_secrets_manager", None, None, &["a", "b"])
                .unwrap_err()
        };
        assert_eq!(
            fetch(vec![missing("aws|--version")]),
            "AWS CLI is not installed"
        );
        let errors = r#"{"SecretValues":[],"Errors":[{"SecretId":"a","Message":"no a."},{"SecretId":"b","Message":"no b."}]}"#;
        let call = format!("{GET}|a|b|--output|json");
        assert_eq!(
            fetch(vec![ok("aws|--version", ""), ok(&call, errors)]),
            "a: no a. b: no b."
        );
        assert_eq!(
            fetch(vec![ok("aws|--version", ""), fails(&call)]),
            r#"Could not read ["a", "b"] from AWS Secrets Manager"#
        );
    }
}
