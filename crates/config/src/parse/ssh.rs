//! `ssh` and `sshkit`: how hosts are reached.

use dhow_text::diagnostic::Diagnostic;
use dhow_text::yaml::{Map, Node, Value};

use crate::findings::Findings;
use crate::model::{Ssh, SshConfigFiles, Sshkit};
use crate::scalar::{bool_at, int_at, text, text_at, texts, truthy};
use crate::schema::{check_keys, keys};

/// What `log_level` may be, in upper or lower case.
pub(crate) const LOG_LEVELS: [&str; 6] = ["debug", "info", "warn", "error", "fatal", "unknown"];

/// Checks `ssh`.
pub(super) fn check(map: &Map, findings: &mut Findings) {
    check_keys(keys::SSH, false, map, "ssh", findings);
}

/// Checks the port and the log level, which Kamal would fall over only when it connects.
pub(super) fn check_late(map: &Map, findings: &mut Findings) {
    if let Some(port) = map.get("port")
        && !findings.faulty("ssh/port")
        && read_port(port).is_none()
    {
        findings.error("ssh/port", "should be a port number", port.span);
    }
    check_log_level(map, findings);
}

fn check_log_level(map: &Map, findings: &mut Findings) {
    let Some(level) = map.get("log_level") else {
        return;
    };
    let number = matches!(level.value, Value::Int(_));
    if let Some(name) = text(level)
        && !number
        && !LOG_LEVELS.contains(&name.to_lowercase().as_str())
    {
        let diagnostic = Diagnostic::error("ArgumentError", format!("invalid log level: {name}"))
            .at(level.span, "")
            .hinted(format!("one of {}", LOG_LEVELS.join(", ")));
        findings.push("ssh/log_level", diagnostic);
    }
}

/// The `ssh` section.
pub(super) fn read(map: &Map) -> Ssh {
    let default = Ssh::default();
    Ssh {
        user: text_at(map, "user").unwrap_or(default.user),
        port: map.get("port").and_then(read_port).unwrap_or(default.port),
        proxy: text_at(map, "proxy"),
        proxy_command: text_at(map, "proxy_command"),
        log_level: text_at(map, "log_level").unwrap_or(default.log_level),
        keys_only: bool_at(map, "keys_only"),
        keys: map.get("keys").map(texts),
        key_data: map.get("key_data").map(texts),
        config: map
            .get("config")
            .map_or(SshConfigFiles::Default, read_config),
        forward_agent: bool_at(map, "forward_agent"),
    }
}

/// Checks `sshkit`.
pub(super) fn check_sshkit(map: &Map, findings: &mut Findings) {
    check_keys(keys::SSHKIT, false, map, "sshkit", findings);
}

/// The `sshkit` section.
pub(super) fn read_sshkit(map: &Map) -> Sshkit {
    let default = Sshkit::default();
    Sshkit {
        max_concurrent_starts: int_at(map, "max_concurrent_starts")
            .unwrap_or(default.max_concurrent_starts),
        pool_idle_timeout: int_at(map, "pool_idle_timeout").unwrap_or(default.pool_idle_timeout),
        dns_retries: int_at(map, "dns_retries").unwrap_or(default.dns_retries),
    }
}

fn read_port(port: &Node) -> Option<u16> {
    text(port)?.trim().parse().ok().filter(|port| *port > 0)
}

fn read_config(config: &Node) -> SshConfigFiles {
    match &config.value {
        Value::Bool(_) if truthy(Some(config)) => SshConfigFiles::On,
        Value::Bool(_) => SshConfigFiles::Off,
        Value::Seq(_) => SshConfigFiles::Files(texts(config)),
        _ => text(config).map_or(SshConfigFiles::Default, SshConfigFiles::File),
    }
}
