//! The log: one JSON object a line on standard output. Lines are formatted where they arise, gathered in
//! buffers and written by one thread, so that a slow reader of standard output holds nobody up at first.

use std::io::Write;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;

use jiff::tz::TimeZone;

use crate::cores::clock::{TimeText, unix_nanos_now};

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Level {
    Debug,
    Info,
    Warn,
    Error,
}

/// Hands finished lines to the writing thread. Cheap to clone.
#[derive(Clone)]
pub(crate) struct LogSender {
    sender: SyncSender<Vec<u8>>,
    zone: TimeZone,
    debug: bool,
}

/// The writing thread; joined after every sender is gone, so that nothing is lost at the end.
pub(crate) struct LogWriter {
    thread: Option<JoinHandle<()>>,
}

/// Batches in flight to the writer before senders keep their own.
const QUEUED_BATCHES: usize = 64;

/// Starts the writer on `out`.
///
/// # Errors
/// When the thread cannot be started.
pub(crate) fn start(
    mut out: impl Write + Send + 'static,
    zone: TimeZone,
    debug: bool,
) -> std::io::Result<(LogSender, LogWriter)> {
    let (sender, receiver): (_, Receiver<Vec<u8>>) = sync_channel(QUEUED_BATCHES);
    let thread = std::thread::Builder::new()
        .name("log".into())
        .stack_size(128 << 10)
        .spawn(move || {
            while let Ok(batch) = receiver.recv() {
                // A closed standard output must not end the proxy.
                let _ = out.write_all(&batch).and_then(|()| out.flush());
            }
        })?;
    Ok((
        LogSender {
            sender,
            zone,
            debug,
        },
        LogWriter {
            thread: Some(thread),
        },
    ))
}

impl LogSender {
    /// Starts a line; `None` for debug lines nobody asked for.
    pub(crate) fn line(&self, level: Level, message: &str) -> Option<Line<'_>> {
        if level == Level::Debug && !self.debug {
            return None;
        }
        let mut bytes = Vec::with_capacity(256);
        bytes.extend_from_slice(b"{\"time\":\"");
        TimeText::new(self.zone.clone()).push(&mut bytes, unix_nanos_now());
        bytes.extend_from_slice(b"\",\"level\":\"");
        bytes.extend_from_slice(match level {
            Level::Debug => b"DEBUG",
            Level::Info => b"INFO",
            Level::Warn => b"WARN",
            Level::Error => b"ERROR",
        });
        bytes.extend_from_slice(b"\",\"msg\":");
        push_json_string(&mut bytes, message.as_bytes());
        Some(Line { bytes, log: self })
    }

    /// Informational line with text attributes.
    pub(crate) fn info(&self, message: &str, attributes: &[(&str, &str)]) {
        self.texts(Level::Info, message, attributes);
    }

    /// Warning with text attributes.
    pub(crate) fn warn(&self, message: &str, attributes: &[(&str, &str)]) {
        self.texts(Level::Warn, message, attributes);
    }

    /// Error with text attributes.
    pub(crate) fn error(&self, message: &str, attributes: &[(&str, &str)]) {
        self.texts(Level::Error, message, attributes);
    }

    /// Local time zone of the log.
    pub(crate) fn zone(&self) -> TimeZone {
        self.zone.clone()
    }

    /// Sends a batch of whole lines; gives it back when the writer is behind.
    pub(crate) fn try_send(&self, batch: Vec<u8>) -> Result<(), Vec<u8>> {
        match self.sender.try_send(batch) {
            Ok(()) => Ok(()),
            Err(TrySendError::Full(batch)) => Err(batch),
            Err(TrySendError::Disconnected(_)) => Ok(()),
        }
    }

    /// Sends a batch of whole lines, waiting for the writer if it is behind.
    pub(crate) fn send(&self, batch: Vec<u8>) {
        let _ = self.sender.send(batch);
    }

    fn texts(&self, level: Level, message: &str, attributes: &[(&str, &str)]) {
        let Some(mut line) = self.line(level, message) else {
            return;
        };
        for (key, value) in attributes {
            line = line.text(key, value);
        }
        line.send();
    }
}

impl LogWriter {
    /// Waits until everything sent is written. Every [`LogSender`] must be gone by then.
    pub(crate) fn finish(mut self) {
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// A line being put together.
pub(crate) struct Line<'a> {
    bytes: Vec<u8>,
    log: &'a LogSender,
}

impl Line<'_> {
    /// Adds a string.
    pub(crate) fn text(mut self, key: &str, value: &str) -> Self {
        self.key(key);
        push_json_string(&mut self.bytes, value.as_bytes());
        self
    }

