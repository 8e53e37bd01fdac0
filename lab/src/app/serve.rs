//! The app's server: accepts connections until told to stop, then lets the requests in flight end.

use std::collections::HashMap;
use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::answer::answer;
use super::behavior::Behavior;

/// How long requests in flight may take after the signal. Below the 10 s that `docker stop` waits.
const GRACE: Duration = Duration::from_secs(9);

/// Who the app says it is.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The version that was deployed.
    pub version: String,
    /// The name of the container, as the deployer gave it.
    pub container: String,
    /// The container's host name.
    pub host: String,
}

/// All that the app answers from.
#[derive(Debug)]
pub struct App {
    /// Who answers.
    pub identity: Identity,
    /// How `/up` answers.
    pub behavior: Behavior,
    /// The environment that `/env` tells about, by digest only.
    pub environment: HashMap<String, String>,
}

/// Serves HTTP/1 on `listener` until `stop` is ready, then finishes what is in flight.
pub async fn serve(app: App, listener: TcpListener, stop: impl Future<Output = ()>) {
    let app = Arc::new(app);
    let (stopping, stopped) = watch::channel(false);
    let mut connections = JoinSet::new();
    tokio::pin!(stop);
    loop {
        let accepted = tokio::select! {
            () = &mut stop => break,
            accepted = listener.accept() => accepted,
        };
        let Ok((stream, _)) = accepted else {
            // Out of descriptors: a pause lets some be returned.
            tokio::time::sleep(Duration::from_millis(20)).await;
            continue;
        };
        // An answer in two small writes must not wait for the client's acknowledgement.
        let _ = stream.set_nodelay(true);
        let (app, mut stopped) = (Arc::clone(&app), stopped.clone());
        connections.spawn(async move {
            let service = service_fn(move |request| {
                let app = Arc::clone(&app);
                async move { Ok::<_, Infallible>(answer(&app, request).await) }
            });
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .serve_connection(TokioIo::new(stream), service)
                .with_upgrades();
            tokio::pin!(connection);
            tokio::select! {
                _ = &mut connection => return,
                _ = stopped.wait_for(|stopping| *stopping) => connection.as_mut().graceful_shutdown(),
            }
            let _ = connection.await;
        });
        while connections.try_join_next().is_some() {}
    }
    drop(listener);
    stopping.send_replace(true);
    let _ = tokio::time::timeout(GRACE, async {
        while connections.join_next().await.is_some() {}
    })
    .await;
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;
    use tokio::sync::oneshot;

    use super::*;

    async fn start(
        behavior: Behavior,
    ) -> (
        std::net::SocketAddr,
        oneshot::Sender<()>,
        tokio::task::JoinHandle<()>,
    ) {
        let app = App {
            identity: Identity {
                version: "v1".into(),
                container: "app-web-v1".into(),
                host: "h".into(),
            },
            behavior,
            environment: HashMap::from([("SECRET".to_owned(), "abc".to_owned())]),
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let server = tokio::spawn(serve(app, listener, async {
            let _ = stopped.await;
        }));
        (address, stop, server)
    }

    async fn exchange(address: std::net::SocketAddr, request: &str) -> String {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    fn get(path: &str) -> String {
        format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    }

    #[tokio::test]
    async fn tells_its_version_and_never_the_value_of_a_variable() {
        let (address, _stop, _server) = start(Behavior::Healthy).await;
        assert!(
            exchange(address, &get("/"))
                .await
                .contains(r#""version":"v1""#)
        );
        let answer = exchange(address, &get("/env?name=SECRET")).await;
        assert!(
            answer.contains("ba7816bf") && answer.contains(r#""set":true"#),
            "{answer}"
        );
        assert!(!answer.contains("\"abc\""), "{answer}");
        assert!(
            exchange(address, &get("/env?name=OTHER"))
                .await
                .contains(r#""set":false"#)
        );
    }

    #[tokio::test]
    async fn echo_tells_length_and_digest_of_the_whole_body() {
        let (address, _stop, _server) = start(Behavior::Healthy).await;
        let request =
            "POST /echo HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 3\r\n\r\nabc";
        let answer = exchange(address, request).await;
        assert!(
            answer.contains(r#""length":3"#) && answer.contains("ba7816bf"),
            "{answer}"
        );
    }

    #[tokio::test]
    async fn health_follows_the_behavior() {
        for (behavior, status) in [
            (Behavior::Healthy, "200"),
            (Behavior::Unhealthy, "500"),
            (Behavior::Redirecting, "301"),
        ] {
            let (address, _stop, _server) = start(behavior).await;
            let answer = exchange(address, &get("/up")).await;
            assert!(
                answer.starts_with(&format!("HTTP/1.1 {status}")),
                "{answer}"
            );
        }
    }

    #[tokio::test]
    async fn a_request_in_flight_at_the_stop_is_answered_and_idle_connections_do_not_delay_the_end()
    {
        let (address, stop, server) = start(Behavior::Healthy).await;
        let _idle = TcpStream::connect(address).await.unwrap();
        let slow = tokio::spawn(async move { exchange(address, &get("/slow?ms=400")).await });
        tokio::time::sleep(Duration::from_millis(100)).await;
        stop.send(()).unwrap();
        assert!(slow.await.unwrap().contains(r#""slept_ms":400"#));
        tokio::time::timeout(Duration::from_secs(2), server)
            .await
            .unwrap()
            .unwrap();
        assert!(TcpStream::connect(address).await.is_err());
    }

    #[tokio::test]
    async fn a_websocket_frame_comes_back_unmasked() {
        let (address, _stop, _server) = start(Behavior::Healthy).await;
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = "GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                       Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
        // The key and its answer are the example of RFC 6455 §1.3.
        let head = String::from_utf8(head).unwrap().to_lowercase();
        assert!(
            head.starts_with("http/1.1 101") && head.contains("s3pplmbitxaq9kygzzhzrbk+xoo="),
            "{head}"
        );
        stream
            .write_all(&[0x81, 0x82, 1, 2, 3, 4, b'h' ^ 1, b'i' ^ 2])
            .await
            .unwrap();
        let mut echoed = [0; 4];
        stream.read_exact(&mut echoed).await.unwrap();
        assert_eq!(echoed, [0x81, 0x02, b'h', b'i']);
    }
}
