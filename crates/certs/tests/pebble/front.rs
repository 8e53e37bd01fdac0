//! The listeners of a proxy, as far as certificates go: port 80 answers challenges, port 443 shakes hands.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use dhow_certs::{ACME_TLS_ALPN, HttpChallenge, Manager, Resolver};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::server::{Acceptor, ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{LazyConfigAcceptor, TlsConnector};

/// Both listeners.
pub(crate) struct Front {
    pub(crate) http_port: u16,
    pub(crate) tls_port: u16,
    behind: Arc<Behind>,
}

/// What the listeners answer with.
#[derive(Default)]
struct Behind {
    manager: Mutex<Option<Arc<Manager>>>,
    refuse_http: AtomicBool,
    refuse_tls: AtomicBool,
}

impl Front {
    pub(crate) async fn listen() -> Self {
        let http = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let tls = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let behind = Arc::new(Behind::default());
        let front = Self {
            http_port: http.local_addr().unwrap().port(),
            tls_port: tls.local_addr().unwrap().port(),
            behind: Arc::clone(&behind),
        };
        tokio::spawn(answer_http(http, Arc::clone(&behind)));
        tokio::spawn(shake_hands(tls, behind));
        front
    }

    /// Answers for this manager from now on.
    pub(crate) fn serve(&self, manager: Arc<Manager>) {
        *self.behind.manager.lock().unwrap() = Some(manager);
    }

    /// Answers 404 to every challenge.
    pub(crate) fn refuse_http(&self, refuse: bool) {
        self.behind.refuse_http.store(refuse, Ordering::SeqCst);
    }

    /// Fails every handshake.
    pub(crate) fn refuse_tls(&self, refuse: bool) {
        self.behind.refuse_tls.store(refuse, Ordering::SeqCst);
    }

    /// The certificate that a client sees who trusts `roots`.
    pub(crate) async fn visit(
        &self,
        name: &str,
        roots: &RootCertStore,
    ) -> Result<CertificateDer<'static>, std::io::Error> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots.clone())
            .with_no_client_auth();
        let stream = TcpStream::connect(("127.0.0.1", self.tls_port)).await?;
        let stream = TlsConnector::from(Arc::new(config))
            .connect(ServerName::try_from(name.to_owned()).unwrap(), stream)
            .await?;
        let shown = stream.get_ref().1.peer_certificates().unwrap();
        Ok(shown[0].clone().into_owned())
    }
}

impl Behind {
    fn manager(&self) -> Option<Arc<Manager>> {
        self.manager.lock().unwrap().clone()
    }
}

async fn answer_http(listener: TcpListener, behind: Arc<Behind>) {
    loop {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut head = Vec::new();
        while !head.windows(4).any(|end| end == b"\r\n\r\n") {
            if stream.read_buf(&mut head).await.unwrap_or(0) == 0 {
                break;
            }
        }
        let head = String::from_utf8(head).unwrap();
        let token = head
            .split(' ')
            .nth(1)
            .and_then(|path| path.strip_prefix("/.well-known/acme-challenge/"))
            .unwrap_or_default();
        let host = head
            .lines()
            .find_map(|line| line.strip_prefix("Host: "))
            .unwrap_or_default();
        let answer = match behind.manager() {
            Some(manager) if !behind.refuse_http.load(Ordering::SeqCst) => {
                manager.http_challenge(host, token)
            }
            _ => HttpChallenge::UnknownToken,
        };
        let response = match answer {
            HttpChallenge::Answer(text) => format!(
                "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{text}",
                text.len()
            ),
            _ => "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
                .to_owned(),
        };
        let _ = stream.write_all(response.as_bytes()).await;
    }
}

async fn shake_hands(listener: TcpListener, behind: Arc<Behind>) {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(Arc::clone(&behind) as Arc<dyn ResolvesServerCert>);
    config.alpn_protocols = vec![b"http/1.1".to_vec(), ACME_TLS_ALPN.to_vec()];
    let config = Arc::new(config);
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let (config, behind) = (Arc::clone(&config), Arc::clone(&behind));
        tokio::spawn(async move {
            let start = LazyConfigAcceptor::new(Acceptor::default(), stream).await?;
            let name = start.client_hello().server_name().map(str::to_owned);
            let prober = Resolver::is_challenge(&start.client_hello());
            if let (Some(manager), Some(name), false) = (behind.manager(), name, prober) {
                manager.prepare(&name, Duration::from_secs(30)).await;
            }
            start.into_stream(config).await?.shutdown().await
        });
    }
}

impl ResolvesServerCert for Behind {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        if self.refuse_tls.load(Ordering::SeqCst) {
            return None;
        }
        let manager = self.manager()?;
        if Resolver::is_challenge(&hello) {
            return manager.challenge(&hello);
        }
        manager.resolver().resolve(hello)
    }
}

impl fmt::Debug for Behind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Behind")
    }
}
