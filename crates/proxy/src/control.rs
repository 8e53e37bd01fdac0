//! The control socket, both ends: the server takes one message a connection and answers when it is done; the
//! client waits for that.

use std::io::{self, BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream as StdUnixStream;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use dhow_proxy_api::{CONTROL_VERSION, ControlReply, ControlRequest, SocketMessage};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{UnixListener, UnixStream};

use crate::operations::Operations;

/// A message is one line of at most this many bytes.
const LONGEST_MESSAGE: u64 = 1 << 20;

/// Why a client got no answer; the text is the line after `Error: `.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ControlError {
    /// Nobody listens.
    #[error("dial unix {}: connect: {}", .path.display(), crate::system_error::text(.source))]
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

/// A listening control socket; the file goes away with it.
pub(crate) struct ControlSocket {
    listener: UnixListener,
    path: PathBuf,
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
            path,
        })
    }

    /// Serves clients for ever.
    pub(crate) async fn serve(&self, operations: Rc<Operations>) {
        loop {
            match self.listener.accept().await {
                Ok((stream, _)) => {
                    let operations = Rc::clone(&operations);
                    tokio::task::spawn_local(async move { answer(stream, &operations).await });
                }
                Err(_) => tokio::time::sleep(std::time::Duration::from_millis(50)).await,
            }
        }
    }
}

impl Drop for ControlSocket {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Asks the server at `path` and waits for its answer.
///
/// # Errors
/// When there is none.
pub(crate) fn ask(path: &Path, request: ControlRequest) -> Result<ControlReply, ControlError> {
    let mut stream = StdUnixStream::connect(path).map_err(|source| ControlError::Dial {
        path: path.to_owned(),
        source,
    })?;
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

async fn answer(stream: UnixStream, operations: &Operations) {
    let (reader, mut writer) = stream.into_split();
    let mut line = String::new();
    let mut reader = tokio::io::BufReader::new(reader.take(LONGEST_MESSAGE));
    if reader.read_line(&mut line).await.is_err() || !line.ends_with('\n') {
        return;
    }
    // The operation goes on even if the client goes away; only the answer is lost then.
    let reply = match serde_json::from_str::<SocketMessage>(&line) {
        Ok(message) => operations.handle(message).await,
        Err(error) => ControlReply::Failed {
            message: format!("unreadable message: {error}"),
            details: Vec::new(),
        },
    };
    if let Ok(mut bytes) = serde_json::to_vec(&reply) {
        bytes.push(b'\n');
        let _ = writer.write_all(&bytes).await;
    }
}
