//! Listening sockets: one a core on the same port, so that the kernel spreads connections over the cores.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, UdpSocket};

use socket2::{Domain, Protocol, Socket, Type};

/// A port that cannot be listened on; the text is the line after `Error: `.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ListenError {
    /// It is no port number.
    #[error("listen tcp: address {0}: invalid port")]
    InvalidPort(i64),
    /// The system refuses HTTP/3's.
    #[error("listen udp :{port}: bind: {}", crate::process::system_error::text(.source))]
    BindUdp {
        /// The port.
        port: u16,
        /// Why.
        source: io::Error,
    },
    /// The system refuses.
    #[error("listen tcp :{port}: bind: {}", crate::process::system_error::text(.source))]
    Bind {
        /// The port.
        port: u16,
        /// Why.
        source: io::Error,
    },
}

/// Connections the kernel keeps until a core takes them.
const BACKLOG: i32 = 4096;
/// Datagrams the kernel keeps, in bytes.
const UDP_BUFFER: usize = 4 << 20;

/// Checks a port number.
///
/// # Errors
/// [`ListenError::InvalidPort`].
pub(crate) fn port(number: i64) -> Result<u16, ListenError> {
    u16::try_from(number).map_err(|_| ListenError::InvalidPort(number))
}

/// One socket for each of `cores`, all on `port` of every address, IPv6 and IPv4.
///
/// # Errors
/// When the port is taken or may not be used.
pub(crate) fn listen(port: u16, cores: usize) -> Result<Vec<TcpListener>, ListenError> {
    let failed = |source| ListenError::Bind { port, source };
    // Sockets that share a port would also share it with another proxy of the same user, in silence. A socket
    // that does not share tells.
    drop(bind(port, false).map_err(failed)?);
    let first = bind(port, true).map_err(failed)?;
    let port = first.local_addr().map_err(failed)?.port();
    let mut sockets = vec![first];
    while sockets.len() < cores {
        sockets.push(bind(port, true).map_err(failed)?);
    }
    Ok(sockets)
}

/// Another proxy's sockets, as far as they are on `port`; new ones, one for each of `cores`, if none is.
///
/// # Errors
/// As [`listen`].
pub(crate) fn adopt(
    mut inherited: Vec<TcpListener>,
    port: u16,
    cores: usize,
) -> Result<Vec<TcpListener>, ListenError> {
    inherited.retain(|socket| is_on(socket, port));
    if inherited.is_empty() {
        return listen(port, cores);
    }
    Ok(inherited)
}

/// What each of `cores` serves, as duplicates: every socket is served, since connections wait in every one, and every
/// core serves one at least.
///
/// # Errors
/// When there are no descriptors left.
pub(crate) fn share_out(
    sockets: &[TcpListener],
    cores: usize,
) -> io::Result<Vec<Vec<TcpListener>>> {
    let mut shares: Vec<Vec<TcpListener>> = (0..cores).map(|_| Vec::new()).collect();
    for turn in 0..sockets.len().max(cores) {
        if let (Some(share), Some(socket)) = (
            shares.get_mut(turn % cores.max(1)),
            sockets.get(turn % sockets.len()),
        ) {
            share.push(socket.try_clone()?);
        }
    }
    Ok(shares)
}

/// Whether a socket listens on `port`.
pub(crate) fn is_on(socket: &TcpListener, port: u16) -> bool {
    socket.local_addr().is_ok_and(|at| at.port() == port)
}

/// A socket of its own on `port` of every address.
///
/// # Errors
/// When the port is taken or may not be used.
pub(crate) fn listen_alone(port: u16) -> Result<TcpListener, ListenError> {
    bind(port, false).map_err(|source| ListenError::Bind { port, source })
}

/// A UDP socket on `port` of every address, IPv6 and IPv4.
///
/// # Errors
/// When the port is taken or may not be used.
pub(crate) fn listen_udp(port: u16) -> Result<UdpSocket, ListenError> {
    let dual = |domain: Domain, address: SocketAddr| {
        let socket = Socket::new(domain, Type::DGRAM, Some(Protocol::UDP))?;
        if domain == Domain::IPV6 {
            socket.set_only_v6(false)?;
        }
        socket.set_nonblocking(true)?;
        // As much as the system gives; what is lost when it is too little is sent again.
        let _ = socket.set_recv_buffer_size(UDP_BUFFER);
        let _ = socket.set_send_buffer_size(UDP_BUFFER);
        socket.bind(&address.into())?;
        Ok(socket.into())
    };
    match dual(Domain::IPV6, (Ipv6Addr::UNSPECIFIED, port).into()) {
        Err(error) if no_ipv6(&error) => dual(Domain::IPV4, (Ipv4Addr::UNSPECIFIED, port).into()),
        outcome => outcome,
    }
    .map_err(|source| ListenError::BindUdp { port, source })
}

fn bind(port: u16, shared: bool) -> io::Result<TcpListener> {
    let dual = |domain: Domain, address: SocketAddr| {
        let socket = Socket::new(domain, Type::STREAM, Some(Protocol::TCP))?;
        if domain == Domain::IPV6 {
            socket.set_only_v6(false)?;
        }
        socket.set_reuse_address(true)?;
        socket.set_reuse_port(shared)?;
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
        Ok(socket.into())
    };
    match dual(Domain::IPV6, (Ipv6Addr::UNSPECIFIED, port).into()) {
        Err(error) if no_ipv6(&error) => dual(Domain::IPV4, (Ipv4Addr::UNSPECIFIED, port).into()),
        outcome => outcome,
    }
}

/// The system has no IPv6, or has it switched off.
fn no_ipv6(error: &io::Error) -> bool {
    const EAFNOSUPPORT: i32 = 97;
    const EADDRNOTAVAIL: i32 = 99;
    matches!(error.raw_os_error(), Some(EAFNOSUPPORT | EADDRNOTAVAIL))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inherited_sockets_are_shared_out_and_those_of_other_ports_are_not_taken() {
        let old = listen(0, 3).unwrap();
        let port = old[0].local_addr().unwrap().port();
        let share = |cores| {
            let copies = old.iter().map(|socket| socket.try_clone().unwrap());
            let adopted = adopt(copies.collect(), port, cores).unwrap();
            let shares = share_out(&adopted, cores).unwrap();
            shares.iter().map(Vec::len).collect::<Vec<_>>()
        };
        assert_eq!(share(3), [1, 1, 1]);
        assert_eq!(share(2), [2, 1]);
        assert_eq!(share(5), [1, 1, 1, 1, 1]);
        let strangers = listen(0, 2).unwrap();
        let error = adopt(strangers, port, 1).unwrap_err().to_string();
        assert_eq!(
            error,
            format!("listen tcp :{port}: bind: address already in use")
        );
    }

    #[test]
    fn one_port_for_all_cores_and_for_nobody_else() {
        let sockets = listen(0, 3).unwrap();
        let ports: Vec<_> = sockets
            .iter()
            .map(|socket| socket.local_addr().unwrap().port())
            .collect();
        assert_eq!(ports.len(), 3);
        assert!(ports.iter().all(|port| *port == ports[0]));
        let error = listen(ports[0], 1).unwrap_err().to_string();
        assert_eq!(
            error,
            format!("listen tcp :{}: bind: address already in use", ports[0])
        );
        assert_eq!(
            port(99999).unwrap_err().to_string(),
            "listen tcp: address 99999: invalid port"
        );
    }
}
