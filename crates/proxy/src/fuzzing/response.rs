//! What a target answers. In: a response as it comes over the wire.

use bytes::BytesMut;
use http::Method;

use crate::request::cookie_scope::scope_cookies;
use crate::upstream::{Decoded, ResponseHead, parse_response_head};

/// A response of a target, after a byte that says the method and how it is cut into reads.
pub fn response(data: &[u8]) {
    let (switches, data) = data.split_first().unwrap_or((&0, data));
    let method = if switches & 1 == 0 {
        Method::GET
    } else {
        Method::HEAD
    };
    let whole = read_response(data, data.len().max(1), &method);
    let pieces = read_response(data, usize::from(switches >> 1).max(1), &method);
    // Cut into pieces, an error may show earlier, before the data in front of it was given out.
    match (&whole, &pieces) {
        (Ok(whole), Ok(pieces)) => assert_eq!(whole, pieces),
        (Err(_), Err(_)) => {}
        (whole, pieces) => panic!("{whole:?} in one, {pieces:?} in pieces"),
    }
}

/// Status, headers, body, trailers and whether the body ended.
type Read = Option<(u16, usize, Vec<u8>, usize, bool)>;

fn read_response(data: &[u8], step: usize, method: &Method) -> Result<Read, String> {
    let mut buffer = BytesMut::new();
    let mut head: Option<ResponseHead> = None;
    let (mut body, mut trailers, mut ended) = (Vec::new(), 0, false);
    for piece in data.chunks(step) {
        buffer.extend_from_slice(piece);
        if head.is_none() {
            let parsed = parse_response_head(&mut buffer, method);
            head = parsed.map_err(|error| error.to_string())?;
            if let Some(head) = &mut head {
                for name in ["connection", "transfer-encoding", "keep-alive", "upgrade"] {
                    assert!(!head.headers.contains_key(name), "{name}");
                }
                let cookies = head.headers.get_all("set-cookie").iter().count();
                scope_cookies(&mut head.headers, "/app", "a.com");
                assert_eq!(head.headers.get_all("set-cookie").iter().count(), cookies);
            }
        }
        let Some(head) = &mut head else { continue };
        while !ended {
            match head
                .body
                .decode(&mut buffer)
                .map_err(|error| error.to_string())?
            {
                Decoded::Data(data) => body.extend_from_slice(&data),
                Decoded::Trailers(map) => trailers = map.len(),
                Decoded::End => ended = true,
                Decoded::NeedMore => break,
            }
        }
    }
    assert!(body.len() <= data.len());
    Ok(head.map(|head| {
        (
            head.status.as_u16(),
            head.headers.len(),
            body,
            trailers,
            ended,
        )
    }))
}
