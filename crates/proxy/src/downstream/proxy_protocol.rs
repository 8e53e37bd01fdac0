//! The PROXY protocol, versions 1 and 2: the line or block with which a load balancer that passes bytes on begins a connection,
//! and which says who is at the other end of it. Pure: in come the first bytes of a connection, out comes what they are.
//!
//! Source: "The PROXY protocol" of HAProxy, sections 2.1 and 2.2. Stricter than it has to be where it may be: nobody types these.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Longest header that is taken, with all that a sender may add to its block.
pub(crate) const LONGEST: usize = 4096;

/// Longest line of version 1 with its end.
const LONGEST_LINE: usize = 107;
const LINE_START: &[u8] = b"PROXY ";
const BLOCK_START: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
/// Start, version and command, family, length.
const BLOCK_HEAD: usize = BLOCK_START.len() + 4;

/// What the first bytes of a connection are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Start {
    /// They may be a header, and more are needed to tell, or to read it.
    Partial,
    /// No header.
    Other,
    /// A header.
    Header {
        /// Its bytes, which are no part of what follows.
        length: usize,
        /// Who is at the other end; none when the sender speaks for itself or does not know.
        source: Option<SocketAddr>,
    },
}

/// A header that is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("malformed PROXY header: {0}")]
pub(crate) struct BadHeader(&'static str);

/// Reads the start of a connection. The same bytes with more behind them give the same answer, unless it was
/// [`Start::Partial`].
///
/// # Errors
/// When it begins like a header and is not one.
pub(crate) fn read_start(bytes: &[u8]) -> Result<Start, BadHeader> {
    if let Some(rest) = bytes.strip_prefix(BLOCK_START) {
        return read_block(rest);
    }
    if let Some(rest) = bytes.strip_prefix(LINE_START) {
        return read_line(rest);
    }
    let partial = BLOCK_START.starts_with(bytes) || LINE_START.starts_with(bytes);
    Ok(if partial {
        Start::Partial
    } else {
        Start::Other
    })
}

fn read_line(rest: &[u8]) -> Result<Start, BadHeader> {
    let most = LONGEST_LINE - LINE_START.len();
    let seen = rest.get(..most).unwrap_or(rest);
    let end = seen.iter().position(|byte| *byte == b'\r');
    let line = seen.get(..end.unwrap_or(seen.len())).unwrap_or_default();
    // Judged before its end is looked for, so that it makes no difference in how many pieces it comes.
    if !line.iter().all(|byte| matches!(byte, b' '..=b'~')) {
        return Err(BadHeader("line with bytes that are no text"));
    }
    let Some(end) = end else {
        return match seen.len() < most {
            true => Ok(Start::Partial),
            false => Err(BadHeader("line too long")),
        };
    };
    match seen.get(end + 1) {
        Some(b'\n') => {}
        Some(_) => return Err(BadHeader("line without its end")),
        None if seen.len() == most => return Err(BadHeader("line too long")),
        None => return Ok(Start::Partial),
    }
    let line =
        std::str::from_utf8(line).map_err(|_| BadHeader("line with bytes that are no text"))?;
    let length = LINE_START.len() + end + 2;
    let mut words = line.split(' ');
    let source = match words.next() {
        // Whatever follows is to be skipped.
        Some("UNKNOWN") => None,
        Some("TCP4") => Some(line_addresses::<Ipv4Addr>(words)?),
        Some("TCP6") => Some(line_addresses::<Ipv6Addr>(words)?),
        _ => return Err(BadHeader("unknown protocol")),
    };
    Ok(Start::Header { length, source })
}

fn line_addresses<'w, A: std::str::FromStr + Into<IpAddr>>(
    mut words: impl Iterator<Item = &'w str>,
) -> Result<SocketAddr, BadHeader> {
    let mut address = || -> Option<IpAddr> { Some(words.next()?.parse::<A>().ok()?.into()) };
    let (source, destination) = (address(), address());
    let mut number = || port(words.next()?);
    let (from, to) = (number(), number());
    match (source, destination, from, to, words.next()) {
        (Some(source), Some(_), Some(from), Some(_), None) => Ok(SocketAddr::new(source, from)),
        _ => Err(BadHeader("addresses or ports")),
    }
}

