//! The deploy lock: a directory on the primary host, made by whoever deploys.
//!
//! In: who locks, when, for what. Out: commands for the primary host. The lines of this file are Kamal's; [`lease`] is what dhow
//! adds, so that a lock does not outlive the one who took it.

pub mod lease;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use dhow_config::Config;
use dhow_text::shell::Cmd;

use crate::paths;

/// What `mkdir` says (in English) when the lock is taken.
pub const HELD: &str = "cannot create directory";
/// What `stat` and `rm` say (in English) when there is no lock.
pub const MISSING: &str = "No such file or directory";
/// The message of a lock that a command takes by itself. A lock without it was taken by hand.
pub const AUTOMATIC: &str = "Automatic deploy lock";

/// What the lock says about itself: three lines, without a final line feed.
///
/// `name` is `git config user.name` (`Unknown` without git), `recorded_at` UTC in ISO 8601 with seconds.
pub fn details(name: &str, recorded_at: &str, version: &str, message: &str) -> String {
    format!("Locked by: {name} at {recorded_at}\nVersion: {version}\nMessage: {message}")
}

/// Takes the lock. Fails with [`HELD`] if somebody has it.
pub fn acquire(config: &Config, details: &str) -> Cmd {
    Cmd::new("mkdir")
        .arg(paths::lock(config))
        .and(write_details(config, details))
}

/// Gives the lock back, whoever took it. Fails with [`MISSING`] if nobody has it.
pub fn release(config: &Config) -> Cmd {
    let lock = paths::lock(config);
    Cmd::new("rm")
        .arg(details_file(config))
        .and(Cmd::new("rm").arg("-r").arg(lock))
}

/// Prints the lock's [`details`]. Fails with [`MISSING`] if nobody has it.
pub fn status(config: &Config) -> Cmd {
    Cmd::new("stat")
        .arg(paths::lock(config))
        .arg("> /dev/null")
        .and(Cmd::new("cat").arg(details_file(config)))
        .pipe(Cmd::new("base64").arg("-d"))
}

fn write_details(config: &Config, details: &str) -> Cmd {
    Cmd::new("echo")
        .arg(format!("\"{}\"", encode(details)))
        .arg(">")
        .arg(details_file(config))
}

fn details_file(config: &Config) -> String {
    format!("{}/details", paths::lock(config))
}

/// The content of the lock's `details`: base64 with a line feed after every 60 characters and at the end.
pub fn encode(text: &str) -> String {
    let encoded = STANDARD.encode(text);
    let mut out = String::with_capacity(encoded.len() + encoded.len() / 60 + 1);
    for (at, c) in encoded.chars().enumerate() {
        if at > 0 && at % 60 == 0 {
            out.push('\n');
        }
        out.push(c);
    }
    out.push('\n');
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{app, staged};

    const DETAILS: &str =
        "Locked by: Zoë at 2026-01-02T03:04:05Z\nVersion: 123\nMessage: Automatic deploy lock";
    const ENCODED: &str = "TG9ja2VkIGJ5OiBab8OrIGF0IDIwMjYtMDEtMDJUMDM6MDQ6MDVaClZlcnNp\nb246IDEyMwpNZXNzYWdlOiBBdXRvbWF0aWMgZGVwbG95IGxvY2s=\n";

    #[test]
    fn item_84_details_are_three_lines() {
        assert_eq!(
            details("Zoë", "2026-01-02T03:04:05Z", "123", AUTOMATIC),
            DETAILS
        );
    }

    #[test]
    fn item_85_base64_is_wrapped_at_sixty() {
        assert_eq!(encode(DETAILS), ENCODED);
        assert_eq!(encode(&"a".repeat(45)), format!("{}\n", "YWFh".repeat(15)));
    }

    #[test]
    fn item_83_acquire() {
        assert_eq!(
            acquire(&app(), DETAILS).real(),
            format!("mkdir .kamal/lock-app && echo \"{ENCODED}\" > .kamal/lock-app/details")
        );
        assert_eq!(
            acquire(&staged(), DETAILS).real(),
            format!(
                "mkdir .kamal/lock-app-stg && echo \"{ENCODED}\" > .kamal/lock-app-stg/details"
            )
        );
    }

    #[test]
    fn item_86_status_and_release() {
        assert_eq!(
            status(&app()).real(),
            "stat .kamal/lock-app > /dev/null && cat .kamal/lock-app/details | base64 -d"
        );
        assert_eq!(
            release(&app()).real(),
            "rm .kamal/lock-app/details && rm -r .kamal/lock-app"
        );
        assert_eq!(
            status(&staged()).real(),
            "stat .kamal/lock-app-stg > /dev/null && cat .kamal/lock-app-stg/details | base64 -d"
        );
        assert_eq!(
            release(&staged()).real(),
            "rm .kamal/lock-app-stg/details && rm -r .kamal/lock-app-stg"
        );
    }
}
