//! Bodies in chunks, and packed ones. In: either.

use bytes::{Bytes, BytesMut};

use crate::request::gunzip::Gunzip;
use crate::request::sniff::sniff;
use crate::upstream::{BodyDecoder, Decoded};

/// Chunks, and the same bytes as a packed body, after a byte that says how they are cut.
pub fn chunks(data: &[u8]) {
    let (step, data) = data.split_first().unwrap_or((&1, data));
    let whole = decode_chunks(data, data.len().max(1));
    let pieces = decode_chunks(data, usize::from(*step).max(1));
    assert_eq!(whole.1, pieces.1, "the end");
    assert_eq!(whole.0, pieces.0, "the body");
    let _ = sniff(data);
    let mut gunzip = Gunzip::default();
    for piece in data.chunks(usize::from(*step).max(1)) {
        gunzip.feed(Bytes::copy_from_slice(piece));
        while let Ok(Some(_)) = gunzip.next() {}
    }
    let _ = gunzip.finish();
}

/// The body so far, and whether it ended, or how not.
fn decode_chunks(data: &[u8], step: usize) -> (Vec<u8>, &'static str) {
    let (mut decoder, mut buffer) = (BodyDecoder::chunked(), BytesMut::new());
    let mut body = Vec::new();
    for piece in data.chunks(step) {
        buffer.extend_from_slice(piece);
        loop {
            match decoder.decode(&mut buffer) {
                Ok(Decoded::Data(data)) => body.extend_from_slice(&data),
                Ok(Decoded::Trailers(_)) => {}
                Ok(Decoded::NeedMore) => break,
                Ok(Decoded::End) => return (body, "ended"),
                Err(_) => return (body, "malformed"),
            }
        }
    }
    (body, "unfinished")
}
