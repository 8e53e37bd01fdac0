//! The adapter of Kamal's own tests: a secret is its name backwards.

use dhow_text::redact::Secret;

use super::Adapter;
use crate::runner::Runner;
use crate::{Fetched, Request, SecretsError};

pub(super) struct Test;

impl Adapter for Test {
    fn requires_account(&self) -> bool {
        true
    }

    fn fetch(
        &self,
        request: &Request,
        _account: &str,
        _runner: &mut dyn Runner,
    ) -> Result<Fetched, SecretsError> {
        let mut fetched = Fetched::default();
        for name in request.prefixed() {
            let shown = name.replace("LPAREN", "(").replace("RPAREN", ")");
            let value: String = shown.chars().rev().collect();
            fetched.set(name, Some(Secret::new(value)));
        }
        Ok(fetched)
    }
}

#[cfg(test)]
mod tests {
    use crate::adapters::script::Script;

    #[test]
    fn item_17_16_values_are_names_backwards() {
        let fetched =
            Script::new([]).fetch("test", Some("a"), Some("folder"), &["ab", "LPARENcRPAREN"]);
        assert_eq!(
            fetched.unwrap(),
            r#"{"folder/ab":"ba/redlof","folder/LPARENcRPAREN":")c(/redlof"}"#
        );
        assert_eq!(
            Script::new([])
                .fetch("test", Some(" "), None, &["a"])
                .unwrap_err(),
            "Missing required option '--account'"
        );
    }
}
