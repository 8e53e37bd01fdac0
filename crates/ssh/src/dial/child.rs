//! A local command whose standard input and output carry the connection (`ProxyCommand`).

use std::io;
use std::pin::Pin;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// How much of the command's complaints is kept for the error message.
const KEPT_STDERR: usize = 2048;

/// How long a command that failed may take to finish its complaints.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// The running command as a stream; it is killed when the stream is dropped.
pub(crate) struct ProxyChild {
    stdin: Option<ChildStdin>,
    stdout: ChildStdout,
    _child: Arc<Child>,
}

/// The last words a command wrote to its standard error.
pub(crate) struct Complaints {
    kept: Kept,
    reading: JoinHandle<()>,
    /// Keeps the command alive until it has had its say.
    _child: Arc<Child>,
}

#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<u8>>>);

impl Complaints {
    /// What the command said, all of it if it has ended.
    pub(crate) async fn text(self) -> String {
        let _ = timeout(LAST_WORDS, self.reading).await;
        let kept = self.kept.0.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&kept).trim().to_owned()
    }
}

impl Kept {
    fn add(&self, bytes: &[u8]) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.extend_from_slice(bytes);
        let excess = kept.len().saturating_sub(KEPT_STDERR);
        kept.drain(..excess);
    }
}

impl ProxyChild {
    /// Starts `command` with `sh`.
    pub(crate) fn start(command: &str) -> io::Result<(Self, Complaints)> {
        // Ctrl-C at the terminal reaches the command too, but what is to be done about it is decided here, and may need the connection.
        let script = format!("trap '' INT QUIT\n{command}");
        let mut child = Command::new("/bin/sh")
            .args(["-c", &script])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let missing = || io::Error::other("no pipe to the command");
        let stdin = child.stdin.take().ok_or_else(missing)?;
        let stdout = child.stdout.take().ok_or_else(missing)?;
        let mut stderr = child.stderr.take().ok_or_else(missing)?;
        let kept = Kept::default();
        let sink = kept.clone();
        let reading = tokio::spawn(async move {
            let mut buffer = [0; 1024];
            while let Ok(read @ 1..) = stderr.read(&mut buffer).await {
                sink.add(buffer.get(..read).unwrap_or_default());
            }
        });
        let child = Arc::new(child);
        let complaints = Complaints {
            kept,
            reading,
            _child: child.clone(),
        };
        let this = Self {
            stdin: Some(stdin),
            stdout,
            _child: child,
        };
        Ok((this, complaints))
    }
}

impl AsyncRead for ProxyChild {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stdout).poll_read(cx, buf)
    }
}

impl AsyncWrite for ProxyChild {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        match &mut self.stdin {
            Some(stdin) => Pin::new(stdin).poll_write(cx, buf),
            None => Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.stdin {
            Some(stdin) => Pin::new(stdin).poll_flush(cx),
            None => Poll::Ready(Ok(())),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // Dropping the pipe is what tells the command that nothing more comes.
        self.stdin = None;
        Poll::Ready(Ok(()))
    }
}
