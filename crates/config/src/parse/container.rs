//! What roles and accessories have in common as containers: labels that are taken, and `options.restart`.

use dhow_text::yaml::{Map, Node, Value};

use crate::findings::{Findings, below};
use crate::model::Pairs;
use crate::scalar;

/// Labels that are always set.
pub(crate) const RESERVED_LABELS: [&str; 3] = ["destination", "role", "service"];
/// Restart policies; `on-failure` may have a number of attempts.
pub(crate) const RESTART_POLICIES: [&str; 4] = ["no", "always", "unless-stopped", "on-failure"];
const DEFAULT_RESTART: &str = "unless-stopped";

/// Checks `labels` for names that Kamal sets itself, and `options.restart`.
pub(super) fn check(map: &Map, path: &str, findings: &mut Findings) {
    check_labels(map, path, findings);
    check_restart(map, path, findings);
}

/// The restart policy.
pub(super) fn restart(map: &Map) -> String {
    restart_node(map)
        .and_then(scalar::text)
        .unwrap_or_else(|| DEFAULT_RESTART.to_owned())
}

/// `options` without `restart`.
pub(super) fn options(map: &Map) -> Pairs {
    let mut pairs = scalar::pairs_at(map, "options");
    pairs.retain(|(key, _)| key != "restart");
    pairs
}

fn check_labels(map: &Map, path: &str, findings: &mut Findings) {
    let labels = scalar::map_at(map, "labels");
    for (key, _) in labels.iter().flat_map(|labels| labels.iter()) {
        let name = scalar::to_s(key);
        if RESERVED_LABELS.contains(&name.as_str()) {
            findings.error(
                &below(path, format_args!("labels/{name}")),
                "invalid label. destination, role, and service are reserved labels",
                key.span,
            );
        }
    }
}

fn check_restart(map: &Map, path: &str, findings: &mut Findings) {
    let Some(restart) = restart_node(map) else {
        return;
    };
    let path = below(path, "options/restart");
    match &restart.value {
        Value::Str(policy) if is_policy(policy) => {}
        Value::Str(_) => findings.error(
            &path,
            "should be no, always, unless-stopped, on-failure, or on-failure:N",
            restart.span,
        ),
        _ => findings.error(
            &path,
            "should be a string. Use \"no\" to disable restarts",
            restart.span,
        ),
    }
}

fn is_policy(policy: &str) -> bool {
    match policy.strip_prefix("on-failure:") {
        Some(times) => !times.is_empty() && times.chars().all(|c| c.is_ascii_digit()),
        None => RESTART_POLICIES.contains(&policy),
    }
}

fn restart_node(map: &Map) -> Option<&Node> {
    let options = scalar::map_at(map, "options")?;
    options
        .get("restart")
        .or_else(|| options.get_node(&Value::Symbol("restart".to_owned())))
}
