//! The control socket, both ends: the server takes one message a connection and answers when it is done; the
//! client waits for that.

use std::cell::Cell;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::net::{UnixListener as StdUnixListener, UnixStream as StdUnixStream};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use dhow_proxy_api::{CONTROL_VERSION, ControlReply, ControlRequest, SocketMessage};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Notify;
use tokio::sync::mpsc::unbounded_channel;

use crate::services::operations::Operations;

/// A message is one line of at most this many bytes.
const LONGEST_MESSAGE: u64 = 1 << 20;

/// Why a client got no answer; the text is the line after `Error: `.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ControlError {
    /// Nobody listens.
    #[error("dial unix {}: connect: {}", .path.display(), crate::process::system_error::text(.source))]
    Dial {
        /// The socket.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The server ended before it answered.
    #[error("unexpected EOF")]
    NoAnswer,
    /// The answer makes no sense.
    #[error("unreadable answer: {0}")]
    Unreadable(#[from] serde_json::Error),
}

/// A client says what it wants within this time.
const MESSAGE_TIME: Duration = Duration::from_secs(10);

/// A listening control socket; the file goes away with it.
pub(crate) struct ControlSocket {
    listener: UnixListener,
    /// The file; none when another process listens there by now.
    path: Option<PathBuf>,
    /// Clients being served.
    clients: Rc<Clients>,
}

/// Clients being served, for whoever waits until there are none.
#[derive(Default)]
struct Clients {
    count: Cell<usize>,
    gone: Notify,
}

/// What concerns the server itself, and the client that asks for it.
pub(crate) enum Wish {
    /// A new proxy wants the sockets.
    TakeOver(StdUnixStream),
    /// This process is to become another program.
    Upgrade {
        /// The program.
        program: PathBuf,
        /// Is told how it went.
        client: UnixStream,
    },
}

/// A client being served.
struct Served(Rc<Clients>);

impl Served {
    fn new(clients: &Rc<Clients>) -> Self {
        clients.count.set(clients.count.get() + 1);
        Self(Rc::clone(clients))
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.0.count.set(self.0.count.get().saturating_sub(1));
        self.0.gone.notify_one();
    }
}

impl ControlSocket {
    /// Listens at `path`, in the place of whatever is there.
    ///
    /// # Errors
    /// When the socket cannot be made.
    pub(crate) fn open(path: PathBuf) -> io::Result<Self> {
        let _ = std::fs::remove_file(&path);
        Ok(Self {
            listener: UnixListener::bind(&path)?,
            path: Some(path),
            clients: Rc::default(),
        })
    }

    /// Goes on with a socket that another process opened; its file is that one's until [`Self::own`].
    ///
    /// # Errors
    /// When it is none.
    pub(crate) fn adopt(listener: StdUnixListener) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        Ok(Self {
            listener: UnixListener::from_std(listener)?,
            path: None,
            clients: Rc::default(),
        })
    }

    /// The file at `path` goes away with this from now on.
    pub(crate) fn own(&mut self, path: PathBuf) {
        self.path = Some(path);
    }

    /// The socket itself, for another process.
    ///
    /// # Errors
    /// When there are no descriptors left.
    pub(crate) fn duplicate(&self) -> io::Result<OwnedFd> {
        self.listener.as_fd().try_clone_to_owned()
    }

    /// Leaves the file to another process.
    pub(crate) fn hand_over(mut self) {
        self.path = None;
    }

    /// Serves clients until one wants something of the server itself. When it wants to take over, nobody else is being
    /// served any more, and new clients wait, for this process to go on or for the other.
    pub(crate) async fn serve(&self, operations: &Rc<Operations>) -> Wish {
        let (sender, mut wishes) = unbounded_channel();
        let mut taker: Option<UnixStream> = None;
        loop {
            if self.clients.count.get() == 0
                && let Some(stream) = taker.take()
                && let Ok(stream) = stream.into_std()
            {
                return Wish::TakeOver(stream);
            }
            tokio::select! {
                client = self.listener.accept() => match client {
                    Ok((stream, _)) => {
                        let operations = Rc::clone(operations);
                        let sender = sender.clone();
                        let served = Served::new(&self.clients);
                        tokio::task::spawn_local(async move {
                            if let Some(wish) = answer(stream, &operations).await {
                                let _ = sender.send(wish);
                            }
                            drop(served);
                        });
                    }
                    Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
                },
                // One that comes while another waits takes its place; the other sees the connection end.
                wish = wishes.recv() => match wish {
                    Some((stream, ControlRequest::Upgrade { program })) => {
                        return Wish::Upgrade { program, client: stream };
                    }
                    wish => taker = wish.map(|(stream, _)| stream),
                },
                () = self.clients.gone.notified() => {}
            }
        }
    }
}

