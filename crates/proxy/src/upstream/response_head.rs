//! Status line and headers of a response: from bytes to a header map without hop-by-hop headers.

use bytes::{Bytes, BytesMut};
use http::header::{
    CONNECTION, CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue, TRANSFER_ENCODING, UPGRADE,
};
use http::{Method, StatusCode};

use super::{BodyDecoder, Malformed};

/// Largest head that is read.
const LARGEST_HEAD: usize = 1 << 20;
/// Headers for which no memory is taken beforehand.
const USUAL_HEADERS: usize = 64;
/// Most headers that are read.
const MOST_HEADERS: usize = 1024;

/// A response's head, ready to be passed on.
#[derive(Debug)]
pub(crate) struct ResponseHead {
    /// The status.
    pub(crate) status: StatusCode,
    /// Headers, hop-by-hop ones removed (`Trailer` stays, it announces what is passed on).
    pub(crate) headers: HeaderMap,
    /// How the body is framed.
    pub(crate) body: BodyDecoder,
    /// The connection can carry another request after the body.
    pub(crate) keep_alive: bool,
    /// `Upgrade` of a 101.
    pub(crate) upgrade: Option<HeaderValue>,
}

/// Takes a complete head off the front of `buffer`; `None` while it is incomplete. `method` is the request's.
///
/// # Errors
/// [`Malformed`] if this is not HTTP/1 or its framing is ambiguous.
pub(crate) fn parse_response_head(
    buffer: &mut BytesMut,
    method: &Method,
) -> Result<Option<ResponseHead>, Malformed> {
    let mut usual = [httparse::EMPTY_HEADER; USUAL_HEADERS];
    let mut places = Vec::with_capacity(USUAL_HEADERS / 2);
    let parsed = match parse_places(buffer, &mut usual, &mut places) {
        Err(httparse::Error::TooManyHeaders) => {
            places.clear();
            parse_places(
                buffer,
                &mut vec![httparse::EMPTY_HEADER; MOST_HEADERS],
                &mut places,
            )
        }
        other => other,
    };
    let line = match parsed {
        Ok(Some(line)) => line,
        Ok(None) if buffer.len() > LARGEST_HEAD => return Err(Malformed("the head is too large")),
        Ok(None) => return Ok(None),
        Err(httparse::Error::TooManyHeaders) => return Err(Malformed("too many headers")),
        Err(_) => return Err(Malformed("not an HTTP/1 response")),
    };
    let status = StatusCode::from_u16(line.status).map_err(|_| Malformed("impossible status"))?;
    let head = buffer.split_to(line.length).freeze();
    build(&head, &places, status, line.version, method).map(Some)
}

/// Headers that speak of one connection only.
pub(crate) fn is_hop_by_hop(name: &str) -> bool {
    matches!(
        name,
        "connection"
            | "proxy-connection"
            | "keep-alive"
            | "proxy-authenticate"
            | "proxy-authorization"
            | "te"
            | "trailer"
            | "transfer-encoding"
            | "upgrade"
    )
}

struct StatusLine {
    status: u16,
    version: u8,
    length: usize,
}

/// Where a header lies in the head.
struct Place {
    name: (usize, usize),
    value: (usize, usize),
}

fn parse_places<'b>(
    buffer: &'b [u8],
    headers: &mut [httparse::Header<'b>],
    places: &mut Vec<Place>,
) -> Result<Option<StatusLine>, httparse::Error> {
    let mut response = httparse::Response::new(headers);
    let httparse::Status::Complete(length) = response.parse(buffer)? else {
        return Ok(None);
    };
    let start = buffer.as_ptr() as usize;
    let place = |bytes: &[u8]| {
        let from = (bytes.as_ptr() as usize).wrapping_sub(start);
        (from, from + bytes.len())
    };
    for header in response.headers.iter() {
        places.push(Place {
            name: place(header.name.as_bytes()),
            value: place(header.value),
        });
    }
    Ok(Some(StatusLine {
        status: response.code.unwrap_or(0),
        version: response.version.unwrap_or(0),
        length,
    }))
}

