//! The conversation in which a new proxy takes over from an old one, both sides; see [`HandoverLine`] for its order.
//! In: the old one's listening sockets. Out: the same sockets in the new process, and either both sides agreeing
//! that the new one serves, or the old one going on.
//!
//! Everything blocks; both sides call it where nothing else waits.

use std::io::{self, Read as _, Write as _};
use std::net::TcpListener;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::time::Duration;

use dhow_proxy_api::{CONTROL_VERSION, ControlReply, ControlRequest, HandoverLine, SocketMessage};

use crate::process::descriptors;

/// The old proxy finishes the commands it is carrying out first; a deploy may be among them.
const PATIENCE: Duration = Duration::from_secs(600);
/// Restoring the state must be done in this time.
const RESTORE_TIME: Duration = Duration::from_secs(60);
/// Longest line there is.
const LONGEST_LINE: usize = 4096;

/// Why a takeover did not come about; the old proxy goes on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TakeoverError {
    /// The connection.
    #[error("takeover: {}", crate::process::system_error::text(.0))]
    Io(#[from] io::Error),
    /// It ended.
    #[error("takeover: the running proxy ended the conversation")]
    Ended,
    /// The running proxy is older than takeovers, or no proxy of dhow's.
    #[error("takeover: the running proxy does not hand over (`{0}`)")]
    Refused(String),
    /// Something else was said than should have been.
    #[error("takeover: unexpected message `{0}`")]
    Unexpected(String),
}

/// What the old proxy gives away: its own duplicates, so that it can go on with the originals.
pub(crate) struct Estate {
    /// For plain HTTP.
    pub(crate) http: Vec<TcpListener>,
    /// For HTTPS.
    pub(crate) https: Vec<TcpListener>,
    /// For metrics.
    pub(crate) metrics: Option<TcpListener>,
    /// The control socket. Whoever listens on it last, its file stays.
    pub(crate) control: OwnedFd,
}

/// The new proxy's line to the old one.
pub(crate) struct Line {
    stream: UnixStream,
    /// The old one's process.
    pub(crate) process: u32,
}

/// Old side: offers everything. Returns once the new proxy serves; an error means that this one goes on.
///
/// # Errors
/// When the new proxy gives up or is gone, at whatever moment.
pub(crate) fn offer(stream: &UnixStream, estate: &Estate) -> Result<(), TakeoverError> {
    stream.set_nonblocking(false)?;
    stream.set_read_timeout(Some(RESTORE_TIME))?;
    stream.set_write_timeout(Some(RESTORE_TIME))?;
    let sockets = estate.http.iter().chain(&estate.https);
    let sockets = sockets.chain(&estate.metrics).map(AsFd::as_fd);
    let all: Vec<BorrowedFd<'_>> = sockets.chain([estate.control.as_fd()]).collect();
    let line = line_of(&HandoverLine::Sockets {
        http: estate.http.len(),
        https: estate.https.len(),
        metrics: estate.metrics.iter().len(),
        process: std::process::id(),
    })?;
    descriptors::send(stream, &line, &all)?;
    expect(stream, &HandoverLine::Ready)?;
    // From here on the new one may start to serve, and only its word or its end says whether it did.
    stream.set_read_timeout(None)?;
    say(stream, &HandoverLine::Go)?;
    expect(stream, &HandoverLine::Serving)
}

/// New side: asks the proxy at `path` for its sockets. `None` when no proxy runs there.
///
/// # Errors
/// When there is one which does not give them.
pub(crate) fn ask(path: &Path) -> Result<Option<(Estate, Line)>, TakeoverError> {
    let stream = match UnixStream::connect(path) {
        Ok(stream) => stream,
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused
            ) =>
        {
            return Ok(None);
        }
        Err(error) => return Err(error.into()),
    };
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut message = serde_json::to_vec(&SocketMessage {
        version: CONTROL_VERSION,
        request: ControlRequest::TakeOver,
    })
    .map_err(io::Error::from)?;
    message.push(b'\n');
    (&stream).write_all(&message)?;
    let mut bytes = vec![0; LONGEST_LINE];
    let (size, descriptors) = descriptors::receive(&stream, &mut bytes)?;
    let mut line = bytes.get(..size).unwrap_or_default().to_vec();
    if line.is_empty() {
        return Err(TakeoverError::Ended);
    }
    if !line.ends_with(b"\n") {
        line.extend(read_line(&stream)?);
    }
    let Ok(HandoverLine::Sockets {
        http,
        https,
        metrics,
        process,
    }) = serde_json::from_slice(&line)
    else {
        return Err(match serde_json::from_slice::<ControlReply>(&line) {
            Ok(ControlReply::Failed { message, .. }) => TakeoverError::Refused(message),
            _ => unexpected(&line),
        });
    };
    let count = descriptors.len();
    let mut descriptors = descriptors.into_iter();
    let mut listeners = |count| -> Vec<TcpListener> {
        let some = descriptors.by_ref().take(count);
        some.map(TcpListener::from).collect()
    };
    let (http_sockets, https_sockets) = (listeners(http), listeners(https));
    let metrics_socket = listeners(metrics).pop();
    match descriptors.next() {
        Some(control) if count == http + https + metrics + 1 => {
            let estate = Estate {
                http: http_sockets,
                https: https_sockets,
                metrics: metrics_socket,
                control,
            };
            Ok(Some((estate, Line { stream, process })))
        }
        _ => Err(unexpected(&line)),
    }
}

