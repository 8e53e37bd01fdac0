//! Bodies of responses: counted, chunked or until the end of the connection (RFC 9112 §6-7).

use bytes::{Bytes, BytesMut};
use http::header::{HeaderMap, HeaderName, HeaderValue};

use super::{Malformed, is_hop_by_hop};

/// Where in a body the reading is.
#[derive(Debug)]
pub(crate) enum BodyDecoder {
    /// So many bytes are to come.
    Length(u64),
    /// Chunks.
    Chunked(ChunkState),
    /// Everything until the connection ends.
    UntilEof,
}

/// Where in the chunks the reading is.
#[derive(Debug)]
pub(crate) enum ChunkState {
    /// At a line with a size.
    Size,
    /// So many bytes of a chunk are to come.
    Data(u64),
    /// At the line end after a chunk's data.
    DataEnd,
    /// In the trailers.
    Trailers,
    /// Behind everything.
    Done,
}

/// What came out of the buffer.
#[derive(Debug)]
pub(crate) enum Decoded {
    /// Part of the body.
    Data(Bytes),
    /// The trailers; the body ends after them.
    Trailers(HeaderMap),
    /// The body is complete.
    End,
    /// More must be read first.
    NeedMore,
}

/// Longest chunk-size line with extensions.
const LONGEST_SIZE_LINE: usize = 512;
/// Largest trailer section.
const LARGEST_TRAILERS: usize = 64 << 10;

impl BodyDecoder {
    /// The start of a chunked body.
    pub(crate) fn chunked() -> Self {
        Self::Chunked(ChunkState::Size)
    }

    /// The whole length if it is known.
    pub(crate) fn length(&self) -> Option<u64> {
        match self {
            Self::Length(length) => Some(*length),
            _ => None,
        }
    }

    /// Every byte of a counted body has been taken.
    pub(crate) fn is_over(&self) -> bool {
        matches!(self, Self::Length(0))
    }

    /// Takes the next piece off `buffer`.
    ///
    /// # Errors
    /// [`Malformed`] chunks.
    pub(crate) fn decode(&mut self, buffer: &mut BytesMut) -> Result<Decoded, Malformed> {
        match self {
            Self::Length(0) => Ok(Decoded::End),
            Self::Length(left) => Ok(take(buffer, left)),
            Self::UntilEof if buffer.is_empty() => Ok(Decoded::NeedMore),
            Self::UntilEof => Ok(Decoded::Data(buffer.split().freeze())),
            Self::Chunked(state) => state.decode(buffer),
        }
    }

    /// Whether the body may end here because the connection did.
    pub(crate) fn may_end_at_eof(&self) -> bool {
        matches!(
            self,
            Self::UntilEof | Self::Length(0) | Self::Chunked(ChunkState::Done)
        )
    }
}

impl ChunkState {
    fn decode(&mut self, buffer: &mut BytesMut) -> Result<Decoded, Malformed> {
        loop {
            match self {
                Self::Size => {
                    let Some(line) = take_line(buffer, LONGEST_SIZE_LINE)? else {
                        return Ok(Decoded::NeedMore);
                    };
                    *self = match parse_size(&line)? {
                        0 => Self::Trailers,
                        size => Self::Data(size),
                    };
                }
                Self::Data(left) => {
                    let data = take(buffer, left);
                    if *left == 0 {
                        *self = Self::DataEnd;
                    }
                    return Ok(data);
                }
                Self::DataEnd => match buffer.get(..2) {
                    Some(b"\r\n") => {
                        let _ = buffer.split_to(2);
                        *self = Self::Size;
                    }
                    Some(_) => return Err(Malformed("chunk data runs past its size")),
                    None => return Ok(Decoded::NeedMore),
                },
                Self::Trailers => {
                    let Some(trailers) = take_trailers(buffer)? else {
                        return Ok(Decoded::NeedMore);
                    };
                    *self = Self::Done;
                    if !trailers.is_empty() {
                        return Ok(Decoded::Trailers(trailers));
                    }
                }
                Self::Done => return Ok(Decoded::End),
            }
        }
    }
}

/// Up to `left` bytes of what is there.
fn take(buffer: &mut BytesMut, left: &mut u64) -> Decoded {
    if buffer.is_empty() {
        return Decoded::NeedMore;
    }
    let size = usize::try_from(*left)
        .unwrap_or(usize::MAX)
        .min(buffer.len());
    *left -= size as u64;
    Decoded::Data(buffer.split_to(size).freeze())
}

