//! What the proxies forward to: an HTTP/1.1 server that does as little as can be done.
//!
//! `/` answers with 13 bytes, `/16k` and `/1m` with that much, `/ws` with a WebSocket echo. Bodies of requests are read and dropped.

use std::rc::Rc;

use memchr::memmem;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::websocket;

const BUFFER: usize = 64 << 10;

struct Answers {
    small: Vec<u8>,
    medium: Vec<u8>,
    large: Vec<u8>,
}

/// Serves connections for ever.
pub(crate) async fn serve(listener: TcpListener) {
    let answers = Rc::new(Answers {
        small: answer(13),
        medium: answer(16 << 10),
        large: answer(1 << 20),
    });
    while let Ok((stream, _)) = listener.accept().await {
        let _ = stream.set_nodelay(true);
        let answers = Rc::clone(&answers);
        tokio::task::spawn_local(async move {
            // A proxy that closes its connection is no failure of the origin.
            let _ = converse(stream, &answers).await;
        });
    }
}

fn answer(length: usize) -> Vec<u8> {
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nCache-Control: max-age=0, private\r\n\
         Content-Length: {length}\r\n\r\n"
    );
    let mut bytes = head.into_bytes();
    bytes.resize(bytes.len() + length, b'x');
    bytes
}

async fn converse(mut stream: TcpStream, answers: &Answers) -> std::io::Result<()> {
    let mut buffer = vec![0_u8; BUFFER];
    let mut filled = 0;
    loop {
        let room = buffer.get_mut(filled..).unwrap_or_default();
        let size = stream.read(room).await?;
        if size == 0 {
            return Ok(());
        }
        filled += size;
        let bytes = buffer.get(..filled).unwrap_or_default();
        let Some(end) = memmem::find(bytes, b"\r\n\r\n").map(|end| end + 4) else {
            continue;
        };
        let (head, body) = bytes.split_at(end);
        let path = head.split(|byte| *byte == b' ').nth(1).unwrap_or_default();
        let answer = match path {
            b"/16k" => &answers.medium,
            b"/1m" => &answers.large,
            b"/ws" => return websocket::echo(stream).await,
            _ => &answers.small,
        };
        if head.starts_with(b"POST ") {
            let left = Body::of(head, body);
            left.skip(&mut stream, &mut buffer).await?;
        }
        stream.write_all(answer).await?;
        filled = 0;
    }
}

/// What is still to be read of a request's body.
enum Body {
    Left(usize),
    /// Chunks, until the last; what was read of them ends like this.
    Chunked([u8; 5]),
}

impl Body {
    fn of(head: &[u8], start: &[u8]) -> Self {
        let lines = head.split(|byte| *byte == b'\n');
        let length = lines.filter_map(|line| {
            let colon = memchr::memchr(b':', line)?;
            let (name, value) = line.split_at(colon);
            let known = name.eq_ignore_ascii_case(b"content-length");
            known.then(|| {
                std::str::from_utf8(value)
                    .ok()?
                    .get(1..)?
                    .trim()
                    .parse()
                    .ok()
            })?
        });
        match { length }.next() {
            Some(length) => Self::Left(usize::saturating_sub(length, start.len())),
            None => {
                let mut end = [0; 5];
                last_five(&mut end, start);
                Self::Chunked(end)
            }
        }
    }

    async fn skip(mut self, stream: &mut TcpStream, buffer: &mut [u8]) -> std::io::Result<()> {
        loop {
            match &self {
                Self::Left(0) => return Ok(()),
                Self::Chunked([b'0', b'\r', b'\n', b'\r', b'\n']) => return Ok(()),
                _ => {}
            }
            let size = stream.read(buffer).await?;
            if size == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
            match &mut self {
                Self::Left(left) => *left = left.saturating_sub(size),
                Self::Chunked(end) => last_five(end, buffer.get(..size).unwrap_or_default()),
            }
        }
    }
}

/// Moves `bytes` through a window of the last five.
fn last_five(window: &mut [u8; 5], bytes: &[u8]) {
    let start = bytes.len().saturating_sub(5);
    for byte in bytes.get(start..).unwrap_or_default() {
        window.rotate_left(1);
        if let Some(last) = window.last_mut() {
            *last = *byte;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_of_a_body() {
        let left = |head: &str, start: &str| Body::of(head.as_bytes(), start.as_bytes());
        let head = "POST / HTTP/1.1\r\nHost: a\r\ncontent-LENGTH: 10\r\n\r\n";
        assert!(matches!(left(head, "abc"), Body::Left(7)));
        assert!(matches!(left(head, "0123456789"), Body::Left(0)));
        let head = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
        assert!(
            matches!(left(head, "3\r\nabc\r\n0\r\n\r\n"), Body::Chunked(end) if &end == b"0\r\n\r\n")
        );
    }
}
