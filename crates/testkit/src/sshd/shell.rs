//! Runs a command with a real shell and carries its streams.

use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;

use bytes::Bytes;
use russh::server::{Handle, Msg};
use russh::{ChannelWriteHalf, Sig};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::Command;
use tokio::sync::mpsc;

/// How a command ended, for the client.
pub(crate) enum Ended {
    Status(u32),
    Signal(Sig),
}

pub(crate) async fn run(
    dir: &Path,
    env: &[(String, String)],
    command: &str,
    input: mpsc::UnboundedReceiver<Bytes>,
    output: Arc<ChannelWriteHalf<Msg>>,
) -> Ended {
    let child = Command::new("/bin/sh")
        .args(["-c", command])
        .current_dir(dir)
        .env_clear()
        .envs(env.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn();
    let mut child = match child {
        Ok(child) => child,
        Err(error) => {
            let _ = output
                .extended_data_bytes(1, format!("sshd: {error}\n"))
                .await;
            return Ended::Status(127);
        }
    };
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let feeding = tokio::spawn(feed(stdin, input));
    let ((), (), status) = tokio::join!(
        carry(stdout, &output, None),
        carry(stderr, &output, Some(1)),
        child.wait()
    );
    feeding.abort();
    ended(status.ok())
}

async fn feed(
    stdin: Option<impl tokio::io::AsyncWrite + Unpin>,
    mut input: mpsc::UnboundedReceiver<Bytes>,
) {
    let Some(mut stdin) = stdin else { return };
    while let Some(bytes) = input.recv().await {
        if stdin.write_all(&bytes).await.is_err() {
            return;
        }
    }
}

async fn carry(
    from: Option<impl AsyncRead + Unpin>,
    to: &ChannelWriteHalf<Msg>,
    kind: Option<u32>,
) {
    let Some(mut from) = from else { return };
    let mut buffer = vec![0; 32 * 1024];
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        let bytes = Bytes::copy_from_slice(buffer.get(..read).unwrap_or_default());
        let sent = match kind {
            None => to.data_bytes(bytes).await,
            Some(kind) => to.extended_data_bytes(kind, bytes).await,
        };
        if sent.is_err() {
            return;
        }
    }
}

fn ended(status: Option<ExitStatus>) -> Ended {
    let Some(status) = status else {
        return Ended::Status(255);
    };
    match (status.code(), status.signal()) {
        (Some(code), _) => Ended::Status(u32::try_from(code).unwrap_or(255)),
        (None, Some(9)) => Ended::Signal(Sig::KILL),
        (None, Some(15)) => Ended::Signal(Sig::TERM),
        (None, Some(number)) => Ended::Signal(Sig::Custom(number.to_string())),
        (None, None) => Ended::Status(255),
    }
}

/// Tells the client how the command ended and closes the channel.
pub(crate) async fn finish(handle: &Handle, output: &ChannelWriteHalf<Msg>, ended: Ended) {
    // Whatever fails here fails because the client is gone.
    let _ = match ended {
        Ended::Status(status) => handle.exit_status_request(output.id(), status).await,
        Ended::Signal(signal) => {
            handle
                .exit_signal_request(output.id(), signal, false, String::new(), String::new())
                .await
        }
    };
    let _ = output.eof().await;
    let _ = output.close().await;
}
