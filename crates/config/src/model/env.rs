//! `env`: clear values and names of secrets.

use super::Pairs;

/// The environment of a container before its secrets are looked up.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Env {
    /// Clear values, given on docker's command line.
    pub clear: Pairs,
    /// Secrets, given in the env file.
    pub secrets: Vec<SecretRef>,
}

/// An item of `env.secret`: `NAME` or `NAME:SECRET`, split at the first colon.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SecretRef {
    /// The variable's name in the container.
    pub name: String,
    /// The key in the secrets files.
    pub secret: String,
}

impl SecretRef {
    /// Reads an item.
    pub fn new(item: &str) -> Self {
        let (name, secret) = item.split_once(':').unwrap_or((item, item));
        Self {
            name: name.to_owned(),
            secret: secret.to_owned(),
        }
    }
}

impl Env {
    /// `self` with `over` on top: clear values are replaced in place, secrets are added in order.
    #[must_use]
    pub fn merged(&self, over: &Self) -> Self {
        let mut merged = self.clone();
        for (key, value) in &over.clear {
            match merged.clear.iter_mut().find(|(k, _)| k == key) {
                Some(pair) => pair.1 = value.clone(),
                None => merged.clear.push((key.clone(), value.clone())),
            }
        }
        for secret in &over.secrets {
            if !merged.secrets.contains(secret) {
                merged.secrets.push(secret.clone());
            }
        }
        merged
    }
}
