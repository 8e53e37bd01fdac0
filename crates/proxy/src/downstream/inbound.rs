//! Request bodies as clients send them, whatever the version of HTTP: frames of data, then perhaps trailers. The
//! length that a client declares is held against what it sends.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, HeaderMap};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

use crate::downstream::http2::Http2Body;
use crate::downstream::http3::Http3Body;

/// A request's body on its way in.
pub(crate) enum InboundBody {
    /// HTTP/1, read by hyper.
    Http1(Incoming),
    /// HTTP/2.
    Http2(Http2Body),
    /// HTTP/3.
    Http3(Box<Http3Body>),
}

/// Why a body did not come to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InboundError {
    /// What came is not HTTP.
    #[error("the request body is malformed")]
    Malformed,
    /// The client went away or took the request back.
    #[error("the client is gone")]
    Gone,
}

impl Body for InboundBody {
    type Data = Bytes;
    type Error = InboundError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, InboundError>>> {
        match &mut *self {
            Self::Http1(body) => {
                let frame = ready!(Pin::new(body).poll_frame(cx));
                Poll::Ready(frame.map(|frame| frame.map_err(|error| of_hyper(&error))))
            }
            Self::Http2(body) => body.poll_frame(cx),
            Self::Http3(body) => body.poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Http1(body) => body.is_end_stream(),
            Self::Http2(body) => body.is_end_stream(),
            Self::Http3(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        let length = match self {
            Self::Http1(body) => return body.size_hint(),
            Self::Http2(body) => body.length(),
            Self::Http3(body) => body.length(),
        };
        length.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

/// `Content-Length` of a request whose framing is not its business (HTTP/2 and 3); several must agree.
///
/// # Errors
/// [`InboundError::Malformed`].
pub(crate) fn declared_length(headers: &HeaderMap) -> Result<Option<u64>, InboundError> {
    let mut length = None;
    for value in headers.get_all(CONTENT_LENGTH) {
        let text = value.to_str().unwrap_or_default();
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let number: u64 = text
            .parse()
            .ok()
            .filter(|_| digits)
            .ok_or(InboundError::Malformed)?;
        if length.is_some_and(|before| before != number) {
            return Err(InboundError::Malformed);
        }
        length = Some(number);
    }
    Ok(length)
}

/// What a broken body means: nonsense, or a client that has gone.
fn of_hyper(error: &hyper::Error) -> InboundError {
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        if let Some(io) = cause.downcast_ref::<std::io::Error>()
            && matches!(
                io.kind(),
                std::io::ErrorKind::InvalidInput | std::io::ErrorKind::InvalidData
            )
        {
            return InboundError::Malformed;
        }
        source = cause.source();
    }
    InboundError::Gone
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn lengths_must_be_numbers_and_agree() {
        let length = |values: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(CONTENT_LENGTH, HeaderValue::from_static(value));
            }
            declared_length(&headers)
        };
        assert_eq!(length(&[]), Ok(None));
        assert_eq!(length(&["5"]), Ok(Some(5)));
        assert_eq!(length(&["5", "5"]), Ok(Some(5)));
        for bad in [&["5", "6"][..], &["+5"], &[""], &["5, 5"], &["-1"]] {
            assert_eq!(length(bad), Err(InboundError::Malformed), "{bad:?}");
        }
    }
}
