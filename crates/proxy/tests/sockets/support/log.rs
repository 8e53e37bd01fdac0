//! The log of the proxies of one test, read on from where it was read to before. Load makes it long: lines of the access log are
//! kept as text until somebody asks for them.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::Path;

use serde_json::Value;

/// What was read so far.
#[derive(Default)]
pub(crate) struct Log {
    to: u64,
    requests: Vec<String>,
    others: Vec<Value>,
}

impl Log {
    /// Reads what was written since; a line that is not complete yet is left for the next time.
    pub(crate) fn read_on(&mut self, path: &Path) {
        let mut new = Vec::new();
        let mut file = File::open(path).unwrap();
        file.seek(SeekFrom::Start(self.to)).unwrap();
        file.read_to_end(&mut new).unwrap();
        let end = new.iter().rposition(|byte| *byte == b'\n');
        new.truncate(end.map_or(0, |end| end + 1));
        self.to += new.len() as u64;
        for line in String::from_utf8_lossy(&new).lines() {
            if line.contains(r#""msg":"Request""#) {
                self.requests.push(line.to_owned());
            } else {
                self.others.extend(serde_json::from_str::<Value>(line).ok());
            }
        }
    }

    /// Lines with this message.
    pub(crate) fn of(&self, message: &str) -> Vec<Value> {
        if message == "Request" {
            let lines = self.requests.iter();
            return lines
                .filter_map(|line| serde_json::from_str(line).ok())
                .collect();
        }
        let lines = self.others.iter();
        lines
            .filter(|line| line["msg"] == message)
            .cloned()
            .collect()
    }
}
