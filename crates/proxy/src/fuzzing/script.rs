//! What a client of HTTP/2 sends, put together from bytes: frames with the right lengths and streams in order, so that most
//! of what a fuzzer thinks up gets further than the first frame. In: bytes. Out: bytes of a connection.

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const SETTINGS: u8 = 4;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// Heads in HPACK (RFC 7541) without Huffman codes: method, scheme, authority, path.
const HEADS: [&[u8]; 8] = [
    b"\x82\x87\x01\x01a\x84",
    b"\x83\x87\x01\x01a\x04\x07/chunks",
    b"\x83\x87\x01\x01a\x04\x06/close",
    b"\x83\x87\x01\x01a\x04\x0a/spool/big",
    b"\x83\x87\x01\x01a\x04\x06/hints\x00\x06expect\x0c100-continue",
    b"\x82\x87\x01\x01a\x04\x06/retry",
    b"\x82\x87\x01\x01a\x04\x05/slow",
    b"\x02\x04HEAD\x87\x01\x01a\x04\x05/junk",
];

/// A preface, settings, then for each of these one frame:
///
/// - `000mehhh`, length, rest of a head: a request with head `hhh`, ended with it if `e`, to be continued if `m`.
/// - `001mexxx`, length, content: data on the last stream, which it ends if `e`; 64 times as much if `m`.
/// - anything else: type in the lowest four bits, then flags, stream, length, payload.
pub(super) fn frames(bytes: &[u8]) -> Vec<u8> {
    let mut out = PREFACE.to_vec();
    frame(&mut out, SETTINGS, 0, 0, &[]);
    let mut rest = bytes;
    let mut stream: u32 = 0;
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        let (ends, more) = (first & 8 != 0, first & 16 != 0);
        let end = if ends { END_STREAM } else { 0 };
        match first >> 5 {
            0 => {
                let payload = take_counted(&mut rest);
                let head = HEADS.get(usize::from(first & 7)).copied();
                let block = [head.unwrap_or_default(), payload].concat();
                stream = if stream == 0 { 1 } else { stream + 2 };
                let complete = if more { 0 } else { END_HEADERS };
                frame(&mut out, HEADERS, end | complete, stream, &block);
            }
            1 => {
                let payload = take_counted(&mut rest);
                let times = if more { 64 } else { 1 };
                frame(&mut out, DATA, end, stream, &payload.repeat(times));
            }
            _ => {
                let flags = take_one(&mut rest);
                let on = take_one(&mut rest);
                let payload = take_counted(&mut rest);
                frame(&mut out, first & 15, flags, on.into(), payload);
            }
        }
    }
    out
}

fn frame(out: &mut Vec<u8>, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
    let length = u32::try_from(payload.len()).unwrap_or(u32::MAX);
    out.extend(length.to_be_bytes().iter().skip(1));
    out.extend([kind, flags]);
    out.extend(stream.to_be_bytes());
    out.extend(payload);
}

fn take_one(rest: &mut &[u8]) -> u8 {
    let Some((first, after)) = rest.split_first() else {
        return 0;
    };
    *rest = after;
    *first
}

/// A length and so many bytes, or as many as there are.
fn take_counted<'b>(rest: &mut &'b [u8]) -> &'b [u8] {
    let length = usize::from(take_one(rest)).min(rest.len());
    let (taken, after) = rest.split_at(length);
    *rest = after;
    taken
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_with_a_body_and_a_ping() {
        let script = b"\x01\x00\x28\x02hi\x46\x00\x00\x0812345678";
        let frames = frames(script);
        let rest = frames.strip_prefix(PREFACE).unwrap();
        let expected = [
            &b"\0\0\0\x04\0\0\0\0\0"[..],
            b"\0\0\x0e\x01\x04\0\0\0\x01\x83\x87\x01\x01a\x04\x07/chunks",
            b"\0\0\x02\0\x01\0\0\0\x01hi",
            b"\0\0\x08\x06\0\0\0\0\x0012345678",
        ];
        assert_eq!(rest, expected.concat());
    }
}
