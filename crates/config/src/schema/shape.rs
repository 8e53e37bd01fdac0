//! Types of values, and the check of a node against one.

use dhow_text::diagnostic::Diagnostic;
use dhow_text::suggest::suggest;
use dhow_text::yaml::{Map, Node, Value};

use super::hosts::{check_hosts, check_mounts};
use crate::findings::{Findings, below};
use crate::scalar;

/// A key and what may stand below it.
pub(crate) type Field = (&'static str, Shape);

/// What a value may be.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Shape {
    /// Anything: it is looked at elsewhere.
    Any,
    /// A string, symbol, number or boolean.
    Text,
    /// An integer.
    Int,
    /// A boolean.
    Bool,
    /// A map, whatever is in it.
    Map,
    /// A map of texts.
    TextMap,
    /// A map with these keys.
    Keys(&'static [Field]),
    /// A list of texts.
    Texts,
    /// A text or a list of texts.
    TextOrTexts,
    /// A boolean or a map.
    BoolOrMap,
    /// A map; a boolean is left to whoever reads it.
    Proxy,
    /// A boolean, a text or a list of texts.
    SshConfig,
    /// A list or a map.
    Servers,
    /// A list of host entries.
    Hosts,
    /// A list of files or directories.
    Mounts,
    /// A level, or a map of levels.
    HookLevels,
}

/// Checks one value.
pub(crate) fn check(shape: Shape, node: &Node, path: &str, findings: &mut Findings) {
    let wrong = |findings: &mut Findings, kind: &str| {
        let hint = match &node.value {
            Value::Null => Some("an empty value is no default: leave the key out instead"),
            Value::Date(_) | Value::Time(_) => Some("quote it: unquoted, YAML reads it as a date"),
            Value::Str(text) if kind == "an integer" && text.parse::<i64>().is_ok() => {
                Some("write the number without quotes")
            }
            Value::Str(text) if kind == "a boolean" && (text == "true" || text == "false") => {
                Some("write it without quotes")
            }
            _ => None,
        };
        let text = format!("should be {kind}");
        match hint {
            Some(hint) => findings.hinted(path, &text, node.span, hint),
            None => findings.error(path, &text, node.span),
        }
    };
    let is_text = scalar::text(node).is_some();
    match (shape, &node.value) {
        (Shape::Any, _)
        | (Shape::Int, Value::Int(_) | Value::BigInt(_))
        | (Shape::Bool | Shape::BoolOrMap | Shape::Proxy | Shape::SshConfig, Value::Bool(_))
        | (Shape::Map | Shape::BoolOrMap | Shape::Proxy | Shape::Servers, Value::Map(_))
        | (Shape::Servers, Value::Seq(_)) => {}
        (Shape::Text | Shape::TextOrTexts | Shape::SshConfig | Shape::HookLevels, _) if is_text => {
        }
        (Shape::TextMap, Value::Map(map)) => check_texts(map, path, findings),
        (Shape::Keys(keys), Value::Map(map)) => check_keys(keys, false, map, path, findings),
        (Shape::Texts | Shape::SshConfig, Value::Seq(items)) => {
            for (index, item) in items.iter().enumerate() {
                check(Shape::Text, item, &below(path, index), findings);
            }
        }
        (Shape::TextOrTexts, Value::Seq(items)) => {
            if items.iter().any(|item| scalar::text(item).is_none()) {
                wrong(findings, "an array or a string");
            }
        }
        (Shape::HookLevels, Value::Map(map)) => {
            for (key, value) in map.iter() {
                if scalar::text(value).is_none() {
                    let path = below(path, scalar::to_s(key));
                    findings.error(&path, "should be a string or a symbol", value.span);
                }
            }
        }
        (Shape::Hosts, Value::Seq(items)) => check_hosts(items, path, findings),
        (Shape::Mounts, Value::Seq(items)) => check_mounts(items, path, findings),
        (Shape::Text, _) => wrong(findings, "a string"),
        (Shape::Int, _) => wrong(findings, "an integer"),
        (Shape::Bool, _) => wrong(findings, "a boolean"),
        (Shape::Map | Shape::TextMap | Shape::Keys(_) | Shape::Proxy, _) => {
            wrong(findings, "a hash");
        }
        (Shape::Texts | Shape::Hosts | Shape::Mounts, _) => wrong(findings, "an array"),
        (Shape::TextOrTexts, _) => wrong(findings, "an array or a string"),
        (Shape::BoolOrMap, _) => wrong(findings, "a boolean or a hash"),
        (Shape::SshConfig, _) => wrong(findings, "a boolean or a string or an array"),
        (Shape::Servers, _) => wrong(findings, "an array or a hash"),
        (Shape::HookLevels, _) => wrong(findings, "a string or a symbol"),
    }
}

/// Checks that a map's values are texts.
pub(crate) fn check_texts(map: &Map, path: &str, findings: &mut Findings) {
    for (key, value) in map.iter() {
        check(
            Shape::Text,
            value,
            &below(path, scalar::to_s(key)),
            findings,
        );
    }
}

/// Checks that a map has no keys but these, and their values. With `extensions`, keys that start with `x-` are skipped.
pub(crate) fn check_keys(
    keys: &[Field],
    extensions: bool,
    map: &Map,
    path: &str,
    findings: &mut Findings,
) {
    let field = |key: &Node| {
        let known = |(name, _): &&Field| key.as_str() == Some(name);
        keys.iter().find(known).map(|(_, shape)| *shape)
    };
    let skipped = |key: &Node| extensions && scalar::to_s(key).starts_with("x-");
    let names: Vec<&str> = keys.iter().map(|(name, _)| *name).collect();
    let unknown = map
        .iter()
        .map(|(key, _)| key)
        .filter(|key| field(key).is_none() && !skipped(key));
    unknown_keys(unknown, &names, path, findings);
    for (key, value) in map.iter() {
        if let Some(shape) = field(key).filter(|_| !skipped(key)) {
            check(shape, value, &below(path, scalar::to_s(key)), findings);
        }
    }
}

/// Reports keys that mean nothing here, if there are any, all in one message.
pub(crate) fn unknown_keys<'k>(
    unknown: impl Iterator<Item = &'k Node>,
    known: &[&str],
    path: &str,
    findings: &mut Findings,
) {
    let unknown: Vec<&Node> = unknown.collect();
    if unknown.is_empty() {
        return;
    }
    let names: Vec<String> = unknown.iter().map(|key| scalar::to_s(key)).collect();
    let plural = if names.len() == 1 { "" } else { "s" };
    let text = format!("unknown key{plural}: {}", names.join(", "));
    let mut diagnostic: Diagnostic = Findings::worded(path, &text);
    for key in &unknown {
        diagnostic = diagnostic.at(key.span, "");
    }
    if let Some(hint) = way_out(&unknown, known) {
        diagnostic = diagnostic.hinted(hint);
    }
    findings.push(path, diagnostic);
}

fn way_out(unknown: &[&Node], known: &[&str]) -> Option<String> {
    let mut symbols = Vec::new();
    let mut slips = Vec::new();
    for key in unknown {
        let name = scalar::to_s(key);
        match &key.value {
            Value::Symbol(_) if known.contains(&name.as_str()) => symbols.push(format!("`{name}`")),
            _ => slips.extend(
                suggest(&name, known.iter().copied())
                    .map(|near| format!("`{near}` instead of `{name}`")),
            ),
        }
    }
    if slips.is_empty() && symbols.is_empty() {
        return None;
    }
    if slips.is_empty() {
        let names = symbols.join(", ");
        return Some(format!("write {names} without the leading colon"));
    }
    Some(format!("did you mean {}?", slips.join(", ")))
}
