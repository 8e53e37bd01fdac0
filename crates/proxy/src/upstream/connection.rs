//! One TCP connection to a target with its read buffer.

use std::future::Future as _;
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncReadExt as _, AsyncWrite};
use tokio::net::TcpStream;

/// A connection; `read` holds what arrived and was not used yet.
pub(crate) struct Connection {
    stream: TcpStream,
    /// Bytes received and not yet used.
    pub(crate) read: BytesMut,
    /// It served a request before, so the target may close it at any moment.
    pub(crate) reused: bool,
}

/// Room for a head with a body as most pages have it: what has arrived whole goes on whole.
const FIRST_READ: usize = 32 << 10;
const LARGE_READ: usize = 64 << 10;

impl Connection {
    /// Connects to the first address that answers.
    ///
    /// # Errors
    /// The last address's error, or `TimedOut`.
    pub(crate) async fn open(addresses: &[SocketAddr], timeout: Duration) -> io::Result<Self> {
        let mut last = io::Error::new(io::ErrorKind::NotFound, "no address to connect to");
        for address in addresses {
            match tokio::time::timeout(timeout, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => {
                    stream.set_nodelay(true)?;
                    return Ok(Self {
                        stream,
                        read: BytesMut::new(),
                        reused: false,
                    });
                }
                Ok(Err(error)) => last = error,
                Err(_) => last = io::Error::new(io::ErrorKind::TimedOut, "connect timed out"),
            }
        }
        Err(last)
    }

    /// Reads more into the buffer; 0 is the end. `bulk` asks for a large read. No memory is taken while there is nothing to read.
    pub(crate) fn poll_fill(
        &mut self,
        cx: &mut Context<'_>,
        bulk: bool,
    ) -> Poll<io::Result<usize>> {
        let wanted = if bulk { LARGE_READ } else { FIRST_READ };
        ready!(self.stream.poll_read_ready(cx))?;
        if self.read.capacity() - self.read.len() < wanted / 4 {
            self.read.reserve(wanted);
        }
        // tokio notes that nothing more is there when less came than there was room for; an idle connection then need not be asked.
        pin!(self.stream.read_buf(&mut self.read)).poll(cx)
    }

    /// Writes some of `bytes`.
    pub(crate) fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    /// Whether an idle connection can still be used. With `thorough` the kernel is asked, otherwise the last
    /// readiness event decides; bytes nobody asked for count as broken.
    pub(crate) fn is_usable(&self, thorough: bool) -> bool {
        if thorough {
            let mut probe = [std::mem::MaybeUninit::<u8>::uninit(); 1];
            let answer = socket2::SockRef::from(&self.stream).peek(&mut probe);
            return matches!(answer, Err(error) if error.kind() == io::ErrorKind::WouldBlock);
        }
        let answer = self.stream.try_read(&mut [0_u8; 1]);
        matches!(answer, Err(error) if error.kind() == io::ErrorKind::WouldBlock)
    }

    /// Gives up the buffer's memory while the connection idles.
    pub(crate) fn rest(&mut self) {
        self.read = BytesMut::new();
    }

    /// The socket and what was read from it beyond the last response.
    pub(crate) fn into_parts(self) -> (TcpStream, BytesMut) {
        (self.stream, self.read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use socket2::{Domain, SockRef, Socket, Type};

    /// A port whose queue is full: the kernel answers nothing to who wants to connect.
    fn silent() -> (SocketAddr, Vec<Socket>) {
        let socket = || Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        let listener = socket();
        let any: SocketAddr = ([127, 0, 0, 1], 0).into();
        listener.bind(&any.into()).unwrap();
        listener.listen(0).unwrap();
        let address = listener.local_addr().unwrap().as_socket().unwrap();
        let mut sockets = vec![listener];
        for _ in 0..4 {
            let client = socket();
            client.set_nonblocking(true).unwrap();
            let _ = client.connect(&address.into());
            sockets.push(client);
        }
        (address, sockets)
    }

    #[tokio::test(start_paused = true)]
    async fn item_d14_an_address_that_says_nothing_costs_its_time_and_the_next_is_tried() {
        let (nobody, _sockets) = silent();
        let time = Duration::from_secs(10);
        let start = tokio::time::Instant::now();
        let error = Connection::open(&[nobody], time).await.err().unwrap();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert_eq!(start.elapsed(), time);
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let there = listener.local_addr().unwrap();
        // The clock runs on while nobody does anything, and this one must get its answer from the kernel.
        tokio::time::resume();
        let found = Connection::open(&[there, nobody], Duration::from_secs(60)).await;
        let found = found.unwrap();
        let peer = SockRef::from(&found.stream).peer_addr().unwrap();
        assert_eq!(peer.as_socket(), Some(there));
    }
}
