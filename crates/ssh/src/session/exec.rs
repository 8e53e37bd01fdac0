//! A command running on the host.

use bytes::Bytes;
use russh::client::Msg;
use russh::{ChannelMsg, ChannelReadHalf, Sig};

use super::channel::{Line, Opened};
use super::stdin::Stdin;
use crate::error::SshError;

/// What the command wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// On its standard output.
    Stdout(Bytes),
    /// On its standard error.
    Stderr(Bytes),
}

/// How the command ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Exit {
    /// By itself, with this status.
    Status(u32),
    /// By a signal.
    Signal {
        /// Its name without `SIG`.
        name: String,
        /// The server's words, often empty.
        message: String,
    },
}

impl Exit {
    /// Whether the command succeeded.
    #[must_use]
    pub fn is_success(&self) -> bool {
        *self == Self::Status(0)
    }

    /// The status as a shell would tell it: 128 + number for the usual signals, 128 for others.
    #[must_use]
    pub fn code(&self) -> u32 {
        match self {
            Self::Status(status) => *status,
            Self::Signal { name, .. } => 128 + signal_number(name),
        }
    }
}

fn signal_number(name: &str) -> u32 {
    match name {
        "HUP" => 1,
        "INT" => 2,
        "QUIT" => 3,
        "ILL" => 4,
        "ABRT" => 6,
        "FPE" => 8,
        "KILL" => 9,
        "USR1" => 10,
        "SEGV" => 11,
        "USR2" => 12,
        "PIPE" => 13,
        "ALRM" => 14,
        "TERM" => 15,
        _ => 0,
    }
}

/// What goes with a command.
#[derive(Debug, Clone, Default)]
pub struct ExecOptions {
    /// Environment variables; servers accept only those named in `AcceptEnv`, and say nothing about the others.
    pub env: Vec<(String, String)>,
}

/// Everything a command wrote, and how it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// Its standard output.
    pub stdout: Vec<u8>,
    /// Its standard error.
    pub stderr: Vec<u8>,
    /// How it ended.
    pub exit: Exit,
}

/// A running command. Dropping it closes the channel: the command loses its input and output, which ends most.
///
/// Somebody has to read: a command whose output is not taken holds up the others on the same connection after some 100 pieces.
pub struct Exec {
    host: String,
    read: ChannelReadHalf,
    line: Line,
    stdin: Option<Stdin>,
    exit: Option<Exit>,
    refused: bool,
}

impl std::fmt::Debug for Exec {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Exec")
            .field("host", &self.host)
            .field("exit", &self.exit)
            .finish_non_exhaustive()
    }
}

impl Exec {
    pub(crate) async fn start(
        host: &str,
        opened: Opened,
        command: &str,
        options: &ExecOptions,
    ) -> Result<Self, SshError> {
        let write = opened.line.write.clone();
        let requests = async {
            if opened.line.forward_agent {
                write.agent_forward(false).await?;
            }
            for (name, value) in &options.env {
                write.set_env(false, name.as_str(), value.as_str()).await?;
            }
            write.exec(true, command).await
        };
        let sent: Result<(), russh::Error> = requests.await;
        let lost = opened.line.lost(host, "closed");
        sent.map_err(|_| lost)?;
        Ok(Self::new(host, opened))
    }

    pub(crate) fn new(host: &str, opened: Opened) -> Self {
        let Opened { read, line } = opened;
        Self {
            host: host.to_owned(),
            stdin: Some(Stdin::new(host, &line)),
            read,
            line,
            exit: None,
            refused: false,
        }
    }

    /// The command's standard input; `None` after it was taken. It is closed when dropped. Whoever does not take it leaves it open.
    pub fn stdin(&mut self) -> Option<Stdin> {
        self.stdin.take()
    }

