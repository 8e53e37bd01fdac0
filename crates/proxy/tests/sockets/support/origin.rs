//! A target: a thread a connection, behaviour given as a closure over the raw stream.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// A request as a target saw it.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) line: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// Trailer lines after a chunked body.
    pub(crate) trailers: Vec<String>,
    /// Requests on this connection before it.
    pub(crate) earlier: usize,
}

impl Seen {
    pub(crate) fn path(&self) -> &str {
        self.line.split(' ').nth(1).unwrap()
    }

    /// All values of a header, by its exact name on the wire.
    pub(crate) fn all(&self, name: &str) -> Vec<&str> {
        self.headers
            .iter()
            .filter(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
            .collect()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.all(name).first().copied()
    }
}

/// So many requests are kept to be looked at. Tests that send more look at none.
const KEPT: usize = 10_000;

/// A listening target.
pub(crate) struct Origin {
    pub(crate) address: String,
    seen: Arc<Mutex<Vec<Seen>>>,
    connections: Arc<AtomicUsize>,
    open: Arc<AtomicBool>,
}

impl Origin {
    /// A target that answers every request with its name.
    pub(crate) fn named(name: &'static str) -> Self {
        Self::start(move |_, stream| reply(stream, "200 OK", &[], name.as_bytes()))
    }

    /// A target with a behaviour; it answers on `stream` and says whether the connection goes on. `/up` is
    /// answered with 200 beforehand.
    pub(crate) fn start(
        behave: impl Fn(&Seen, &mut TcpStream) -> bool + Send + Sync + 'static,
    ) -> Self {
        Self::start_with_health(move |seen, stream| {
            if seen.path() == "/up" {
                reply(stream, "200 OK", &[], b"up")
            } else {
                behave(seen, stream)
            }
        })
    }

    /// The same, but health checks are the behaviour's business too.
    pub(crate) fn start_with_health(
        behave: impl Fn(&Seen, &mut TcpStream) -> bool + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let origin = Self {
            address: format!("127.0.0.1:{}", listener.local_addr().unwrap().port()),
            seen: Arc::default(),
            connections: Arc::default(),
            open: Arc::new(AtomicBool::new(true)),
        };
        let behave = Arc::new(behave);
        let (seen, connections, open) = (
            origin.seen.clone(),
            origin.connections.clone(),
            origin.open.clone(),
        );
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if !open.load(Ordering::SeqCst) {
                    return;
                }
                let Ok(stream) = stream else { continue };
                let (seen, behave) = (seen.clone(), behave.clone());
                connections.fetch_add(1, Ordering::SeqCst);
                std::thread::spawn(move || serve(stream, &seen, &*behave));
            }
        });
        origin
    }

    /// Requests seen so far ([`KEPT`] at most), health checks left out.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        let seen = self.seen.lock().unwrap();
        seen.iter()
            .filter(|seen| seen.path() != "/up")
            .cloned()
            .collect()
    }

    /// Health checks seen so far.
    pub(crate) fn probes(&self) -> Vec<Seen> {
        let seen = self.seen.lock().unwrap();
        seen.iter()
            .filter(|seen| seen.path() == "/up")
            .cloned()
            .collect()
    }

    /// Connections accepted so far, those of health checks included.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

impl Drop for Origin {
    fn drop(&mut self) {
        self.open.store(false, Ordering::SeqCst);
        let _ = TcpStream::connect(&self.address);
    }
}

/// Writes a response with a length; the connection goes on.
pub(crate) fn reply(
    stream: &mut TcpStream,
    status: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> bool {
    let mut out = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n", body.len());
    for (name, value) in headers {
        write!(out, "{name}: {value}\r\n").unwrap();
    }
    out.push_str("\r\n");
    let mut bytes = out.into_bytes();
    bytes.extend_from_slice(body);
    stream.write_all(&bytes).is_ok()
}

fn serve(
    stream: TcpStream,
    seen: &Mutex<Vec<Seen>>,
    behave: &dyn Fn(&Seen, &mut TcpStream) -> bool,
) {
    let mut writer = stream.try_clone().unwrap();
    let mut reader = BufReader::new(stream);
    for earlier in 0.. {
        let Some(request) = read(&mut reader, earlier) else {
            return;
        };
        let mut all = seen.lock().unwrap();
        if all.len() < KEPT {
            all.push(request.clone());
        }
        drop(all);
        if !behave(&request, &mut writer) {
            return;
        }
    }
}

fn read(reader: &mut BufReader<TcpStream>, earlier: usize) -> Option<Seen> {
    let mut next = || {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|size| *size > 0)?;
        Some(line.trim_end_matches(['\r', '\n']).to_owned())
    };
    let line = next()?;
    let mut headers = Vec::new();
    loop {
        let header = next()?;
        if header.is_empty() {
            break;
        }
        let (name, value) = header
            .split_once(": ")
            .unwrap_or_else(|| (header.trim_end_matches(':'), ""));
        headers.push((name.to_owned(), value.to_owned()));
    }
    let mut seen = Seen {
        line,
        headers,
        body: Vec::new(),
        trailers: Vec::new(),
        earlier,
    };
    if seen.header("Transfer-Encoding") == Some("chunked") {
        loop {
            let mut size = String::new();
            reader.read_line(&mut size).ok()?;
            let size = usize::from_str_radix(size.trim(), 16).ok()?;
            if size == 0 {
                break;
            }
            let mut chunk = vec![0; size + 2];
            reader.read_exact(&mut chunk).ok()?;
            chunk.truncate(size);
            seen.body.extend(chunk);
        }
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).ok()?;
            if line.trim().is_empty() {
                break;
            }
            seen.trailers.push(line.trim().to_owned());
        }
    } else if let Some(length) = seen
        .header("Content-Length")
        .map(|value| value.parse().unwrap())
    {
        seen.body = vec![0; length];
        reader.read_exact(&mut seen.body).ok()?;
    }
    Some(seen)
}