fn build(
    head: &Bytes,
    places: &[Place],
    status: StatusCode,
    version: u8,
    method: &Method,
) -> Result<ResponseHead, Malformed> {
    let mut headers = HeaderMap::with_capacity(places.len() + 2);
    let mut connection = ConnectionTokens::default();
    let mut framing = Framing::default();
    let mut upgrade = None;
    for place in places {
        let name = head.get(place.name.0..place.name.1).unwrap_or_default();
        let name = HeaderName::from_bytes(name).map_err(|_| Malformed("bad header name"))?;
        // An empty value may point anywhere; slicing it would be out of range.
        let value = if place.value.0 >= place.value.1 || place.value.1 > head.len() {
            Bytes::new()
        } else {
            head.slice(place.value.0..place.value.1)
        };
        let value =
            HeaderValue::from_maybe_shared(value).map_err(|_| Malformed("bad header value"))?;
        match name {
            CONNECTION => connection.read(&value),
            TRANSFER_ENCODING => framing.transfer_encoding(&value)?,
            UPGRADE => upgrade = Some(value),
            CONTENT_LENGTH => framing.content_length(&value)?,
            name if is_hop_by_hop(name.as_str()) && name != http::header::TRAILER => {}
            name => {
                headers.append(name, value);
            }
        }
    }
    for name in connection.others {
        headers.remove(name.as_str());
    }
    let body = framing.decoder(status, method);
    if let (Some(length), false) = (framing.length, framing.chunked) {
        headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    }
    let keep_alive = !connection.close
        && (version == 1 || connection.keep_alive)
        && !matches!(body, BodyDecoder::UntilEof);
    Ok(ResponseHead {
        status,
        headers,
        body,
        keep_alive,
        upgrade,
    })
}

#[derive(Default)]
struct ConnectionTokens {
    close: bool,
    keep_alive: bool,
    others: Vec<String>,
}

impl ConnectionTokens {
    fn read(&mut self, value: &HeaderValue) {
        for token in value.to_str().unwrap_or_default().split(',').map(str::trim) {
            if token.eq_ignore_ascii_case("close") {
                self.close = true;
            } else if token.eq_ignore_ascii_case("keep-alive") {
                self.keep_alive = true;
            } else if !token.is_empty() && !token.eq_ignore_ascii_case("upgrade") {
                self.others.push(token.to_ascii_lowercase());
            }
        }
    }
}

#[derive(Default)]
struct Framing {
    chunked: bool,
    length: Option<u64>,
}

impl Framing {
    fn transfer_encoding(&mut self, value: &HeaderValue) -> Result<(), Malformed> {
        if self.chunked || !value.as_bytes().eq_ignore_ascii_case(b"chunked") {
            return Err(Malformed("unsupported transfer encoding"));
        }
        self.chunked = true;
        Ok(())
    }

    fn content_length(&mut self, value: &HeaderValue) -> Result<(), Malformed> {
        let text = value.to_str().unwrap_or_default();
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let length = text
            .parse()
            .ok()
            .filter(|_| digits)
            .ok_or(Malformed("bad content length"))?;
        if self.length.is_some_and(|before| before != length) {
            return Err(Malformed("contradicting content lengths"));
        }
        self.length = Some(length);
        Ok(())
    }