    /// The next output, or `None` when the channel is closed. May be cancelled without loss.
    pub async fn next(&mut self) -> Option<Event> {
        while !self.line.has_ended() {
            match self.read.wait().await {
                Some(ChannelMsg::Data { data }) => return Some(Event::Stdout(data)),
                // 1 is the only type there is (RFC 4254, section 5.2).
                Some(ChannelMsg::ExtendedData { data, ext: 1 }) => {
                    return Some(Event::Stderr(data));
                }
                Some(ChannelMsg::ExitStatus { exit_status }) => {
                    self.exit = Some(Exit::Status(exit_status));
                }
                Some(ChannelMsg::ExitSignal {
                    signal_name,
                    error_message,
                    ..
                }) => {
                    self.exit = Some(Exit::Signal {
                        name: name_of(&signal_name),
                        message: error_message,
                    });
                }
                Some(ChannelMsg::Failure) => {
                    self.refused = true;
                    return None;
                }
                Some(ChannelMsg::Close) | None => self.line.end(),
                Some(_) => {}
            }
        }
        None
    }

    /// How the command ended, once [`next`](Self::next) has returned `None`. Output that was not read is thrown away.
    ///
    /// # Errors
    /// The connection was lost first, or the server did not start the command.
    pub async fn finish(mut self) -> Result<Exit, SshError> {
        while self.next().await.is_some() {}
        self.result()
    }

    fn result(&mut self) -> Result<Exit, SshError> {
        if self.refused {
            return Err(SshError::ChannelRefused {
                host: self.host.clone(),
                what: "the command".to_owned(),
                reason: "the server did not start it".to_owned(),
            });
        }
        self.exit.take().ok_or_else(|| {
            self.line.lost(
                &self.host,
                "the server closed the channel without an exit status",
            )
        })
    }

    /// Feeds `input`, then closes the command's standard input, while handing its output to `on`; until it ends. A command that ends without
    /// reading all its input is no error here.
    ///
    /// # Errors
    /// As for [`finish`](Self::finish).
    pub async fn drive(
        mut self,
        input: Bytes,
        mut on: impl FnMut(Event),
    ) -> Result<Exit, SshError> {
        let stdin = self.stdin.take();
        let feed = async {
            if let Some(mut stdin) = stdin {
                // Both fail only when the command or the connection ended, which the other half tells.
                let _ = stdin.write(input).await;
                let _ = stdin.close().await;
            }
        };
        let listen = async {
            while let Some(event) = self.next().await {
                on(event);
            }
        };
        // Feeding must not outlive the command: it stops by itself when the channel ends.
        tokio::join!(feed, listen);
        self.result()
    }

    /// Feeds `input` and collects everything.
    ///
    /// # Errors
    /// As for [`finish`](Self::finish).
    pub async fn output(self, input: Bytes) -> Result<Output, SshError> {
        let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
        let exit = self
            .drive(input, |event| match event {
                Event::Stdout(bytes) => stdout.extend_from_slice(&bytes),
                Event::Stderr(bytes) => stderr.extend_from_slice(&bytes),
            })
            .await?;
        Ok(Output {
            stdout,
            stderr,
            exit,
        })
    }

    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    pub(crate) fn is_lost(&self) -> bool {
        self.line.has_ended() || self.line.lost.borrow().is_some()
    }

    pub(crate) fn writer(&self) -> std::sync::Arc<russh::ChannelWriteHalf<Msg>> {
        self.line.write.clone()
    }
}

fn name_of(signal: &Sig) -> String {
    match signal {
        Sig::Custom(name) => name.clone(),
        other => format!("{other:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_codes_as_a_shell_tells_them() {
        assert_eq!(Exit::Status(3).code(), 3);
        let killed = Exit::Signal {
            name: name_of(&Sig::KILL),
            message: String::new(),
        };
        assert_eq!(killed.code(), 137);
        assert!(!killed.is_success());
        assert_eq!(
            Exit::Signal {
                name: "ODD".into(),
                message: String::new()
            }
            .code(),
            128
        );
    }
}
