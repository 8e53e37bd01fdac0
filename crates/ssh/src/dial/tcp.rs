//! A TCP connection to a host: name lookup with retries, then all its addresses, the next one started when the one before fails or is slow.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

#[cfg(target_os = "linux")]
use rustix::net::sockopt;
use tokio::net::{TcpStream, lookup_host};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::route::Route;
use crate::error::SshError;
use crate::jitter;
use crate::settings::{Notice, Settings};

/// Head start of an address over the next (RFC 8305, section 8).
const HEAD_START: Duration = Duration::from_millis(250);

/// Connects to the route's address. The socket sends at once (no Nagle) and gives up when sent data stays unacknowledged longer than the
/// keep-alives may.
pub(crate) async fn connect(route: &Route, settings: &Settings) -> Result<TcpStream, SshError> {
    let addresses = look_up(route, settings).await?;
    let limit = route.connect_timeout;
    let stream = match timeout(limit, race(&addresses)).await {
        Err(_) => Err((
            addresses.first().copied(),
            io::Error::from(ErrorKind::TimedOut),
        )),
        Ok(raced) => raced,
    };
    let stream = stream.map_err(|(address, error)| {
        let address = address.map_or_else(
            || format!("{}:{}", route.address, route.port),
            |a| a.to_string(),
        );
        failed(route, address, &error)
    })?;
    // Neither option is worth failing for.
    let _ = stream.set_nodelay(true);
    // Keep-alives can't tell a dead host while data is stuck on its way there; the kernel can, where it has the option.
    #[cfg(target_os = "linux")]
    if let Some(patience) = route.patience() {
        let _ = sockopt::set_tcp_user_timeout(
            &stream,
            u32::try_from(patience.as_millis()).unwrap_or(u32::MAX),
        );
    }
    Ok(stream)
}

fn failed(route: &Route, address: String, error: &io::Error) -> SshError {
    let host = route.host.clone();
    match error.kind() {
        ErrorKind::ConnectionRefused => SshError::Refused { host, address },
        ErrorKind::TimedOut => SshError::Timeout {
            host,
            stage: format!("connecting to `{address}`"),
            after: route.connect_timeout,
        },
        _ => SshError::Unreachable {
            host,
            address,
            reason: error.to_string(),
        },
    }
}

async fn look_up(route: &Route, settings: &Settings) -> Result<Vec<SocketAddr>, SshError> {
    if let Ok(address) = route.address.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(address, route.port)]);
    }
    let mut retries = 0;
    loop {
        let error = match lookup_host((route.address.as_str(), route.port)).await {
            Ok(found) => {
                let found = interleave(
                    found.filter(|a| route.only_ipv6.is_none_or(|six| six == a.is_ipv6())),
                );
                if !found.is_empty() {
                    return Ok(found);
                }
                "no usable address".to_owned()
            }
            Err(error) => error.to_string(),
        };
        if retries >= settings.dns_retries {
            return Err(SshError::NameResolution {
                host: route.host.clone(),
                name: route.address.clone(),
                reason: error,
            });
        }
        retries += 1;
        // Kamal's back-off: 0.1 s doubling up to 2 s, plus up to 0.1 s.
        let delay = Duration::from_millis(100)
            .saturating_mul(1 << (retries - 1).min(10))
            .min(Duration::from_secs(2))
            + jitter::up_to(Duration::from_millis(100));
        settings.tell(Notice::DnsRetry {
            host: route.host.clone(),
            attempt: retries,
            of: settings.dns_retries,
            delay,
            error,
        });
        sleep(delay).await;
    }
}

/// Takes turns between the families, beginning with the one the resolver put first.
fn interleave(addresses: impl Iterator<Item = SocketAddr>) -> Vec<SocketAddr> {
    let mut all: Vec<SocketAddr> = Vec::new();
    for address in addresses {
        if !all.contains(&address) {
            all.push(address);
        }
    }
    let first_is_ipv6 = all.first().is_some_and(SocketAddr::is_ipv6);
    let (same, other): (Vec<_>, Vec<_>) =
        all.into_iter().partition(|a| a.is_ipv6() == first_is_ipv6);
    let mut other = other.into_iter();
    let mut out = Vec::new();
    for address in same {
        out.push(address);
        out.extend(other.next());
    }
    out.extend(other);
    out
}

async fn race(addresses: &[SocketAddr]) -> Result<TcpStream, (Option<SocketAddr>, io::Error)> {
    let mut waiting = addresses.iter().copied();
    let mut running = JoinSet::new();
    let mut failure = (None, io::Error::other("no address"));
    let mut next_start = Instant::now();
    let mut left = waiting.len();
    loop {
        tokio::select! {
            () = sleep_until(next_start), if left > 0 => {
                if let Some(address) = waiting.next() {
                    running.spawn(async move { (address, TcpStream::connect(address).await) });
                }
                left = waiting.len();
                next_start = Instant::now() + HEAD_START;
            }
            Some(done) = running.join_next() => match done {
                Ok((_, Ok(stream))) => return Ok(stream),
                Ok((address, Err(error))) => {
                    failure = (Some(address), error);
                    next_start = Instant::now();
                }
                Err(_) => {}
            },
            else => return Err(failure),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_take_turns() {
        let addresses = [
            "[::1]:1",
            "[::2]:1",
            "[::1]:1",
            "1.1.1.1:1",
            "2.2.2.2:1",
            "3.3.3.3:1",
        ];
        let ordered = interleave(addresses.iter().map(|a| a.parse().unwrap()));
        let text: Vec<_> = ordered.iter().map(ToString::to_string).collect();
        assert_eq!(
            text,
            ["[::1]:1", "1.1.1.1:1", "[::2]:1", "2.2.2.2:1", "3.3.3.3:1"]
        );
    }

    #[tokio::test]
    async fn a_dead_address_does_not_hide_a_live_one() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let live = listener.local_addr().unwrap();
        let dead = {
            let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            closed.local_addr().unwrap()
        };
        let stream = race(&[dead, live]).await.unwrap();
        assert_eq!(stream.peer_addr().unwrap(), live);
        let (address, error) = race(&[dead]).await.unwrap_err();
        assert_eq!(
            (address, error.kind()),
            (Some(dead), ErrorKind::ConnectionRefused)
        );
        assert!(race(&[]).await.is_err());
    }
}
