//! What Kamal 2.12.0 itself said of the files in `tests/vectors/kamal.jsonl`: one JSON object a line.
//!
//! `more` is what the file has besides [`LEAST`] (or `base` the whole of it), `overlay` and `destination` what is laid over it.
//! `class` and `message` are those of the error that Kamal stopped at; without them it loaded, and `dump`, if given, is what
//! `kamal config` printed for version 1. Files that crash Kamal, and those that Dhow takes differently on purpose, are not in it.

use crate::deploy::*;
use dhow_config::dump;
use serde_json::Value;

#[test]
fn dhow_says_what_kamal_said() {
    let vectors = include_str!("../vectors/kamal.jsonl");
    let mut wrong = Vec::new();
    for line in vectors.lines() {
        let case: Value = serde_json::from_str(line).unwrap();
        let field = |key: &str| case[key].as_str();
        let base = match field("base") {
            Some(base) => base.to_owned(),
            None => format!("{LEAST}{}", field("more").unwrap()),
        };
        let overlay = field("destination").zip(field("overlay"));
        let kamal = (field("class"), field("message"));
        let agrees = match load_in(&World::default(), &base, overlay) {
            Ok(loaded) => {
                let printed = dump(&loaded, "1");
                kamal == (None, None) && field("dump").is_none_or(|text| text == printed)
            }
            Err(failure) => {
                let first = &failure.diagnostics[0];
                kamal == (Some(first.class), Some(first.message.as_str()))
            }
        };
        if !agrees {
            wrong.push(line);
        }
    }
    assert!(vectors.lines().count() > 2_500);
    assert!(
        wrong.is_empty(),
        "{} differ:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}
