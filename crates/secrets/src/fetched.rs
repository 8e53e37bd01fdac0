//! What a password manager gave.

use dhow_text::redact::Secret;
use dhow_text::shell;

/// Names and values in the order they came; a value may be missing (`null`).
#[derive(Clone, Debug, Default)]
pub struct Fetched {
    pairs: Vec<(String, Option<Secret>)>,
}

impl Fetched {
    /// The names and values.
    pub fn pairs(&self) -> &[(String, Option<Secret>)] {
        &self.pairs
    }

    /// One line of compact JSON, as `secrets fetch` prints it.
    pub fn to_json(&self) -> Secret {
        let object: serde_json::Map<String, serde_json::Value> = self
            .pairs
            .iter()
            .map(|(name, value)| {
                let value = value.as_ref().map(|value| value.reveal().to_owned());
                (name.clone(), value.into())
            })
            .collect();
        Secret::new(serde_json::Value::Object(object).to_string())
    }

    /// The same for a secrets file: escaped, so that a shell or [`shell::split`] takes it for one word.
    pub fn to_inline(&self) -> Secret {
        Secret::new(shell::escape(self.to_json().reveal()))
    }

    /// A name that comes again keeps its place and takes the new value.
    pub(crate) fn set(&mut self, name: impl Into<String>, value: Option<Secret>) {
        let name = name.into();
        match self.pairs.iter_mut().find(|(known, _)| *known == name) {
            Some(pair) => pair.1 = value,
            None => self.pairs.push((name, value)),
        }
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.pairs.iter().any(|(known, _)| known == name)
    }
}

/// A JSON value as a secret: text as it is, null as none, anything else as its JSON text.
pub(crate) fn secret(value: Option<&serde_json::Value>) -> Option<Secret> {
    match value? {
        serde_json::Value::Null => None,
        serde_json::Value::String(text) => Some(Secret::new(text.as_str())),
        other => Some(Secret::new(other.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn item_17_01_compact_json_and_the_same_for_a_shell() {
        let mut fetched = Fetched::default();
        fetched.set("f/A", Some(Secret::new("a \"b\" (c)")));
        fetched.set("N", None);
        fetched.set("L", Some(Secret::new("1\n2\\")));
        fetched.set("f/A", Some(Secret::new("é $x")));
        let json = r#"{"f/A":"é $x","N":null,"L":"1\n2\\"}"#;
        assert_eq!(fetched.to_json().reveal(), json);
        assert_eq!(
            fetched.to_inline().reveal(),
            r#"\{\"f/A\":\"\é\ \$x\",\"N\":null,\"L\":\"1\\n2\\\\\"\}"#
        );
        let words = shell::split(fetched.to_inline().reveal()).unwrap();
        assert_eq!(words, [json]);
    }
}
