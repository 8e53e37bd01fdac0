//! Events as NDJSON: `{"v":1,"at":1.234,"event":…}`, one object a line, and nothing else.

use dhow_run::{Event, VERSION};
use serde_json::{Map, Value};

/// An event as a line.
pub(crate) fn line(event: &Event) -> String {
    let mut object = Map::new();
    object.insert("v".to_owned(), Value::from(VERSION));
    object.insert("at".to_owned(), Value::from(event.at.as_secs_f64()));
    // Events hold texts, numbers and lists only: there is nothing in them that JSON can't say.
    if let Ok(Value::Object(fields)) = serde_json::to_value(&event.kind) {
        object.extend(fields);
    }
    let mut value = Value::Object(object);
    round(&mut value);
    format!("{value}\n")
}

/// Times to the millisecond: more is noise.
fn round(value: &mut Value) {
    match value {
        Value::Object(fields) => fields.values_mut().for_each(round),
        Value::Number(number) if number.is_f64() => {
            if let Some(exact) = number.as_f64() {
                *value = Value::from((exact * 1000.0).round() / 1000.0);
            }
        }
        _ => {}
    }
}
