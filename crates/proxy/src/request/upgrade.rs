//! Switching protocols (WebSocket and others): recognising the wish, and carrying bytes both ways once both
//! sides agreed. Such a connection lives until one side closes it, or until its turn comes after its target was drained.

use std::time::Duration;

use bytes::{Buf as _, BytesMut};
use http::header::{CONNECTION, HeaderMap, HeaderValue, UPGRADE};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncWriteExt as _, copy_bidirectional_with_sizes};
use tokio::net::TcpStream;

use crate::request::exchange::Exchange;
use crate::upstream::lane::InFlight;

/// A client that wants to switch.
pub(crate) struct UpgradeWish {
    /// To this protocol.
    pub(crate) protocol: HeaderValue,
    /// Gives the connection once hyper is done with it.
    pub(crate) connection: OnUpgrade,
}

impl UpgradeWish {
    /// It is to WebSocket.
    pub(crate) fn is_websocket(&self) -> bool {
        self.protocol.as_bytes().eq_ignore_ascii_case(b"websocket")
    }
}

/// Names in `Connection`, lower case, without the usual `keep-alive` and `close`.
pub(crate) fn connection_tokens(headers: &HeaderMap) -> Vec<String> {
    let mut tokens = Vec::new();
    for value in headers.get_all(CONNECTION) {
        for token in value.to_str().unwrap_or_default().split(',').map(str::trim) {
            if !token.is_empty()
                && !token.eq_ignore_ascii_case("keep-alive")
                && !token.eq_ignore_ascii_case("close")
            {
                tokens.push(token.to_ascii_lowercase());
            }
        }
    }
    tokens
}

/// The protocol a client wants to switch to.
pub(crate) fn wanted_protocol<'h>(
    headers: &'h HeaderMap,
    tokens: &[String],
) -> Option<&'h HeaderValue> {
    tokens
        .iter()
        .any(|token| token == "upgrade")
        .then(|| headers.get(UPGRADE))?
}

/// Carries bytes between client and target until one is done or the target is drained; then the request is
/// logged.
pub(crate) async fn tunnel(
    wish: OnUpgrade,
    mut target: TcpStream,
    mut early: BytesMut,
    in_flight: InFlight,
    exchange: Box<Exchange>,
) {
    const BUFFER: usize = 8 << 10;
    let carry = async {
        // A client that never completes its side must not hold the target's slot.
        let Ok(Ok(client)) = tokio::time::timeout(Duration::from_secs(30), wish).await else {
            return;
        };
        let mut client = TokioIo::new(client);
        if !early.is_empty() && client.write_all_buf(&mut early).await.is_err() {
            return;
        }
        early.advance(early.len());
        let _ = copy_bidirectional_with_sizes(&mut client, &mut target, BUFFER, BUFFER).await;
    };
    tokio::select! {
        () = carry => {}
        _ = in_flight.ended() => {}
    }
    drop(in_flight);
    drop(exchange);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_headers_are_needed() {
        let mut headers = HeaderMap::new();
        headers.append(CONNECTION, HeaderValue::from_static("keep-alive, UpGrade"));
        let tokens = connection_tokens(&headers);
        assert_eq!(tokens, ["upgrade"]);
        assert_eq!(wanted_protocol(&headers, &tokens), None);
        headers.append(UPGRADE, HeaderValue::from_static("websocket"));
        assert_eq!(wanted_protocol(&headers, &tokens).unwrap(), "websocket");
        assert_eq!(wanted_protocol(&headers, &[]), None);
    }
}
