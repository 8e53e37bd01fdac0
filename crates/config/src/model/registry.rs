//! `registry`: where images come from.

/// A registry and how to log in to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registry {
    /// `server`; none is Docker Hub.
    pub server: Option<String>,
    /// `username`; none for a local registry.
    pub username: Option<Credential>,
    /// `password`; none for a local registry.
    pub password: Option<Credential>,
    /// Whether the section was left out: images are delivered directly.
    pub omitted: bool,
}

/// A user name or password: written out, or the name of a secret (a list of one).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credential {
    /// Written in the deploy file (redacted wherever it is shown).
    Literal(dhow_text::redact::Secret),
    /// A key of the secrets files.
    Secret(String),
}

impl Registry {
    /// What an omitted section means: `localhost:5555`, no log-in.
    pub fn omitted() -> Self {
        Self {
            server: Some("localhost:5555".to_owned()),
            username: None,
            password: None,
            omitted: true,
        }
    }

    /// Whether it runs on the deployer's own machine (`localhost:PORT`).
    pub fn is_local(&self) -> bool {
        self.server.as_deref().is_some_and(|server| {
            server.starts_with("localhost:") || server.starts_with("localhost$")
        })
    }

    /// The port of a local registry: the digits after the last colon, 0 if there are none.
    pub fn local_port(&self) -> Option<u16> {
        let server = self.server.as_deref().filter(|_| self.is_local())?;
        let tail = server.rsplit(':').next().unwrap_or("");
        let digits: String = tail.chars().take_while(char::is_ascii_digit).collect();
        Some(digits.parse().unwrap_or(0))
    }
}
