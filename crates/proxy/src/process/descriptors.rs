//! Passing open descriptors to another process along with bytes, over a Unix socket (`SCM_RIGHTS`, unix(7)).

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};

/// The kernel takes no more in one message.
const MOST: usize = 253;
/// Bytes for a message about so many descriptors.
const SPACE: usize = rustix::cmsg_space!(ScmRights(MOST));

/// Sends all of `bytes`, the descriptors with the first of them.
///
/// # Errors
/// When the other end is gone, or there are more than 253 descriptors.
pub(crate) fn send(
    stream: &UnixStream,
    bytes: &[u8],
    descriptors: &[BorrowedFd<'_>],
) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); SPACE];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    if descriptors.len() > MOST || !ancillary.push(SendAncillaryMessage::ScmRights(descriptors)) {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let sent = sendmsg(
        stream,
        &[IoSlice::new(bytes)],
        &mut ancillary,
        SendFlags::NOSIGNAL,
    )?;
    let rest = bytes.get(sent..).unwrap_or_default();
    io::Write::write_all(&mut &*stream, rest)
}

/// Reads up to `bytes`, and the descriptors that come along; they end with this process, not with its children.
///
/// # Errors
/// When nothing comes in the stream's time, or the kernel dropped some.
pub(crate) fn receive(stream: &UnixStream, bytes: &mut [u8]) -> io::Result<(usize, Vec<OwnedFd>)> {
    let mut space = [MaybeUninit::uninit(); SPACE];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let message = recvmsg(
        stream,
        &mut [IoSliceMut::new(bytes)],
        &mut ancillary,
        RecvFlags::CMSG_CLOEXEC,
    )?;
    let mut descriptors = Vec::new();
    for part in ancillary.drain() {
        if let RecvAncillaryMessage::ScmRights(rights) = part {
            descriptors.extend(rights);
        }
    }
    if message.flags.contains(ReturnFlags::CTRUNC) {
        return Err(io::Error::other("descriptors were lost on the way"));
    }
    Ok((message.bytes, descriptors))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read as _, Seek as _, Write as _};
    use std::os::fd::AsFd as _;

    #[test]
    fn what_arrives_is_the_same_open_file() {
        let (here, there) = UnixStream::pair().unwrap();
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"content").unwrap();
        file.rewind().unwrap();
        send(&here, b"hello\n", &[file.as_fd(), here.as_fd()]).unwrap();
        let mut bytes = [0; 64];
        let (size, descriptors) = receive(&there, &mut bytes).unwrap();
        assert_eq!(&bytes[..size], b"hello\n");
        assert_eq!(descriptors.len(), 2);
        let mut text = String::new();
        let mut arrived = std::fs::File::from(descriptors.into_iter().next().unwrap());
        arrived.read_to_string(&mut text).unwrap();
        assert_eq!(text, "content");
        assert_eq!(file.stream_position().unwrap(), 7);
    }

    #[test]
    fn more_than_the_kernel_takes_is_refused() {
        let (here, _there) = UnixStream::pair().unwrap();
        let many = vec![here.as_fd(); MOST + 1];
        assert!(send(&here, b"x", &many).is_err());
    }
}
