//! `secrets …`: what password managers and the secrets files hold, printed for programs that read it.

use std::process::ExitCode;

use dhow_config::{Config, Failure as ConfigFailure};
use dhow_secrets::{Request, SecretsError, extract, fetch, requires_account};
use dhow_text::diagnostic::Diagnostic;
use dhow_text::redact::Secret;
use dhow_text::source::Sources;

use super::local;
use crate::args::{FetchSecrets, Secrets};
use crate::edge::Edge;
use crate::secrets::{self, Programs, files};

/// The commands that need no deploy file; none for the others.
pub(super) fn without_deploy_file(edge: &Edge, command: &Secrets) -> Option<ExitCode> {
    match command {
        Secrets::Fetch(args) => Some(fetched(edge, args)),
        Secrets::Extract(args) => Some(shown(
            edge,
            extract(&args.name, &Secret::new(args.json.as_str())),
        )),
        Secrets::Print => None,
    }
}

/// `secrets print`
pub(super) fn print(edge: &Edge, config: &Config) -> ExitCode {
    let files = files(edge, &config.secrets_path, config.destination.as_deref());
    match files.print() {
        Ok(text) => {
            let warnings = secrets::warnings(&files).unwrap_or_default();
            warnings.iter().for_each(|text| local::complain(text));
            local::print(text.reveal());
            ExitCode::SUCCESS
        }
        Err(error) => complaint(edge, &error),
    }
}

fn fetched(edge: &Edge, args: &FetchSecrets) -> ExitCode {
    let account = args
        .account
        .as_deref()
        .is_some_and(|account| !account.trim().is_empty());
    match requires_account(&args.adapter) {
        Ok(true) if !account => {
            local::print("No value provided for required options '--account'\n");
            return ExitCode::SUCCESS;
        }
        Ok(_) => {}
        Err(error) => return complaint(edge, &error),
    }
    let request = Request {
        adapter: args.adapter.clone(),
        account: args.account.clone(),
        from: args.from.clone(),
        names: args.names.clone(),
    };
    let fetched = fetch(&request, &mut Programs(edge));
    shown(
        edge,
        fetched.map(|fetched| {
            if args.inline {
                fetched.to_inline()
            } else {
                fetched.to_json()
            }
        }),
    )
}

fn shown(edge: &Edge, text: Result<Secret, SecretsError>) -> ExitCode {
    match text {
        Ok(text) => {
            local::print(&format!("{}\n", text.reveal()));
            ExitCode::SUCCESS
        }
        Err(error) => complaint(edge, &error),
    }
}

fn complaint(edge: &Edge, error: &SecretsError) -> ExitCode {
    let (diagnostic, sources) = match error {
        SecretsError::Malformed {
            diagnostic,
            sources,
        } => (diagnostic.as_ref().clone(), sources.as_ref().clone()),
        other => (
            Diagnostic::error(other.class(), other.to_string()),
            Sources::default(),
        ),
    };
    local::show_diagnostics(
        edge,
        &ConfigFailure {
            diagnostics: vec![diagnostic],
            sources,
            credentials: Vec::new(),
        },
    )
}
