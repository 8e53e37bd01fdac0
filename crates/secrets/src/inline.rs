//! `$(kamal secrets …)` and `$(dhow secrets …)` in a secrets file, run within the process.

use dhow_text::redact::Secret;

use crate::runner::Runner;
use crate::{Request, SecretsError, extract, fetch};

/// The words after the program's name, `secrets` first. Gives what is put in place of the command: shell-escaped JSON for `fetch`,
/// the value for `extract`.
pub fn inline(argv: &[String], runner: &mut dyn Runner) -> Result<Secret, SecretsError> {
    let words: Vec<&str> = argv.iter().map(String::as_str).collect();
    let command = words.strip_prefix(["secrets"].as_slice()).unwrap_or(&words);
    match command {
        ["fetch", rest @ ..] => {
            let request = request(rest)?;
            if requires(&request)? {
                return Err(SecretsError::adapter(
                    "No value provided for required options '--account'",
                ));
            }
            Ok(fetch(&request, runner)?.to_inline())
        }
        ["extract", rest @ ..] => {
            let words: Vec<&str> = rest
                .iter()
                .copied()
                .filter(|word| *word != "--inline")
                .collect();
            match words.as_slice() {
                [name, json] => extract(name, &Secret::new(*json)),
                // The words may be values: only their number is told.
                other => Err(SecretsError::adapter(format!(
                    "`secrets extract` takes a name and the fetched secrets, not {} words",
                    other.len()
                ))),
            }
        }
        [other, ..] => Err(SecretsError::adapter(format!(
            "`secrets {other}` can't be used in a secrets file"
        ))),
        [] => Err(SecretsError::adapter(
            "`secrets` needs a command: `fetch` or `extract`",
        )),
    }
}

fn requires(request: &Request) -> Result<bool, SecretsError> {
    let missing = request
        .account
        .as_deref()
        .is_none_or(|account| account.trim().is_empty());
    Ok(missing && crate::requires_account(&request.adapter)?)
}

/// `[NAMES…] --adapter A [--account B] [--from C]`, in any order, `--option=value` too.
fn request(words: &[&str]) -> Result<Request, SecretsError> {
    let mut request = Request::default();
    let mut adapter = None;
    let mut words = words.iter().copied();
    let mut only_names = false;
    while let Some(word) = words.next() {
        if only_names || !word.starts_with('-') || word == "-" {
            request.names.push(word.to_owned());
            continue;
        }
        if word == "--" {
            only_names = true;
            continue;
        }
        let (name, joined) = match word.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (word, None),
        };
        let mut value = || {
            joined
                .or_else(|| words.next())
                .map(str::to_owned)
                .ok_or_else(|| {
                    SecretsError::adapter(format!("No value provided for option '{name}'"))
                })
        };
        match name {
            "--adapter" | "-a" => adapter = Some(value()?),
            "--account" => request.account = Some(value()?),
            "--from" => request.from = Some(value()?),
            "--inline" => {}
            // Of the other options Kamal has everywhere, those with a value.
            "--config-file" | "-c" | "--destination" | "-d" => {
                value()?;
            }
            "--verbose" | "-v" | "--quiet" | "-q" => {}
            other => {
                return Err(SecretsError::adapter(format!(
                    "Unknown switches \"{other}\""
                )));
            }
        }
    }
    request.adapter = adapter.ok_or_else(|| {
        SecretsError::adapter("No value provided for required options '--adapter'")
    })?;
    Ok(request)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapters::script::Script;

    fn run(line: &str) -> Result<String, String> {
        let words = dhow_text::shell::split(line).unwrap();
        let mut script = Script::new([]);
        inline(&words, &mut script)
            .map(|s| s.reveal().to_owned())
            .map_err(|e| e.to_string())
    }

    #[test]
    fn item_17_01_what_is_fetched_inline_can_be_extracted_from() {
        let fetched =
            run("secrets fetch --adapter test --account=a --from f 'A B' LPARENxRPAREN").unwrap();
        assert!(fetched.starts_with("\\{\\\"f/A\\ B\\\":"), "{fetched}");
        assert_eq!(
            run(&format!("secrets extract 'A B' {fetched} --inline")).unwrap(),
            "B A/f"
        );
    }

    #[test]
    fn item_17_02_what_is_missing_is_named_and_values_are_not() {
        assert_eq!(
            run("secrets fetch A").unwrap_err(),
            "No value provided for required options '--adapter'"
        );
        assert_eq!(
            run("secrets fetch -a test A").unwrap_err(),
            "No value provided for required options '--account'"
        );
        assert_eq!(
            run("secrets fetch -a nope A").unwrap_err(),
            "Unknown secrets adapter: nope"
        );
        assert!(run("secrets print").unwrap_err().contains("can't be used"));
        let error = run("secrets extract A hunter2 three").unwrap_err();
        assert!(!error.contains("hunter2"), "{error}");
    }
}
