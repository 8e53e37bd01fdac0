//! A command with a terminal.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use russh::client::Msg;
use russh::{ChannelWriteHalf, Pty as Mode};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::mpsc;

use super::channel::Opened;
use super::exec::{Event, Exec, Exit};
use super::stdin::Stdin;
use crate::error::SshError;

/// The size of a terminal in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WindowSize {
    /// Width.
    pub columns: u16,
    /// Height.
    pub rows: u16,
}

/// A command that runs on a terminal of the host. Whoever shows it puts the local terminal into raw mode.
#[derive(Debug)]
pub struct Pty {
    exec: Exec,
    input: PtyInput,
}

/// The sending side of a terminal: typing and resizing.
#[derive(Clone)]
pub struct PtyInput {
    write: Arc<ChannelWriteHalf<Msg>>,
}

impl std::fmt::Debug for PtyInput {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PtyInput")
    }
}

impl PtyInput {
    /// Tells the host the new size of the terminal.
    pub async fn resize(&self, size: WindowSize) {
        // Fails only when the connection is gone, which the reading side tells.
        let _ = self
            .write
            .window_change(u32::from(size.columns), u32::from(size.rows), 0, 0)
            .await;
    }
}

impl Pty {
    pub(crate) async fn start(
        host: &str,
        opened: Opened,
        command: &str,
        term: &str,
        size: WindowSize,
    ) -> Result<Self, SshError> {
        let write = opened.line.write.clone();
        let requests = async {
            if opened.line.forward_agent {
                write.agent_forward(false).await?;
            }
            // The host's terminal gets its own defaults; only UTF-8 erasing has to be asked for.
            let modes = [(Mode::IUTF8, 1)];
            let (columns, rows) = (u32::from(size.columns), u32::from(size.rows));
            write
                .request_pty(false, term, columns, rows, 0, 0, &modes)
                .await?;
            if command.is_empty() {
                write.request_shell(true).await
            } else {
                write.exec(true, command).await
            }
        };
        let sent: Result<(), russh::Error> = requests.await;
        let lost = opened.line.lost(host, "closed");
        sent.map_err(|_| lost)?;
        let exec = Exec::new(host, opened);
        Ok(Self {
            input: PtyInput {
                write: exec.writer(),
            },
            exec,
        })
    }

    /// A handle for resizing, to be used beside the reading.
    #[must_use]
    pub fn input(&self) -> PtyInput {
        self.input.clone()
    }

    /// The terminal's input; see [`Exec::stdin`].
    pub fn stdin(&mut self) -> Option<Stdin> {
        self.exec.stdin()
    }

    /// The next output, or `None` at the end.
    pub async fn next(&mut self) -> Option<Event> {
        self.exec.next().await
    }

    /// How the command ended; see [`Exec::finish`].
    ///
    /// # Errors
    /// As for [`Exec::finish`].
    pub async fn finish(self) -> Result<Exit, SshError> {
        self.exec.finish().await
    }

    /// Connects the terminal with local streams until the command ends: `stdin` to it (its end closes the input), its output to `stdout`, sizes
    /// from `resizes`.
    ///
    /// # Errors
    /// As for [`Exec::finish`]. Trouble with the local streams ends the pumping and is told in the reason.
    pub async fn pump<R, W>(
        mut self,
        mut stdin: R,
        mut stdout: W,
        mut resizes: mpsc::Receiver<WindowSize>,
    ) -> Result<Exit, SshError>
    where
        R: AsyncRead + Unpin,
        W: AsyncWrite + Unpin,
    {
        let input = self.input();
        let keys = self.stdin();
        let typing = async {
            let Some(mut keys) = keys else { return };
            let mut buffer = vec![0; 16 * 1024];
            while let Ok(read @ 1..) = stdin.read(&mut buffer).await {
                let bytes = Bytes::copy_from_slice(buffer.get(..read).unwrap_or_default());
                if keys.write(bytes).await.is_err() {
                    return;
                }
            }
            let _ = keys.close().await;
        };
        let sizes = async {
            while let Some(size) = resizes.recv().await {
                input.resize(size).await;
            }
        };
        let showing = async {
            while let Some(event) = self.next().await {
                let (Event::Stdout(bytes) | Event::Stderr(bytes)) = event;
                stdout.write_all(&bytes).await?;
                stdout.flush().await?;
            }
            Ok::<_, io::Error>(())
        };
        let shown = {
            tokio::pin!(showing);
            let others = async {
                tokio::join!(typing, sizes);
                // Nothing more to send; the end is the showing side's to find.
                std::future::pending::<()>().await;
            };
            tokio::select! {
                shown = &mut showing => shown,
                () = others => Ok(()),
            }
        };
        if let Err(error) = shown {
            return Err(SshError::ConnectionLost {
                host: self.exec.host().to_owned(),
                reason: format!("the local terminal: {error}"),
            });
        }
        self.finish().await
    }
}
