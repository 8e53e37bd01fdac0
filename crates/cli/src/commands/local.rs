//! Commands that connect to nothing: `version`, `docs`, `init`, `config`; and what goes to a terminal without a report around it.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use dhow_config::{Failure, Loaded, docs, dump, templates};
use dhow_text::diagnostic::{Diagnostic, Severity};
use dhow_text::redact::Redactor;
use dhow_text::render::render;
use dhow_text::source::Sources;

use crate::args::{Command, Global, Init, Invocation};
use crate::edge::Edge;
use crate::git::Git;

/// Runs a command that needs no deploy file; none if it is not one.
pub(super) fn without_deploy_file(edge: &Edge, invocation: &Invocation) -> Option<ExitCode> {
    match &invocation.command {
        Command::Version => print(&format!("{}\n", dhow_config::KAMAL_VERSION)),
        Command::Schema => print(&dhow_config::json_schema()),
        Command::Docs(options) => print(&docs_page(options.section.as_deref())),
        Command::Init(options) => return Some(init(edge, options)),
        Command::Secrets(command) => return super::secrets::without_deploy_file(edge, command),
        _ => return None,
    }
    Some(ExitCode::SUCCESS)
}

/// Runs a command that needs nothing but a deploy file; none if it is not one.
pub(super) fn with_deploy_file(
    edge: &Edge,
    invocation: &Invocation,
    loaded: &Loaded,
) -> Option<ExitCode> {
    match invocation.command {
        Command::Config => {}
        Command::Secrets(_) => return Some(super::secrets::print(edge, &loaded.config)),
        _ => return None,
    }
    Some(match version(edge, &invocation.global, loaded) {
        Ok(version) => {
            print(&dump(loaded, &version));
            ExitCode::SUCCESS
        }
        Err(failure) => {
            let diagnostic = Diagnostic::error("RuntimeError", failure.message);
            let shown = Failure {
                diagnostics: vec![diagnostic],
                sources: Sources::default(),
                credentials: Vec::new(),
            };
            show_diagnostics(edge, &shown)
        }
    })
}

/// Prints what is wrong with a deploy file: every problem with its line, then Kamal's own last line.
pub(super) fn show_diagnostics(edge: &Edge, failure: &Failure) -> ExitCode {
    let colour = edge.stdout_is_terminal && edge.env("NO_COLOR").is_none_or(str::is_empty);
    let placed: Vec<Diagnostic> = failure
        .diagnostics
        .iter()
        .filter(|d| !d.labels.is_empty() || d.hint.is_some())
        .cloned()
        .collect();
    if !placed.is_empty() {
        let redactor = Redactor::new(failure.credentials.iter().cloned());
        complain(&redactor.redact(&render(&placed, &failure.sources, colour)));
    }
    let first = failure
        .diagnostics
        .iter()
        .find(|d| d.severity == Severity::Error);
    // Kamal's own line, for scripts; on a terminal the same has just been said.
    if let Some(first) = first.filter(|_| placed.is_empty() || !edge.stdout_is_terminal) {
        print(&format!(
            "  \u{1b}[31mERROR ({}): {}\u{1b}[0m\n",
            first.class, first.message
        ));
    }
    ExitCode::FAILURE
}

/// Prints what is odd about a deploy file, to standard error.
pub(super) fn show_warnings(edge: &Edge, global: &Global, loaded: &Loaded) {
    if !loaded.warnings.is_empty() && !global.quiet {
        let colour = edge.stdout_is_terminal && edge.env("NO_COLOR").is_none_or(str::is_empty);
        let redactor = Redactor::new(loaded.raw.credentials());
        complain(&redactor.redact(&render(&loaded.warnings, loaded.raw.sources(), colour)));
    }
}

/// Text for standard output. A reader that went away wants no more.
pub(super) fn print(text: &str) {
    let _ = std::io::stdout().write_all(text.as_bytes());
}

/// Text for standard error, on lines of its own.
pub(crate) fn complain(text: &str) {
    let _ = writeln!(std::io::stderr(), "{}", text.trim_end_matches('\n'));
}

fn version(
    edge: &Edge,
    global: &Global,
    loaded: &Loaded,
) -> Result<String, Box<dhow_run::Failure>> {
    if let Some(version) = global.version.as_deref().filter(|v| !v.trim().is_empty()) {
        return Ok(version.to_owned());
    }
    match edge.env("VERSION") {
        Some(version) => Ok(version.to_owned()),
        None => Git::new(edge).version(loaded.config.builder.context.is_some()),
    }
}

fn docs_page(section: Option<&str>) -> String {
    match docs(section) {
        Some(page) => page.to_owned(),
        None => format!(
            "No documentation found for {}\n",
            section.unwrap_or_default()
        ),
    }
}

/// `init`: the deploy file, the secrets file and sample hooks; what is there stays.
fn init(edge: &Edge, options: &Init) -> ExitCode {
    match write_templates(edge) {
        Ok(lines) => {
            print(&lines);
            if options.bundle {
                print("Nothing to bundle: dhow is one program and needs no Gemfile\n");
            }
            ExitCode::SUCCESS
        }
        Err(error) => {
            complain(&format!("dhow: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn write_templates(edge: &Edge) -> std::io::Result<String> {
    let mut said = String::new();
    let deploy_file = edge.path("config/deploy.yml");
    if deploy_file.exists() {
        said.push_str(
            "Config file already exists in config/deploy.yml (remove first to create a new one)\n",
        );
    } else {
        write(&deploy_file, templates::DEPLOY_FILE, 0o644)?;
        said.push_str("Created configuration file in config/deploy.yml\n");
        said.push_str(
            "Its first lines say how editors complete and check it, with `dhow schema`\n",
        );
    }
    let secrets = edge.path(".kamal/secrets");
    if !secrets.exists() {
        write(&secrets, templates::SECRETS, 0o644)?;
        said.push_str("Created .kamal/secrets file\n");
    }
    let hooks = edge.path(".kamal/hooks");
    if !hooks.exists() {
        for (name, text) in templates::SAMPLE_HOOKS {
            write(&hooks.join(name), text, 0o755)?;
        }
        said.push_str("Created sample hooks in .kamal/hooks\n");
    }
    Ok(said)
}

fn write(path: &Path, text: &str, mode: u32) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    if let Some(directory) = path.parent() {
        std::fs::create_dir_all(directory)?;
    }
    std::fs::write(path, text)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))
}
