//! Random request ids (UUID version 4). They name requests in logs and are no secrets, so a fast generator,
//! seeded from the system once a core, makes them.

use std::cell::Cell;

/// The text of an id.
pub(crate) type IdText = [u8; 36];

/// One core's source of ids (xoshiro256++).
pub(crate) struct RequestIds {
    state: Cell<[u64; 4]>,
}

impl RequestIds {
    /// Seeds from the system; if that fails, from the address of a local and the clock, which is enough for ids.
    pub(crate) fn new() -> Self {
        let mut seed = [0_u8; 32];
        if getrandom::fill(&mut seed).is_err() {
            let place = std::ptr::from_ref(&seed) as usize as u64;
            let now = crate::cores::clock::unix_nanos_now();
            for (byte, source) in seed
                .iter_mut()
                .zip(place.to_le_bytes().into_iter().chain(now.to_le_bytes()))
            {
                *byte = source;
            }
        }
        let mut state = [1_u64; 4];
        for (word, bytes) in state.iter_mut().zip(seed.as_chunks::<8>().0) {
            *word = u64::from_le_bytes(*bytes);
        }
        Self {
            state: Cell::new(state),
        }
    }

    /// The next id.
    pub(crate) fn next(&self) -> IdText {
        let mut bytes = [0_u8; 16];
        for chunk in bytes.as_chunks_mut::<8>().0 {
            *chunk = self.next_word().to_le_bytes();
        }
        let value = u128::from_be_bytes(bytes);
        // Version 4, variant 10.
        let value = value & !(0xf << 76) | (0x4 << 76);
        let value = value & !(0b11 << 62) | (0b10 << 62);
        let mut text = [b'-'; 36];
        let mut shift = 128;
        for (place, digit) in text.iter_mut().enumerate() {
            if !matches!(place, 8 | 13 | 18 | 23) {
                shift -= 4;
                *digit = hex_digit((value >> shift) as u8 & 0xf);
            }
        }
        text
    }

    /// A random number from 0 up to, but not, 1.
    pub(crate) fn fraction(&self) -> f64 {
        f64::from(u32::try_from(self.next_word() >> 32).unwrap_or(0)) / (f64::from(u32::MAX) + 1.0)
    }

    fn next_word(&self) -> u64 {
        let [a, b, c, d] = self.state.get();
        let result = a.wrapping_add(d).rotate_left(23).wrapping_add(a);
        let (c, d) = (c ^ a, d ^ b);
        let (b, a) = (b ^ c, a ^ d);
        self.state.set([a, b, c ^ (b << 17), d.rotate_left(45)]);
        result
    }
}

fn hex_digit(nibble: u8) -> u8 {
    if nibble < 10 {
        b'0' + nibble
    } else {
        b'a' + nibble - 10
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// parity: proxy 109
    #[test]
    fn ids_are_version_4_and_differ() {
        let ids = RequestIds::new();
        let mut seen = std::collections::HashSet::new();
        for _ in 0..1000 {
            let text = String::from_utf8(ids.next().to_vec()).unwrap();
            assert_eq!(
                text.split('-').map(str::len).collect::<Vec<_>>(),
                [8, 4, 4, 4, 12]
            );
            assert_eq!(text.as_bytes()[14], b'4');
            assert!(
                matches!(text.as_bytes()[19], b'8' | b'9' | b'a' | b'b'),
                "{text}"
            );
            assert!(seen.insert(text));
        }
    }
}
