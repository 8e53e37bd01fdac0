//! A pebble of the test's own, with a DNS server that sends every name to loopback.

use std::fs::{self, File};
use std::net::{TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// For the authority's own HTTPS: made for `localhost` and these tests.
const CERTIFICATE: &str = include_str!("localhost.cert.pem");
const KEY: &str = include_str!("localhost.key.pem");
const ROOT: &str = include_str!("localhost.root.pem");

pub(crate) const KEY_ID: &str = "kid-1";
pub(crate) const HMAC_KEY: &[u8] = b"thirty-two bytes, known to both.";
/// [`HMAC_KEY`] in base64url.
pub(crate) const HMAC_KEY_TEXT: &str = "dGhpcnR5LXR3byBieXRlcywga25vd24gdG8gYm90aC4";

/// What the authority asks of new accounts.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wanted {
    Nothing,
    ExternalAccount,
}

/// A running authority. Ends when dropped.
pub(crate) struct Pebble {
    children: Vec<Child>,
    folder: tempfile::TempDir,
    port: u16,
    management: u16,
}

impl Pebble {
    /// Starts one that looks for challenges on these ports.
    pub(crate) async fn start(http_port: u16, tls_port: u16, wanted: Wanted) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let [port, management, dns, dns_management] = free_ports();
        fs::write(folder.path().join("chain.pem"), CERTIFICATE).unwrap();
        fs::write(folder.path().join("key.pem"), KEY).unwrap();
        fs::write(folder.path().join("root.pem"), ROOT).unwrap();
        let external = wanted == Wanted::ExternalAccount;
        let path = |name: &str| folder.path().join(name).display().to_string();
        let config = format!(
            r#"{{"pebble": {{
                "listenAddress": "127.0.0.1:{port}",
                "managementListenAddress": "127.0.0.1:{management}",
                "certificate": "{}", "privateKey": "{}",
                "httpPort": {http_port}, "tlsPort": {tls_port},
                "externalAccountBindingRequired": {external},
                "externalAccountMACKeys": {{"{KEY_ID}": "{HMAC_KEY_TEXT}"}},
                "retryAfter": {{"authz": 1, "order": 1}},
                "profiles": {{"default": {{"description": "90 days", "validityPeriod": 7776000}}}}
            }}}}"#,
            path("chain.pem"),
            path("key.pem"),
        );
        fs::write(folder.path().join("config.json"), config).unwrap();

        let names = spawn(
            "pebble-challtestsrv",
            &folder.path().join("dns.log"),
            &[
                &format!("-dnsserver=127.0.0.1:{dns}"),
                &format!("-management=127.0.0.1:{dns_management}"),
                "-defaultIPv4=127.0.0.1",
                "-defaultIPv6=",
                "-http01=",
                "-https01=",
                "-tlsalpn01=",
                "-doh=",
            ],
        );
        let authority = spawn(
            "pebble",
            &folder.path().join("pebble.log"),
            &[
                &format!("-config={}", path("config.json")),
                &format!("-dnsserver=127.0.0.1:{dns}"),
            ],
        );
        let mut pebble = Self {
            children: vec![names, authority],
            folder,
            port,
            management,
        };
        for wanted in [port, management, dns_management] {
            pebble.wait_for(wanted).await;
        }
        pebble
    }

    pub(crate) fn directory(&self) -> String {
        format!("https://localhost:{}/dir", self.port)
    }

    /// Whom to trust to reach the authority.
    pub(crate) fn root(&self) -> CertificateDer<'static> {
        CertificateDer::from_pem_file(self.root_file()).unwrap()
    }

    /// The file with that.
    pub(crate) fn root_file(&self) -> PathBuf {
        self.folder.path().join("root.pem")
    }

    /// Whom to trust to check its certificates: made anew at every start.
    pub(crate) async fn roots(&self) -> RootCertStore {
        let pem = self.manage("GET", "/roots/0", "").await;
        let mut roots = RootCertStore::empty();
        roots
            .add(CertificateDer::from_pem_slice(pem.as_bytes()).unwrap())
            .unwrap();
        roots
    }

    /// Has the authority say that `certificate` should have been renewed by now.
    pub(crate) async fn revoke_soon(&self, certificate: &str) {
        let window = r#"{"suggestedWindow": {"start": "2020-01-01T00:00:00Z", "end": "2020-01-02T00:00:00Z"}}"#;
        let body = format!(
            r#"{{"certificate": {}, "ariResponse": {}}}"#,
            quoted(certificate),
            quoted(window)
        );
        self.manage("POST", "/set-renewal-info/", &body).await;
    }

    /// What it wrote about its work.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("pebble.log")).unwrap()
    }

    /// Orders it has taken so far.
    pub(crate) fn orders(&self) -> usize {
        self.log().matches("Added order").count()
    }

    async fn wait_for(&mut self, port: u16) {
        for _ in 0..300 {
            if TcpStream::connect(("127.0.0.1", port)).await.is_ok() {
                return;
            }
            for child in &mut self.children {
                if let Some(status) = child.try_wait().unwrap() {
                    panic!("ended with {status}: {}", self.log());
                }
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("nobody listens on port {port}: {}", self.log());
    }

    /// One request to the management interface.
    async fn manage(&self, method: &str, path: &str, body: &str) -> String {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut trust = RootCertStore::empty();
        trust.add(self.root()).unwrap();
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(trust)
            .with_no_client_auth();
        let stream = TcpStream::connect(("127.0.0.1", self.management))
            .await
            .unwrap();
        let mut stream = TlsConnector::from(Arc::new(config))
            .connect(ServerName::try_from("localhost").unwrap(), stream)
            .await
            .unwrap();
        let request = format!(
            "{method} {path} HTTP/1.0\r\nHost: localhost\r\nUser-Agent: tests\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut response = Vec::new();
        // The server may leave without closing TLS; what matters is there.
        let _ = stream.read_to_end(&mut response).await;
        let response = String::from_utf8(response).unwrap();
        let (head, body) = response.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.0 200"), "{response}");
        body.to_owned()
    }
}

impl Drop for Pebble {
    fn drop(&mut self) {
        for child in &mut self.children {
            // It may have ended by itself.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn spawn(program: &str, log: &Path, arguments: &[&str]) -> Child {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../target/pebble")
        .join(program);
    assert!(
        path.is_file(),
        "`{}` is not there: run bin/fetch-pebble",
        shown(&path)
    );
    let log = File::create(log).unwrap();
    Command::new(&path)
        .args(arguments)
        // No artificial delays; some nonces refused, as a busy authority does; every order proved anew.
        .env("PEBBLE_VA_NOSLEEP", "1")
        .env("PEBBLE_WFE_NONCEREJECT", "1")
        .env("PEBBLE_AUTHZREUSE", "0")
        .stdin(Stdio::null())
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        .spawn()
        .unwrap()
}

fn shown(path: &Path) -> String {
    path.canonicalize()
        .unwrap_or_else(|_| PathBuf::from(path))
        .display()
        .to_string()
}

/// Ports that were free a moment ago, for TCP and UDP.
fn free_ports<const N: usize>() -> [u16; N] {
    let held: Vec<(TcpListener, UdpSocket)> = std::iter::repeat_with(|| {
        let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
        let udp = UdpSocket::bind(tcp.local_addr().unwrap());
        udp.ok().map(|udp| (tcp, udp))
    })
    .flatten()
    .take(N)
    .collect();
    std::array::from_fn(|index| held[index].0.local_addr().unwrap().port())
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
