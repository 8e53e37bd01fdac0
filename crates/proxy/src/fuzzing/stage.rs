//! A proxy's core between a client in memory and a target on a loopback port, for one connection.
//!
//! In: what the client sends. Out: what it is told, or a panic: when something on the stage panics, when what reaches
//! the target is not exactly one request, when the proxy does not come to an end after the client has left. The clock
//! moves only when everybody waits, so that nothing takes long; only the way to the target is a real socket.

use std::cell::{Cell, RefCell};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::{Arc, Mutex, Once, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::BytesMut;
use dhow_proxy_api::TargetOptions;
use jiff::tz::TimeZone;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Sleep, sleep};

use crate::cores::core_state::CoreState;
use crate::cores::plane::Plane;
use crate::downstream::client::Client;
use crate::downstream::connection::{self, Stream};
use crate::downstream::http2;
use crate::observe::log::{LogSender, start};
use crate::services::balance::TargetSet;
use crate::services::rules::TargetRules;
use crate::services::service::Service;
use crate::services::test_services::{service, table_of};
use crate::upstream::{BodyDecoder, Decoded};

/// A client has left so long after its last byte, and so much later than everything that a proxy waits for.
const PATIENCE: Duration = Duration::from_secs(20);
/// Between two pieces of a client that takes its time.
const PAUSE: Duration = Duration::from_millis(700);
/// Between two other pieces: the clock moves only when all the others have had their turn.
const TURN: Duration = Duration::from_millis(1);
/// A slow target answers after this.
const SLOW: Duration = Duration::from_secs(5);
/// What is left when the client has gone must be over by then, in real time.
const LONGEST: Duration = Duration::from_secs(8);

/// How the client's bytes come.
#[derive(Clone, Copy)]
pub(super) struct Manner {
    step: usize,
    slow: bool,
}

impl Manner {
    /// In pieces of which size, and with pauses or not.
    pub(super) fn new(switches: u8) -> Self {
        let step = match switches & 6 {
            0 => usize::MAX,
            2 => 1 + usize::from(switches >> 3 & 15),
            4 => 64,
            _ => 1024,
        };
        Self {
            step,
            slow: switches & 1 != 0 && step > 32,
        }
    }
}

thread_local! {
    /// Panics of this thread, also those that a task keeps to itself.
    static PANICS: Cell<usize> = const { Cell::new(0) };
    static LOG: RefCell<Option<LogSender>> = const { RefCell::new(None) };
}

/// Has a client send `input` and gives what it is told.
pub(super) fn play(input: &[u8], manner: Manner, http2: bool) -> Vec<u8> {
    count_panics();
    let before = PANICS.get();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build_local(tokio::runtime::LocalOptions::default());
    let Ok(runtime) = runtime else {
        panic!("no runtime: {:?}", runtime.err());
    };
    let told = Arc::new(Mutex::new(Vec::new()));
    let wire = Wire {
        input: input.to_owned(),
        at: 0,
        manner,
        wait: None,
        told: Arc::clone(&told),
    };
    runtime.block_on(scene(wire, http2));
    assert_eq!(PANICS.get(), before, "a panic, by {}", input.escape_ascii());
    drop(runtime);
    std::mem::take(&mut *told.lock().unwrap_or_else(PoisonError::into_inner))
}

fn count_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            PANICS.set(PANICS.get() + 1);
            before(panic);
        }));
    });
}

async fn scene(wire: Wire, http2: bool) {
    let listener = TcpListener::bind("127.0.0.1:0").await;
    let Ok((Ok(address), listener)) = listener.map(|own| (own.local_addr(), own)) else {
        panic!("no port for the target");
    };
    tokio::task::spawn_local(target(listener));
    let plane = Plane::new(log(), 1, (80, 443), std::env::temp_dir());
    plane.publish(table_of(&services(&address.to_string())));
    let core = Rc::new(CoreState::new(0, Arc::new(plane)));
    let client = Rc::new(Client::new(([192, 0, 2, 7], 5).into(), 443, true));
    if http2 {
        http2::serve(Rc::clone(&core), wire, client).await;
    } else {
        connection::serve(Rc::clone(&core), wire, client).await;
    }
    let end = Instant::now() + LONGEST;
    while core.in_flight() > 0 {
        assert!(Instant::now() < end, "{} left over", core.in_flight());
        sleep(Duration::from_millis(1)).await;
    }
}

fn log() -> LogSender {
    LOG.with_borrow_mut(|log| match log {
        Some(log) => log.clone(),
        None => match start(std::io::sink(), TimeZone::UTC, true) {
            Ok((sender, _)) => log.insert(sender).clone(),
            Err(error) => panic!("no log: {error}"),
        },
    })
}

/// `/`, one that keeps bodies until they are whole, one of which a target is dead, and one without any.
fn services(target: &str) -> Vec<Service> {
    let make = |name: &str, prefix: &str, targets: &[&str], options: TargetOptions| {
        let mut service = service(name, &[""], &[prefix]);
        service.options.tls_enabled = true;
        let targets: Vec<_> = targets.iter().map(|&target| target.to_owned()).collect();
        if let Ok(set) = TargetSet::new(&targets, &[], TargetRules::new(options), true, 1) {
            service.active = Arc::new(set);
        }
        service
    };
    let spool = TargetOptions {
        buffer_requests: true,
        buffer_responses: true,
        max_memory_buffer_size: 64,
        max_request_body_size: 4096,
        scope_cookie_paths: true,
        ..TargetOptions::default()
    };
    let plain = TargetOptions::default;
    let stopped = make("stopped", "/stopped", &[target], plain());
    stopped.gate.stop("back soon");
    vec![
        make("all", "/", &[target], plain()),
        make("spool", "/spool", &[target], spool),
        // Nobody is there.
        make("retry", "/retry", &["127.0.0.1:1", target], plain()),
        stopped,
    ]
}

