//! The audit log: a line on every host for what was done there, when and by whom.
//!
//! In: who and when, as values, and what. Out: commands for the hosts that it was done on.

mod entry;

pub use entry::Entry;

use dhow_config::Config;
use dhow_text::shell::{Cmd, quote_value};

use crate::paths;

/// Who does it, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AuditContext<'a> {
    /// UTC, ISO 8601 with seconds: `2026-01-02T03:04:05Z`.
    pub recorded_at: &'a str,
    /// `git config user.email`, or the user's name.
    pub performer: &'a str,
    /// The destination, if any.
    pub destination: Option<&'a str>,
}

/// Makes the run directory.
pub fn make_run_directory() -> Cmd {
    Cmd::new("mkdir").arg("-p").arg(paths::RUN_DIRECTORY)
}

/// Appends `[time] [performer] [destination] [tag]… message`. A role, where the entry is about one, is a tag.
pub fn record(config: &Config, context: &AuditContext<'_>, tags: &[&str], message: &str) -> Cmd {
    let who_and_when = [context.recorded_at, context.performer];
    let mut line = String::new();
    for tag in who_and_when.iter().chain(&context.destination).chain(tags) {
        line.push('[');
        line.push_str(tag);
        line.push_str("] ");
    }
    line.push_str(message);
    make_run_directory().and(print(&line).arg(">>").arg(paths::audit_log(config)))
}

/// Prints the last fifty entries.
pub fn tail(config: &Config) -> Cmd {
    Cmd::new("tail")
        .arg("-n")
        .arg("50")
        .arg(paths::audit_log(config))
}

/// `echo`, or `printf` where the `echo` of a plain `sh` would read backslashes that the shells Kamal runs in leave alone.
fn print(line: &str) -> Cmd {
    let quoted = quote_value(line);
    if line.contains('\\') || line.contains(|c: char| c.is_ascii_control()) || line.contains("#{") {
        Cmd::new("printf").arg(r"'%s\n'").arg(quoted)
    } else {
        Cmd::new("echo").arg(quoted)
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;
    use crate::sample::{app, staged};

    const NOW: AuditContext<'static> = AuditContext {
        recorded_at: "2026-01-02T03:04:05Z",
        performer: "me@example.com",
        destination: None,
    };

    /// parity: commands 78
    #[test]
    fn item_76_audit_line() {
        let config = app();
        assert_eq!(
            record(&config, &NOW, &[], "Pruned containers").real(),
            r#"mkdir -p .kamal && echo "[2026-01-02T03:04:05Z] [me@example.com] Pruned containers" >> .kamal/app-audit.log"#
        );
        assert_eq!(
            record(&config, &NOW, &["web"], "Booted app version 123").real(),
            r#"mkdir -p .kamal && echo "[2026-01-02T03:04:05Z] [me@example.com] [web] Booted app version 123" >> .kamal/app-audit.log"#
        );
        let staging = AuditContext {
            destination: Some("stg"),
            ..NOW
        };
        assert_eq!(
            record(&staged(), &staging, &["web"], "Stopped app").real(),
            r#"mkdir -p .kamal && echo "[2026-01-02T03:04:05Z] [me@example.com] [stg] [web] Stopped app" >> .kamal/app-stg-audit.log"#
        );
    }

    #[test]
    fn item_79_tail() {
        assert_eq!(tail(&app()).real(), "tail -n 50 .kamal/app-audit.log");
        assert_eq!(
            tail(&staged()).real(),
            "tail -n 50 .kamal/app-stg-audit.log"
        );
    }

    /// What bash's `echo` would have written, whatever the host's `sh` is.
    #[test]
    fn backslashes_arrive_as_they_were_written() {
        let home = tempfile::tempdir().expect("a directory");
        let message = r#"Executed cmd 'grep a\nb "x" `y` $z \c#{q}' on h"#;
        let script = record(&app(), &NOW, &[], message).real();
        let status = Command::new("sh")
            .args(["-c", &script])
            .current_dir(home.path())
            .status();
        assert!(status.expect("sh runs").success());
        let log = std::fs::read_to_string(home.path().join(".kamal/app-audit.log"));
        assert_eq!(
            log.expect("the log is there"),
            "[2026-01-02T03:04:05Z] [me@example.com] Executed cmd 'grep a\\nb \"x\" `y` $z \\c\\#{q}' on h\n"
        );
    }
}
