//! `hooks_output`: levels for all hooks or for each.

use dhow_text::source::Span;
use dhow_text::yaml::{Node, Value};

use crate::findings::Findings;
use crate::model::{HookLevel, HooksOutput};
use crate::scalar;

/// Checks the levels' names. A bare boolean or number means nothing and is let pass, as Kamal does.
pub(super) fn check(node: &Node, findings: &mut Findings) {
    match &node.value {
        Value::Str(level) | Value::Symbol(level) => check_level(level, None, node.span, findings),
        Value::Map(map) => {
            for (hook, level) in map.iter() {
                if let Some(text) = scalar::text(level) {
                    check_level(&text, Some(&scalar::to_s(hook)), level.span, findings);
                }
            }
        }
        _ => {}
    }
}

/// The levels.
pub(super) fn read(node: &Node) -> HooksOutput {
    let level = |node: &Node| scalar::text(node).and_then(|text| level_named(&text));
    let by_hook = node.as_map().into_iter().flat_map(|map| map.iter());
    HooksOutput {
        all: level(node),
        by_hook: by_hook
            .filter_map(|(hook, value)| Some((scalar::to_s(hook), level(value)?)))
            .collect(),
    }
}

fn check_level(level: &str, hook: Option<&str>, span: Span, findings: &mut Findings) {
    if level_named(level).is_none() {
        let hook = hook.map_or(String::new(), |hook| format!(" for hook '{hook}'"));
        let text = format!("Invalid hooks_output '{level}'{hook}, must be one of: quiet, verbose");
        let diagnostic = Findings::worded("", &text).at(span, "");
        findings.push("hooks_output", diagnostic);
    }
}

fn level_named(level: &str) -> Option<HookLevel> {
    match level {
        "quiet" => Some(HookLevel::Quiet),
        "verbose" => Some(HookLevel::Verbose),
        _ => None,
    }
}
