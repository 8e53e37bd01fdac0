//! A plain HTTP/1.1 client that hides nothing.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// A response.
#[derive(Clone, Debug, Default)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) line: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    pub(crate) trailers: Vec<String>,
    /// The body ended as it should.
    pub(crate) complete: bool,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// A connection to anything that speaks HTTP.
pub(crate) struct Link<S = TcpStream> {
    pub(crate) reader: BufReader<S>,
}

impl Link {
    pub(crate) fn open(port: u16) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(30)))
            .unwrap();
        stream.set_nodelay(true).unwrap();
        Self::over(stream)
    }
}

impl<S: Read + Write> Link<S> {
    pub(crate) fn over(stream: S) -> Self {
        Self {
            reader: BufReader::new(stream),
        }
    }

    pub(crate) fn write(&mut self, bytes: impl AsRef<[u8]>) {
        self.reader.get_mut().write_all(bytes.as_ref()).unwrap();
    }

    /// Reads a response; `None` if the connection ends before one.
    pub(crate) fn try_read(&mut self, head: bool) -> Option<Answer> {
        let mut answer = Answer {
            line: self.line()?,
            ..Answer::default()
        };
        answer.status = answer.line.split(' ').nth(1)?.parse().ok()?;
        loop {
            let line = self.line()?;
            if line.is_empty() {
                break;
            }
            let (name, value) = line.split_once(':').unwrap();
            answer
                .headers
                .push((name.to_owned(), value.trim().to_owned()));
        }
        if head || answer.status == 304 || answer.status == 204 || answer.status < 200 {
            answer.complete = true;
        } else if answer.header("Transfer-Encoding") == Some("chunked") {
            answer.complete = self.chunks(&mut answer).is_some();
        } else if let Some(length) = answer
            .header("Content-Length")
            .map(|value| value.parse::<u64>().unwrap())
        {
            let _ = (&mut self.reader)
                .take(length)
                .read_to_end(&mut answer.body);
            answer.complete = answer.body.len() as u64 == length;
        } else {
            answer.complete = self.reader.read_to_end(&mut answer.body).is_ok();
        }
        Some(answer)
    }

    pub(crate) fn read(&mut self) -> Answer {
        self.try_read(false).expect("a response")
    }

    pub(crate) fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        self.reader
            .read_line(&mut line)
            .ok()
            .filter(|size| *size > 0)?;
        Some(line.trim_end_matches(['\r', '\n']).to_owned())
    }

    fn chunks(&mut self, answer: &mut Answer) -> Option<()> {
        loop {
            let size = usize::from_str_radix(&self.line()?, 16).ok()?;
            if size == 0 {
                break;
            }
            let mut chunk = vec![0; size + 2];
            self.reader.read_exact(&mut chunk).ok()?;
            chunk.truncate(size);
            answer.body.extend(chunk);
        }
        loop {
            match self.line()? {
                line if line.is_empty() => return Some(()),
                line => answer.trailers.push(line),
            }
        }
    }
}

/// Sends bytes on a new connection and reads one response.
pub(crate) fn send(port: u16, bytes: impl AsRef<[u8]>) -> Answer {
    let mut link = Link::open(port);
    link.write(bytes);
    link.read()
}

/// A GET on a new connection.
pub(crate) fn get(port: u16, host: &str, path: &str) -> Answer {
    request(port, "GET", host, path, &[], b"")
}

/// Any request on a new connection; a body is sent with its length.
pub(crate) fn request(
    port: u16,
    method: &str,
    host: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Answer {
    let mut head = format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\n");
    for (name, value) in headers {
        write!(head, "{name}: {value}\r\n").unwrap();
    }
    if !body.is_empty() {
        write!(head, "Content-Length: {}\r\n", body.len()).unwrap();
    }
    head.push_str("\r\n");
    let mut link = Link::open(port);
    let mut bytes = head.into_bytes();
    bytes.extend_from_slice(body);
    link.write(bytes);
    link.try_read(method == "HEAD").expect("a response")
}
