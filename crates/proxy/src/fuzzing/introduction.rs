//! The PROXY protocol. In: the first bytes of a connection.

use crate::downstream::proxy_protocol::{LONGEST, Start, read_start};

/// The first bytes of a connection, as they come one by one.
pub fn introduction(data: &[u8]) {
    let most = data.len().min(LONGEST + 1);
    let mut decided = None;
    for end in 0..=most {
        let start = read_start(data.get(..end).unwrap_or_default());
        match decided {
            None if start == Ok(Start::Partial) => {}
            None => decided = Some(start),
            // What is wrong with a header may be told better the more of it is there; that something is, may not change.
            Some(before) => assert_eq!(before.ok(), start.ok(), "{end} of {data:?}"),
        }
    }
    let Some(Ok(Start::Header { length, source })) = decided else {
        // Nothing waits for more than the longest header.
        assert!(decided.is_some() || data.len() < LONGEST, "{data:?}");
        return;
    };
    assert!(length <= most, "{length} of {data:?}");
    let Some(source) = source else { return };
    let family = if source.is_ipv4() { "TCP4" } else { "TCP6" };
    let (address, port) = (source.ip(), source.port());
    let line = format!("PROXY {family} {address} {address} {port} 0\r\n");
    let again = Start::Header {
        length: line.len(),
        source: Some(source),
    };
    assert_eq!(read_start(line.as_bytes()), Ok(again), "{line:?}");
}
