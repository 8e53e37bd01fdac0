//! The log file that `output.file` of the deploy file asks for: every line at every level, and how it ended.

use std::time::Duration;

use dhow_run::{Event, EventKind};
use dhow_text::redact::Redactor;

use crate::plain::Plain;
use crate::redacted::redacted;
use crate::reporter::{Options, Verbosity};

/// The name of the file: `2026-01-02T03-04-05_staging_app_boot.log`. `local_time` is the start in local time, written like that.
pub fn log_file_name(local_time: &str, destination: Option<&str>, command: &str) -> String {
    let mut parts = vec![local_time];
    parts.extend(destination.filter(|d| !d.is_empty()));
    parts.extend(command.split_whitespace());
    format!("{}.log", parts.join("_"))
}

/// Turns events into the text of the file; the caller appends it.
#[derive(Debug)]
pub struct LogFile {
    plain: Plain,
    redactor: Redactor,
    last: Duration,
    ended: bool,
}

impl LogFile {
    /// An empty file.
    pub fn new(redactor: Redactor) -> Self {
        let plain = Plain::new(Options {
            verbosity: Verbosity::Verbose,
            ..Options::default()
        });
        Self {
            plain,
            redactor,
            last: Duration::ZERO,
            ended: false,
        }
    }

    /// The text that one event adds.
    pub fn event(&mut self, event: &Event) -> String {
        let event = redacted(event, &self.redactor);
        self.last = event.at;
        let mut text = self.plain.line(&event);
        if let EventKind::CommandFinished { ok, seconds, .. } = event.kind {
            text.push_str(&self.end(ok, seconds));
        }
        text
    }

    /// The last line, for a command that never told its end. Harmless otherwise.
    pub fn finish(&mut self) -> String {
        self.end(false, self.last.as_secs_f64())
    }

    fn end(&mut self, ok: bool, seconds: f64) -> String {
        if std::mem::replace(&mut self.ended, true) {
            return String::new();
        }
        match self.plain.troubles().in_kamals_words() {
            Some((class, text)) => {
                format!("# FAILED: {class}: {} ({seconds:.1}s)\n", text.trim_end())
            }
            None if ok => format!("# Completed in {seconds:.1}s\n"),
            None => format!("# FAILED: Interrupt: ended early ({seconds:.1}s)\n"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reporter::tests::{TOKEN, deploy, event, redactor};

    #[test]
    fn config_item_18_08_names_are_kamals() {
        let time = "2026-01-02T03-04-05";
        assert_eq!(
            log_file_name(time, None, "deploy"),
            "2026-01-02T03-04-05_deploy.log"
        );
        assert_eq!(
            log_file_name(time, Some("staging"), "app boot"),
            "2026-01-02T03-04-05_staging_app_boot.log"
        );
    }

    #[test]
    fn config_item_18_08_every_level_is_in_it_and_the_end() {
        let mut file = LogFile::new(redactor());
        let mut text: String = deploy().iter().map(|e| file.event(e)).collect();
        text.push_str(&file.finish());
        assert!(
            text.contains("\n DEBUG [0000000b] Running mkdir -p .kamal on 10.0.0.1\n"),
            "{text}"
        );
        assert!(text.starts_with("Pull app image...\n"), "{text}");
        assert!(text.contains("\n# FAILED: SSHKit::Command::Failed: Exception while executing on host 10.0.0.2: docker exit status: 1\n"));
        assert!(text.ends_with(" (12.3s)\n"), "{text}");
        assert!(
            !text.contains(TOKEN) && text.contains("[REDACTED]"),
            "{text}"
        );
    }

    #[test]
    fn config_item_18_08_success_and_a_cut() {
        let finished = event(
            1.24,
            EventKind::CommandFinished {
                ok: true,
                seconds: 1.24,
                exit: 0,
            },
        );
        assert_eq!(
            LogFile::new(redactor()).event(&finished),
            "# Completed in 1.2s\n"
        );
        assert_eq!(
            LogFile::new(redactor()).finish(),
            "# FAILED: Interrupt: ended early (0.0s)\n"
        );
    }
}