impl Line {
    /// Says that everything is there to serve, and waits for the word.
    ///
    /// # Errors
    /// When the old proxy has changed its mind or is gone.
    pub(crate) fn ready(&self) -> Result<(), TakeoverError> {
        say(&self.stream, &HandoverLine::Ready)?;
        expect(&self.stream, &HandoverLine::Go)
    }

    /// Says that connections are accepted here. The line stays open: see [`crate::process::succession`].
    ///
    /// # Errors
    /// When the old proxy is gone.
    pub(crate) fn serving(self) -> Result<UnixStream, TakeoverError> {
        say(&self.stream, &HandoverLine::Serving)?;
        Ok(self.stream)
    }
}

impl Estate {
    /// The control socket as a listener.
    pub(crate) fn control(&self) -> io::Result<UnixListener> {
        Ok(self.control.try_clone()?.into())
    }
}

fn line_of(message: &HandoverLine) -> io::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(message)?;
    line.push(b'\n');
    Ok(line)
}

fn say(mut stream: &UnixStream, message: &HandoverLine) -> Result<(), TakeoverError> {
    Ok(stream.write_all(&line_of(message)?)?)
}

fn expect(stream: &UnixStream, message: &HandoverLine) -> Result<(), TakeoverError> {
    let line = read_line(stream)?;
    match serde_json::from_slice::<HandoverLine>(&line) {
        Ok(said) if said == *message => Ok(()),
        _ => Err(unexpected(&line)),
    }
}

/// Reads a line and not a byte more.
fn read_line(mut stream: &UnixStream) -> Result<Vec<u8>, TakeoverError> {
    let mut line = Vec::new();
    while line.last() != Some(&b'\n') {
        let mut byte = [0];
        if line.len() == LONGEST_LINE || stream.read(&mut byte)? == 0 {
            return Err(TakeoverError::Ended);
        }
        line.extend(byte);
    }
    Ok(line)
}

fn unexpected(line: &[u8]) -> TakeoverError {
    TakeoverError::Unexpected(String::from_utf8_lossy(line).trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn estate(folder: &Path) -> Estate {
        let listener = || TcpListener::bind("127.0.0.1:0").unwrap();
        let control = UnixListener::bind(folder.join("control")).unwrap();
        Estate {
            http: vec![listener(), listener()],
            https: vec![listener()],
            metrics: None,
            control: control.into(),
        }
    }

    /// An old proxy on a thread, which offers its estate to whoever asks at the path.
    fn old(folder: &Path) -> std::thread::JoinHandle<Result<(), TakeoverError>> {
        let estate = estate(folder);
        let listener = UnixListener::bind(folder.join("sock")).unwrap();
        std::thread::spawn(move || {
            let (stream, _) = listener.accept().unwrap();
            read_line(&stream).unwrap();
            offer(&stream, &estate)
        })
    }

    #[test]
    fn both_sides_agree_in_the_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sock");
        assert!(ask(&path).unwrap().is_none());
        let old = old(folder.path());
        let (estate, line) = ask(&path).unwrap().unwrap();
        assert_eq!(estate.http.len(), 2);
        assert_eq!(estate.https.len(), 1);
        assert!(estate.metrics.is_none());
        let address = estate.control().unwrap().local_addr().unwrap();
        assert!(address.as_pathname().unwrap().ends_with("control"));
        line.ready().unwrap();
        line.serving().unwrap();
        old.join().unwrap().unwrap();
    }

    #[test]
    fn a_new_proxy_that_ends_at_any_moment_leaves_the_old_one() {
        for moment in ["asked", "ready", "told to go"] {
            let folder = tempfile::tempdir().unwrap();
            let old = old(folder.path());
            let (estate, line) = ask(&folder.path().join("sock")).unwrap().unwrap();
            match moment {
                "asked" => {}
                "ready" => say(&line.stream, &HandoverLine::Ready).unwrap(),
                _ => line.ready().unwrap(),
            }
            drop((estate, line));
            assert!(old.join().unwrap().is_err(), "{moment}");
        }
    }

    #[test]
    fn proxies_that_know_nothing_of_it_are_told_apart() {
        for (reply, error) in [
            (
                "{\"reply\":\"failed\",\"message\":\"unreadable message: x\"}\n",
                "takeover: the running proxy does not hand over (`unreadable message: x`)",
            ),
            ("huh?\n", "takeover: unexpected message `huh?`"),
            (
                "{\"handover\":\"sockets\",\"http\":1,\"https\":1,\"metrics\":0,\"process\":1}\n",
                "takeover: unexpected message `{\"handover\":\"sockets\",\"http\":1,\"https\":1,\"metrics\":0,\"process\":1}`",
            ),
            ("", "takeover: the running proxy ended the conversation"),
        ] {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("sock");
            let listener = UnixListener::bind(&path).unwrap();
            let old = std::thread::spawn(move || {
                let (mut stream, _) = listener.accept().unwrap();
                read_line(&stream).unwrap();
                stream.write_all(reply.as_bytes()).unwrap();
            });
            let refused = ask(&path).err().unwrap();
            assert_eq!(refused.to_string(), error);
            old.join().unwrap();
        }
    }
}