fn take_line(buffer: &mut BytesMut, longest: usize) -> Result<Option<BytesMut>, Malformed> {
    let Some(end) = memchr::memchr(b'\n', buffer) else {
        return if buffer.len() > longest {
            Err(Malformed("a line in the body is too long"))
        } else {
            Ok(None)
        };
    };
    let mut line = buffer.split_to(end + 1);
    if end > longest || end == 0 || line.get(end - 1) != Some(&b'\r') {
        return Err(Malformed("bad line in the body"));
    }
    line.truncate(end - 1);
    Ok(Some(line))
}

fn parse_size(line: &[u8]) -> Result<u64, Malformed> {
    let digits = line
        .split(|byte| *byte == b';')
        .next()
        .unwrap_or_default()
        .trim_ascii_end();
    if digits.is_empty() || digits.len() > 15 || !digits.iter().all(u8::is_ascii_hexdigit) {
        return Err(Malformed("bad chunk size"));
    }
    let text = std::str::from_utf8(digits).map_err(|_| Malformed("bad chunk size"))?;
    u64::from_str_radix(text, 16).map_err(|_| Malformed("bad chunk size"))
}

fn take_trailers(buffer: &mut BytesMut) -> Result<Option<HeaderMap>, Malformed> {
    if buffer.starts_with(b"\r\n") {
        let _ = buffer.split_to(2);
        return Ok(Some(HeaderMap::new()));
    }
    let mut space = [httparse::EMPTY_HEADER; 64];
    let mut trailers = HeaderMap::new();
    let length = match httparse::parse_headers(buffer, &mut space) {
        Ok(httparse::Status::Complete((length, headers))) => {
            for header in headers {
                let name = HeaderName::from_bytes(header.name.as_bytes())
                    .map_err(|_| Malformed("bad trailer"))?;
                let value =
                    HeaderValue::from_bytes(header.value).map_err(|_| Malformed("bad trailer"))?;
                if !is_hop_by_hop(name.as_str()) && name != http::header::CONTENT_LENGTH {
                    trailers.append(name, value);
                }
            }
            length
        }
        Ok(httparse::Status::Partial) if buffer.len() > LARGEST_TRAILERS => {
            return Err(Malformed("the trailers are too large"));
        }
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(_) => return Err(Malformed("bad trailer")),
    };
    let _ = buffer.split_to(length);
    Ok(Some(trailers))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Decodes `text` given in pieces of `step` bytes; gives the body, the trailers and what is left.
    fn decode(text: &str, step: usize) -> Result<(String, Option<HeaderMap>, usize), Malformed> {
        let mut decoder = BodyDecoder::chunked();
        let (mut body, mut trailers, mut buffer) = (Vec::new(), None, BytesMut::new());
        let mut input = text.as_bytes().chunks(step);
        loop {
            match decoder.decode(&mut buffer)? {
                Decoded::Data(data) => body.extend_from_slice(&data),
                Decoded::Trailers(map) => trailers = Some(map),
                Decoded::End => {
                    let left = buffer.len() + input.map(<[u8]>::len).sum::<usize>();
                    return Ok((String::from_utf8(body).unwrap(), trailers, left));
                }
                Decoded::NeedMore => match input.next() {
                    Some(piece) => buffer.extend_from_slice(piece),
                    None => return Err(Malformed("test input ended")),
                },
            }
        }
    }

    #[test]
    fn chunks_come_together_however_they_arrive() {
        let text = "5;ext=1\r\nhello\r\nA \r\n, world!!!\r\n0\r\nX-Sum: 1\r\n\r\n";
        for step in 1..text.len() {
            let (body, trailers, left) = decode(text, step).unwrap();
            assert_eq!(body, "hello, world!!!");
            assert_eq!(trailers.unwrap()["x-sum"], "1");
            assert_eq!(left, 0);
        }
        assert!(matches!(decode("0\r\n\r\n", 1), Ok((_, None, 0))));
        assert!(matches!(decode("0\r\n\r\nHTTP", 9), Ok((_, None, 4))));
    }

    #[test]
    fn bad_chunks_are_refused() {
        for text in [
            "x\r\n",
            "\r\n",
            "5\nhello",
            "1\r\nabX",
            "-1\r\n",
            "0x5\r\n",
            "1234567890abcdef0\r\n",
            "0\r\nbad trailer\r\n\r\n",
        ] {
            assert!(decode(text, 3).is_err(), "{text:?}");
        }
        assert!(decode(&"1".repeat(600), 600).is_err());
    }

    #[test]
    fn counted_bodies_stop_at_their_length() {
        let mut decoder = BodyDecoder::Length(3);
        let mut buffer = BytesMut::from("abcd");
        assert!(matches!(decoder.decode(&mut buffer), Ok(Decoded::Data(data)) if data == "abc"));
        assert!(matches!(decoder.decode(&mut buffer), Ok(Decoded::End)));
        assert_eq!(&buffer[..], b"d");
    }
}