/// Decimal, without sign or leading zeros.
fn port(word: &str) -> Option<u16> {
    let plain =
        word.bytes().all(|byte| byte.is_ascii_digit()) && (word == "0" || !word.starts_with('0'));
    plain.then(|| word.parse().ok())?
}

fn read_block(rest: &[u8]) -> Result<Start, BadHeader> {
    let [command, rest @ ..] = rest else {
        return Ok(Start::Partial);
    };
    // Each byte is judged as soon as it is there, so that nonsense does not wait for the time to run out.
    let local = match command {
        0x20 => true,
        0x21 => false,
        byte if byte >> 4 != 2 => return Err(BadHeader("unknown version")),
        _ => return Err(BadHeader("unknown command")),
    };
    let [family, rest @ ..] = rest else {
        return Ok(Start::Partial);
    };
    let addresses = match family {
        0x00 => 0,
        0x11 | 0x12 => 12,
        0x21 | 0x22 => 36,
        0x31 | 0x32 => 216,
        _ => return Err(BadHeader("unknown family")),
    };
    let [high, low, rest @ ..] = rest else {
        return Ok(Start::Partial);
    };
    let size = usize::from(u16::from_be_bytes([*high, *low]));
    if size < addresses && !local {
        return Err(BadHeader("block too short for its addresses"));
    }
    if BLOCK_HEAD + size > LONGEST {
        return Err(BadHeader("block too long"));
    }
    let Some(block) = rest.get(..size) else {
        return Ok(Start::Partial);
    };
    let length = BLOCK_HEAD + size;
    if local {
        // It is the sender's own connection, a health check mostly; what the block says is to be skipped.
        return Ok(Start::Header {
            length,
            source: None,
        });
    }
    let (addresses, additions) = block.split_at_checked(addresses).unwrap_or_default();
    check_additions(additions)?;
    let source = match addresses {
        [a, b, c, d, _, _, _, _, p, q, _, _] => Some(SocketAddr::new(
            Ipv4Addr::new(*a, *b, *c, *d).into(),
            u16::from_be_bytes([*p, *q]),
        )),
        _ if addresses.len() == 36 => ipv6_source(addresses),
        // No family, or a socket of the sender's own machine.
        _ => None,
    };
    Ok(Start::Header { length, source })
}

fn ipv6_source(addresses: &[u8]) -> Option<SocketAddr> {
    let (address, rest) = addresses.split_first_chunk::<16>()?;
    let port = rest.get(16..18)?.first_chunk::<2>()?;
    Some(SocketAddr::new(
        Ipv6Addr::from(*address).into(),
        u16::from_be_bytes(*port),
    ))
}

