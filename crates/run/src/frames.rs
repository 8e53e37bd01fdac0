//! Takes apart what a program prints: which bytes belong to which step, and when steps begin and end.
//!
//! In: the bytes of a channel's two streams, in whatever pieces they come. Out: [`Signal`]s. A frame is the line
//! `MARK s N` (step N begins), `MARK e N EXIT` (it has ended) or `MARK b STATUS` (the program has ended), each on both streams; a
//! step counts as ended when both streams have said so.

use std::collections::VecDeque;

/// Something a program said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Signal {
    /// A step begins.
    Started {
        /// Its number.
        step: usize,
    },
    /// A step printed this to its standard output.
    Stdout {
        /// Its number.
        step: usize,
        /// What.
        text: Vec<u8>,
    },
    /// A step printed this to its standard error.
    Stderr {
        /// Its number.
        step: usize,
        /// What.
        text: Vec<u8>,
    },
    /// A step has ended.
    Ended {
        /// Its number.
        step: usize,
        /// Its exit status.
        exit: i32,
    },
    /// The program has ended.
    Batch {
        /// 0 if every step that counts succeeded.
        status: i32,
    },
}

/// Both streams of one shell, kept in step: neither runs ahead of the other past the end of a step.
pub(crate) struct Demux {
    lanes: [Lane; 2],
    started: Option<usize>,
}

const STDOUT: usize = 0;

impl Demux {
    /// For programs printed with this mark.
    pub(crate) fn new(mark: &str) -> Self {
        let needle = format!("\n{mark} ").into_bytes();
        Self {
            lanes: [Lane::new(needle.clone()), Lane::new(needle)],
            started: None,
        }
    }

    /// More bytes of standard output.
    pub(crate) fn stdout(&mut self, bytes: &[u8]) -> Vec<Signal> {
        let [lane, _] = &mut self.lanes;
        lane.feed(bytes);
        self.pump()
    }

    /// More bytes of standard error.
    pub(crate) fn stderr(&mut self, bytes: &[u8]) -> Vec<Signal> {
        let [_, lane] = &mut self.lanes;
        lane.feed(bytes);
        self.pump()
    }

    /// Forgets the last program's steps before the next program is sent.
    pub(crate) fn next_program(&mut self) {
        self.started = None;
        for lane in &mut self.lanes {
            lane.ended = None;
        }
    }

    /// Everything that can be said by now: a lane waits at each end until the other has come there too.
    fn pump(&mut self) -> Vec<Signal> {
        let mut signals = Vec::new();
        loop {
            for (index, lane) in self.lanes.iter_mut().enumerate() {
                while lane.waits.is_none() {
                    match lane.pieces.pop_front() {
                        None => break,
                        Some(Piece::Text(step, text)) if index == STDOUT => {
                            signals.push(Signal::Stdout { step, text });
                        }
                        Some(Piece::Text(step, text)) => {
                            signals.push(Signal::Stderr { step, text });
                        }
                        Some(Piece::Frame(Frame::Start(step))) => {
                            if self.started != Some(step) {
                                self.started = Some(step);
                                signals.push(Signal::Started { step });
                            }
                        }
                        Some(Piece::Frame(end)) => lane.waits = Some(end),
                    }
                }
            }
            let [out, err] = &mut self.lanes;
            match (out.waits, err.waits) {
                (Some(Frame::End(step, exit)), Some(_)) => {
                    signals.push(Signal::Ended { step, exit });
                }
                (Some(Frame::Batch(status)), Some(_)) => signals.push(Signal::Batch { status }),
                _ => return signals,
            }
            (out.waits, err.waits) = (None, None);
        }
    }
}

enum Piece {
    Text(usize, Vec<u8>),
    Frame(Frame),
}

#[derive(Clone, Copy)]
enum Frame {
    Start(usize),
    End(usize, i32),
    Batch(i32),
}

/// One stream.
struct Lane {
    needle: Vec<u8>,
    buffer: Vec<u8>,
    /// The step whose frames enclose what comes now.
    step: Option<usize>,
    ended: Option<usize>,
    /// What was found and not yet said.
    pieces: VecDeque<Piece>,
    /// The end that the other lane has not come to yet.
    waits: Option<Frame>,
}

impl Lane {
    fn new(needle: Vec<u8>) -> Self {
        Self {
            needle,
            buffer: Vec::new(),
            step: None,
            ended: None,
            pieces: VecDeque::new(),
            waits: None,
        }
    }

