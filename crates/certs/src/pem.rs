//! PEM (RFC 7468) as certificate caches hold it: every block in order, under whatever label, and nothing after the last one.
//!
//! rustls's own reader skips blocks with labels it does not know and ignores what follows the last; whether a cached file is
//! whole must be told here.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use zeroize::Zeroizing;

const BEGIN: &str = "-----BEGIN ";
const END: &str = "-----END ";
const DASHES: &str = "-----";

/// One block. Its content may be a private key, so it is wiped when dropped and not printed.
pub(crate) struct Block {
    pub(crate) label: String,
    pub(crate) der: Zeroizing<Vec<u8>>,
}

/// Splits `text` into blocks. `None` if a block is damaged or anything but white space stands outside the blocks.
pub(crate) fn blocks(text: &str) -> Option<Vec<Block>> {
    let mut blocks = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if line.trim().is_empty() {
            continue;
        }
        let label = line
            .trim_end()
            .strip_prefix(BEGIN)?
            .strip_suffix(DASHES)?
            .to_owned();
        let mut body = Zeroizing::new(String::new());
        loop {
            let line = lines.next()?.trim();
            if let Some(end) = line.strip_prefix(END) {
                if end.strip_suffix(DASHES)? != label {
                    return None;
                }
                break;
            }
            body.push_str(line);
        }
        let der = Zeroizing::new(BASE64_STANDARD.decode(body.as_bytes()).ok()?);
        blocks.push(Block { label, der });
    }
    Some(blocks)
}

/// Appends a block to `text`, in lines of 64 characters.
pub(crate) fn append(text: &mut String, label: &str, der: &[u8]) {
    let encoded = Zeroizing::new(BASE64_STANDARD.encode(der));
    for part in [BEGIN, label, DASHES, "\n"] {
        text.push_str(part);
    }
    let mut rest = encoded.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at_checked(64).unwrap_or((rest, ""));
        text.push_str(line);
        text.push('\n');
        rest = after;
    }
    for part in [END, label, DASHES, "\n"] {
        text.push_str(part);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let mut text = String::new();
        append(&mut text, "EC PRIVATE KEY", &[7; 100]);
        append(&mut text, "CERTIFICATE", &[9; 48]);
        assert!(text.lines().all(|line| line.len() <= 64));
        let blocks = blocks(&text).unwrap();
        assert_eq!(blocks.len(), 2);
        assert_eq!(blocks[0].label, "EC PRIVATE KEY");
        assert_eq!(*blocks[0].der, [7; 100]);
        assert_eq!(*blocks[1].der, [9; 48]);
    }

    #[test]
    fn damage_is_told() {
        let mut whole = String::new();
        append(&mut whole, "CERTIFICATE", &[1; 60]);
        assert!(blocks(&format!("\n{whole}\n \n")).is_some());
        for damaged in [
            format!("{whole}garbage"),
            format!("garbage\n{whole}"),
            whole.replace("END CERTIFICATE", "END SOMETHING"),
            whole.replace("AQEB", "A!EB"),
            whole[..whole.len() / 2].to_owned(),
        ] {
            assert!(blocks(&damaged).is_none(), "{damaged}");
        }
    }
}
