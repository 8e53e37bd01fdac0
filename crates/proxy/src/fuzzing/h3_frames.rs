//! The frames of an HTTP/3 stream. In: what a client sends on one.

use bytes::Bytes;

use crate::downstream::http3::{FrameGate, Held};

/// Largest frame that is kept whole.
const LARGEST: u64 = 100;

/// The bytes of a stream, after a byte that says which kind it is and how they are cut.
pub fn h3_frames(data: &[u8]) {
    let (switches, data) = data.split_first().unwrap_or((&0, data));
    let step = usize::from(switches >> 1).max(1);
    let whole = seen(switches & 1 == 0, data, data.len().max(1));
    let pieces = seen(switches & 1 == 0, data, step);
    assert_eq!(whole, pieces, "cut into {step}");
    assert!(whole.0.len() <= data.len());
}

/// What h3 gets to see, and whether nothing was excessive.
fn seen(request: bool, data: &[u8], step: usize) -> (Vec<u8>, bool) {
    let held = Held::default();
    let mut gate = if request {
        FrameGate::request(LARGEST, held.clone())
    } else {
        FrameGate::unidirectional()
    };
    let mut out = Vec::new();
    for piece in data.chunks(step) {
        let mut piece = Bytes::copy_from_slice(piece);
        loop {
            match gate.pass(&mut piece) {
                Ok(Some(bytes)) => out.extend_from_slice(&bytes),
                Ok(None) => break,
                Err(_) => return (out, false),
            }
            held.taken(usize::MAX);
            assert!(!request || !gate.is_closed());
        }
        assert!(piece.is_empty(), "{piece:?} is left over");
    }
    (out, true)
}
