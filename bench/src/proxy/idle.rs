//! Memory: of a proxy that has just started, and of one that very many clients are connected to, each idle after a request.

use std::rc::Rc;
use std::time::Duration;

use super::exchange::Http;
use super::peer::Running;
use super::results::Held;
use super::scenario::{PLAIN, What};
use super::worker::connect;
use crate::failed::Failed;

/// Clients that connect at the same time.
const AT_ONCE: usize = 64;
/// After this, memory is what idle connections hold: proxies may take a moment to give up what the requests needed.
const SETTLED: Duration = Duration::from_secs(5);

/// Opens so many connections to a proxy, sends one request on each, lets them idle, and looks.
///
/// # Errors
/// A connection or a request fails.
pub(crate) async fn hold(running: &Running, connections: usize) -> Result<Held, Failed> {
    tokio::time::sleep(Duration::from_secs(1)).await;
    let idle_kib = running.group.rss_kib()?;
    let what = What::Http {
        host: PLAIN,
        path: "/",
        body: 0,
    };
    let (request, address) = (Rc::new(what.request()), running.address(what));
    let openers: Vec<_> = (0..AT_ONCE)
        .map(|opener| {
            let request = Rc::clone(&request);
            tokio::task::spawn_local(async move {
                let mut open = Vec::new();
                for _ in (opener..connections).step_by(AT_ONCE) {
                    let http = Http::new(connect(address).await?);
                    open.push(http.exchange_once(&request).await?);
                }
                Ok::<_, Failed>(open)
            })
        })
        .collect();
    let mut open = Vec::new();
    for opener in openers {
        let opened = opener
            .await
            .map_err(|_| Failed::Wrong("a client died".to_owned()))?;
        open.extend(opened?);
    }
    tokio::time::sleep(SETTLED).await;
    let held_kib = running.group.rss_kib()?;
    for stream in &open {
        if !matches!(stream.try_read(&mut [0]), Err(error) if error.kind() == std::io::ErrorKind::WouldBlock)
        {
            return Err(Failed::Wrong("it closed idle connections".to_owned()));
        }
        // No socket lingers on either side afterwards.
        stream.set_zero_linger()?;
    }
    Ok(Held {
        idle_kib,
        held_kib,
        connections: open.len(),
    })
}
