//! One file a password manager: its program's commands and what to make of their output.

mod aws_secrets_manager;
mod bitwarden;
mod bitwarden_secrets_manager;
mod doppler;
mod enpass;
mod gcp_secret_manager;
mod last_pass;
mod one_password;
mod passbolt;
#[cfg(test)]
pub(crate) mod script;
mod test;

use dhow_text::redact::Secret;

use crate::runner::{Invocation, Runner, run};
use crate::{Fetched, Request, SecretsError};

/// A password manager.
pub(crate) trait Adapter {
    /// Whether it is used with an account.
    fn requires_account(&self) -> bool {
        false
    }

    /// Looks for its program, logs in, reads. `account` is empty if there is none.
    fn fetch(
        &self,
        request: &Request,
        account: &str,
        runner: &mut dyn Runner,
    ) -> Result<Fetched, SecretsError>;
}

/// The adapter of a name: the short names in any case, the others in Ruby's two spellings.
pub(crate) fn find(name: &str) -> Result<&'static dyn Adapter, SecretsError> {
    Ok(match name {
        _ if name.eq_ignore_ascii_case("1password") => &one_password::OnePassword,
        _ if name.eq_ignore_ascii_case("lastpass") => &last_pass::LastPass,
        _ if name.eq_ignore_ascii_case("gcp") => &gcp_secret_manager::GcpSecretManager,
        _ if name.eq_ignore_ascii_case("bitwarden-sm") => {
            &bitwarden_secrets_manager::BitwardenSecretsManager
        }
        "one_password" | "OnePassword" => &one_password::OnePassword,
        "last_pass" | "LastPass" => &last_pass::LastPass,
        "gcp_secret_manager" | "GcpSecretManager" => &gcp_secret_manager::GcpSecretManager,
        "bitwarden" | "Bitwarden" => &bitwarden::Bitwarden,
        "bitwarden_secrets_manager" | "BitwardenSecretsManager" => {
            &bitwarden_secrets_manager::BitwardenSecretsManager
        }
        "aws_secrets_manager" | "AwsSecretsManager" => &aws_secrets_manager::AwsSecretsManager,
        "doppler" | "Doppler" => &doppler::Doppler,
        "enpass" | "Enpass" => &enpass::Enpass,
        "passbolt" | "Passbolt" => &passbolt::Passbolt,
        "test" | "Test" => &test::Test,
        other => {
            return Err(SecretsError::adapter(format!(
                "Unknown secrets adapter: {other}"
            )));
        }
    })
}

/// Fails unless the program answers to being asked for its version.
fn check_installed(
    runner: &mut dyn Runner,
    argv: [&str; 2],
    title: &str,
) -> Result<(), SecretsError> {
    let invocation = Invocation::new(argv).quietly();
    match runner.run(&invocation) {
        Ok(output) if output.success => Ok(()),
        _ => Err(SecretsError::adapter(format!("{title} is not installed"))),
    }
}

/// The output of a run that has to succeed.
fn read(
    runner: &mut dyn Runner,
    invocation: &Invocation,
    failure: impl FnOnce() -> String,
) -> Result<Secret, SecretsError> {
    let output = run(runner, invocation);
    if output.success {
        Ok(output.stdout)
    } else {
        Err(SecretsError::adapter(failure()))
    }
}

/// A program's output as JSON.
fn parse(program: &str, output: &Secret) -> Result<serde_json::Value, SecretsError> {
    serde_json::from_str(output.reveal())
        .map_err(|error| SecretsError::json(format!("the output of `{program}`"), &error))
}

/// Names as Ruby's `inspect` shows a list of them.
fn list(names: &[String]) -> String {
    let names: Vec<String> = names
        .iter()
        .map(|name| dhow_text::erb::inspect(name))
        .collect();
    format!("[{}]", names.join(", "))
}

#[cfg(test)]
mod tests {
    use super::script::{Script, fails, missing};

    #[test]
    fn item_17_05_names_and_accounts() {
        for (name, account) in [
            ("1password", true),
            ("1Password", true),
            ("LastPass", true),
            ("last_pass", true),
            ("LASTPASS", true),
            ("gcp", true),
            ("GCP", true),
            ("bitwarden", true),
            ("bitwarden-sm", false),
            ("Bitwarden-SM", false),
            ("one_password", true),
            ("OnePassword", true),
            ("gcp_secret_manager", true),
            ("bitwarden_secrets_manager", false),
            ("aws_secrets_manager", false),
            ("AwsSecretsManager", false),
            ("doppler", false),
            ("enpass", false),
            ("passbolt", false),
            ("test", true),
        ] {
            assert_eq!(crate::requires_account(name).unwrap(), account, "{name}");
        }
        for name in ["vault", "BITWARDEN", "aws", ""] {
            let error = crate::requires_account(name).unwrap_err();
            assert_eq!(
                error.to_string(),
                format!("Unknown secrets adapter: {name}")
            );
        }
    }

    /// A program that is not there, and one that is there and does not work.
    #[test]
    fn item_17_06_what_is_not_installed() {
        for (adapter, question, name) in [
            ("1password", "op|--version", "1Password CLI"),
            ("lastpass", "lpass|--version", "LastPass CLI"),
            ("bitwarden", "bw|--version", "Bitwarden CLI"),
            (
                "bitwarden-sm",
                "bws|--version",
                "Bitwarden Secrets Manager CLI",
            ),
            ("aws_secrets_manager", "aws|--version", "AWS CLI"),
            ("gcp", "gcloud|--version", "gcloud CLI"),
            ("doppler", "doppler|--version", "Doppler CLI"),
            ("enpass", "enpass-cli|version", "Enpass CLI"),
            ("passbolt", "passbolt|--version", "Passbolt CLI"),
        ] {
            for line in [missing(question), fails(question)] {
                let fetched = Script::new([line]).fetch(adapter, Some("a"), Some("f"), &["A"]);
                assert_eq!(fetched.unwrap_err(), format!("{name} is not installed"));
            }
        }
    }
}
