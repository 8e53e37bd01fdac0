//! Every text of `vectors/psych` is read, and written again, as Ruby reads and writes it.

use dhow_text::source::SourceId;
use dhow_text::yaml::{Node, Value, emit, parse, ruby_float};
use serde_json::{Value as Json, json};

/// YAML 1.2 refuses these, Psych takes them: dhow stops with an error, so nothing is misread.
const STRICTER: &[&str] = &["[-, z]\n", "a: [\n\t1,\n\t2\n]\n"];

/// YAML 1.2 reads these, Psych stops with a syntax error: no file that works today holds them.
const LENIENT: &[&str] = &[
    "[12:30:, z]\n",
    "- :\n",
    "[:, z]\n",
    "[a:, z]\n",
    "[<<:, z]\n",
    "[|, z]\n",
    "[>, z]\n",
    "[?, z]\n",
    ": a\n",
    "- : 1\n",
    "a: b\u{2028}c\n",
    "a: b\u{85}c\n",
];

/// Tabs where Psych stops with a syntax error.
const TABS: &[&str] = &[
    "a: |\n  \tb\n",
    "a:\n  - x\n  -\ty\n",
    "-\ta\n",
    "a:\n\n\t\nb: 1\n",
    "a: 1\n\t# c\nb: 2\n",
    "\t# c\na: 1\n",
    "\t\na: 1\n",
];

/// An empty list that is used twice is anchored by Ruby, written twice by dhow.
const EMPTY: &[&str] = &["a: &x {k: [1]}\nb: *x\nc: {<<: *x}\nd: &y []\ne: *y\n"];

fn typed(node: &Node) -> Json {
    match &node.value {
        Value::Null => json!(["null"]),
        Value::Bool(flag) => json!(["bool", flag]),
        Value::Int(number) => json!(["int", number.to_string()]),
        Value::BigInt(digits) => json!(["int", digits]),
        Value::Float(number) => json!(["float", ruby_float(*number)]),
        Value::Str(text) => json!(["str", text]),
        Value::Symbol(name) => json!(["sym", name]),
        Value::Date(text) => json!(["date", padded(text)]),
        Value::Time(_) => json!(["time"]),
        Value::Seq(items) => json!(["seq", items.iter().map(typed).collect::<Vec<_>>()]),
        Value::Map(map) => {
            let pairs: Vec<_> = map
                .iter()
                .map(|(k, v)| json!([typed(k), typed(v)]))
                .collect();
            json!(["map", pairs])
        }
    }
}

fn padded(date: &str) -> String {
    let parts: Vec<_> = date.split('-').map(|part| format!("{part:0>2}")).collect();
    parts.join("-")
}

#[test]
fn every_text_is_read_as_ruby_reads_it() {
    let file = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../vectors/psych/cases.json"
    );
    let text = std::fs::read_to_string(file).expect("vectors/psych/cases.json is there");
    let cases: Vec<Json> = serde_json::from_str(&text).expect("it is JSON");
    assert!(cases.len() > 1000, "only {} cases", cases.len());
    let mut wrong = Vec::new();
    for case in &cases {
        let yaml = case["yaml"].as_str().unwrap();
        let known = [STRICTER, LENIENT, TABS, EMPTY].concat().contains(&yaml);
        let complaint = match (parse(SourceId(0), yaml), case.get("value")) {
            (Ok(node), Some(value)) if typed(&node) != *value => Some(format!(
                "{yaml:?}\n   ruby {value}\n   dhow {}",
                typed(&node)
            )),
            (Ok(node), Some(_)) => case["dump"].as_str().and_then(|dump| {
                let ours = emit(&node);
                (ours != dump)
                    .then(|| format!("{yaml:?}\n   ruby dump {dump:?}\n   dhow dump {ours:?}"))
            }),
            (Err(_), None) => None,
            (Ok(node), None) => Some(format!(
                "{yaml:?}\n   ruby {} {}\n   dhow {}",
                case["error"],
                case["message"],
                typed(&node)
            )),
            (Err(error), Some(value)) => Some(format!(
                "{yaml:?}\n   ruby {value}\n   dhow error {}",
                error.message
            )),
        };
        match (complaint, known) {
            (Some(complaint), false) => wrong.push(complaint),
            (None, true) => wrong.push(format!("{yaml:?} is listed as different and is not")),
            _ => {}
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
