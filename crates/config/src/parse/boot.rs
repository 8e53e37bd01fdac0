//! `boot`: how many hosts at once.

use dhow_text::yaml::{Map, Node};

use crate::findings::Findings;
use crate::model::{Boot, BootLimit};
use crate::scalar;
use crate::schema::{check_keys, keys};

/// Checks the section.
pub(super) fn check(map: &Map, findings: &mut Findings) {
    check_keys(keys::BOOT, false, map, "boot", findings);
}

/// Checks the limit, which Kamal would fall over only when it boots.
pub(super) fn check_limit(map: &Map, findings: &mut Findings) {
    if let Some(limit) = map.get("limit")
        && !findings.faulty("boot/limit")
        && read_limit(limit).is_none()
    {
        findings.hinted(
            "boot/limit",
            "should be a number of hosts, or a percentage such as \"25%\"",
            limit.span,
            "leave the key out to boot all hosts at once",
        );
    }
}

/// The section.
pub(super) fn read(map: &Map) -> Boot {
    Boot {
        limit: map.get("limit").and_then(read_limit),
        wait: scalar::int_at(map, "wait"),
        parallel_roles: scalar::bool_at(map, "parallel_roles").unwrap_or(false),
    }
}

/// Hosts, at least one; or per cent, of which only the digits in front count (`12.5%` is 12).
fn read_limit(limit: &Node) -> Option<BootLimit> {
    let text = scalar::text(limit)?;
    let text = text.trim();
    let Some(percent) = text.strip_suffix('%') else {
        return text.parse().ok().filter(|n| *n > 0).map(BootLimit::Hosts);
    };
    let digits: String = percent.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok().map(BootLimit::Percent)
}
