//! Damaged texts are read or refused, and neither panics nor takes long. The damage is the same in every run.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use dhow_text::dotenv::{self, CommandFailure, CommandOutput, Existing, Expander};
use dhow_text::erb::{self, FileFailure, World};
use dhow_text::rendered::Rendered;
use dhow_text::source::SourceId;
use dhow_text::{shell, yaml};
use serde_json::Value as Json;

/// Answers every command with its own text and has every file.
#[derive(Default)]
struct Echo {
    env: BTreeMap<String, String>,
}

impl Expander for Echo {
    fn env(&self, name: &str) -> Option<String> {
        self.env.get(name).cloned()
    }

    fn command(&mut self, line: &str) -> Result<CommandOutput, CommandFailure> {
        Ok(CommandOutput {
            stdout: line.to_owned(),
            success: true,
        })
    }

    fn secrets(&mut self, argv: &[String]) -> Result<String, String> {
        Ok(argv.join(" "))
    }
}

impl World for Echo {
    fn set_env(&mut self, name: &str, value: Option<&str>) {
        match value {
            Some(value) => self.env.insert(name.to_owned(), value.to_owned()),
            None => self.env.remove(name),
        };
    }

    fn read(&mut self, path: &str) -> Result<String, FileFailure> {
        Ok(format!("{path}=<%= 1 %>\n"))
    }

    fn exists(&self, _path: &str) -> bool {
        true
    }

    fn cwd(&self) -> String {
        "/here".to_owned()
    }

    fn puts(&mut self, _text: &str) {}

    fn ruby(&mut self, _script: &str, _template: &str) -> Option<Result<String, String>> {
        None
    }
}

/// A small generator of repeatable numbers (xorshift).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(end.max(1)).unwrap()).unwrap()
    }
}

const SPICE: &[&str] = &[
    "\"",
    "'",
    "`",
    "$(",
    ")",
    "${",
    "}",
    "{",
    "[",
    "]",
    "\\",
    "\n",
    "\r\n",
    "\t",
    " ",
    ":",
    ": ",
    "- ",
    "#",
    "&a ",
    "*a",
    "<<: ",
    "!",
    "|",
    ">",
    "%",
    "@",
    "é",
    "\u{1F680}",
    "\u{feff}",
    "\0",
    "0",
    "<%",
    "<%=",
    "%>",
    "-%>",
    "<%-",
    "#{",
    " do |x| ",
    " end ",
    " if ",
    "? ",
    "=",
    "export ",
    "kamal secrets ",
    "..",
    "1..9",
    "&.",
    "::",
    "=>",
    "%w[",
];

fn damaged(text: &str, other: &str, numbers: &mut Numbers) -> String {
    let mut chars: Vec<char> = text.chars().collect();
    for _ in 0..=numbers.below(4) {
        let at = numbers.below(chars.len() + 1);
        match numbers.below(4) {
            0 => {
                let end = (at + numbers.below(8)).min(chars.len());
                chars.drain(at..end);
            }
            1 => {
                let spice = SPICE[numbers.below(SPICE.len())];
                chars.splice(at..at, spice.chars());
            }
            2 => {
                let from = numbers.below(other.chars().count());
                let piece: Vec<char> = other.chars().skip(from).take(20).collect();
                chars.splice(at..at, piece);
            }
            _ => {
                let end = (at + 12).min(chars.len());
                let piece: Vec<char> = chars[at..end].to_vec();
                chars.splice(at..at, piece);
            }
        }
    }
    chars.into_iter().collect()
}

fn texts(file: &str, cases: Option<&str>, key: &str) -> Vec<String> {
    let path = format!(
        "{}/../../vectors/{file}/cases.json",
        env!("CARGO_MANIFEST_DIR")
    );
    let text = std::fs::read_to_string(path).expect("the vectors are there");
    let json: Json = serde_json::from_str(&text).expect("they are JSON");
    let list = cases.map_or(&json, |name| &json[name]);
    list.as_array()
        .unwrap()
        .iter()
        .map(|case| case[key].as_str().unwrap().to_owned())
        .collect()
}

fn damage_all(texts: &[String], rounds: usize, mut read: impl FnMut(&str)) {
    let mut numbers = Numbers(0x9E37_79B9_7F4A_7C15);
    let mut slowest = (Duration::ZERO, String::new());
    for _ in 0..rounds {
        for text in texts {
            let other = &texts[numbers.below(texts.len())];
            let text = damaged(text, other, &mut numbers);
            let start = Instant::now();
            read(&text);
            if start.elapsed() > slowest.0 {
                slowest = (start.elapsed(), text);
            }
        }
    }
    assert!(slowest.0 < Duration::from_secs(10), "{slowest:?}");
}

#[test]
fn yaml_survives_damage() {
    damage_all(&texts("psych", None, "yaml"), 10, |text| {
        if let Ok(node) = yaml::parse(SourceId(0), text) {
            let written = yaml::emit(&node);
            assert!(
                yaml::parse(SourceId(0), &written).is_ok(),
                "{text:?} was written as {written:?}"
            );
        }
    });
}

#[test]
fn erb_survives_damage() {
    damage_all(&texts("erb", Some("cases"), "template"), 40, |text| {
        if let Ok(rendered) = erb::render(SourceId(0), text, &mut Echo::default()) {
            let _ = yaml::parse_rendered(SourceId(0), &rendered);
        }
        let _ = yaml::parse_rendered(SourceId(0), &Rendered::verbatim(text));
    });
}

#[test]
fn dotenv_survives_damage() {
    damage_all(&texts("dotenv", Some("cases"), "text"), 30, |text| {
        let _ = dotenv::parse(
            SourceId(0),
            text,
            Existing::Overridden,
            &mut Echo::default(),
        );
        let _ = shell::split(text);
    });
}

#[test]
fn large_texts_take_no_longer_than_their_size_suggests() {
    let pieces = [
        "a:\n",
        "- ",
        "[",
        "{",
        "{a: ",
        "? ",
        "&a ",
        "*a ",
        "\"",
        "'",
        "!a ",
        "|\n",
        ">\n ",
        "# c\n",
        "\n",
        " ",
        "a: b\n",
        "- a\n",
        "%a\n",
        "---\n",
        "<<: {}\n",
        "a: &a [*a]\n",
        "a:\t1\n",
        "\u{e9}: \u{e9}\n",
        ": ",
        "A=",
        "A=1\n",
        "A\n",
        "export ",
        "export\n",
        "$(",
        "${",
        "A='",
        "A=\"\\\"",
        "\\",
        "$A",
        "<%",
        "<%= 1 %>",
        "<% a = 1 %>",
        "<% if 1 %>",
        "<%= [",
        "<%= \"#{",
        "<% x",
        "\n\n  ",
    ];
    for piece in pieces {
        for start in ["", "A=", "a: ", "<% ", "x: |\n  "] {
            let text = start.to_owned() + &piece.repeat(100_000 / piece.len());
            let clock = Instant::now();
            let _ = yaml::parse(SourceId(0), &text);
            let _ = erb::render(SourceId(0), &text, &mut Echo::default());
            let _ = dotenv::parse(
                SourceId(0),
                &text,
                Existing::Overridden,
                &mut Echo::default(),
            );
            let _ = shell::split(&text);
            let spent = clock.elapsed();
            assert!(
                spent < Duration::from_secs(10),
                "{start:?} and {piece:?}: {spent:?}"
            );
        }
    }
}
