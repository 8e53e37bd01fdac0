//! One secret out of what was fetched.

use dhow_text::redact::Secret;

use crate::SecretsError;
use crate::fetched::secret;

/// The value of a name in the JSON that `secrets fetch` gave: of that very key, else of the first that ends in `/name`.
pub fn extract(name: &str, json: &Secret) -> Result<Secret, SecretsError> {
    let parsed: serde_json::Value = serde_json::from_str(json.reveal())
        .map_err(|error| SecretsError::json("the text to extract from", &error))?;
    let not_found = || SecretsError::adapter(format!("Could not find secret {name}"));
    let object = parsed.as_object().ok_or_else(not_found)?;
    let suffix = format!("/{name}");
    let present =
        |value: &&serde_json::Value| !value.is_null() && **value != serde_json::Value::Bool(false);
    let value = object.get(name).filter(present).or_else(|| {
        object
            .iter()
            .find(|(key, _)| key.ends_with(&suffix))
            .map(|(_, value)| value)
    });
    secret(value).ok_or_else(not_found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(name: &str, json: &str) -> Result<String, String> {
        extract(name, &Secret::new(json))
            .map(|s| s.reveal().to_owned())
            .map_err(|e| e.to_string())
    }

    #[test]
    fn item_17_03_the_very_key_wins_and_then_the_first_with_that_end() {
        let json =
            r#"{"v/A":"1","A":"2","w/B":"3","x/B":"4","N":null,"y/N":"5","Z":null,"p":5432}"#;
        assert_eq!(found("A", json).unwrap(), "2");
        assert_eq!(found("B", json).unwrap(), "3");
        assert_eq!(found("N", json).unwrap(), "5");
        assert_eq!(found("p", json).unwrap(), "5432");
        assert_eq!(found("Z", json).unwrap_err(), "Could not find secret Z");
        assert_eq!(found("v", json).unwrap_err(), "Could not find secret v");
    }

    #[test]
    fn item_17_03_a_text_that_is_no_json_is_not_shown() {
        let error = extract("A", &Secret::new("{A: hunter2}")).unwrap_err();
        assert_eq!(error.class(), "JSON::ParserError");
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }
}
