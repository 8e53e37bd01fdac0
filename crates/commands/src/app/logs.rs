//! Logs of the running app container.

use dhow_config::{Config, Role};
use dhow_text::shell::Cmd;

use super::current_container_id;
use crate::LogOptions;

/// Prints the log of the role's current container, or of the one with `container_id`.
pub fn logs(
    config: &Config,
    role: &Role,
    container_id: Option<&str>,
    options: &LogOptions<'_>,
) -> Cmd {
    let logs = Cmd::new("xargs docker logs")
        .args(options.timestamps_flag())
        .args(options.since_flag())
        .args(options.tail_flag())
        .arg("2>&1");
    options.filtered(which(config, role, container_id).pipe(logs))
}

/// Prints the log as it grows. Docker's `--since` is not used, as Kamal does not.
pub fn follow_logs(
    config: &Config,
    role: &Role,
    container_id: Option<&str>,
    options: &LogOptions<'_>,
) -> Cmd {
    let logs = Cmd::new("xargs docker logs")
        .args(options.timestamps_flag())
        .args(options.tail_flag())
        .arg("--follow")
        .arg("2>&1");
    options.followed(which(config, role, container_id).pipe(logs))
}

fn which(config: &Config, role: &Role, container_id: Option<&str>) -> Cmd {
    match container_id {
        Some(id) => Cmd::new(format!("sh -c 'echo {}'", id.replace('\'', r"'\''"))),
        None => current_container_id(config, role),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{app, role};

    #[test]
    fn item_181_logs() {
        let config = app();
        let web = role(&config, "web");
        let current = current_container_id(&config, web).real();
        let options = LogOptions {
            timestamps: true,
            since: Some("5m"),
            lines: Some(100),
            grep: Some("hey"),
            grep_options: Some("-A 2"),
        };
        assert_eq!(
            logs(&config, web, None, &options).real(),
            format!(
                "{current} | xargs docker logs --timestamps --since 5m --tail 100 2>&1 | grep 'hey' -A 2"
            )
        );
        assert_eq!(
            logs(&config, web, Some("C137"), &LogOptions::default()).real(),
            "sh -c 'echo C137' | xargs docker logs 2>&1"
        );
    }

    #[test]
    fn item_182_follow_ignores_since_and_uses_double_quotes() {
        let config = app();
        let web = role(&config, "web");
        let current = current_container_id(&config, web).real();
        let options = LogOptions {
            timestamps: true,
            since: Some("5m"),
            lines: Some(10),
            grep: Some("hey"),
            grep_options: Some("-A 2"),
        };
        assert_eq!(
            follow_logs(&config, web, None, &options).real(),
            format!(
                "{current} | xargs docker logs --timestamps --tail 10 --follow 2>&1 | grep \"hey\" -A 2"
            )
        );
    }
}
