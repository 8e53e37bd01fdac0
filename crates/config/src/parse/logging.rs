//! `logging` of the root and of roles.

use dhow_text::yaml::{Map, Node};

use crate::findings::Findings;
use crate::model::Logging;
use crate::scalar;
use crate::schema::{check_keys, keys};

/// Checks a logging section.
pub(super) fn check(node: &Node, path: &str, findings: &mut Findings) {
    if let Some(map) = node.as_map() {
        check_keys(keys::LOGGING, false, map, path, findings);
    }
}

/// Driver and options.
pub(super) fn read(map: &Map) -> Logging {
    Logging {
        driver: scalar::text_at(map, "driver").filter(|driver| !driver.trim().is_empty()),
        options: scalar::pairs_at(map, "options"),
    }
}
