//! Whole connections, from a client's first byte to the last answer. In: what the client sends.

use super::script;
use super::stage::{Manner, play};

/// A connection with HTTP/1, after a byte that says how it comes.
pub fn http1(data: &[u8]) {
    let (switches, data) = data.split_first().unwrap_or((&0, data));
    let out = play(data, Manner::new(*switches), false);
    assert!(
        out.is_empty() || out.starts_with(b"HTTP/1."),
        "{}",
        out.escape_ascii()
    );
}

/// A connection with HTTP/2, after a byte that says how it comes: frame by frame, or, with the highest bit, as it is.
pub fn h2(data: &[u8]) {
    let (switches, data) = data.split_first().unwrap_or((&0, data));
    let input = if switches & 0x80 == 0 {
        script::frames(data)
    } else {
        data.to_vec()
    };
    let out = play(&input, Manner::new(*switches), true);
    whole_frames(&out);
}

/// What the proxy says must be frames, of which settings come first.
fn whole_frames(out: &[u8]) {
    let mut rest = out;
    while let [high, middle, low, kind, _, _, _, _, _, after @ ..] = rest {
        let length = u32::from_be_bytes([0, *high, *middle, *low]);
        assert!(rest.len() < out.len() || *kind == 4, "{out:?}");
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        let Some(after) = after.get(length..) else {
            break;
        };
        rest = after;
    }
    assert!(rest.is_empty(), "{rest:?} at the end of {out:?}");
}
