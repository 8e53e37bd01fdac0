//! Whole bodies: the first bytes in memory, the rest in an unnamed temporary file that vanishes with its handle,
//! whatever becomes of the process.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read as _, Seek as _, Write as _};
use std::path::Path;

use bytes::{Bytes, BytesMut};
use http::header::HeaderMap;
use http_body::Frame;

/// How much a body may take.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct BufferLimits {
    /// Bytes in memory.
    pub(crate) memory: usize,
    /// Bytes in all; none is unlimited.
    pub(crate) most: Option<u64>,
}

/// Why a body was not taken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BufferError {
    /// It is larger than allowed.
    #[error("the body is larger than allowed")]
    TooLarge,
    /// The temporary file failed.
    #[error("temporary file: {0}")]
    Spill(#[from] io::Error),
}

/// A body being gathered, then given out again in order.
#[derive(Debug, Default)]
pub(crate) struct BufferedBody {
    pieces: VecDeque<Bytes>,
    /// Small pieces are copied together, so that a body sent byte by byte does not cost a block each.
    tail: BytesMut,
    in_memory: usize,
    spill: Option<File>,
    total: u64,
    rewound: bool,
    trailers: Option<HeaderMap>,
}

const SMALL_PIECE: usize = 2 << 10;
const FILE_READ: usize = 64 << 10;

impl BufferedBody {
    /// Adds `data`; `folder` is for the temporary file.
    ///
    /// # Errors
    /// See [`BufferError`]; the body is of no use then.
    pub(crate) fn push(
        &mut self,
        mut data: Bytes,
        limits: BufferLimits,
        folder: &Path,
    ) -> Result<(), BufferError> {
        let total = self.total + data.len() as u64;
        if limits.most.is_some_and(|most| total > most) {
            return Err(BufferError::TooLarge);
        }
        self.total = total;
        let room = limits.memory.saturating_sub(self.in_memory).min(data.len());
        if self.spill.is_none() && room > 0 {
            let kept = data.split_to(room);
            self.in_memory += kept.len();
            self.keep(kept);
        }
        if !data.is_empty() {
            let file = match &mut self.spill {
                Some(file) => file,
                None => self.spill.insert(tempfile::tempfile_in(folder)?),
            };
            file.write_all(&data)?;
        }
        Ok(())
    }

    /// Adds data or trailers.
    ///
    /// # Errors
    /// See [`Self::push`].
    pub(crate) fn push_frame(
        &mut self,
        frame: Frame<Bytes>,
        limits: BufferLimits,
        folder: &Path,
    ) -> Result<(), BufferError> {
        match frame.into_data() {
            Ok(data) => self.push(data, limits, folder),
            Err(frame) => {
                self.trailers = frame.into_trailers().ok();
                Ok(())
            }
        }
    }

    /// Bytes gathered in all.
    pub(crate) fn total(&self) -> u64 {
        self.total
    }

    /// The first bytes, as many as lie together in memory.
    pub(crate) fn start(&self) -> &[u8] {
        match self.pieces.front() {
            Some(piece) => piece,
            None => &self.tail,
        }
    }

    /// The next piece, `None` at the end. Nothing may be pushed any more.
    ///
    /// # Errors
    /// When the temporary file cannot be read.
    pub(crate) fn next(&mut self) -> io::Result<Option<Bytes>> {
        if let Some(piece) = self.pieces.pop_front() {
            return Ok(Some(piece));
        }
        if !self.tail.is_empty() {
            return Ok(Some(self.tail.split().freeze()));
        }
        let Some(file) = &mut self.spill else {
            return Ok(None);
        };
        if !self.rewound {
            self.rewound = true;
            file.rewind()?;
        }
        let mut piece = vec![0_u8; FILE_READ];
        let size = file.read(&mut piece)?;
        if size == 0 {
            self.spill = None;
            return Ok(None);
        }
        piece.truncate(size);
        Ok(Some(Bytes::from(piece)))
    }

    /// The next piece of data, then the trailers, then `None`.
    ///
    /// # Errors
    /// See [`Self::next`].
    pub(crate) fn next_frame(&mut self) -> io::Result<Option<Frame<Bytes>>> {
        Ok(match self.next()? {
            Some(piece) => Some(Frame::data(piece)),
            None => self.trailers.take().map(Frame::trailers),
        })
    }

    fn keep(&mut self, data: Bytes) {
        if data.len() < SMALL_PIECE {
            self.tail.extend_from_slice(&data);
            return;
        }
        if !self.tail.is_empty() {
            self.pieces.push_back(self.tail.split().freeze());
        }
        self.pieces.push_back(data);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gather(pieces: &[&[u8]], limits: BufferLimits) -> Result<BufferedBody, BufferError> {
        let mut body = BufferedBody::default();
        for piece in pieces {
            body.push(Bytes::copy_from_slice(piece), limits, &std::env::temp_dir())?;
        }
        Ok(body)
    }

    fn content(mut body: BufferedBody) -> Vec<u8> {
        let mut all = Vec::new();
        while let Some(piece) = body.next().unwrap() {
            all.extend_from_slice(&piece);
        }
        all
    }

    /// parity: proxy 116
    #[test]
    fn order_is_kept_in_memory_and_on_disk() {
        let big = vec![b'x'; 5000];
        let pieces: [&[u8]; 5] = [b"a", b"b", &big, b"c", b"d"];
        let whole = pieces.concat();
        for memory in [0, 1, 2, 100, 5002, 5003, 9999] {
            let body = gather(&pieces, BufferLimits { memory, most: None }).unwrap();
            assert_eq!(body.total(), whole.len() as u64);
            assert_eq!(body.spill.is_some(), memory < whole.len(), "{memory}");
            assert_eq!(content(body), whole);
        }
        assert!(content(gather(&[], BufferLimits::default()).unwrap()).is_empty());
    }

    /// parity: proxy 116
    #[test]
    fn the_limit_counts_everything() {
        let limits = |most| BufferLimits {
            memory: 2,
            most: Some(most),
        };
        assert_eq!(
            content(gather(&[b"abc", b"de"], limits(5)).unwrap()),
            b"abcde"
        );
        assert!(matches!(
            gather(&[b"abc", b"de"], limits(4)),
            Err(BufferError::TooLarge)
        ));
    }
}
