//! A transport that is always read from.
//!
//! A connection's loop does not read while it waits to write, or while a command's output waits to be taken. Where the transport is a channel
//! of a jump host, its unread bytes would then hold up the jump host's own connection: every host behind it, and even the window grants that
//! the waiting write needs. So a task takes what arrives at once and keeps it here. What can pile up is what the inner connection
//! granted and did not read, some 2 MB for each channel.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, Bytes};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf, ReadHalf, WriteHalf, split};
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

/// How much is read at once.
const PIECE: usize = 32 * 1024;

/// A stream whose input waits here instead of in the stream.
pub(crate) struct Inbox<S> {
    write: WriteHalf<S>,
    pieces: mpsc::UnboundedReceiver<io::Result<Bytes>>,
    current: Bytes,
    reading: AbortHandle,
}

impl<S: AsyncRead + AsyncWrite + Send + 'static> Inbox<S> {
    /// Begins to read `stream`.
    pub(crate) fn new(stream: S) -> Self {
        let (read, write) = split(stream);
        let (sender, pieces) = mpsc::unbounded_channel();
        let reading = tokio::spawn(take_in(read, sender)).abort_handle();
        Self {
            write,
            pieces,
            current: Bytes::new(),
            reading,
        }
    }
}

async fn take_in<S: AsyncRead>(
    mut read: ReadHalf<S>,
    sender: mpsc::UnboundedSender<io::Result<Bytes>>,
) {
    let mut buffer = vec![0; PIECE];
    loop {
        let piece = match read.read(&mut buffer).await {
            Ok(0) => return,
            Ok(count) => Ok(Bytes::copy_from_slice(
                buffer.get(..count).unwrap_or_default(),
            )),
            Err(error) => Err(error),
        };
        let failed = piece.is_err();
        if sender.send(piece).is_err() || failed {
            return;
        }
    }
}

impl<S> Drop for Inbox<S> {
    fn drop(&mut self) {
        // The task holds half of the stream, which would keep it open.
        self.reading.abort();
    }
}

impl<S> AsyncRead for Inbox<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.current.is_empty() {
            match ready!(self.pieces.poll_recv(cx)) {
                Some(piece) => self.current = piece?,
                None => return Poll::Ready(Ok(())),
            }
        }
        let count = self.current.len().min(buf.remaining());
        buf.put_slice(self.current.get(..count).unwrap_or_default());
        self.current.advance(count);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite> AsyncWrite for Inbox<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.write).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.write).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.write).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncWriteExt as _, duplex};

    use super::*;

    #[tokio::test]
    async fn takes_everything_in_and_gives_it_back_in_order() {
        let (near, mut far) = duplex(16);
        let mut inbox = Inbox::new(near);
        // Far more than the pipe holds, while nobody reads.
        let all: Vec<u8> = (0..100_000_u32)
            .map(|n| u8::try_from(n % 253).unwrap())
            .collect();
        far.write_all(&all).await.unwrap();
        inbox.write_all(b"answer").await.unwrap();
        let mut answer = [0; 6];
        far.read_exact(&mut answer).await.unwrap();
        drop(far);
        let mut got = Vec::new();
        inbox.read_to_end(&mut got).await.unwrap();
        assert!(got == all && &answer == b"answer");
    }

    #[tokio::test]
    async fn dropping_it_closes_the_stream() {
        let (near, mut far) = duplex(16);
        drop(Inbox::new(near));
        assert_eq!(far.read(&mut [0; 1]).await.unwrap(), 0);
    }
}