impl Drop for ControlSocket {
    fn drop(&mut self) {
        if let Some(path) = &self.path {
            let _ = std::fs::remove_file(path);
        }
    }
}

/// Asks the server at `path` and waits for its answer.
///
/// # Errors
/// When there is none.
pub(crate) fn ask(path: &Path, request: ControlRequest) -> Result<ControlReply, ControlError> {
    converse(path, request, None)
}

/// The same for as long as `patience`; a server that is slower counts as one that gives no answer.
///
/// # Errors
/// When there is none in time.
pub(crate) fn ask_within(
    path: &Path,
    request: ControlRequest,
    patience: Duration,
) -> Result<ControlReply, ControlError> {
    converse(path, request, Some(patience))
}

fn converse(
    path: &Path,
    request: ControlRequest,
    patience: Option<Duration>,
) -> Result<ControlReply, ControlError> {
    let dial = |source| ControlError::Dial {
        path: path.to_owned(),
        source,
    };
    let mut stream = StdUnixStream::connect(path).map_err(dial)?;
    stream.set_read_timeout(patience).map_err(dial)?;
    let mut line = serde_json::to_vec(&SocketMessage {
        version: CONTROL_VERSION,
        request,
    })?;
    line.push(b'\n');
    stream
        .write_all(&line)
        .map_err(|_| ControlError::NoAnswer)?;
    let mut answer = String::new();
    match BufReader::new(stream).read_line(&mut answer) {
        Ok(size) if size > 0 && answer.ends_with('\n') => Ok(serde_json::from_str(&answer)?),
        _ => Err(ControlError::NoAnswer),
    }
}

/// Tells a client how it went.
pub(crate) async fn tell(mut stream: UnixStream, reply: &ControlReply) {
    if let Ok(mut bytes) = serde_json::to_vec(reply) {
        bytes.push(b'\n');
        let _ = stream.write_all(&bytes).await;
    }
}

/// Serves one client; gives the connection back if it wants something of the server itself.
async fn answer(
    mut stream: UnixStream,
    operations: &Operations,
) -> Option<(UnixStream, ControlRequest)> {
    let mut line = String::new();
    let mut reader = tokio::io::BufReader::new((&mut stream).take(LONGEST_MESSAGE));
    let read = tokio::time::timeout(MESSAGE_TIME, reader.read_line(&mut line)).await;
    if !matches!(read, Ok(Ok(_))) || !line.ends_with('\n') {
        return None;
    }
    // The operation goes on even if the client goes away; only the answer is lost then.
    let reply = match serde_json::from_str::<SocketMessage>(&line) {
        Ok(message)
            if message.version == CONTROL_VERSION
                && matches!(
                    message.request,
                    ControlRequest::TakeOver | ControlRequest::Upgrade { .. }
                ) =>
        {
            return Some((stream, message.request));
        }
        Ok(message) => operations.handle(message).await,
        Err(error) => ControlReply::Failed {
            message: format!("unreadable message: {error}"),
            details: Vec::new(),
        },
    };
    tell(stream, &reply).await;
    None
}