    /// Adds a boolean.
    pub(crate) fn bool(mut self, key: &str, value: bool) -> Self {
        self.key(key);
        self.bytes
            .extend_from_slice(if value { b"true" } else { b"false" });
        self
    }

    /// Adds an integer.
    pub(crate) fn int(mut self, key: &str, value: i64) -> Self {
        self.key(key);
        push_int(&mut self.bytes, value);
        self
    }

    /// Adds a list of strings.
    pub(crate) fn list(mut self, key: &str, values: &[String]) -> Self {
        self.key(key);
        self.bytes.push(b'[');
        for (place, value) in values.iter().enumerate() {
            if place > 0 {
                self.bytes.push(b',');
            }
            push_json_string(&mut self.bytes, value.as_bytes());
        }
        self.bytes.push(b']');
        self
    }

    /// Ends the line and sends it.
    pub(crate) fn send(mut self) {
        self.bytes.extend_from_slice(b"}\n");
        self.log.send(self.bytes);
    }

    fn key(&mut self, key: &str) {
        self.bytes.push(b',');
        push_json_string(&mut self.bytes, key.as_bytes());
        self.bytes.push(b':');
    }
}

/// Appends `number` in decimal.
pub(crate) fn push_int(out: &mut Vec<u8>, number: i64) {
    let mut digits = [0_u8; 20];
    let mut rest = number.unsigned_abs();
    let mut used = 0;
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (rest % 10) as u8;
        used += 1;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    if number < 0 {
        out.push(b'-');
    }
    out.extend_from_slice(digits.get(digits.len() - used..).unwrap_or_default());
}

/// Appends `value` as a JSON string. Bytes that are no UTF-8 become U+FFFD; HTML is not escaped.
pub(crate) fn push_json_string(out: &mut Vec<u8>, value: &[u8]) {
    out.push(b'"');
    // Nearly every value is plain ASCII, which is copied in one piece.
    if value
        .iter()
        .all(|byte| matches!(byte, 0x20..=0x7e) && !matches!(byte, b'"' | b'\\'))
    {
        out.extend_from_slice(value);
    } else {
        for chunk in value.utf8_chunks() {
            for c in chunk.valid().chars() {
                push_json_char(out, c);
            }
            if !chunk.invalid().is_empty() {
                out.extend_from_slice(b"\\ufffd");
            }
        }
    }
    out.push(b'"');
}

fn push_json_char(out: &mut Vec<u8>, c: char) {
    match c {
        '"' => out.extend_from_slice(b"\\\""),
        '\\' => out.extend_from_slice(b"\\\\"),
        '\n' => out.extend_from_slice(b"\\n"),
        '\r' => out.extend_from_slice(b"\\r"),
        '\t' => out.extend_from_slice(b"\\t"),
        '\u{8}' => out.extend_from_slice(b"\\b"),
        '\u{c}' => out.extend_from_slice(b"\\f"),
        c if u32::from(c) < 0x20 || matches!(c, '\u{2028}' | '\u{2029}') => {
            let _ = write!(out, "\\u{:04x}", u32::from(c));
        }
        c => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};

    #[derive(Clone, Default)]
    struct Sink(Arc<Mutex<Vec<u8>>>);

    impl Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn lines_reach_the_sink_as_json() {
        let sink = Sink::default();
        let (log, writer) = start(sink.clone(), TimeZone::UTC, false).unwrap();
        assert!(log.line(Level::Debug, "hidden").is_none());
        log.line(Level::Warn, "a \"b\"")
            .unwrap()
            .text("x", "é\n")
            .int("n", -5)
            .bool("t", true)
            .list("l", &["1".into(), "2".into()])
            .send();
        drop(log);
        writer.finish();
        let text = String::from_utf8(sink.0.lock().unwrap().clone()).unwrap();
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["level"], "WARN");
        assert_eq!(value["msg"], "a \"b\"");
        assert_eq!(value["x"], "é\n");
        assert_eq!(value["n"], -5);
        assert_eq!(value["l"][1], "2");
        assert!(text.ends_with("}\n"));
    }

    #[test]
    fn numbers() {
        for number in [0, 7, -1, 1234567890123, i64::MAX, i64::MIN] {
            let mut out = Vec::new();
            push_int(&mut out, number);
            assert_eq!(String::from_utf8(out).unwrap(), number.to_string());
        }
    }

    #[test]
    fn broken_utf8_is_replaced() {
        let mut out = Vec::new();
        push_json_string(&mut out, b"a\xffb\x01");
        assert_eq!(out, b"\"a\\ufffdb\\u0001\"");
    }
}