/// The client's side of its connection.
struct Wire {
    input: Vec<u8>,
    at: usize,
    manner: Manner,
    /// Until the next piece.
    wait: Option<Pin<Box<Sleep>>>,
    told: Arc<Mutex<Vec<u8>>>,
}

impl Stream for Wire {
    fn poll_readable(&self, _cx: &mut Context<'_>) -> Poll<()> {
        Poll::Ready(())
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let rest = self.input.len() - self.at;
        let (slow, first) = (self.manner.slow, self.at == 0);
        let wait = self.wait.get_or_insert_with(|| {
            Box::pin(sleep(match rest {
                0 => PATIENCE,
                _ if slow => PAUSE,
                _ => TURN,
            }))
        });
        if !(first && rest > 0) && wait.as_mut().poll(cx).is_pending() {
            return Poll::Pending;
        }
        self.wait = None;
        let size = self.manner.step.min(rest).min(buffer.remaining());
        let piece = self.input.get(self.at..self.at + size);
        buffer.put_slice(piece.unwrap_or_default());
        self.at += size;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// Answers by path.
async fn target(listener: TcpListener) {
    while let Ok((stream, _)) = listener.accept().await {
        // Whatever is left of a connection goes at once; thousands a second would fill the machine's tables.
        let _ = socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO));
        tokio::task::spawn_local(serve(stream));
    }
}

async fn serve(mut stream: TcpStream) {
    let mut read = BytesMut::new();
    while let Some(path) = request(&mut stream, &mut read).await {
        let answer: &[u8] = match path.as_str() {
            "/chunks" => b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n5\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n",
            "/close" => b"HTTP/1.1 200 OK\r\n\r\nuntil the end",
            "/big" => &[&b"HTTP/1.1 200 OK\r\nContent-Length: 70000\r\nSet-Cookie: a=1\r\n\r\n"[..], &[b'x'; 70_000]].concat(),
            "/hints" => b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n",
            "/junk" => b"HTTP/1.1 20x",
            "/switch" => b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\nraw",
            _ => b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Type: text/plain\r\n\r\nhello",
        };
        if path == "/slow" {
            sleep(SLOW).await;
        }
        let written = stream.write_all(answer).await;
        if written.is_err() || matches!(path.as_str(), "/close" | "/junk" | "/switch" | "/hints") {
            let _ = stream.shutdown().await;
            let _ = stream.read_buf(&mut read).await;
            return;
        }
    }
}

/// Reads one request and gives its path; what comes must be one, whole or broken off, and nothing behind it.
async fn request(stream: &mut TcpStream, read: &mut BytesMut) -> Option<String> {
    let (path, mut body) = loop {
        if let Some(head) = head(read) {
            break head;
        }
        if stream.read_buf(read).await.ok()? == 0 {
            return None;
        }
    };
    loop {
        loop {
            match body.decode(read) {
                Ok(Decoded::Data(_) | Decoded::Trailers(_)) => {}
                Ok(Decoded::NeedMore) => break,
                Ok(Decoded::End) => {
                    assert!(read.is_empty(), "behind a request: {read:?}");
                    return Some(path);
                }
                Err(error) => panic!("{error} in a request's body: {read:?}"),
            }
        }
        // Like many a target, it does not wait for the body.
        if path == "/hints" {
            return Some(path);
        }
        if stream.read_buf(read).await.ok()? == 0 {
            return None;
        }
    }
}

/// A request's path and body, once its head is there.
fn head(read: &mut BytesMut) -> Option<(String, BodyDecoder)> {
    let mut places = [httparse::EMPTY_HEADER; 128];
    let mut request = httparse::Request::new(&mut places);
    let length = match request.parse(read) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) => return None,
        Err(httparse::Error::TooManyHeaders) => return None,
        Err(error) => panic!("{error}: {read:?}"),
    };
    let values = |name: &str| -> Vec<&[u8]> {
        let headers = request.headers.iter();
        let named = headers.filter(|header| header.name.eq_ignore_ascii_case(name));
        named.map(|header| header.value).collect()
    };
    let (lengths, codings) = (values("content-length"), values("transfer-encoding"));
    assert!(lengths.len() + codings.len() <= 1, "{read:?}");
    assert_eq!(values("host").len(), 1, "{read:?}");
    let body = match (lengths.first(), codings.first()) {
        (_, Some(coding)) => {
            assert_eq!(*coding, b"chunked");
            BodyDecoder::chunked()
        }
        (length, None) => {
            let length = length.and_then(|length| std::str::from_utf8(length).ok());
            BodyDecoder::Length(length.map_or(Some(0), |length| length.parse().ok())?)
        }
    };
    let path = request.path.unwrap_or_default().to_owned();
    let _ = read.split_to(length);
    Some((path, body))
}
