//! What every source file keeps to: a head that says what it is for, a length one can read, a name that means something, and
//! nothing left for later.

use std::path::Path;

use crate::Findings;
use crate::tree::{Source, sources};

/// Longest file, in lines. Past it a file holds more than one idea.
const LINES: usize = 600;

/// Longest file of tests alone: cases stand side by side, and one does not read them as a whole.
const TEST_LINES: usize = 1_000;

/// Names that say nothing about what is inside.
const EMPTY_NAMES: [&str; 6] = ["util", "utils", "common", "helper", "helpers", "core"];

/// What marks work as not done, or silences a lint without saying why.
const UNFINISHED: [&str; 5] = ["TODO", "FIXME", "todo!(", "unimplemented!(", "[allow("];

/// Runs the check on every source below `root`.
pub(crate) fn check(root: &Path) -> Findings {
    match sources(root) {
        Ok(sources) => {
            let findings: Findings = sources.iter().flat_map(violations).collect();
            println!(
                "sources: {} files, {} findings",
                sources.len(),
                findings.len()
            );
            findings
        }
        Err(error) => vec![error],
    }
}

fn violations(source: &Source) -> Findings {
    let path = &source.path;
    let mut findings = Vec::new();
    if !source.text.starts_with("//!") {
        findings.push(format!(
            "sources: {path} does not begin with `//!`: say what it is for"
        ));
    }
    let lines = source.text.lines().count();
    let limit = if tests_only(path) { TEST_LINES } else { LINES };
    if lines > limit {
        findings.push(format!(
            "sources: {path} has {lines} lines, more than {limit}: split it by idea"
        ));
    }
    let empty = path
        .trim_end_matches(".rs")
        .split('/')
        .find(|part| EMPTY_NAMES.contains(part));
    if let Some(name) = empty {
        findings.push(format!(
            "sources: {path}: the name `{name}` does not say what is inside"
        ));
    }
    // This file has to name them; what several test programs share is dead code in each that uses only a part, which no
    // expectation can say.
    if path != "xtask/src/sources.rs" && !path.ends_with("/tests/support/mod.rs") {
        for (at, line) in source.text.lines().enumerate() {
            if let Some(word) = UNFINISHED.iter().find(|word| line.contains(*word)) {
                findings.push(format!(
                    "sources: {path}:{}: `{word}`: finish it, or expect a lint with a reason",
                    at + 1
                ));
            }
        }
    }
    findings
}

fn tests_only(path: &str) -> bool {
    path.contains("/tests/") || path.ends_with("/tests.rs")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, text: &str) -> Findings {
        violations(&Source {
            path: path.to_owned(),
            text: text.to_owned(),
        })
    }

    #[test]
    fn a_head_a_length_and_a_name() {
        let long = |lines| format!("//! x\n{}", "\n".repeat(lines - 1));
        assert_eq!(found("crates/a/src/plan.rs", &long(LINES)), Findings::new());
        assert_eq!(found("crates/a/src/plan.rs", &long(LINES + 1)).len(), 1);
        assert_eq!(
            found("crates/a/src/x/tests.rs", &long(TEST_LINES)),
            Findings::new()
        );
        assert_eq!(found("crates/a/tests/x.rs", &long(TEST_LINES + 1)).len(), 1);
        assert_eq!(found("crates/a/src/plan.rs", "use x;\n").len(), 1);
        assert_eq!(found("crates/a/src/util.rs", "//! x\n").len(), 1);
        assert_eq!(found("crates/a/src/helpers/mod.rs", "//! x\n").len(), 1);
        assert_eq!(
            found("crates/a/src/core_thread.rs", "//! x\n"),
            Findings::new()
        );
        assert_eq!(found("crates/a/src/plan.rs", "//! x\n// TODO\n").len(), 1);
        assert_eq!(
            found("crates/a/src/plan.rs", "//! x\n#![allow(y)]\n").len(),
            1
        );
    }
}
