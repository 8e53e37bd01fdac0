//! Sends something large into a command on a host: an image into `docker load`.
//!
//! In: a step with its content. Out: progress events, and what the command printed. Costs an exchange of its own.

use std::time::Instant;

use dhow_plan::{Action, Step};
use dhow_ssh::{Event as Said, ExecOptions, Session};

use crate::event::{EventKind, Failure, Stream};
use crate::failure::{from_ssh, from_step};
use crate::shell::{shown, step_id};
use crate::sink::Sink;

/// Bytes between two looks at how far it is.
const PIECE: usize = 64 << 10;

/// Runs the step; gives its standard output.
pub(crate) async fn feed(
    session: &Session,
    host: &str,
    step: &Step,
    sink: &Sink,
) -> Result<String, Failure> {
    let Action::Feed { cmd, content } = &step.action else {
        return Ok(String::new());
    };
    let id = step_id();
    let started = Instant::now();
    sink.emit(EventKind::StepStarted {
        id: id.clone(),
        host: Some(host.to_owned()),
        role: None,
        title: step.title.clone(),
        command: shown(step),
        debug: step.debug,
        loud: false,
    });
    let result = transfer(session, &cmd.real(), content, &id, sink).await;
    let exit = match &result {
        Ok((exit, _, _)) => Some(*exit),
        Err(_) => None,
    };
    sink.emit(EventKind::StepFinished {
        id,
        exit,
        seconds: started.elapsed().as_secs_f64(),
        tolerated: false,
    });
    match result? {
        (0, stdout, _) => Ok(stdout),
        (exit, _, both) => Err(from_step(&shown(step), exit, &both)),
    }
}

async fn transfer(
    session: &Session,
    command: &str,
    content: &std::sync::Arc<[u8]>,
    id: &str,
    sink: &Sink,
) -> Result<(i32, String, String), Failure> {
    let command = format!("sh -c {}", dhow_text::shell::single_quote(command));
    let exec = session.exec(&command, &ExecOptions::default()).await;
    let mut exec = exec.map_err(|e| from_ssh(&e))?;
    let stdin = exec.stdin();
    let total = content.len() as u64;
    let send = async {
        let Some(mut stdin) = stdin else {
            return Ok(());
        };
        let mut sent = 0;
        for piece in content.chunks(PIECE) {
            let piece = bytes::Bytes::copy_from_slice(piece);
            sent += piece.len() as u64;
            stdin.write(piece).await?;
            sink.emit(EventKind::Progress {
                id: id.to_owned(),
                done: sent,
                total: Some(total),
            });
        }
        stdin.close().await
    };
    let receive = async {
        let (mut stdout, mut both) = (String::new(), String::new());
        while let Some(said) = exec.next().await {
            let (stream, bytes) = match said {
                Said::Stdout(bytes) => (Stream::Stdout, bytes),
                Said::Stderr(bytes) => (Stream::Stderr, bytes),
            };
            let text = String::from_utf8_lossy(&bytes);
            both.push_str(&text);
            if stream == Stream::Stdout {
                stdout.push_str(&text);
            }
            output(id, stream, &text, sink);
        }
        let exit = exec.finish().await?;
        Ok((i32::try_from(exit.code()).unwrap_or(255), stdout, both))
    };
    // A command that ends early (docker is missing) closes its input: its own words say more than the failed write.
    let (sent, received) = futures_util::future::join(send, receive).await;
    let (exit, stdout, both) = received.map_err(|e: dhow_ssh::SshError| from_ssh(&e))?;
    if exit == 0 {
        sent.map_err(|e: dhow_ssh::SshError| from_ssh(&e))?;
    }
    Ok((exit, stdout, both))
}

fn output(id: &str, stream: Stream, text: &str, sink: &Sink) {
    for line in text.lines().filter(|line| !line.is_empty()) {
        sink.emit(EventKind::Output {
            id: id.to_owned(),
            stream,
            text: line.to_owned(),
        });
    }
}
