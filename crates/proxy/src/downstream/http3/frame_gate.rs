//! What a client sends on a stream, let through frame by frame. h3 reads ahead of what it gives out and keeps whole
//! frames in memory, however long; this gate knows the frames' edges, so it can bound both: a frame that must be
//! kept whole has a largest size, the payload of a frame nobody understands does not get through at all, and data
//! that h3 holds already must be taken before more gets in.

use std::cell::Cell;
use std::rc::Rc;

use bytes::{Buf as _, Bytes};

/// A frame is larger than may be kept, or of a kind that has no business here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Excessive;

/// Data that h3 holds and nobody has taken yet, in bytes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Held(Rc<Cell<usize>>);

impl Held {
    /// So much was taken.
    pub(crate) fn taken(&self, bytes: usize) {
        self.0.set(self.0.get().saturating_sub(bytes));
    }

    /// Something waits to be taken.
    pub(crate) fn is_any(&self) -> bool {
        self.0.get() > 0
    }

    fn add(&self, bytes: usize) {
        self.0.set(self.0.get().saturating_add(bytes));
    }
}

/// The gate of one stream.
#[derive(Debug)]
pub(crate) struct FrameGate {
    state: State,
    /// The start of a frame that has not come whole.
    head: Vec<u8>,
    /// Largest frame that is kept whole.
    largest: u64,
    held: Held,
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// At the type of a unidirectional stream.
    StreamType,
    /// At the start of a frame.
    Head,
    /// In a body, with so much to come.
    Data(u64),
    /// In a frame that is kept whole.
    Whole(u64),
    /// In a frame that is left out.
    Skip(u64),
    /// On a stream that has no frames.
    Plain,
}

const DATA: u64 = 0x0;
const HEADERS: u64 = 0x1;
/// The last of the types that RFC 9114 gives a meaning or reserves.
const LAST_KNOWN: u64 = 0xd;
/// A frame without a length, of WebTransport, which is not offered.
const WEBTRANSPORT: u64 = 0x41;
const CONTROL_STREAM: u64 = 0x0;
/// Largest frame on a control stream: settings and single numbers.
const LARGEST_CONTROL: u64 = 16 << 10;

impl FrameGate {
    /// A request's stream; `largest` bounds its headers.
    pub(crate) fn request(largest: u64, held: Held) -> Self {
        Self {
            state: State::Head,
            head: Vec::new(),
            largest,
            held,
        }
    }

    /// A unidirectional stream, whatever it turns out to be.
    pub(crate) fn unidirectional() -> Self {
        Self {
            state: State::StreamType,
            head: Vec::new(),
            largest: LARGEST_CONTROL,
            held: Held::default(),
        }
    }

    /// Nothing more gets in until what is held was taken.
    pub(crate) fn is_closed(&self) -> bool {
        self.held.is_any()
    }

    /// Takes the next piece for h3 off the front of `input`; `None` when nothing of it is left for h3.
    ///
    /// # Errors
    /// [`Excessive`]; the stream is of no use then.
    pub(crate) fn pass(&mut self, input: &mut Bytes) -> Result<Option<Bytes>, Excessive> {
        while !input.is_empty() {
            match &mut self.state {
                State::Plain => return Ok(Some(std::mem::take(input))),
                State::Data(left) => {
                    let piece = split(input, left);
                    if *left == 0 {
                        self.state = State::Head;
                    }
                    self.held.add(piece.len());
                    return Ok(Some(piece));
                }
                State::Whole(left) => {
                    let piece = split(input, left);
                    if *left == 0 {
                        self.state = State::Head;
                    }
                    return Ok(Some(piece));
                }
                State::Skip(left) => {
                    split(input, left);
                    if *left == 0 {
                        self.state = State::Head;
                    }
                }
                State::StreamType | State::Head => {
                    self.head.push(input.get_u8());
                    if let Some(head) = self.head_read()? {
                        return Ok(Some(head));
                    }
                }
            }
        }
        Ok(None)
    }

    /// Looks whether the start of a frame or stream is complete, and gives what of it h3 is to see.
    fn head_read(&mut self) -> Result<Option<Bytes>, Excessive> {
        let Some((kind, rest)) = varint(&self.head) else {
            return Ok(None);
        };
        if matches!(self.state, State::StreamType) {
            self.state = if kind == CONTROL_STREAM {
                State::Head
            } else {
                State::Plain
            };
            return Ok(Some(Bytes::from(std::mem::take(&mut self.head))));
        }
        let Some((length, _)) = varint(rest) else {
            return Ok(None);
        };
        let head = std::mem::take(&mut self.head);
        let (state, seen) = match kind {
            WEBTRANSPORT => return Err(Excessive),
            // h3 takes an empty one for the end of the body.
            DATA if length == 0 => (State::Head, false),
            DATA => (State::Data(length), true),
            HEADERS..=LAST_KNOWN if length > self.largest => return Err(Excessive),
            HEADERS..=LAST_KNOWN if length == 0 => (State::Head, true),
            HEADERS..=LAST_KNOWN => (State::Whole(length), true),
            _ if length == 0 => (State::Head, false),
            _ => (State::Skip(length), false),
        };
        self.state = state;
        Ok(seen.then(|| Bytes::from(head)))
    }
}

