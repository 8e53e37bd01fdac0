//! What runs the commands: a real shell, or a closure.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use russh::ChannelWriteHalf;
use russh::server::Msg;
use tokio::sync::mpsc;

/// Plays a command and returns its exit status.
pub type Script = dyn Fn(Call) -> Pin<Box<dyn Future<Output = u32> + Send>> + Send + Sync;

/// What answers a command.
#[derive(Clone)]
pub enum Answer {
    /// `sh -c` in a folder with nothing but the given environment.
    Shell {
        /// Working directory.
        dir: PathBuf,
        /// The whole environment, `PATH` included.
        env: Vec<(String, String)>,
    },
    /// A function that plays the command and returns its exit status. No process is started.
    Scripted(Arc<Script>),
}

impl Answer {
    /// Answers with an async function.
    pub fn scripted<F>(script: impl Fn(Call) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = u32> + Send + 'static,
    {
        Self::Scripted(Arc::new(move |call| Box::pin(script(call))))
    }
}

/// A command to be played.
pub struct Call {
    /// The address the client connected to: which of the simulated hosts this is.
    pub host: SocketAddr,
    /// Who logged in.
    pub user: String,
    /// The command line.
    pub command: String,
    pub(crate) input: mpsc::UnboundedReceiver<Bytes>,
    pub(crate) output: Arc<ChannelWriteHalf<Msg>>,
}

impl Call {
    /// The next piece of standard input, or `None` at its end.
    pub async fn input(&mut self) -> Option<Bytes> {
        self.input.recv().await
    }

    /// All of the standard input.
    pub async fn input_to_end(&mut self) -> Vec<u8> {
        let mut all = Vec::new();
        while let Some(bytes) = self.input().await {
            all.extend_from_slice(&bytes);
        }
        all
    }

    /// Writes to standard output, as fast as the client reads.
    pub async fn stdout(&self, bytes: impl Into<Bytes>) {
        // A client that went away is no concern of the command's.
        let _ = self.output.data_bytes(bytes).await;
    }

    /// Writes to standard error.
    pub async fn stderr(&self, bytes: impl Into<Bytes>) {
        let _ = self.output.extended_data_bytes(1, bytes).await;
    }
}
