//! The type of a body whose target did not name one, found from its first bytes by the rules of the WHATWG's
//! MIME Sniffing Standard.

/// Bytes that are looked at.
pub(crate) const LOOKED_AT: usize = 512;

const BINARY: &str = "application/octet-stream";
const TEXT: &str = "text/plain; charset=utf-8";
const HTML: &str = "text/html; charset=utf-8";
const XML: &str = "text/xml; charset=utf-8";

/// Tags that make a text HTML, when a space or `>` follows.
const TAGS: [&[u8]; 17] = [
    b"<!DOCTYPE HTML",
    b"<HTML",
    b"<HEAD",
    b"<SCRIPT",
    b"<IFRAME",
    b"<H1",
    b"<DIV",
    b"<FONT",
    b"<TABLE",
    b"<A",
    b"<STYLE",
    b"<TITLE",
    b"<B",
    b"<BODY",
    b"<BR",
    b"<P",
    b"<!--",
];

/// What a body of the type begins with; `?` in the pattern stands for any byte.
const SIGNATURES: [(&[u8], &str); 30] = [
    (b"%PDF-", "application/pdf"),
    (b"%!PS-Adobe-", "application/postscript"),
    (b"\xFE\xFF??", "text/plain; charset=utf-16be"),
    (b"\xFF\xFE??", "text/plain; charset=utf-16le"),
    (b"\xEF\xBB\xBF?", TEXT),
    (b"\x00\x00\x01\x00", "image/x-icon"),
    (b"\x00\x00\x02\x00", "image/x-icon"),
    (b"BM", "image/bmp"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"RIFF????WEBPVP", "image/webp"),
    (b"\x89PNG\x0D\x0A\x1A\x0A", "image/png"),
    (b"\xFF\xD8\xFF", "image/jpeg"),
    (b"FORM????AIFF", "audio/aiff"),
    (b"ID3", "audio/mpeg"),
    (b"OggS\x00", "application/ogg"),
    (b"MThd\x00\x00\x00\x06", "audio/midi"),
    (b"RIFF????AVI ", "video/avi"),
    (b"RIFF????WAVE", "audio/wave"),
    (b"\x1A\x45\xDF\xA3", "video/webm"),
    (b"\x00\x01\x00\x00", "font/ttf"),
    (b"OTTO", "font/otf"),
    (b"ttcf", "font/collection"),
    (b"wOFF", "font/woff"),
    (b"wOF2", "font/woff2"),
    (b"\x1F\x8B\x08", "application/x-gzip"),
    (b"PK\x03\x04", "application/zip"),
    (b"Rar!\x1A\x07\x00", "application/x-rar-compressed"),
    (b"Rar!\x1A\x07\x01\x00", "application/x-rar-compressed"),
    (b"\x00\x61\x73\x6D", "application/wasm"),
];

/// The type of a body that begins with `body`.
pub(crate) fn sniff(body: &[u8]) -> &'static str {
    let body = body.get(..LOOKED_AT).unwrap_or(body);
    let blanks = body.iter().take_while(|byte| is_blank(**byte)).count();
    let text = body.get(blanks..).unwrap_or_default();
    if TAGS.iter().any(|tag| begins_with_tag(text, tag)) {
        return HTML;
    }
    if text.starts_with(b"<?xml") {
        return XML;
    }
    if let Some((_, kind)) = SIGNATURES.iter().find(|(pattern, _)| fits(body, pattern)) {
        return kind;
    }
    if is_mp4(body) {
        return "video/mp4";
    }
    let binary = |byte: &u8| matches!(byte, 0x00..=0x08 | 0x0B | 0x0E..=0x1A | 0x1C..=0x1F);
    if text.iter().any(binary) {
        BINARY
    } else {
        TEXT
    }
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b'\t' | b'\n' | 0x0C | b'\r' | b' ')
}

fn begins_with_tag(text: &[u8], tag: &[u8]) -> bool {
    text.get(..tag.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(tag))
        && matches!(text.get(tag.len()), Some(b' ' | b'>'))
}

fn fits(body: &[u8], pattern: &[u8]) -> bool {
    body.get(..pattern.len()).is_some_and(|start| {
        start
            .iter()
            .zip(pattern)
            .all(|(byte, wanted)| *wanted == b'?' || byte == wanted)
    })
}

/// A box `ftyp` that names a brand of MP4.
fn is_mp4(body: &[u8]) -> bool {
    let size = body
        .first_chunk::<4>()
        .map_or(0, |size| u32::from_be_bytes(*size) as usize);
    if size % 4 != 0 || body.get(4..8) != Some(b"ftyp") || size > body.len() {
        return false;
    }
    body.get(8..size).is_some_and(|brands| {
        brands
            .chunks(4)
            .enumerate()
            // The second word is a version, no brand.
            .any(|(place, brand)| place != 1 && brand.starts_with(b"mp4"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// parity: proxy 114
    #[test]
    fn known_kinds() {
        for (body, kind) in [
            (&b""[..], TEXT),
            (b"hello", TEXT),
            (b"{\"a\":1}", TEXT),
            (b"  \n<!doctype html><p>", HTML),
            (b"<p>x", HTML),
            (b"<b", TEXT),
            (b"<px>", TEXT),
            (b"<!-- x", HTML),
            (b"\n<?xml version=", XML),
            (b"%PDF-1.7", "application/pdf"),
            (b"\x89PNG\r\n\x1a\n....", "image/png"),
            (b"GIF89a..", "image/gif"),
            (b"RIFF1234WEBPVP8", "image/webp"),
            (b"RIFF1234WAVE", "audio/wave"),
            (b"\xff\xd8\xff\xe0", "image/jpeg"),
            (b"\x1f\x8b\x08\x00", "application/x-gzip"),
            (b"wOF2...", "font/woff2"),
            (b"\xef\xbb\xbfx", TEXT),
            (b"\x00\x00\x00\x14ftypisom\x00\x00\x02\x00mp41", "video/mp4"),
            (b"\x00\x00\x00\x10ftypisom\x00\x00\x02\x00", BINARY),
            (b"a\x00b", BINARY),
            (b"\x01\x02", BINARY),
            (b"caf\xc3\xa9 \x1b[0m", TEXT),
        ] {
            assert_eq!(sniff(body), kind, "{:?}", String::from_utf8_lossy(body));
        }
        // Beyond the bytes that are looked at anything may come.
        assert_eq!(sniff(&[vec![b'a'; 512], vec![0]].concat()), TEXT);
    }
}
