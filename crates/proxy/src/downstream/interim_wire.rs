//! Informational responses on an HTTP/1.1 connection. hyper's server has no way to send them, but the stream below
//! it is ours: they are written there, between the end of the answer before and the head of the final one.
//!
//! When that is safe follows from when hyper writes and flushes. A flush reaches the stream only after everything
//! hyper held was written; so once a request has begun and a flush has been seen since, the next bytes from hyper
//! can only be this request's own head. Until then informational responses wait, and if the final head comes first
//! they are dropped: they are hints.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use http::StatusCode;
use http::header::HeaderMap;

/// Bytes that wait for a client that does not read; more are dropped.
const MOST_WAITING: usize = 64 << 10;

/// Shared between a request and the stream of its connection.
#[derive(Debug, Default)]
pub(crate) struct InterimWire {
    /// Nothing of an earlier answer is left to write.
    clean: AtomicBool,
    waiting: AtomicBool,
    bytes: Mutex<Vec<u8>>,
}

impl InterimWire {
    /// A request begins; what hyper still holds is the answer before.
    pub(crate) fn begin(&self) {
        self.clean.store(false, Ordering::Relaxed);
        self.drop_waiting();
    }

    /// Adds an informational response.
    pub(crate) fn push(&self, status: StatusCode, headers: &HeaderMap) {
        let mut bytes = self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        if bytes.len() < MOST_WAITING {
            encode(&mut bytes, status, headers);
            self.waiting.store(true, Ordering::Relaxed);
        }
    }

    /// The final head goes to hyper now. What could not be written before it can never be.
    pub(crate) fn finish(&self) {
        if !self.clean.load(Ordering::Relaxed) {
            self.drop_waiting();
        }
    }

    /// hyper has flushed: everything it held is written.
    pub(crate) fn flushed(&self) {
        self.clean.store(true, Ordering::Relaxed);
    }

    /// hyper writes.
    pub(crate) fn writing(&self) {
        self.clean.store(false, Ordering::Relaxed);
    }

    /// What may be written now, before anything of hyper's.
    pub(crate) fn take(&self) -> Option<Vec<u8>> {
        if !self.waiting.load(Ordering::Relaxed) || !self.clean.load(Ordering::Relaxed) {
            return None;
        }
        self.waiting.store(false, Ordering::Relaxed);
        let mut bytes = self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        Some(std::mem::take(&mut *bytes))
    }

    fn drop_waiting(&self) {
        if self.waiting.swap(false, Ordering::Relaxed) {
            let mut bytes = self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
            bytes.clear();
        }
    }
}

fn encode(out: &mut Vec<u8>, status: StatusCode, headers: &HeaderMap) {
    out.extend_from_slice(b"HTTP/1.1 ");
    out.extend_from_slice(status.as_str().as_bytes());
    out.push(b' ');
    out.extend_from_slice(
        status
            .canonical_reason()
            .unwrap_or("Informational")
            .as_bytes(),
    );
    out.extend_from_slice(b"\r\n");
    for (name, value) in headers {
        crate::upstream::push_header(out, name.as_str(), value.as_bytes());
    }
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn hint(wire: &InterimWire) {
        let mut headers = HeaderMap::new();
        headers.insert("link", HeaderValue::from_static("</a.css>"));
        wire.push(StatusCode::EARLY_HINTS, &headers);
    }

    #[test]
    fn nothing_is_written_into_the_answer_before() {
        let wire = InterimWire::default();
        wire.flushed();
        wire.begin();
        hint(&wire);
        // hyper is still writing what came before.
        assert_eq!(wire.take(), None);
        wire.writing();
        assert_eq!(wire.take(), None);
        wire.flushed();
        assert_eq!(
            wire.take().unwrap(),
            b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n"
        );
        assert_eq!(wire.take(), None);
    }

    #[test]
    fn a_hint_that_comes_with_the_final_head_goes_first_or_not_at_all() {
        let wire = InterimWire::default();
        wire.begin();
        wire.flushed();
        hint(&wire);
        wire.finish();
        assert!(wire.take().is_some());
        wire.begin();
        hint(&wire);
        wire.finish();
        wire.flushed();
        assert_eq!(wire.take(), None);
    }

    #[test]
    fn what_nobody_reads_is_bounded() {
        let wire = InterimWire::default();
        wire.begin();
        for _ in 0..100_000 {
            hint(&wire);
        }
        wire.flushed();
        assert!(wire.take().unwrap().len() < MOST_WAITING + 1000);
    }
}
