//! One HTTP request over a connection of its own: all that orders and questions to the application need. Redirects are not
//! followed, bodies are bounded, and the whole exchange has a time limit.
//!
//! In: a request with an absolute URL, and whom to trust. Out: the response with its body in memory.

use std::error::Error;
use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_TYPE, HOST};
use http::uri::{PathAndQuery, Scheme};
use http::{HeaderValue, Method, Request, Response, StatusCode, Uri};
use http_body::Body;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ConfigBuilder, RootCertStore, WantsVerifier};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// Makes requests. Whom it trusts is put together when a server is first asked over TLS: Mozilla's list alone takes half a megabyte,
/// which a proxy that orders no certificate does without.
#[derive(Clone)]
pub struct Fetcher {
    tls: Arc<Tls>,
}

struct Tls {
    builder: ConfigBuilder<ClientConfig, WantsVerifier>,
    more: Vec<CertificateDer<'static>>,
    connector: OnceLock<TlsConnector>,
}

/// No response.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The URL is not one of an HTTP server.
    #[error("`{0}` is not an http or https URL")]
    Url(Uri),
    /// The name does not resolve, or nobody answers.
    #[error("cannot connect to `{server}`: {reason}")]
    Connect {
        /// Host and port.
        server: String,
        /// Why.
        reason: std::io::Error,
    },
    /// The exchange broke off, or was not HTTP.
    #[error("no HTTP response: {0}")]
    Http(#[from] hyper::Error),
    /// The body broke off or was too long.
    #[error("no whole response: {0}")]
    Body(Box<dyn Error + Send + Sync>),
    /// It took too long.
    #[error("no response within {0:?}")]
    Timeout(Duration),
}

/// Bounds on one exchange.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FetchLimits {
    pub(crate) time: Duration,
    pub(crate) body: usize,
    /// Whether more than `body` bytes are an error, or are left out.
    pub(crate) whole: bool,
}

impl Fetcher {
    /// Trusts servers that the roots which browsers trust vouch for, as Mozilla publishes them, or one of `more`.
    ///
    /// # Errors
    /// A provider without the usual versions of TLS.
    pub fn new(
        more: Vec<CertificateDer<'static>>,
        provider: Arc<CryptoProvider>,
    ) -> Result<Self, rustls::Error> {
        let builder =
            ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
        Ok(Self {
            tls: Arc::new(Tls {
                builder,
                more,
                connector: OnceLock::new(),
            }),
        })
    }

    /// Posts JSON and gives the status of the answer, whose body does not count. `time` is for all of it.
    ///
    /// # Errors
    /// Whatever keeps an answer from coming.
    pub async fn post_json(
        &self,
        url: Uri,
        body: String,
        time: Duration,
    ) -> Result<StatusCode, FetchError> {
        let mut request = Request::new(Full::new(Bytes::from(body)));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = url;
        let json = HeaderValue::from_static("application/json");
        request.headers_mut().insert(CONTENT_TYPE, json);
        let limits = FetchLimits {
            time,
            body: 4096,
            whole: false,
        };
        Ok(self.fetch(request, limits).await?.status())
    }

    pub(crate) async fn fetch<B>(
        &self,
        request: Request<B>,
        limits: FetchLimits,
    ) -> Result<Response<Bytes>, FetchError>
    where
        B: Body<Data = Bytes> + Send + Unpin + 'static,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        tokio::time::timeout(limits.time, self.exchange(request, limits))
            .await
            .unwrap_or(Err(FetchError::Timeout(limits.time)))
    }

    async fn exchange<B>(
        &self,
        mut request: Request<B>,
        limits: FetchLimits,
    ) -> Result<Response<Bytes>, FetchError>
    where
        B: Body<Data = Bytes> + Send + Unpin + 'static,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        let url = request.uri().clone();
        let bad = || FetchError::Url(url.clone());
        let authority = url.authority().ok_or_else(bad)?;
        let https = match url.scheme() {
            Some(scheme) if *scheme == Scheme::HTTPS => true,
            Some(scheme) if *scheme == Scheme::HTTP => false,
            _ => return Err(bad()),
        };
        let host = authority.host();
        let host = host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'))
            .unwrap_or(host);
        let port = authority.port_u16().unwrap_or(if https { 443 } else { 80 });
        if !request.headers().contains_key(HOST) {
            let value = HeaderValue::from_str(authority.as_str()).map_err(|_| bad())?;
            request.headers_mut().insert(HOST, value);
        }
        request
            .headers_mut()
            .insert(CONNECTION, HeaderValue::from_static("close"));
        let path = url.path_and_query().cloned();
        *request.uri_mut() = Uri::from(path.unwrap_or_else(|| PathAndQuery::from_static("/")));

        let failed = |reason| FetchError::Connect {
            server: format!("{host}:{port}"),
            reason,
        };
        let stream = TcpStream::connect((host, port)).await.map_err(failed)?;
        if https {
            let name = ServerName::try_from(host.to_owned()).map_err(|_| bad())?;
            let stream = self
                .tls
                .connector()
                .connect(name, stream)
                .await
                .map_err(failed)?;
            send(stream, request, limits).await
        } else {
            send(stream, request, limits).await
        }
    }
}

impl Tls {
    fn connector(&self) -> &TlsConnector {
        self.connector.get_or_init(|| {
            let mut roots = RootCertStore::empty();
            let mozilla = webpki_root_certs::TLS_SERVER_ROOT_CERTS.iter();
            roots.add_parsable_certificates(mozilla.chain(&self.more).cloned());
            let config = self.builder.clone().with_root_certificates(roots);
            TlsConnector::from(Arc::new(config.with_no_client_auth()))
        })
    }
}

async fn send<S, B>(
    stream: S,
    request: Request<B>,
    limits: FetchLimits,
) -> Result<Response<Bytes>, FetchError>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    B: Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let exchange = async move {
        let (parts, body) = sender.send_request(request).await?.into_parts();
        let body = if limits.whole {
            Limited::new(body, limits.body)
                .collect()
                .await
                .map_err(FetchError::Body)?
                .to_bytes()
        } else {
            beginning(body, limits.body).await
        };
        Ok(Response::from_parts(parts, body))
    };
    tokio::pin!(exchange);
    // Driven here and not in a task of its own: it ends with this future, whoever drops it. What ails the connection is
    // told by the exchange.
    let connection = async move { drop(connection.await) };
    tokio::select! {
        biased;
        response = &mut exchange => response,
        () = connection => exchange.await,
    }
}

/// The first `limit` bytes, or what came before the body broke off.
async fn beginning(mut body: hyper::body::Incoming, limit: usize) -> Bytes {
    let mut kept = Vec::new();
    while kept.len() < limit {
        match body.frame().await {
            Some(Ok(frame)) => kept.extend_from_slice(frame.data_ref().map_or(&[], |data| data)),
            Some(Err(_)) | None => break,
        }
    }
    kept.truncate(limit);
    kept.into()
}

impl fmt::Debug for Fetcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fetcher")
    }
}
