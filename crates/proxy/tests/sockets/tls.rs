//! HTTPS with a service's own certificate.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, SignatureScheme, StreamOwned};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};

use crate::support::{
    Answer, Link, Origin, Proxy, eventually, eventually_within, get, reply, send,
};

/// Self-signed for `a.com`, made for these tests.
const CERTIFICATE: &str = include_str!("a.com.cert.pem");
const KEY: &str = include_str!("a.com.key.pem");
/// The next one.
const NEXT_CERTIFICATE: &str = include_str!("a.com.next.cert.pem");
const NEXT_KEY: &str = include_str!("a.com.next.key.pem");

/// Writes certificate and key below the proxy's folder and gives the flags that name them.
fn certificate(proxy: &Proxy) -> [String; 2] {
    let (certificate, key) = (proxy.path("cert.pem"), proxy.path("key.pem"));
    std::fs::write(&certificate, CERTIFICATE).unwrap();
    std::fs::write(&key, KEY).unwrap();
    [
        format!("--tls-certificate-path={}", certificate.display()),
        format!("--tls-private-key-path={}", key.display()),
    ]
}

pub(crate) fn deploy(proxy: &Proxy, service: &str, target: &str, more: &[&str]) {
    let [certificate, key] = certificate(proxy);
    let mut args = vec!["--tls", &certificate, &key];
    args.extend(more);
    proxy.deploy(service, target, &args);
}

/// Accepts any certificate; which one it was can be asked afterwards.
#[derive(Debug)]
pub(crate) struct AnyCertificate;

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![
            SignatureScheme::ECDSA_NISTP256_SHA256,
            SignatureScheme::RSA_PSS_SHA256,
        ]
    }
}

pub(crate) type Tls = StreamOwned<ClientConnection, TcpStream>;

pub(crate) fn client_config() -> ClientConfig {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AnyCertificate))
        .with_no_client_auth()
}

/// A handshake; `None` for the name sends none.
pub(crate) fn dial(port: u16, name: Option<&'static str>) -> std::io::Result<Tls> {
    let mut config = client_config();
    config.enable_sni = name.is_some();
    shake_hands(port, name.unwrap_or("unnamed"), Arc::new(config))
}

/// A handshake as `config` wants it.
pub(crate) fn shake_hands(
    port: u16,
    name: &'static str,
    config: Arc<ClientConfig>,
) -> std::io::Result<Tls> {
    let server = ServerName::try_from(name).unwrap();
    let connection = ClientConnection::new(config, server).unwrap();
    let mut stream = StreamOwned::new(connection, TcpStream::connect(("127.0.0.1", port)).unwrap());
    while stream.conn.is_handshaking() {
        stream.conn.complete_io(&mut stream.sock)?;
    }
    Ok(stream)
}