    fn feed(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
        while let Some(at) = find(&self.buffer, &self.needle) {
            let after = at + self.needle.len();
            let line = self.buffer.get(after..).and_then(|tail| {
                let end = tail.iter().position(|b| *b == b'\n')?;
                tail.get(..end)
            });
            let Some(line) = line else {
                // The frame's line is not whole yet: what stands before it may go out, the rest waits.
                self.text(at);
                return;
            };
            let frame = parse(line);
            let length = self.needle.len() + line.len() + 1;
            self.text(at);
            self.buffer.drain(..length.min(self.buffer.len()));
            let Some(frame) = frame else { continue };
            match frame {
                Frame::Start(step) => self.step = Some(step),
                Frame::End(step, _) => {
                    self.step = None;
                    self.ended = Some(step);
                }
                Frame::Batch(_) => self.step = None,
            }
            self.pieces.push_back(Piece::Frame(frame));
        }
        let keep = partial(&self.buffer, &self.needle);
        self.text(self.buffer.len() - keep);
    }

    /// Takes so many bytes as text. Bytes outside any step (a login banner, a shell's complaint) belong to the next one.
    fn text(&mut self, length: usize) {
        if length > 0 {
            let step = self
                .step
                .unwrap_or_else(|| self.ended.map_or(0, |ended| ended + 1));
            let text = self.buffer.drain(..length).collect();
            self.pieces.push_back(Piece::Text(step, text));
        }
    }
}

fn parse(line: &[u8]) -> Option<Frame> {
    let mut words = std::str::from_utf8(line).ok()?.split(' ');
    match (words.next()?, words.next(), words.next()) {
        ("s", Some(step), None) => Some(Frame::Start(step.parse().ok()?)),
        ("e", Some(step), Some(exit)) => Some(Frame::End(step.parse().ok()?, exit.parse().ok()?)),
        ("b", Some(status), None) => Some(Frame::Batch(status.parse().ok()?)),
        _ => None,
    }
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|w| w == needle)
}

/// How many bytes at the end may be the beginning of the needle.
fn partial(buffer: &[u8], needle: &[u8]) -> usize {
    let most = needle.len().saturating_sub(1).min(buffer.len());
    (1..=most)
        .rev()
        .find(|n| needle.get(..*n).is_some_and(|head| buffer.ends_with(head)))
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_found_however_the_bytes_are_cut() {
        let out = b"\nMM s 0\nhello\n\nworld\nMM e 0 0\n\nMM s 1\n\nMM e 1 5\n\nMM b 1\n";
        let err = b"\nMM s 0\nwarn\nMM e 0 0\n\nMM s 1\n\nMM e 1 5\n\nMM b 1\n";
        for size in 1..out.len() {
            let mut demux = Demux::new("MM");
            let mut signals = Vec::new();
            for piece in out.chunks(size) {
                signals.extend(demux.stdout(piece));
            }
            for piece in err.chunks(size) {
                signals.extend(demux.stderr(piece));
            }
            let text: Vec<u8> = signals
                .iter()
                .filter_map(|s| match s {
                    Signal::Stdout { step: 0, text } => Some(text.clone()),
                    _ => None,
                })
                .flatten()
                .collect();
            assert_eq!(text, b"hello\n\nworld", "pieces of {size}");
            let ends: Vec<_> = signals
                .iter()
                .filter(|s| matches!(s, Signal::Ended { .. } | Signal::Batch { .. }))
                .cloned()
                .collect();
            assert_eq!(
                ends,
                [
                    Signal::Ended { step: 0, exit: 0 },
                    Signal::Ended { step: 1, exit: 5 },
                    Signal::Batch { status: 1 }
                ]
            );
        }
    }

    #[test]
    fn a_stream_that_runs_ahead_waits_for_the_other() {
        let mut demux = Demux::new("MM");
        let ahead = demux.stdout(b"\nMM s 0\n\nMM e 0 0\n\nMM s 1\nnext");
        assert_eq!(ahead, [Signal::Started { step: 0 }]);
        let both = demux.stderr(b"\nMM s 0\nlate\nMM e 0 0\n");
        let text = |t: &str| t.as_bytes().to_vec();
        assert_eq!(
            both,
            [
                Signal::Stderr {
                    step: 0,
                    text: text("late")
                },
                Signal::Ended { step: 0, exit: 0 },
                Signal::Started { step: 1 },
                Signal::Stdout {
                    step: 1,
                    text: text("next")
                },
            ]
        );
    }

    #[test]
    fn a_forged_frame_without_the_mark_is_output() {
        let mut demux = Demux::new("MM");
        let signals = demux.stdout(b"\nMM s 0\n\nMX e 0 0\nMM\n");
        assert!(
            matches!(signals.last(), Some(Signal::Stdout { text, .. }) if text.ends_with(b"MX e 0 0\nMM"))
        );
    }
}
