//! The question of on-demand certificates: may this name have one? Put to a URL of the application's, answered with 200 or
//! anything else.
//!
//! In: the URL as configured and a name. Out: the target to ask (`/path` is the application's own and asked through the
//! proxy), and for other servers the answer.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode, Uri};
use http_body_util::Empty;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use crate::fetch::{FetchLimits, Fetcher};
use crate::host_name::HostName;

/// How long the application may take.
pub const ASK_TIMEOUT: Duration = Duration::from_secs(2);

/// How much of its answer is told.
pub const MAX_ANSWER: usize = 256;

/// What form encoding leaves as it is.
const FORM: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~')
    .remove(b' ');

/// Where to ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AskTarget {
    /// Path and query, for the service itself.
    Own(String),
    /// A URL of another server.
    Other(Uri),
}

/// The URL cannot be asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is neither an http(s) URL nor a path")]
pub struct AskUrlError(String);

/// The application does not want a certificate for the host, or could not say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Denial {
    /// It answered something else than 200.
    Status {
        /// The answer's status.
        status: u16,
        /// The beginning of the answer. Not to be shown to clients.
        body: String,
    },
    /// No answer.
    NoAnswer(String),
}

/// The target for `host`: its `host` parameter is added to those of `url` (replacing one of that name), sorted by name.
///
/// # Errors
/// A URL that is neither a path nor one of an HTTP server.
pub fn ask_target(url: &str, host: &HostName) -> Result<AskTarget, AskUrlError> {
    let (base, query) = url.split_once('?').unwrap_or((url, ""));
    let query = query.split('#').next().unwrap_or_default();
    let base = base.split('#').next().unwrap_or_default();
    let whole = format!("{base}?{}", with_host(query, host));
    if whole.starts_with('/') {
        return Ok(AskTarget::Own(whole));
    }
    whole
        .parse::<Uri>()
        .ok()
        .filter(|uri| matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some())
        .map(AskTarget::Other)
        .ok_or_else(|| AskUrlError(url.to_owned()))
}

/// Reads an answer.
///
/// # Errors
/// Anything but 200.
pub fn read_answer(status: StatusCode, body: &[u8]) -> Result<(), Denial> {
    if status == StatusCode::OK {
        return Ok(());
    }
    let beginning = body.get(..MAX_ANSWER).unwrap_or(body);
    Err(Denial::Status {
        status: status.as_u16(),
        body: String::from_utf8_lossy(beginning).into_owned(),
    })
}

/// Asks another server, which has [`ASK_TIMEOUT`] to answer. A redirect is a denial.
///
/// # Errors
/// A denial, or no answer.
pub async fn ask(fetcher: &Fetcher, target: Uri) -> Result<(), Denial> {
    let limits = FetchLimits {
        time: ASK_TIMEOUT,
        body: MAX_ANSWER,
        whole: false,
    };
    let mut request = Request::new(Empty::<Bytes>::new());
    *request.uri_mut() = target;
    match fetcher.fetch(request, limits).await {
        Ok(response) => read_answer(response.status(), response.body()),
        Err(error) => Err(Denial::NoAnswer(error.to_string())),
    }
}

impl Denial {
    /// The message with the host, for the log.
    #[must_use]
    pub fn message(&self, host: &HostName) -> String {
        format!("{host} is not allowed to get a certificate ({self})")
    }
}

impl fmt::Display for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status { status, body } => write!(f, "status: {status}, body: {body:?}"),
            Self::NoAnswer(reason) => f.write_str(reason),
        }
    }
}

