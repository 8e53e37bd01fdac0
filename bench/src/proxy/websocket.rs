//! WebSocket (RFC 6455): a client that sends one small message after the other, and the origin's echo.

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::exchange::read_head;
use crate::failed::Failed;

/// The key of the RFC's example, with the answer that goes with it.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPTED: &str = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                        Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhaRbK+xOo=\r\n\r\n";
/// Bytes of a message.
const MESSAGE: usize = 64;
/// A whole binary frame: two bytes of head, then, from a client, a mask of four.
const TO_CLIENT: usize = 2 + MESSAGE;
const TO_SERVER: usize = 2 + 4 + MESSAGE;

/// The client's side of a connection that has switched.
pub(crate) struct WebSocket<S> {
    stream: S,
    frame: [u8; TO_SERVER],
}

impl<S: AsyncRead + AsyncWrite + Unpin> WebSocket<S> {
    /// Switches a connection.
    ///
    /// # Errors
    /// The proxy answers with anything but 101.
    pub(crate) async fn open(mut stream: S, host: &str) -> Result<Self, Failed> {
        let request = format!(
            "GET /ws HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await?;
        let mut buffer = [0; 4096];
        let (filled, end) = read_head(&mut stream, &mut buffer).await?;
        let head = buffer.get(..end).unwrap_or_default();
        if !head.starts_with(b"HTTP/1.1 101") || filled != end {
            let head = String::from_utf8_lossy(head).into_owned();
            return Err(Failed::Wrong(format!("no switch to WebSocket: {head}")));
        }
        // A mask of zeros leaves the payload as it is.
        let mut frame = [b'x'; TO_SERVER];
        for (place, byte) in [0x82, 0x80 | MESSAGE as u8, 0, 0, 0, 0]
            .into_iter()
            .enumerate()
        {
            if let Some(at) = frame.get_mut(place) {
                *at = byte;
            }
        }
        Ok(Self { stream, frame })
    }

    /// Sends a message and waits for its echo.
    ///
    /// # Errors
    /// The connection breaks, or something else comes back.
    pub(crate) async fn echo(&mut self) -> Result<(), Failed> {
        self.stream.write_all(&self.frame).await?;
        let mut back = [0; TO_CLIENT];
        self.stream.read_exact(&mut back).await?;
        if back.get(2..) == self.frame.get(6..) {
            Ok(())
        } else {
            Err(Failed::Wrong("an echo of something else".to_owned()))
        }
    }
}

/// The origin's side: accepts, then sends back what comes in.
pub(crate) async fn echo(mut stream: TcpStream) -> std::io::Result<()> {
    stream.write_all(ACCEPTED.as_bytes()).await?;
    let mut frame = [0; TO_SERVER];
    let mut back = [0; TO_CLIENT];
    loop {
        stream.read_exact(&mut frame).await?;
        let (payload, answer) = (frame.get(6..), back.get_mut(2..));
        if let (Some(payload), Some(answer)) = (payload, answer) {
            answer.copy_from_slice(payload);
        }
        if let Some(head) = back.first_chunk_mut::<2>() {
            *head = [0x82, MESSAGE as u8];
        }
        stream.write_all(&back).await?;
    }
}