    fn decoder(&self, status: StatusCode, method: &Method) -> BodyDecoder {
        let bodiless = method == Method::HEAD
            || status.is_informational()
            || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
        match (bodiless, self.chunked, self.length) {
            (true, ..) => BodyDecoder::Length(0),
            (false, true, _) => BodyDecoder::chunked(),
            (false, false, Some(length)) => BodyDecoder::Length(length),
            (false, false, None) => BodyDecoder::UntilEof,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Option<ResponseHead>, Malformed> {
        parse_response_head(&mut BytesMut::from(text), &Method::GET)
    }

    /// parity: proxy 112
    #[test]
    fn hop_by_hop_headers_go_and_the_rest_stays() {
        let head = parse(
            "HTTP/1.1 200 Fine\r\nContent-Length: 5\r\nConnection: close, X-Private\r\nX-Private: 1\r\nKeep-Alive: 5\r\n\
             Set-Cookie: a\r\nSet-Cookie: b\r\nEmpty:\r\n\r\n",
        )
        .unwrap()
        .unwrap();
        assert_eq!(head.status, 200);
        assert!(!head.keep_alive);
        let names: Vec<_> = head
            .headers
            .iter()
            .map(|(name, value)| format!("{name}={}", value.to_str().unwrap()))
            .collect();
        assert_eq!(names.len(), 4, "{names:?}");
        assert_eq!(head.headers["content-length"], "5");
        assert_eq!(head.headers.get_all("set-cookie").iter().count(), 2);
        assert_eq!(head.headers["empty"], "");
    }

    #[test]
    fn the_rest_of_the_buffer_is_kept() {
        let mut buffer = BytesMut::from("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi");
        assert!(
            parse_response_head(&mut buffer, &Method::GET)
                .unwrap()
                .is_some()
        );
        assert_eq!(&buffer[..], b"hi");
        assert!(parse("HTTP/1.1 200 OK\r\nA: b\r\n").unwrap().is_none());
    }

    #[test]
    fn framing_follows_status_method_and_headers() {
        let decoder = |text: &str, method| {
            parse_response_head(&mut BytesMut::from(text), &method)
                .unwrap()
                .unwrap()
                .body
        };
        assert!(matches!(
            decoder("HTTP/1.1 200 OK\r\n\r\n", Method::GET),
            BodyDecoder::UntilEof
        ));
        assert!(matches!(
            decoder("HTTP/1.1 204 OK\r\n\r\n", Method::GET),
            BodyDecoder::Length(0)
        ));
        assert!(matches!(
            decoder("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", Method::HEAD),
            BodyDecoder::Length(0)
        ));
        let both = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\nTransfer-Encoding: Chunked\r\n\r\n";
        assert!(matches!(
            decoder(both, Method::GET),
            BodyDecoder::Chunked(_)
        ));
        assert!(
            !parse(both)
                .unwrap()
                .unwrap()
                .headers
                .contains_key("content-length")
        );
    }

    #[test]
    fn what_is_ambiguous_is_refused() {
        for text in [
            "HTTP/1.1 200 OK\r\nContent-Length: 9\r\nContent-Length: 8\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: +9\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 9, 9\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
            "HTTP/1.1 099 OK\r\n\r\n",
            "garbage\r\n\r\n",
            "HTTP/2 200 OK\r\n\r\n",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn many_headers_are_fine_and_too_many_are_not() {
        let head = |count: usize| {
            let headers: String = (0..count).map(|n| format!("X-{n}: v\r\n")).collect();
            parse(&format!("HTTP/1.1 200 OK\r\n{headers}\r\n"))
        };
        assert_eq!(head(300).unwrap().unwrap().headers.len(), 300);
        assert!(head(2000).is_err());
    }

    #[test]
    fn noise_does_no_harm() {
        let valid = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\nA: b\r\n\r\n5\r\nhello\r\n0\r\nT: x\r\n\r\n";
        let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
        let mut random = || {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            seed as usize
        };
        for _ in 0..200_000 {
            let mut bytes = valid.as_bytes().to_vec();
            for _ in 0..random() % 6 {
                let place = random() % bytes.len();
                match random() % 3 {
                    0 => bytes[place] = random() as u8,
                    1 => bytes.truncate(place.max(1)),
                    _ => bytes.insert(place, b"\r\n:;0 \x00\xff"[random() % 8]),
                }
            }
            let mut buffer = BytesMut::from(&bytes[..]);
            if let Ok(Some(mut head)) = parse_response_head(&mut buffer, &Method::GET) {
                for _ in 0..20 {
                    match head.body.decode(&mut buffer) {
                        Ok(crate::upstream::Decoded::Data(_)) => {}
                        _ => break,
                    }
                }
            }
        }
    }
}
