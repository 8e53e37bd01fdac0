//! Every text of `vectors/dotenv` is read as Ruby's dotenv with Kamal's command substitution reads it.

use dhow_text::dotenv::{CommandFailure, CommandOutput, Existing, Expander, parse};
use dhow_text::shell;
use dhow_text::source::SourceId;
use serde_json::{Map, Value as Json, json};

/// Texts that dhow reads otherwise on purpose: a key with a bare colon does not swallow the next line, `\$` in a command is a dollar
/// sign for the shell, and what a command gave is not expanded.
const DIFFERENT: &[&str] = &[
    "A:\nB=1\n",
    "A=$(ask \\$HOME)\n",
    "A=\"$(ask \\$HOME)\"\n",
    "A=$$(ask one)\n",
];

struct Table<'j> {
    env: &'j Map<String, Json>,
    answers: &'j Map<String, Json>,
}

impl Expander for Table<'_> {
    fn env(&self, name: &str) -> Option<String> {
        self.env
            .get(name)
            .map(|value| value.as_str().unwrap().to_owned())
    }

    fn command(&mut self, line: &str) -> Result<CommandOutput, CommandFailure> {
        let name = line.trim_start().strip_prefix("ask ").unwrap_or(line);
        let stdout = match self.answers.get(name) {
            Some(answer) => answer.as_str().unwrap().to_owned(),
            None => format!("<{line}>"),
        };
        Ok(CommandOutput {
            stdout,
            success: true,
        })
    }

    fn secrets(&mut self, argv: &[String]) -> Result<String, String> {
        Ok(shell::escape(&json!(argv).to_string()))
    }
}

#[test]
fn every_text_is_read_as_ruby_reads_it() {
    let file = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../vectors/dotenv/cases.json"
    );
    let text = std::fs::read_to_string(file).expect("vectors/dotenv/cases.json is there");
    let vectors: Json = serde_json::from_str(&text).expect("it is JSON");
    let cases = vectors["cases"].as_array().unwrap();
    assert!(cases.len() > 500, "only {} cases", cases.len());
    let mut table = Table {
        env: vectors["env"].as_object().unwrap(),
        answers: vectors["answers"].as_object().unwrap(),
    };
    let mut wrong = Vec::new();
    for case in cases {
        let text = case["text"].as_str().unwrap();
        let existing = if case["overwrite"] == true {
            Existing::Overridden
        } else {
            Existing::Kept
        };
        let ours = match parse(SourceId(0), text, existing, &mut table) {
            Ok(parsed) => {
                let pairs: Vec<Json> = parsed
                    .entries
                    .iter()
                    .map(|e| json!([e.name, e.value.reveal()]))
                    .collect();
                json!(pairs)
            }
            Err(error) => json!({ "error": error.message }),
        };
        let theirs = match case.get("value") {
            Some(value) => value.clone(),
            None => json!({ "error": case["error"] }),
        };
        let known = DIFFERENT.contains(&text);
        // A text on the list must differ in at least the overriding reading.
        if (ours != theirs && !known)
            || (ours == theirs && known && existing == Existing::Overridden)
        {
            wrong.push(format!(
                "{text:?} ({existing:?})\n   ruby {theirs}\n   dhow {ours}"
            ));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {} differ:\n{}",
        wrong.len(),
        cases.len(),
        wrong.join("\n")
    );
}
