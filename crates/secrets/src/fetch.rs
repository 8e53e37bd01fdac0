//! `secrets fetch`: which password manager, and the order of checks.

use crate::adapters::{self, Adapter};
use crate::runner::Runner;
use crate::{Fetched, SecretsError};

/// What is to be fetched from where.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// The adapter as the user names it: `1password`, `bitwarden-sm`, `aws_secrets_manager`, …
    pub adapter: String,
    /// The account, where the adapter has one.
    pub account: Option<String>,
    /// What to put before each name: a vault, an item, a project.
    pub from: Option<String>,
    /// The names.
    pub names: Vec<String>,
}

impl Request {
    /// The names with `from` before each.
    pub(crate) fn prefixed(&self) -> Vec<String> {
        let with_prefix = |name: &String| match &self.from {
            Some(from) => format!("{from}/{name}"),
            None => name.clone(),
        };
        self.names.iter().map(with_prefix).collect()
    }
}

/// Whether an adapter needs an account, which the command line has to ask for; an unknown adapter is an error.
pub fn requires_account(adapter: &str) -> Result<bool, SecretsError> {
    Ok(adapters::find(adapter)?.requires_account())
}

/// Fetches: checks the account, looks for the program, logs in where needed, reads.
pub fn fetch(request: &Request, runner: &mut dyn Runner) -> Result<Fetched, SecretsError> {
    let adapter: &dyn Adapter = adapters::find(&request.adapter)?;
    let account = request
        .account
        .as_deref()
        .filter(|account| !account.trim().is_empty());
    if adapter.requires_account() && account.is_none() {
        return Err(SecretsError::adapter("Missing required option '--account'"));
    }
    adapter.fetch(request, account.unwrap_or(""), runner)
}