pub(crate) fn get_tls(port: u16, name: Option<&'static str>, host: &str, path: &str) -> Answer {
    let mut link = Link::over(dial(port, name).unwrap());
    link.write(format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n"));
    link.read()
}

/// parity: proxy 27, 54, 57, 59, 62, D5
#[test]
fn requests_over_tls_and_the_redirect_to_it() {
    let mut proxy = Proxy::start();
    let origin = Origin::named("web");
    deploy(&proxy, "web", &origin.address, &["--host=a.com"]);
    for _ in 0..2 {
        assert_eq!(
            get_tls(proxy.https, Some("a.com"), "a.com", "/").text(),
            "web"
        );
        assert_eq!(
            get_tls(proxy.https, Some("A.com"), "a.com", "/").text(),
            "web"
        );
        // Without a name the first TLS host's certificate is used.
        assert_eq!(get_tls(proxy.https, None, "a.com", "/").text(), "web");
        let answer = get(proxy.http, "a.com:80", "/x?y");
        assert_eq!(
            (answer.status, answer.header("Location")),
            (301, Some("https://a.com/x?y"))
        );
        // And the same after a restart.
        assert_eq!(proxy.terminate(), 0);
        proxy.boot();
    }
    let mut link = Link::over(dial(proxy.https, Some("a.com")).unwrap());
    for _ in 0..2 {
        link.write("GET / HTTP/1.1\r\nHost: a.com\r\n\r\n");
        assert_eq!(link.read().text(), "web");
        std::thread::sleep(std::time::Duration::from_millis(2500));
    }
    let seen = origin.seen().remove(0);
    assert_eq!(seen.all("X-Forwarded-Proto"), ["https"]);
    assert!(proxy.run(&["ls"]).stdout.contains("yes"));
    let line = proxy.request_logged("/");
    assert_eq!(
        (line["scheme"].as_str(), line["port"].as_u64()),
        (Some("https"), Some(proxy.https.into()))
    );
}

/// parity: proxy 13, 55
#[test]
fn forwarding_headers_are_not_trusted_with_tls_unless_asked() {
    let proxy = Proxy::start();
    let origin = Origin::named("web");
    deploy(
        &proxy,
        "web",
        &origin.address,
        &["--host=a.com", "--tls-redirect=false"],
    );
    let spoofing = "GET / HTTP/1.1\r\nHost: a.com\r\nX-Forwarded-Proto: https\r\n\r\n";
    assert_eq!(send(proxy.http, spoofing).text(), "web");
    let over_tls = get_tls(proxy.https, Some("a.com"), "a.com", "/");
    assert_eq!(over_tls.text(), "web");
    let asked = ["--host=a.com", "--tls-redirect=false", "--forward-headers"];
    deploy(&proxy, "web", &origin.address, &asked);
    assert_eq!(send(proxy.http, spoofing).text(), "web");
    let schemes: Vec<_> = origin
        .seen()
        .iter()
        .map(|seen| seen.header("X-Forwarded-Proto").unwrap().to_owned())
        .collect();
    assert_eq!(schemes, ["http", "https", "https"]);
}

/// parity: proxy 58, 64
#[test]
fn item_62_names_nobody_serves_get_an_alert_and_plain_services_refuse() {
    let proxy = Proxy::start();
    let origin = Origin::named("web");
    deploy(&proxy, "web", &origin.address, &["--host=a.com"]);
    proxy.deploy("plain", &origin.address, &["--host=p.com"]);
    for (place, name) in ["b.com", "p.com"].into_iter().enumerate() {
        let error = dial(proxy.https, Some(name)).unwrap_err();
        assert!(error.to_string().contains("InternalError"), "{error}");
        let lines = || {
            let log = proxy.log();
            log.matches("unknown server name").count()
        };
        eventually("it is logged", || lines() == place + 1);
    }
    assert_eq!(
        get_tls(proxy.https, Some("a.com"), "p.com", "/").status,
        503
    );
    assert!(!proxy.log().is_empty());
    let mut stream = TcpStream::connect(("127.0.0.1", proxy.https)).unwrap();
    stream
        .write_all(b"GET / HTTP/1.1\r\nHost: a.com\r\n\r\n")
        .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap_or_default();
    assert!(
        answer.starts_with("HTTP/1.0 400 Bad Request\r\n")
            && answer.contains("Client sent an HTTP request to an HTTPS server.")
    );
}

/// parity: proxy 50
#[test]
fn a_service_below_a_tls_root_follows_it() {
    let proxy = Proxy::start();
    let (root, api) = (Origin::named("root"), Origin::named("api"));
    deploy(&proxy, "root", &root.address, &["--host=a.com"]);
    proxy.deploy("api", &api.address, &["--host=a.com", "--path-prefix=/api"]);
    assert_eq!(
        get_tls(proxy.https, Some("a.com"), "a.com", "/api/x").text(),
        "api"
    );
    assert_eq!(get(proxy.http, "a.com", "/api").status, 301);
    assert_eq!(proxy.state()[0]["options"]["tls_enabled"], true);
    proxy.run(&["rm", "root"]).quiet();
    assert_eq!(get(proxy.http, "a.com", "/api").text(), "api");
}

/// parity: proxy D8
#[test]
fn a_path_under_a_wildcard_with_its_own_certificate_survives_a_restart() {
    let mut proxy = Proxy::start();
    let (root, api) = (Origin::named("root"), Origin::named("api"));
    deploy(&proxy, "root", &root.address, &["--host=*.a.com"]);
    let below = ["--host=*.a.com", "--path-prefix=/api"];
    proxy.deploy("api", &api.address, &below);
    for _ in 0..2 {
        let ask = |path| get_tls(proxy.https, Some("w.a.com"), "w.a.com", path).text();
        assert_eq!((ask("/"), ask("/api/x")), ("root".into(), "api".into()));
        assert_eq!(proxy.terminate(), 0);
        proxy.boot();
    }
}

/// parity: proxy 25, 59
#[test]
fn certificates_that_cannot_be_served_are_refused() {
    let proxy = Proxy::start();
    let origin = Origin::named("web");
    let [certificate, key] = certificate(&proxy);
    let target = format!("--target={}", origin.address);
    let swapped = [
        key.replace("private-key", "certificate"),
        certificate.replace("certificate", "private-key"),
    ];
    let missing = [certificate.replace("cert.pem", "none.pem"), key];
    for [certificate, key] in [swapped, missing] {
        let details = proxy
            .run(&[
                "deploy",
                "web",
                &target,
                "--tls",
                "--host=a.com",
                &certificate,
                &key,
            ])
            .failed("unable to load certificate");
        assert_eq!(details.len(), 1);
    }
    assert!(!proxy.state_file().exists());
}

#[test]
fn http2_takes_many_requests_at_once() {
    let proxy = Proxy::start();
    let origin = Origin::start(|seen, stream| {
        if seen.path() == "/slow" {
            std::thread::sleep(std::time::Duration::from_millis(300));
        }
        reply(stream, "200 OK", &[("X-Path", seen.path())], &seen.body)
    });
    deploy(
        &proxy,
        "web",
        &origin.address,
        &["--host=a.com", "--buffer-requests"],
    );
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let begun = std::time::Instant::now();
    let bodies = runtime.block_on(async {
        let mut config = client_config();
        config.alpn_protocols = vec![b"h2".to_vec()];
        let stream = tokio::net::TcpStream::connect(("127.0.0.1", proxy.https))
            .await
            .unwrap();
        let name = ServerName::try_from("a.com").unwrap();
        let stream = tokio_rustls::TlsConnector::from(Arc::new(config))
            .connect(name, stream)
            .await
            .unwrap();
        let (sender, connection) =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
                .await
                .unwrap();
        tokio::spawn(connection);
        let mut requests = tokio::task::JoinSet::new();
        for number in 0..20_u32 {
            let mut sender = sender.clone();
            requests.spawn(async move {
                let request = http::Request::post("https://a.com/slow")
                    .header("cookie", "a=1")
                    .header("cookie", "b=2")
                    .body(Full::new(Bytes::from(format!("body {number}"))))
                    .unwrap();
                let response = sender.send_request(request).await.unwrap();
                assert_eq!(response.status(), 200);
                assert_eq!(response.headers()["x-path"], "/slow");
                response.into_body().collect().await.unwrap().to_bytes()
            });
        }
        requests.join_all().await
    });
    let mut bodies: Vec<_> = bodies
        .into_iter()
        .map(|body| String::from_utf8(body.to_vec()).unwrap())
        .collect();
    bodies.sort_by_key(|body| body[5..].parse::<u32>().unwrap());
    assert_eq!(
        bodies,
        (0..20)
            .map(|number| format!("body {number}"))
            .collect::<Vec<_>>()
    );
    assert!(
        begun.elapsed() < std::time::Duration::from_secs(3),
        "{:?}",
        begun.elapsed()
    );
    let seen = origin.seen().remove(0);
    assert_eq!(
        (seen.all("Host"), seen.all("Cookie")),
        (vec!["a.com"], vec!["a=1; b=2"])
    );
    let line = proxy.request_logged("/slow");
    assert_eq!(
        (line["proto"].as_str(), line["host"].as_str()),
        (Some("HTTP/2.0"), Some("a.com"))
    );
}

#[test]
fn item_63_old_versions_and_foreign_protocols_are_refused() {
    let proxy = Proxy::start();
    let origin = Origin::named("web");
    deploy(&proxy, "web", &origin.address, &["--host=a.com"]);
    for (protocols, agreed) in [
        (&["h2", "http/1.1"][..], Some("h2")),
        (&["http/1.1", "h2"], Some("h2")),
        (&["http/1.1"], Some("http/1.1")),
        (&[], None),
    ] {
        let mut config = client_config();
        config.alpn_protocols = protocols
            .iter()
            .map(|name| name.as_bytes().to_vec())
            .collect();
        let stream = shake_hands(proxy.https, "a.com", Arc::new(config)).unwrap();
        assert_eq!(stream.conn.alpn_protocol(), agreed.map(str::as_bytes));
    }
    let mut config = client_config();
    config.alpn_protocols = vec![b"spdy/3".to_vec()];
    let error = shake_hands(proxy.https, "a.com", Arc::new(config)).unwrap_err();
    assert!(
        error.to_string().contains("NoApplicationProtocol"),
        "{error}"
    );

    // Hellos of TLS 1.1 and 1.2, else the same: a name, curves and signatures.
    let hello = |version: u8| {
        let extensions = [
            &[0, 0, 0, 10, 0, 8, 0, 0, 5][..],
            b"a.com",
            &[0, 10, 0, 4, 0, 2, 0, 23],
            &[0, 13, 0, 6, 0, 4, 4, 3, 2, 3],
            &[0, 11, 0, 2, 1, 0],
            &[0, 23, 0, 0],
        ]
        .concat();
        let mut body = vec![3, version];
        body.extend([7; 32]);
        body.extend([0, 0, 4, 0xc0, 0x2b, 0xc0, 0x09, 1, 0]);
        body.extend(u16::try_from(extensions.len()).unwrap().to_be_bytes());
        body.extend(extensions);
        let length = u8::try_from(body.len()).unwrap();
        let mut record = vec![22, 3, 1, 0, length + 4, 1, 0, 0, length];
        record.extend(body);
        record
    };
    let answered = |version| {
        let mut stream = TcpStream::connect(("127.0.0.1", proxy.https)).unwrap();
        stream.write_all(&hello(version)).unwrap();
        let mut start = [0; 7];
        stream.read_exact(&mut start).unwrap();
        (start[0], start[6])
    };
    let (handshake, alert, protocol_version) = (22, 21, 70);
    assert_eq!(answered(3).0, handshake);
    for old in [1, 2] {
        assert_eq!(answered(old), (alert, protocol_version));
    }
}

#[test]
fn item_d16_connections_are_resumed_without_early_data() {
    let proxy = Proxy::start();
    let origin = Origin::named("web");
    deploy(&proxy, "web", &origin.address, &["--host=a.com"]);
    let mut config = client_config();
    config.enable_early_data = true;
    let config = Arc::new(config);
    for expected in [rustls::HandshakeKind::Full, rustls::HandshakeKind::Resumed] {
        let server = ServerName::try_from("a.com").unwrap();
        let mut fresh = ClientConnection::new(Arc::clone(&config), server).unwrap();
        assert!(fresh.early_data().is_none());
        let stream = shake_hands(proxy.https, "a.com", Arc::clone(&config)).unwrap();
        assert_eq!(stream.conn.handshake_kind(), Some(expected));
        // Tickets come with the first answer.
        let mut link = Link::over(stream);
        link.write("GET / HTTP/1.1\r\nHost: a.com\r\n\r\n");
        assert_eq!(link.read().text(), "web");
    }
}

#[test]
fn item_65_challenges_are_answered_before_the_redirect() {
    let proxy = Proxy::start();
    let origin = Origin::named("web");
    let target = &origin.address;
    let automatic = ["--tls", "--host=auto.example.com", "--host=localhost"];
    proxy.deploy("auto", target, &automatic);
    proxy.deploy("plain", target, &["--host=plain.example.com"]);
    deploy(&proxy, "own", target, &["--host=a.com"]);
    let ask = |host| {
        let answer = get(proxy.http, host, "/.well-known/acme-challenge/token");
        (answer.status, answer.text())
    };
    let unknown = "acme/autocert: certificate cache miss\n".to_owned();
    assert_eq!(ask("auto.example.com"), (404, unknown.clone()));
    assert_eq!(ask("auto.example.com:80"), (404, unknown.clone()));
    assert_eq!(
        ask("localhost"),
        (
            403,
            "acme/autocert: host \"localhost\" not configured in HostWhitelist\n".to_owned()
        )
    );
    assert_eq!(
        get(proxy.http, "auto.example.com", "/.well-known/x").status,
        301
    );
    // Not the proxy's business.
    assert_eq!(ask("plain.example.com"), (200, "web".to_owned()));
    assert_eq!(ask("a.com").0, 301);
    for state in ["pause", "stop"] {
        proxy.run(&[state, "auto"]).quiet();
        assert_eq!(ask("auto.example.com"), (404, unknown.clone()));
    }
    let line = proxy.request_logged("/.well-known/acme-challenge/token");
    assert_eq!(line["service"], "");
}

#[test]
fn item_12_the_server_checks_what_a_client_let_through() {
    use dhow_proxy_api::{
        CONTROL_VERSION, ControlReply, ControlRequest, DeployRequest, GoDuration, ServiceOptions,
        SocketMessage, TargetOptions,
    };
    let proxy = Proxy::start();
    let origin = Origin::named("web");
    let ask = |edit: &dyn Fn(&mut ServiceOptions)| {
        let mut options = ServiceOptions::default();
        edit(&mut options);
        let message = SocketMessage {
            version: CONTROL_VERSION,
            request: ControlRequest::Deploy(Box::new(DeployRequest {
                service: "web".to_owned(),
                targets: vec![origin.address.clone()],
                read_targets: Vec::new(),
                options,
                target_options: TargetOptions::default(),
                deploy_timeout: GoDuration::from_secs(5),
                drain_timeout: GoDuration::from_secs(5),
                force: true,
            })),
        };
        let mut stream = std::os::unix::net::UnixStream::connect(proxy.socket()).unwrap();
        let line = serde_json::to_string(&message).unwrap() + "\n";
        stream.write_all(line.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        match serde_json::from_str(&answer).unwrap() {
            ControlReply::Failed { message, .. } => message,
            other => panic!("{other:?}"),
        }
    };
    let invalid = |message: &str| format!("service options invalid: {message}");
    assert_eq!(
        ask(&|options| options.tls_enabled = true),
        invalid("host must be set when using TLS")
    );
    assert_eq!(
        ask(&|options| options.tls_on_demand_url = "/allowed".to_owned()),
        invalid("TLS must be enabled to use a TLS on-demand URL")
    );
    assert_eq!(
        ask(&|options| {
            options.tls_enabled = true;
            options.hosts = vec!["a.com".to_owned()];
            options.acme_directory = "http://ca.example.com/dir".to_owned();
        }),
        invalid("tls-acme-directory must be an https URL")
    );
    assert!(!proxy.state_file().exists());
    assert_eq!(get(proxy.http, "a.com", "/").status, 404);
}

#[test]
fn new_certificate_files_are_served_without_a_deploy() {
    let proxy = Proxy::start();
    let origin = Origin::named("web");
    deploy(&proxy, "web", &origin.address, &["--host=a.com"]);
    let shown = || {
        let stream = dial(proxy.https, Some("a.com")).unwrap();
        stream.conn.peer_certificates().unwrap()[0].to_vec()
    };
    let first = shown();
    let next = CertificateDer::from_pem_slice(NEXT_CERTIFICATE.as_bytes()).unwrap();
    // One after the other, as somebody copies them: in between they do not go together.
    std::fs::write(proxy.path("cert.pem"), NEXT_CERTIFICATE).unwrap();
    std::fs::write(proxy.path("key.pem"), NEXT_KEY).unwrap();
    eventually_within(
        std::time::Duration::from_secs(60),
        "the new certificate is served",
        || shown() != first,
    );
    assert_eq!(shown(), next.to_vec());
    proxy.expect_logged("Reloaded TLS certificate", 1);
}

#[test]
fn a_request_that_comes_with_the_end_of_the_handshake_is_answered() {
    let proxy = Proxy::start();
    let origin = Origin::named("web");
    deploy(&proxy, "web", &origin.address, &["--host=a.com"]);
    let server = ServerName::try_from("a.com").unwrap();
    let mut session = ClientConnection::new(Arc::new(client_config()), server).unwrap();
    // Kept until the handshake allows it, then sent in one piece with its last message.
    session
        .writer()
        .write_all(b"GET / HTTP/1.1\r\nHost: a.com\r\n\r\n")
        .unwrap();
    let stream = TcpStream::connect(("127.0.0.1", proxy.https)).unwrap();
    assert_eq!(
        Link::over(StreamOwned::new(session, stream)).read().text(),
        "web"
    );
}
