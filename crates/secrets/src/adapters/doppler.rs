//! Doppler, by `doppler`.

use super::{Adapter, check_installed, list, parse, read};
use crate::fetched::secret;
use crate::runner::{Invocation, Runner, run};
use crate::{Fetched, Request, SecretsError};

pub(super) struct Doppler;

impl Adapter for Doppler {
    fn fetch(
        &self,
        request: &Request,
        _account: &str,
        runner: &mut dyn Runner,
    ) -> Result<Fetched, SecretsError> {
        check_installed(runner, ["doppler", "--version"], "Doppler CLI")?;
        if !run(
            runner,
            &Invocation::new(["doppler", "me", "--json"]).quietly(),
        )
        .success
        {
            let login = Invocation::new(["doppler", "login", "-y"]);
            read(runner, &login, || "Failed to login to Doppler".to_owned())?;
        }
        let names = request.prefixed();
        let bare = names
            .iter()
            .map(|name| name.rsplit('/').next().unwrap_or_default());
        let mut argv: Vec<&str> = ["doppler", "secrets", "get"]
            .into_iter()
            .chain(bare)
            .collect();
        argv.push("--json");
        // A service token is for one project and config already.
        let service_token = runner
            .env("DOPPLER_TOKEN")
            .is_some_and(|token| token.starts_with("dp.st"));
        if !service_token {
            let mut parts = names
                .first()
                .map(|name| name.split('/'))
                .into_iter()
                .flatten();
            let (Some(project), Some(config)) = (parts.next(), parts.next()) else {
                return Err(SecretsError::adapter(
                    "Missing project or config from '--from=project/config' option",
                ));
            };
            argv.extend(["-p", project, "-c", config]);
        }
        let output = read(runner, &Invocation::new(argv), || {
            format!("Could not read {} from Doppler", list(&names))
        })?;
        let answer = parse("doppler secrets get", &output)?;
        let mut fetched = Fetched::default();
        for (name, value) in answer.as_object().into_iter().flatten() {
            fetched.set(name, secret(value.get("computed")));
        }
        Ok(fetched)
    }
}

#[cfg(test)]
mod tests {
    use crate::adapters::script::{Line, Script, fails, missing, ok};

    const VALUES: &str = r#"{"A":{"computed":"1","note":""},"B":{"computed":"2"}}"#;

    fn ready() -> [Line; 2] {
        [ok("doppler|--version", ""), ok("doppler|me|--json", "{}")]
    }

    #[test]
    fn item_17_13_project_and_config_come_from_the_first_name_or_the_token() {
        let fetched = Script::new(
            ready()
                .into_iter()
                .chain([ok("doppler|secrets|get|A|B|--json|-p|proj|-c|prd", VALUES)]),
        )
        .fetch("doppler", None, Some("proj/prd"), &["A", "B"]);
        assert_eq!(fetched.unwrap(), r#"{"A":"1","B":"2"}"#);
        let mut script = Script::new(
            ready()
                .into_iter()
                .chain([ok("doppler|secrets|get|A|--json", VALUES)]),
        );
        script.env = vec![("DOPPLER_TOKEN", "dp.st.x")];
        assert!(script.fetch("doppler", None, None, &["A"]).is_ok());
        let mut script = Script::new(
            ready()
                .into_iter()
                .chain([ok("doppler|secrets|get|A|--json|-p|p|-c|c", VALUES)]),
        );
        script.env = vec![("DOPPLER_TOKEN", "dp.ct.personal")];
        assert!(script.fetch("doppler", None, Some("p/c"), &["A"]).is_ok());
    }

    #[test]
    fn item_17_13_who_is_not_logged_in_logs_in() {
        let fetched = Script::new([
            ok("doppler|--version", ""),
            fails("doppler|me|--json"),
            ok("doppler|login|-y", ""),
            ok("doppler|secrets|get|A|--json|-p|p|-c|c", VALUES),
        ])
        .fetch("doppler", None, None, &["p/c/A"]);
        assert!(fetched.is_ok());
    }

    #[test]
    fn item_17_13_what_fails_is_named() {
        let fetch = |lines: Vec<Line>, from| {
            Script::new(lines)
                .fetch("doppler", None, from, &["A"])
                .unwrap_err()
        };
        assert_eq!(
            fetch(vec![missing("doppler|--version")], None),
            "Doppler CLI is not installed"
        );
        let login = vec![
            ok("doppler|--version", ""),
            fails("doppler|me|--json"),
            fails("doppler|login|-y"),
        ];
        assert_eq!(fetch(login, None), "Failed to login to Doppler");
        assert_eq!(
            fetch(ready().into(), None),
            "Missing project or config from '--from=project/config' option"
        );
        let get = ready()
            .into_iter()
            .chain([fails("doppler|secrets|get|A|--json|-p|p|-c|c")])
            .collect();
        assert_eq!(
            fetch(get, Some("p/c")),
            r#"Could not read ["p/c/A"] from Doppler"#
        );
    }
}