fn split(input: &mut Bytes, left: &mut u64) -> Bytes {
    let size = usize::try_from(*left)
        .unwrap_or(usize::MAX)
        .min(input.len());
    *left -= size as u64;
    input.split_to(size)
}

/// A number in QUIC's variable-length form (RFC 9000 §16) and what follows it; `None` while it is incomplete.
fn varint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let first = *bytes.first()?;
    let size = 1_usize << (first >> 6);
    let (number, rest) = bytes.split_at_checked(size)?;
    let value = number
        .iter()
        .skip(1)
        .fold(u64::from(first & 0x3f), |value, byte| {
            value << 8 | u64::from(*byte)
        });
    Some((value, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What h3 gets to see of `input`, given in pieces of `step` bytes.
    fn seen(gate: &mut FrameGate, input: &[u8], step: usize) -> Result<Vec<u8>, Excessive> {
        let mut out = Vec::new();
        for piece in input.chunks(step) {
            let mut piece = Bytes::copy_from_slice(piece);
            while let Some(seen) = gate.pass(&mut piece)? {
                out.extend_from_slice(&seen);
                gate.held.taken(usize::MAX);
            }
        }
        Ok(out)
    }

    fn request() -> FrameGate {
        FrameGate::request(100, Held::default())
    }

    #[test]
    fn frames_get_through_and_the_unknown_do_not() {
        // HEADERS, a reserved frame, an empty DATA, DATA, an empty reserved frame, HEADERS.
        let input = b"\x01\x02ab\x21\x03xyz\x00\x00\x00\x40\x03cde\x40\x5f\x00\x01\x01t";
        for step in 1..input.len() {
            let seen = seen(&mut request(), input, step).unwrap();
            assert_eq!(seen, b"\x01\x02ab\x00\x40\x03cde\x01\x01t", "{step}");
        }
    }

    #[test]
    fn what_would_fill_the_memory_is_refused() {
        assert_eq!(
            seen(&mut request(), b"\x01\x40\x65", 9),
            Err(Excessive),
            "headers"
        );
        assert!(seen(&mut request(), b"\x01\x40\x64", 9).is_ok());
        assert_eq!(seen(&mut request(), b"\x40\x41\x00", 9), Err(Excessive));
        let mut control = FrameGate::unidirectional();
        assert_eq!(
            seen(&mut control, b"\x00\x04\x80\x01\x00\x00", 9),
            Err(Excessive)
        );
        // A body may have any length: it goes on as it comes.
        assert!(seen(&mut request(), b"\x00\xc0\x00\x00\xff\x00\x00\x00\x00x", 99).is_ok());
    }

    #[test]
    fn data_is_held_until_it_is_taken() {
        let held = Held::default();
        let mut gate = FrameGate::request(100, held.clone());
        let mut input = Bytes::from_static(b"\x00\x05hello\x00\x01x");
        assert_eq!(gate.pass(&mut input).unwrap().unwrap(), "\x00\x05");
        assert!(!gate.is_closed());
        assert_eq!(gate.pass(&mut input).unwrap().unwrap(), "hello");
        assert!(gate.is_closed());
        held.taken(5);
        assert!(!gate.is_closed());
    }

    #[test]
    fn other_streams_are_none_of_our_business() {
        let mut qpack = FrameGate::unidirectional();
        let input = b"\x02anything\x01\x02";
        assert_eq!(seen(&mut qpack, input, 4).unwrap(), input);
        let mut control = FrameGate::unidirectional();
        let input = b"\x00\x04\x02\x06\x00\x21\x01x\x07\x01\x00";
        assert_eq!(
            seen(&mut control, input, 2).unwrap(),
            b"\x00\x04\x02\x06\x00\x07\x01\x00"
        );
    }

    #[test]
    fn noise_does_no_harm() {
        let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
        let mut random = || {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            seed
        };
        for _ in 0..50_000 {
            let bytes: Vec<u8> = (0..random() % 40)
                .map(|_| (random() % 256) as u8 & [0xff, 0x03][(random() % 2) as usize])
                .collect();
            let step = 1 + (random() % 7) as usize;
            for gate in [&mut request(), &mut FrameGate::unidirectional()] {
                if let Ok(seen) = seen(gate, &bytes, step) {
                    assert!(seen.len() <= bytes.len());
                }
            }
        }
    }
}
