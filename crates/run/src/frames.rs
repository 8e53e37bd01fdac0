//! Takes apart what a program prints: which bytes belong to which step, and when steps begin and end.
//!
//! In: the bytes of a channel's two streams, in whatever pieces they come. Out: [`Signal`]s. A frame is the line
//! `MARK s N` (step N begins), `MARK e N EXIT` (it has ended) or `MARK b STATUS` (the program has ended), each on both streams; a
//! step counts as ended when both streams have said so.

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

/// Both streams of one shell.
pub(crate) struct Demux {
    stdout: Lane,
    stderr: Lane,
}

impl Demux {
    /// For programs printed with this mark.
    pub(crate) fn new(mark: &str) -> Self {
        let needle = format!("\n{mark} ").into_bytes();
        Self {
            stdout: Lane::new(needle.clone()),
            stderr: Lane::new(needle),
        }
    }

    /// More bytes of standard output.
    pub(crate) fn stdout(&mut self, bytes: &[u8]) -> Vec<Signal> {
        let mut signals = Vec::new();
        for piece in self.stdout.feed(bytes) {
            match piece {
                Piece::Text(step, text) => signals.push(Signal::Stdout { step, text }),
                Piece::Frame(frame) => self.frame(frame, true, &mut signals),
            }
        }
        signals
    }

    /// More bytes of standard error.
    pub(crate) fn stderr(&mut self, bytes: &[u8]) -> Vec<Signal> {
        let mut signals = Vec::new();
        for piece in self.stderr.feed(bytes) {
            match piece {
                Piece::Text(step, text) => signals.push(Signal::Stderr { step, text }),
                Piece::Frame(frame) => self.frame(frame, false, &mut signals),
            }
        }
        signals
    }

    /// Starts count on standard output; ends on whichever stream says so last.
    fn frame(&self, frame: Frame, on_stdout: bool, signals: &mut Vec<Signal>) {
        let other = if on_stdout {
            &self.stderr
        } else {
            &self.stdout
        };
        match frame {
            Frame::Start(step) if on_stdout => signals.push(Signal::Started { step }),
            Frame::Start(_) => {}
            Frame::End(step, exit) if other.past(step) => {
                signals.push(Signal::Ended { step, exit });
            }
            Frame::Batch(status) if other.batches >= self.batches(on_stdout) => {
                signals.push(Signal::Batch { status });
            }
            Frame::End(..) | Frame::Batch(_) => {}
        }
    }

    fn batches(&self, on_stdout: bool) -> u64 {
        if on_stdout {
            self.stdout.batches
        } else {
            self.stderr.batches
        }
    }

    /// Forgets the last program's steps before the next program is sent.
    pub(crate) fn next_program(&mut self) {
        self.stdout.ended = None;
        self.stderr.ended = None;
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
    step: Option<usize>,
    ended: Option<usize>,
    batches: u64,
}

impl Lane {
    fn new(needle: Vec<u8>) -> Self {
        Self {
            needle,
            buffer: Vec::new(),
            step: None,
            ended: None,
            batches: 0,
        }
    }

    /// Whether the end of this step has been seen here.
    fn past(&self, step: usize) -> bool {
        self.ended.is_some_and(|ended| ended >= step)
    }

    fn feed(&mut self, bytes: &[u8]) -> Vec<Piece> {
        self.buffer.extend_from_slice(bytes);
        let mut pieces = Vec::new();
        while let Some(at) = find(&self.buffer, &self.needle) {
            let after = at + self.needle.len();
            let Some(line) = self.buffer.get(after..).and_then(|tail| {
                let end = tail.iter().position(|b| *b == b'\n')?;
                tail.get(..end)
            }) else {
                // The frame's line is not whole yet: what stands before it may go out, the rest waits.
                let text: Vec<u8> = self.buffer.drain(..at).collect();
                self.text(text, &mut pieces);
                return pieces;
            };
            let frame = parse(line);
            let length = line.len();
            let text: Vec<u8> = self.buffer.drain(..at).collect();
            self.buffer
                .drain(..(self.needle.len() + length + 1).min(self.buffer.len()));
            self.text(text, &mut pieces);
            if let Some(frame) = frame {
                match frame {
                    Frame::Start(step) => self.step = Some(step),
                    Frame::End(step, _) => {
                        self.step = None;
                        self.ended = Some(step);
                    }
                    Frame::Batch(_) => self.batches += 1,
                }
                pieces.push(Piece::Frame(frame));
            }
        }
        let keep = partial(&self.buffer, &self.needle);
        let text: Vec<u8> = self.buffer.drain(..self.buffer.len() - keep).collect();
        self.text(text, &mut pieces);
        pieces
    }

    /// Bytes outside any step (a login banner, a shell's complaint) belong to the next step, or to the first.
    fn text(&self, text: Vec<u8>, pieces: &mut Vec<Piece>) {
        if !text.is_empty() {
            let step = self
                .step
                .unwrap_or_else(|| self.ended.map_or(0, |ended| ended + 1));
            pieces.push(Piece::Text(step, text));
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
    fn a_forged_frame_without_the_mark_is_output() {
        let mut demux = Demux::new("MM");
        let signals = demux.stdout(b"\nMM s 0\n\nMX e 0 0\nMM\n");
        assert!(
            matches!(signals.last(), Some(Signal::Stdout { text, .. }) if text.ends_with(b"MX e 0 0\nMM"))
        );
    }
}