/// Additions (type, length, value) must fill the block to its end; none of them changes who the client is.
fn check_additions(mut rest: &[u8]) -> Result<(), BadHeader> {
    while !rest.is_empty() {
        let [_, high, low, after @ ..] = rest else {
            return Err(BadHeader("addition cut off"));
        };
        let size = usize::from(u16::from_be_bytes([*high, *low]));
        rest = after.get(size..).ok_or(BadHeader("addition cut off"))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A block: command, family, what follows.
    fn block(command: u8, family: u8, content: &[u8]) -> Vec<u8> {
        let mut bytes = BLOCK_START.to_vec();
        bytes.extend([command, family]);
        bytes.extend(u16::try_from(content.len()).unwrap().to_be_bytes());
        bytes.extend(content);
        bytes
    }

    const V4: [u8; 12] = [192, 0, 2, 7, 198, 51, 100, 1, 0xdc, 0x04, 0x01, 0xbb];

    fn v6() -> Vec<u8> {
        let mut bytes = Vec::new();
        for address in ["2001:db8::7", "2001:db8::1"] {
            bytes.extend(address.parse::<Ipv6Addr>().unwrap().octets());
        }
        bytes.extend([0xdc, 0x04, 0x01, 0xbb]);
        bytes
    }

    /// What golden headers say, whatever follows them, and that every beginning of them is one.
    fn says(header: &[u8], source: Option<&str>) {
        let expected = Start::Header {
            length: header.len(),
            source: source.map(|source| source.parse().unwrap()),
        };
        for more in [&b""[..], b"GET / HTTP/1.1\r\n", b"\0\0\0"] {
            let all = [header, more].concat();
            assert_eq!(read_start(&all), Ok(expected), "{header:?} {more:?}");
        }
        for cut in 0..header.len() {
            let start = read_start(header.get(..cut).unwrap());
            assert_eq!(start, Ok(Start::Partial), "{header:?} cut at {cut}");
        }
    }

    #[test]
    fn lines() {
        says(
            b"PROXY TCP4 192.0.2.7 198.51.100.1 56324 443\r\n",
            Some("192.0.2.7:56324"),
        );
        says(
            b"PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n",
            Some("255.255.255.255:65535"),
        );
        says(
            b"PROXY TCP6 2001:db8::7 2001:db8::1 56324 443\r\n",
            Some("[2001:db8::7]:56324"),
        );
        says(b"PROXY UNKNOWN\r\n", None);
        // The longest line there can be.
        let longest = b"PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535\r\n";
        says(longest, None);
        let full = [b"PROXY UNKNOWN ".as_slice(), &[b'x'; 91], b"\r\n"].concat();
        assert_eq!(full.len(), LONGEST_LINE);
        says(&full, None);
    }

    #[test]
    fn blocks() {
        says(&block(0x21, 0x11, &V4), Some("192.0.2.7:56324"));
        says(&block(0x21, 0x12, &V4), Some("192.0.2.7:56324"));
        says(&block(0x21, 0x21, &v6()), Some("[2001:db8::7]:56324"));
        says(&block(0x21, 0x31, &[1; 216]), None);
        says(&block(0x21, 0x00, &[]), None);
        // A health check of the sender's: no addresses, or addresses that do not count.
        says(&block(0x20, 0x00, &[]), None);
        says(&block(0x20, 0x11, &V4), None);
    }

    #[test]
    fn blocks_with_additions() {
        // ALPN `h2`, a unique id, and one of a cloud's own.
        let additions = [
            &[0x01, 0, 2, b'h', b'2'][..],
            &[0x05, 0, 3, 1, 2, 3],
            &[0xea, 0, 0],
        ]
        .concat();
        says(
            &block(0x21, 0x11, &[&V4[..], &additions].concat()),
            Some("192.0.2.7:56324"),
        );
        says(
            &block(0x21, 0x21, &[v6(), additions.clone()].concat()),
            Some("[2001:db8::7]:56324"),
        );
        says(&block(0x21, 0x00, &additions), None);
        let most = LONGEST - BLOCK_HEAD;
        let padding = u16::try_from(most - 12 - 3).unwrap();
        let large = [
            &V4[..],
            &[0x04],
            &padding.to_be_bytes(),
            &vec![0; usize::from(padding)],
        ]
        .concat();
        says(&block(0x21, 0x11, &large), Some("192.0.2.7:56324"));
    }

    #[test]
    fn what_is_no_header_is_left_alone() {
        for bytes in [
            &b"GET / HTTP/1.1\r\n"[..],
            b"PROPFIND / HTTP/1.1\r\n",
            b"POST / HTTP/1.1\r\n",
            b"PROXY/ HTTP/1.1\r\n",
            b"\x16\x03\x01\x02\x00",
            b"\r\n\r\nGET / HTTP/1.1\r\n",
            b"\r\nGET",
        ] {
            assert_eq!(read_start(bytes), Ok(Start::Other), "{bytes:?}");
        }
        for bytes in [&b""[..], b"P", b"PROXY", b"\r", b"\r\n\r\n\0\r\n"] {
            assert_eq!(read_start(bytes), Ok(Start::Partial), "{bytes:?}");
        }
    }

    #[test]
    fn malformed_lines_are_refused() {
        for line in [
            "PROXY TCP4\r\n",
            "PROXY TCP4 192.0.2.7 198.51.100.1 56324\r\n",
            "PROXY TCP4 192.0.2.7 198.51.100.1 56324 443 5\r\n",
            "PROXY TCP4 192.0.2.7  198.51.100.1 56324 443\r\n",
            "PROXY TCP4 192.0.2.7 198.51.100.1 56324 443 \r\n",
            "PROXY TCP4 192.0.2.256 198.51.100.1 56324 443\r\n",
            "PROXY TCP4 192.0.2.007 198.51.100.1 56324 443\r\n",
            "PROXY TCP4 192.0.2.7 198.51.100.1 65536 443\r\n",
            "PROXY TCP4 192.0.2.7 198.51.100.1 056324 443\r\n",
            "PROXY TCP4 192.0.2.7 198.51.100.1 +1 443\r\n",
            "PROXY TCP4 192.0.2.7 198.51.100.1  443\r\n",
            "PROXY TCP4 2001:db8::7 2001:db8::1 56324 443\r\n",
            "PROXY TCP6 192.0.2.7 198.51.100.1 56324 443\r\n",
            "PROXY TCP6 2001:db8::7%eth0 2001:db8::1 56324 443\r\n",
            "PROXY UDP4 192.0.2.7 198.51.100.1 56324 443\r\n",
            "PROXY tcp4 192.0.2.7 198.51.100.1 56324 443\r\n",
            "PROXY  TCP4 192.0.2.7 198.51.100.1 56324 443\r\n",
            "PROXY \r\n",
            "PROXY TCP4 192.0.2.7 198.51.100.1 56324 443\rX",
            "PROXY TCP4 192.0.2.7 198.51.100.1 56324 443\n",
            "PROXY TCP4\t192.0.2.7 198.51.100.1 56324 443\r\n",
            "PROXY UNKNOWN \0\r\n",
            "PROXY UNKNOWN \u{e9}\r\n",
        ] {
            let refused = read_start(line.as_bytes());
            assert!(refused.is_err(), "{line:?}: {refused:?}");
        }
        let long = [b"PROXY UNKNOWN ".as_slice(), &[b'x'; 200]].concat();
        for cut in 0..LONGEST_LINE {
            assert_eq!(read_start(&long[..cut]), Ok(Start::Partial), "{cut}");
        }
        assert_eq!(
            read_start(&long[..LONGEST_LINE]),
            Err(BadHeader("line too long"))
        );
        assert!(read_start(b"PROXY TCP4 \xff").is_err());
    }

    #[test]
    fn malformed_blocks_are_refused() {
        for (bytes, why) in [
            (block(0x11, 0x11, &V4), "unknown version"),
            (block(0x31, 0x11, &V4), "unknown version"),
            (block(0x22, 0x11, &V4), "unknown command"),
            (block(0x21, 0x13, &V4), "unknown family"),
            (block(0x21, 0x01, &V4), "unknown family"),
            (block(0x21, 0x41, &V4), "unknown family"),
            (
                block(0x21, 0x11, &V4[..11]),
                "block too short for its addresses",
            ),
            (block(0x21, 0x21, &V4), "block too short for its addresses"),
            (
                block(0x21, 0x31, &[0; 215]),
                "block too short for its addresses",
            ),
            (
                block(0x21, 0x11, &[0; LONGEST - BLOCK_HEAD + 1]),
                "block too long",
            ),
            (block(0x20, 0x00, &[0; LONGEST]), "block too long"),
            (
                block(0x21, 0x11, &[&V4[..], &[1]].concat()),
                "addition cut off",
            ),
            (
                block(0x21, 0x11, &[&V4[..], &[1, 0, 2, 0]].concat()),
                "addition cut off",
            ),
        ] {
            assert_eq!(read_start(&bytes), Err(BadHeader(why)));
        }
        // Nonsense is told before its end.
        let bad = block(0x21, 0x41, &V4);
        assert!(read_start(&bad[..BLOCK_START.len() + 2]).is_err());
    }
}