fn with_host(query: &str, host: &HostName) -> String {
    let decode = |text: &str| {
        let spaced = text.replace('+', " ");
        percent_decode_str(&spaced).decode_utf8_lossy().into_owned()
    };
    let mut parameters: Vec<(String, String)> = query
        .split('&')
        .filter(|part| !part.is_empty() && !part.contains(';'))
        .map(|part| part.split_once('=').unwrap_or((part, "")))
        .map(|(name, value)| (decode(name), decode(value)))
        .filter(|(name, _)| name != "host")
        .collect();
    parameters.push(("host".to_owned(), host.to_string()));
    // Stable: values of one name keep their order.
    parameters.sort_by(|a, b| a.0.cmp(&b.0));
    let encode = |text: &str| {
        utf8_percent_encode(text, FORM)
            .to_string()
            .replace(' ', "+")
    };
    parameters
        .iter()
        .map(|(name, value)| format!("{}={}", encode(name), encode(value)))
        .collect::<Vec<_>>()
        .join("&")
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;
    use crate::test_authority::{host, provider};

    fn target(url: &str) -> String {
        match ask_target(url, &host("a.example.com")).unwrap() {
            AskTarget::Own(path) => format!("own {path}"),
            AskTarget::Other(uri) => format!("other {uri}"),
        }
    }

    #[test]
    fn item_69_the_host_is_merged_into_the_query() {
        assert_eq!(target("/check"), "own /check?host=a.example.com");
        assert_eq!(
            target("http://app:3000/check?zone=a%20b&host=old&b=2&a=1&a=0#top"),
            "other http://app:3000/check?a=1&a=0&b=2&host=a.example.com&zone=a+b"
        );
        assert_eq!(
            target("https://app.example.com"),
            "other https://app.example.com/?host=a.example.com"
        );
        for url in ["", "ftp://x/y", "check", "http://"] {
            assert_eq!(
                ask_target(url, &host("a.example.com"))
                    .unwrap_err()
                    .to_string(),
                format!("`{url}` is neither an http(s) URL nor a path")
            );
        }
    }

    /// Serves `response` once and returns the answer with the request that was made.
    async fn asked(response: String) -> (Result<(), Denial>, String) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/ok?x=1", listener.local_addr().unwrap());
        let server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = vec![0; 4096];
            let length = stream.read(&mut request).await.unwrap();
            stream.write_all(response.as_bytes()).await.unwrap();
            String::from_utf8_lossy(&request[..length]).into_owned()
        });
        let AskTarget::Other(target) = ask_target(&url, &host("a.example.com")).unwrap() else {
            panic!("`{url}` is another server's");
        };
        let fetcher = Fetcher::new(Vec::new(), provider().into()).unwrap();
        let answer = ask(&fetcher, target).await;
        (answer, server.await.unwrap())
    }

    #[tokio::test]
    async fn item_67_only_200_allows() {
        let (answer, request) = asked("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n".into()).await;
        assert_eq!(answer, Ok(()));
        assert!(
            request.starts_with("GET /ok?host=a.example.com&x=1 HTTP/1.1\r\nhost: 127.0.0.1:"),
            "{request}"
        );
        for (head, status) in [
            ("302 Found\r\nlocation: /elsewhere", 302),
            ("403 Forbidden", 403),
            ("204 No Content", 204),
        ] {
            let response = format!("HTTP/1.1 {head}\r\nconnection: close\r\n\r\n");
            let (answer, _) = asked(response).await;
            assert!(
                matches!(answer, Err(Denial::Status { status: got, .. }) if got == status),
                "{answer:?}"
            );
        }
    }

    #[tokio::test]
    async fn item_66_the_answer_s_beginning_is_told() {
        let body = "n".repeat(1000);
        let response = format!("HTTP/1.1 403 No\r\ncontent-length: 1000\r\n\r\n{body}");
        let (answer, _) = asked(response).await;
        assert_eq!(
            answer.unwrap_err().message(&host("a.example.com")),
            format!(
                "a.example.com is not allowed to get a certificate (status: 403, body: \"{}\")",
                "n".repeat(256)
            )
        );
    }

    #[tokio::test]
    async fn nobody_there_is_a_denial() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let target = format!("http://{}/", listener.local_addr().unwrap());
        drop(listener);
        let fetcher = Fetcher::new(Vec::new(), provider().into()).unwrap();
        let answer = ask(&fetcher, target.parse().unwrap()).await;
        assert!(matches!(answer, Err(Denial::NoAnswer(_))), "{answer:?}");
    }
}
