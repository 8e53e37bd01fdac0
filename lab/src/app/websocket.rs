//! A websocket that echoes (RFC 6455): the handshake, and frames sent back as they came. Enough to see that a proxy lets
//! an upgraded connection through and keeps it: no fragmentation rules, no extensions.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use sha1::{Digest, Sha1};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// What RFC 6455 §1.3 has the server append to the client's key.
const GUID: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
/// Frames above this are a mistake of the test.
const LARGEST_FRAME: u64 = 1 << 20;
const CLOSE: u8 = 0x8;
const PING: u8 = 0x9;
const PONG: u8 = 0xa;

/// Answers the handshake and echoes on the connection from then on.
pub(super) fn upgrade(request: Request<Incoming>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::new()));
    let accept = request
        .headers()
        .get(header::SEC_WEBSOCKET_KEY)
        .and_then(|key| HeaderValue::try_from(accept_key(key.as_bytes())).ok());
    let Some(accept) = accept else {
        *response.status_mut() = StatusCode::BAD_REQUEST;
        return response;
    };
    tokio::spawn(async move {
        if let Ok(upgraded) = hyper::upgrade::on(request).await {
            // The client going away is the normal end.
            let _ = echo(TokioIo::new(upgraded)).await;
        }
    });
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
    response
}

fn accept_key(key: &[u8]) -> String {
    let mut hasher = Sha1::new_with_prefix(key);
    hasher.update(GUID);
    STANDARD.encode(hasher.finalize())
}

async fn echo(mut stream: impl AsyncRead + AsyncWrite + Unpin) -> std::io::Result<()> {
    loop {
        let first = stream.read_u8().await?;
        let second = stream.read_u8().await?;
        let length = match second & 0x7f {
            126 => u64::from(stream.read_u16().await?),
            127 => stream.read_u64().await?,
            short => u64::from(short),
        };
        if length > LARGEST_FRAME {
            return Ok(());
        }
        let mut mask = [0; 4];
        if second & 0x80 != 0 {
            stream.read_exact(&mut mask).await?;
        }
        let mut payload = vec![0; usize::try_from(length).unwrap_or(0)];
        stream.read_exact(&mut payload).await?;
        for (byte, mask) in payload.iter_mut().zip(mask.iter().cycle()) {
            *byte ^= mask;
        }
        let opcode = first & 0x0f;
        let first = if opcode == PING {
            first & 0xf0 | PONG
        } else {
            first
        };
        stream.write_all(&frame(first, &payload)).await?;
        if opcode == CLOSE {
            return Ok(());
        }
    }
}

fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first];
    match (u8::try_from(payload.len()), u16::try_from(payload.len())) {
        (Ok(length @ 0..126), _) => frame.push(length),
        (_, Ok(length)) => {
            frame.push(126);
            frame.extend(length.to_be_bytes());
        }
        _ => {
            frame.push(127);
            frame.extend((payload.len() as u64).to_be_bytes());
        }
    }
    frame.extend(payload);
    frame
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_take_the_shortest_form() {
        assert_eq!(frame(0x81, &[0; 125]).len(), 2 + 125);
        assert_eq!(frame(0x81, &[0; 126])[..4], [0x81, 126, 0, 126]);
        assert_eq!(
            frame(0x81, &vec![0; 65_536])[..10],
            [0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0]
        );
    }
}
