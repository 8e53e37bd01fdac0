//! Takes connections off a core's listeners; over TLS, after the handshake, like plain ones.

use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};

use crate::cores::core_state::CoreState;
use crate::downstream::client::{Arrival, Client};
use crate::downstream::connection::serve;
use crate::downstream::handshake::shake_hands;
use crate::downstream::http2;
use crate::downstream::introduction::client_of;
use crate::downstream::seats::Seat;
use crate::tls::tls_config::Tls;

/// Accepts plain connections for ever.
pub(crate) async fn accept_http(core: Rc<CoreState>, listener: TcpListener) {
    let port = core.plane.http_port;
    loop {
        Seat::free(&core.plane).await;
        let Some((mut stream, peer)) = accept(&listener).await else {
            continue;
        };
        let arrival = Arrival::new(&core);
        let core = Rc::clone(&core);
        tokio::task::spawn_local(async move {
            // Another core may have been quicker. What is accepted waits here, where no end of the listener drops it.
            let seat = Seat::take(&core.plane).await;
            let Some(peer) = client_of(&core.plane, &mut stream, peer).await else {
                return;
            };
            let client = Rc::new(Client::new(peer, port, false).seated(seat));
            serve(core, stream, client).await;
            drop(arrival);
        });
    }
}

/// Accepts TLS connections for ever.
pub(crate) async fn accept_https(core: Rc<CoreState>, listener: TcpListener, tls: Tls) {
    let port = core.plane.https_port;
    loop {
        Seat::free(&core.plane).await;
        let Some((mut stream, peer)) = accept(&listener).await else {
            continue;
        };
        let arrival = Arrival::new(&core);
        let core = Rc::clone(&core);
        let tls = tls.clone();
        tokio::task::spawn_local(async move {
            // Another core may have been quicker. What is accepted waits here, where no end of the listener drops it.
            let seat = Seat::take(&core.plane).await;
            let Some(peer) = client_of(&core.plane, &mut stream, peer).await else {
                return;
            };
            let Some(stream) = Box::pin(shake_hands(&core, stream, peer, &tls)).await else {
                return;
            };
            let client = Rc::new(Client::new(peer, port, true).seated(seat));
            if stream.get_ref().1.alpn_protocol() == Some(http2::ALPN) {
                Box::pin(http2::serve(core, stream, client)).await;
            } else {
                serve(core, stream, client).await;
            }
            drop(arrival);
        });
    }
}

async fn accept(listener: &TcpListener) -> Option<(TcpStream, SocketAddr)> {
    match listener.accept().await {
        Ok((stream, peer)) => {
            let _ = stream.set_nodelay(true);
            Some((stream, peer))
        }
        Err(error) => {
            // Out of descriptors or memory: the next attempt would fail at once as well.
            if !matches!(
                error.kind(),
                std::io::ErrorKind::ConnectionAborted | std::io::ErrorKind::ConnectionReset
            ) {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            None
        }
    }
}
