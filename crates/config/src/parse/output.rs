//! `output`: where logs of deploys go besides the terminal.

use dhow_text::diagnostic::Diagnostic;
use dhow_text::yaml::Map;

use crate::findings::Findings;
use crate::model::Output;
use crate::scalar::{present, text_at};
use crate::schema::{check_keys, keys};

/// Checks the section: a sink that is switched on needs its place.
pub(super) fn check(map: &Map, findings: &mut Findings) {
    check_keys(keys::OUTPUT, false, map, "output", findings);
    for (sink, _) in map.iter() {
        let (key, message) = match sink.as_str() {
            Some("otel") => ("endpoint", "OTel endpoint is required"),
            Some("file") => ("path", "file path is required"),
            _ => continue,
        };
        let path = format!("output/{}", crate::scalar::to_s(sink));
        let place = map.get_node(&sink.value).and_then(|node| node.get(key));
        if findings.faulty(&path) {
            continue;
        }
        match place {
            None => {
                let diagnostic = Diagnostic::error("ArgumentError", message).at(sink.span, "");
                findings.push(&path, diagnostic);
            }
            Some(place) if !present(Some(place)) => {
                findings.warning(
                    &path,
                    &format!("{key} is empty: nothing is written"),
                    place.span,
                );
            }
            Some(_) => {}
        }
    }
}

/// The sinks.
pub(super) fn read(map: &Map) -> Output {
    let setting = |sink: &str, key: &str| {
        let place = text_at(map.get(sink)?.as_map()?, key)?;
        (!place.trim().is_empty()).then_some(place)
    };
    Output {
        otel_endpoint: setting("otel", "endpoint"),
        file_path: setting("file", "path"),
    }
}
