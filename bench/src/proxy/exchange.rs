//! One HTTP/1.1 request after the other on one connection.

use memchr::memmem;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use crate::failed::Failed;

const BUFFER: usize = 64 << 10;

/// A connection that stays open between requests.
pub(crate) struct Http<S> {
    stream: S,
    buffer: Vec<u8>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Http<S> {
    pub(crate) fn new(stream: S) -> Self {
        Self {
            stream,
            buffer: Vec::new(),
        }
    }

    /// Sends a request in wire form and reads the whole answer, which must be a 200 that says how long it is.
    ///
    /// # Errors
    /// The connection breaks, or the answer is another one.
    pub(crate) async fn exchange(&mut self, request: &[u8]) -> Result<(), Failed> {
        self.buffer.resize(BUFFER, 0);
        self.stream.write_all(request).await?;
        let (filled, end) = read_head(&mut self.stream, &mut self.buffer).await?;
        let head = self.buffer.get(..end).unwrap_or_default();
        let mut left = (content_length(head)? + end).saturating_sub(filled);
        while left > 0 {
            match self.stream.read(&mut self.buffer).await? {
                0 => return Err(std::io::Error::from(std::io::ErrorKind::UnexpectedEof).into()),
                size => left = left.saturating_sub(size),
            }
        }
        Ok(())
    }

    /// The same, and then the connection holds nothing but the socket.
    ///
    /// # Errors
    /// As above.
    pub(crate) async fn exchange_once(mut self, request: &[u8]) -> Result<S, Failed> {
        self.exchange(request).await?;
        Ok(self.stream)
    }
}

/// Reads until the end of the head: how much was read, and where the head ends.
pub(crate) async fn read_head(
    stream: &mut (impl AsyncRead + Unpin),
    buffer: &mut [u8],
) -> Result<(usize, usize), Failed> {
    let mut filled = 0;
    loop {
        let room = buffer.get_mut(filled..).unwrap_or_default();
        match stream.read(room).await? {
            0 => return Err(std::io::Error::from(std::io::ErrorKind::UnexpectedEof).into()),
            size => filled += size,
        }
        let bytes = buffer.get(..filled).unwrap_or_default();
        if let Some(end) = memmem::find(bytes, b"\r\n\r\n") {
            return Ok((filled, end + 4));
        }
    }
}

fn content_length(head: &[u8]) -> Result<usize, Failed> {
    let wrong = || Failed::Wrong(format!("an answer `{}`", String::from_utf8_lossy(head)));
    if !head.starts_with(b"HTTP/1.1 200") {
        return Err(wrong());
    }
    for line in head.split(|byte| *byte == b'\n') {
        let Some(colon) = memchr::memchr(b':', line) else {
            continue;
        };
        let (name, value) = line.split_at(colon);
        if name.eq_ignore_ascii_case(b"content-length") {
            let value = std::str::from_utf8(value)
                .ok()
                .and_then(|text| text.get(1..));
            return value
                .and_then(|text| text.trim().parse().ok())
                .ok_or_else(wrong);
        }
    }
    Err(wrong())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_200_with_a_length_will_do() {
        assert_eq!(
            content_length(b"HTTP/1.1 200 OK\r\nA: b\r\ncontent-length: 13\r\n\r\n").unwrap(),
            13
        );
        assert!(content_length(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").is_err());
        assert!(content_length(b"HTTP/1.1 502 Bad\r\nContent-Length: 1\r\n\r\n").is_err());
    }
}
