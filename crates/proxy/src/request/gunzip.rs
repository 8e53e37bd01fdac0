//! Undoing gzip that the client did not ask for: the proxy asks for it in the client's place, so that targets may
//! send less, and passes on the plain body.

use std::io::Write as _;

use bytes::Bytes;
use flate2::write::MultiGzDecoder;
use http::Method;
use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, HeaderMap, RANGE};

/// Compressed bytes taken at a time: a thousandfold growth then is a few megabytes.
const STEP: usize = 4 << 10;

/// Whether the proxy asks for gzip in the place of a client that says nothing. Ranges are of the plain body.
pub(crate) fn asks_for_gzip(method: &Method, headers: &HeaderMap) -> bool {
    method != Method::HEAD && !headers.contains_key(ACCEPT_ENCODING) && !headers.contains_key(RANGE)
}

/// Makes the head that of the plain body, if the body is gzip.
pub(crate) fn strip_gzip(headers: &mut HeaderMap) -> bool {
    let packed = headers
        .get(CONTENT_ENCODING)
        .is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"gzip"));
    if packed {
        headers.remove(CONTENT_ENCODING);
        headers.remove(CONTENT_LENGTH);
    }
    packed
}

/// A body being unpacked.
pub(crate) struct Gunzip {
    decoder: MultiGzDecoder<Vec<u8>>,
    left: Bytes,
    /// Something came in at all; an empty body is no gzip, and fine.
    begun: bool,
}

/// The body is not gzip, or ends early.
#[derive(Debug)]
pub(crate) struct NotGzip;

impl Default for Gunzip {
    fn default() -> Self {
        Self {
            decoder: MultiGzDecoder::new(Vec::new()),
            left: Bytes::new(),
            begun: false,
        }
    }
}

impl Gunzip {
    /// Takes packed bytes; call only when [`Self::next`] had no more.
    pub(crate) fn feed(&mut self, packed: Bytes) {
        self.begun |= !packed.is_empty();
        self.left = packed;
    }

    /// Plain bytes, as far as what was fed goes.
    ///
    /// # Errors
    /// When it is not gzip.
    pub(crate) fn next(&mut self) -> Result<Option<Bytes>, NotGzip> {
        while !self.left.is_empty() {
            let piece = self.left.split_to(self.left.len().min(STEP));
            self.decoder
                .write_all(&piece)
                .and_then(|()| self.decoder.flush())
                .map_err(|_| NotGzip)?;
            if let Some(plain) = self.take() {
                return Ok(Some(plain));
            }
        }
        Ok(None)
    }

    /// The rest, when the packed body has ended.
    ///
    /// # Errors
    /// When it ended too early.
    pub(crate) fn finish(&mut self) -> Result<Option<Bytes>, NotGzip> {
        if self.begun {
            self.decoder.try_finish().map_err(|_| NotGzip)?;
        }
        Ok(self.take())
    }

    fn take(&mut self) -> Option<Bytes> {
        let plain = std::mem::take(self.decoder.get_mut());
        (!plain.is_empty()).then(|| Bytes::from(plain))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::write::GzEncoder;

    fn pack(plain: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(plain).unwrap();
        encoder.finish().unwrap()
    }

    fn unpack(packed: &[u8], step: usize) -> Result<Vec<u8>, NotGzip> {
        let (mut gunzip, mut plain) = (Gunzip::default(), Vec::new());
        for piece in packed.chunks(step) {
            gunzip.feed(Bytes::copy_from_slice(piece));
            while let Some(bytes) = gunzip.next()? {
                plain.extend_from_slice(&bytes);
            }
        }
        plain.extend(gunzip.finish()?.unwrap_or_default());
        Ok(plain)
    }

    #[test]
    fn bodies_in_pieces_of_any_size() {
        let plain: Vec<u8> = (0..100_000_u32).map(|n| (n / 9) as u8).collect();
        let packed = pack(&plain);
        for step in [1, 7, 1000, packed.len()] {
            assert_eq!(unpack(&packed, step).unwrap(), plain);
        }
        let twice = [pack(b"one "), pack(b"two")].concat();
        assert_eq!(unpack(&twice, 5).unwrap(), b"one two");
        assert!(unpack(&[], 1).unwrap().is_empty());
        // Zeros grow most; pieces stay small.
        let mut gunzip = Gunzip::default();
        gunzip.feed(pack(&vec![0; 50_000_000]).into());
        let mut total = 0;
        while let Some(piece) = gunzip.next().unwrap() {
            assert!(piece.len() < 8 << 20);
            total += piece.len();
        }
        assert_eq!(total, 50_000_000);
    }

    #[test]
    fn what_is_broken_is_told() {
        assert!(unpack(b"plain text, no gzip at all", 5).is_err());
        let packed = pack(b"hello, hello, hello");
        assert!(unpack(&packed[..packed.len() - 9], 3).is_err());
    }

    /// parity: proxy 113
    #[test]
    fn who_asks() {
        let mut headers = HeaderMap::new();
        assert!(asks_for_gzip(&Method::GET, &headers));
        assert!(!asks_for_gzip(&Method::HEAD, &headers));
        headers.insert(RANGE, http::HeaderValue::from_static("bytes=0-1"));
        assert!(!asks_for_gzip(&Method::GET, &headers));
        headers.remove(RANGE);
        headers.insert(ACCEPT_ENCODING, http::HeaderValue::from_static(""));
        assert!(!asks_for_gzip(&Method::GET, &headers));
    }
}
