//! Values that a build gets through the environment of its own process, and not on its argument list.

use dhow_config::Pairs;
use dhow_text::redact::Secret;
use dhow_text::shell::{ShellValue, key_values};

/// A value for the environment of the build process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BuildValue {
    /// Written in the deploy file. `${NAME}` in it means the deployer's own environment (see [`BuildValue::resolve`]).
    Clear(String),
    /// From a secrets file.
    Secret(Secret),
}

impl BuildValue {
    /// The value to set. In a clear value `${NAME}`, `${NAME-default}` and `${NAME:-default}` are replaced as a shell does it, with
    /// what `lookup` finds; everything else is taken as it is.
    pub fn resolve(&self, lookup: impl Fn(&str) -> Option<String>) -> Secret {
        match self {
            Self::Secret(secret) => secret.clone(),
            Self::Clear(text) => Secret::new(expand(text, lookup)),
        }
    }
}

/// Words for `--build-arg` and the like, and what has to be in the environment for them.
pub(super) struct BuildArguments {
    /// `flag NAME`, repeated. `flag NAME="value"` for those few that can't go through the environment.
    pub(super) words: Vec<String>,
    /// What the bare names stand for.
    pub(super) env: Vec<(String, BuildValue)>,
}

/// Splits arguments of the deploy file into words and environment. `reserved` are names that the environment needs for other
/// values.
pub(super) fn build_arguments(flag: &str, args: &Pairs, reserved: &[String]) -> BuildArguments {
    let mut words = Vec::new();
    let mut env = Vec::new();
    for (name, value) in args {
        let through_env = carried(value)
            .filter(|_| is_variable_name(name) && !steers_client(name) && !reserved.contains(name));
        match through_env {
            Some(text) => {
                words.extend([flag.to_owned(), name.clone()]);
                env.push((name.clone(), BuildValue::Clear(text)));
            }
            None => words.extend(key_values(flag, [(name.as_str(), value)])),
        }
    }
    BuildArguments { words, env }
}

/// The text that the argument carries. None for those that Kamal gives without a value (blank) or bare (`false`).
fn carried(value: &ShellValue) -> Option<String> {
    match value {
        ShellValue::Null | ShellValue::Bool(false) => None,
        ShellValue::Bool(true) => Some("true".to_owned()),
        ShellValue::Text(text) => Some(text.clone()).filter(|text| !text.trim().is_empty()),
        ShellValue::List(items) => Some(items.join(" ")),
    }
}

/// Other names don't survive a shell.
fn is_variable_name(name: &str) -> bool {
    let mut chars = name.chars();
    let first = chars.next();
    first.is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && chars.all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// Whether docker, `pack`, git or the shell would themselves act on such a variable: an argument called `PATH` is meant for the
/// image alone.
fn steers_client(name: &str) -> bool {
    const NAMES: [&str; 18] = [
        "ALL_PROXY",
        "APPDATA",
        "COMPOSE_PROJECT_NAME",
        "CDPATH",
        "ENV",
        "HOME",
        "HTTPS_PROXY",
        "HTTP_PROXY",
        "IFS",
        "NO_COLOR",
        "NO_PROXY",
        "PATH",
        "PWD",
        "SHELL",
        "SOURCE_DATE_EPOCH",
        "TERM",
        "TMPDIR",
        "USER",
    ];
    const PREFIXES: [&str; 13] = [
        "ACTIONS_",
        "AWS_",
        "BASH",
        "BUILDKIT_",
        "BUILDX_",
        "CNB_",
        "DOCKER_",
        "GIT_",
        "GO",
        "LC_",
        "LD_",
        "SSH_",
        "XDG_",
    ];
    let upper = name.to_ascii_uppercase();
    NAMES.contains(&upper.as_str()) || PREFIXES.iter().any(|prefix| upper.starts_with(prefix))
}

fn expand(text: &str, lookup: impl Fn(&str) -> Option<String>) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        out.push_str(before);
        let replaced = after.split_once('}').and_then(|(inner, tail)| {
            let value = variable(inner, &lookup)?;
            Some((value, tail))
        });
        match replaced {
            Some((value, tail)) => {
                out.push_str(&value);
                rest = tail;
            }
            None => {
                out.push_str("${");
                rest = after;
            }
        }
    }
    out.push_str(rest);
    out
}

/// What `${inner}` stands for. None if it is nothing that is replaced.
fn variable(inner: &str, lookup: impl Fn(&str) -> Option<String>) -> Option<String> {
    let end = inner
        .find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
        .unwrap_or(inner.len());
    let (name, operator) = inner.split_at(end);
    if !is_variable_name(name) {
        return None;
    }
    let value = lookup(name);
    if operator.is_empty() {
        return Some(value.unwrap_or_default());
    }
    if let Some(default) = operator.strip_prefix(":-") {
        let given = value.filter(|value| !value.is_empty());
        return Some(given.unwrap_or_else(|| default.to_owned()));
    }
    let default = operator.strip_prefix('-')?;
    Some(value.unwrap_or_else(|| default.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{pairs, text};

    #[test]
    fn item_226_build_arguments_go_through_the_environment() {
        let mut args = pairs(&[("A", "1"), ("EMPTY", "")]);
        args.push(("OFF".to_owned(), ShellValue::Bool(false)));
        args.push(("ON".to_owned(), ShellValue::Bool(true)));
        let BuildArguments { words, env } = build_arguments("--build-arg", &args, &[]);
        assert_eq!(
            words.join(" "),
            "--build-arg A --build-arg EMPTY --build-arg OFF=false --build-arg ON"
        );
        assert_eq!(
            env,
            [
                ("A".to_owned(), BuildValue::Clear("1".to_owned())),
                ("ON".to_owned(), BuildValue::Clear("true".to_owned())),
            ]
        );
    }

    #[test]
    fn what_would_steer_the_client_stays_on_the_line() {
        let args = vec![
            ("PATH".to_owned(), text("/app/bin:${PATH}")),
            ("DOCKER_HOST".to_owned(), text("x")),
            ("http_proxy".to_owned(), text("http://p")),
            ("my-arg".to_owned(), text("a")),
            ("TAKEN".to_owned(), text("b")),
        ];
        let BuildArguments { words, env } =
            build_arguments("--build-arg", &args, &["TAKEN".to_owned()]);
        assert_eq!(
            words.join(" "),
            r#"--build-arg PATH="/app/bin:${PATH}" --build-arg DOCKER_HOST="x" --build-arg http_proxy="http://p" --build-arg my-arg="a" --build-arg TAKEN="b""#
        );
        assert_eq!(env, []);
    }

    #[test]
    fn braces_mean_the_deployers_environment_as_in_a_shell() {
        let lookup = |name: &str| match name {
            "SHA" => Some("abc".to_owned()),
            "EMPTY" => Some(String::new()),
            _ => None,
        };
        for (value, resolved) in [
            ("plain $SHA $(x) `y`", "plain $SHA $(x) `y`"),
            ("v-${SHA}-${NONE}.", "v-abc-."),
            ("${NONE:-a b} ${EMPTY:-c} ${EMPTY-d} ${NONE-e}", "a b c  e"),
            ("${SHA", "${SHA"),
            ("${SHA%x} ${1}", "${SHA%x} ${1}"),
        ] {
            let value = BuildValue::Clear(value.to_owned()).resolve(lookup);
            assert_eq!(value.reveal(), resolved);
        }
        let secret = BuildValue::Secret(Secret::new("${SHA}"));
        assert_eq!(secret.resolve(lookup).reveal(), "${SHA}");
    }
}
