//! LastPass, by `lpass`.

use super::{Adapter, check_installed, list, parse, read};
use crate::fetched::secret;
use crate::runner::{Invocation, Runner, run};
use crate::{Fetched, Request, SecretsError};

pub(super) struct LastPass;

impl Adapter for LastPass {
    fn requires_account(&self) -> bool {
        true
    }

    fn fetch(
        &self,
        request: &Request,
        account: &str,
        runner: &mut dyn Runner,
    ) -> Result<Fetched, SecretsError> {
        check_installed(runner, ["lpass", "--version"], "LastPass CLI")?;
        let status = run(
            runner,
            &Invocation::new(["lpass", "status", "--color", "never"]),
        );
        if status.stdout.reveal().trim() != format!("Logged in as {account}.") {
            let login = Invocation::new(["lpass", "login", account]);
            read(runner, &login, || "Failed to login to LastPass".to_owned())?;
        }
        let names = request.prefixed();
        let words = ["lpass", "show"]
            .into_iter()
            .chain(names.iter().map(String::as_str));
        let show = Invocation::new(words.chain(["--json"]));
        let output = read(runner, &show, || {
            format!("Could not read {} from LastPass", list(&names))
        })?;
        let items = parse("lpass show", &output)?;
        let mut fetched = Fetched::default();
        for item in items.as_array().into_iter().flatten() {
            let name = item
                .get("fullname")
                .and_then(|name| name.as_str())
                .unwrap_or_default();
            fetched.set(name, secret(item.get("password")));
        }
        let missing: Vec<&str> = names
            .iter()
            .map(String::as_str)
            .filter(|name| !fetched.has(name))
            .collect();
        if !missing.is_empty() {
            return Err(SecretsError::adapter(format!(
                "Could not find {} in LastPass",
                missing.join(", ")
            )));
        }
        Ok(fetched)
    }
}

#[cfg(test)]
mod tests {
    use crate::adapters::script::{Script, fails, missing, ok};

    const ITEMS: &str =
        r#"[{"fullname":"F/A","password":"1"},{"fullname":"F/B C","password":"2"}]"#;

    #[test]
    fn item_17_08_logged_in_or_not() {
        let fetched = Script::new([
            ok("lpass|--version", ""),
            ok("lpass|status|--color|never", "Logged in as me@x.\n"),
            ok("lpass|show|F/A|F/B C|--json", ITEMS),
        ])
        .fetch("lastpass", Some("me@x"), Some("F"), &["A", "B C"]);
        assert_eq!(fetched.unwrap(), r#"{"F/A":"1","F/B C":"2"}"#);
        let fetched = Script::new([
            ok("lpass|--version", ""),
            ok("lpass|status|--color|never", "Logged in as other.\n"),
            ok("lpass|login|me", ""),
            ok("lpass|show|F/A|--json", ITEMS),
        ])
        .fetch("lastpass", Some("me"), None, &["F/A"]);
        assert!(fetched.is_ok());
    }

    #[test]
    fn item_17_08_what_fails_is_named() {
        let error =
            Script::new([missing("lpass|--version")]).fetch("lastpass", Some("me"), None, &["A"]);
        assert_eq!(error.unwrap_err(), "LastPass CLI is not installed");
        let start = || {
            [
                ok("lpass|--version", ""),
                fails("lpass|status|--color|never"),
            ]
        };
        let error = Script::new(start().into_iter().chain([fails("lpass|login|me")])).fetch(
            "lastpass",
            Some("me"),
            None,
            &["A"],
        );
        assert_eq!(error.unwrap_err(), "Failed to login to LastPass");
        let logged_in = || start().into_iter().chain([ok("lpass|login|me", "")]);
        let error = Script::new(logged_in().chain([fails("lpass|show|A|B|--json")])).fetch(
            "lastpass",
            Some("me"),
            None,
            &["A", "B"],
        );
        assert_eq!(
            error.unwrap_err(),
            r#"Could not read ["A", "B"] from LastPass"#
        );
        let error = Script::new(logged_in().chain([ok("lpass|show|F/A|X|--json", ITEMS)])).fetch(
            "lastpass",
            Some("me"),
            None,
            &["F/A", "X"],
        );
        assert_eq!(error.unwrap_err(), "Could not find X in LastPass");
        let error = Script::new(logged_in().chain([ok("lpass|show|A|--json", "hunter2")])).fetch(
            "lastpass",
            Some("me"),
            None,
            &["A"],
        );
        assert_eq!(
            error.unwrap_err(),
            "the output of `lpass show` is not valid JSON (line 1, column 1)"
        );
    }
}
