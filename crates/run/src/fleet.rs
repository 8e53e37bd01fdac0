//! The connections of one command: one a host, made when first needed, and one `sh` on it that takes program after program.
//!
//! In: a connector. Out: [`HostShell`]s. A plain deploy costs a host one connection and one exchange for all its programs; roles
//! that run at once get a shell each.

use std::collections::HashMap;
use std::sync::Arc;

use dhow_ssh::{Connector, Session};
use futures_util::future::join_all;
use tokio::sync::{Mutex, OnceCell};

use crate::event::{EventKind, Failure};
use crate::failure::from_ssh;
use crate::shell::HostShell;
use crate::sink::Sink;

/// Everything that is connected.
pub struct Fleet {
    connector: Connector,
    sink: Sink,
    mark: String,
    hosts: Mutex<HashMap<String, Arc<HostLink>>>,
}

#[derive(Default)]
struct HostLink {
    session: OnceCell<Session>,
    shells: Mutex<HashMap<usize, Arc<Mutex<Option<HostShell>>>>>,
}

impl Fleet {
    /// No connections yet. `mark` is random, 16 hex digits.
    pub fn new(connector: Connector, sink: Sink, mark: String) -> Self {
        Self {
            connector,
            sink,
            mark,
            hosts: Mutex::default(),
        }
    }

    /// The random text that frames are told by.
    pub(crate) fn mark(&self) -> &str {
        &self.mark
    }

    /// The connection to a host; made now if it does not stand.
    pub async fn session(&self, host: &str) -> Result<Session, Failure> {
        let link = self.link(host).await;
        link.session
            .get_or_try_init(|| async {
                let kind = EventKind::Connecting {
                    host: host.to_owned(),
                };
                self.sink.emit(kind);
                let started = std::time::Instant::now();
                let session = self
                    .connector
                    .session(host)
                    .await
                    .map_err(|error| from_ssh(&error))?;
                self.sink.emit(EventKind::Connected {
                    host: host.to_owned(),
                    seconds: started.elapsed().as_secs_f64(),
                });
                Ok(session)
            })
            .await
            .cloned()
    }

    /// The place of a host's shell number `lane`; empty until somebody opens it. Holding the lock is having the shell.
    pub(crate) async fn shell(&self, host: &str, lane: usize) -> Arc<Mutex<Option<HostShell>>> {
        let link = self.link(host).await;
        let mut shells = link.shells.lock().await;
        Arc::clone(shells.entry(lane).or_default())
    }

    /// Says goodbye everywhere. Shells end because their input does.
    pub async fn close(&self) {
        let links: Vec<Arc<HostLink>> = self.hosts.lock().await.drain().map(|(_, l)| l).collect();
        let goodbyes = links.iter().map(|link| async {
            link.shells.lock().await.clear();
            if let Some(session) = link.session.get() {
                session.close().await;
            }
        });
        join_all(goodbyes).await;
    }

    async fn link(&self, host: &str) -> Arc<HostLink> {
        let mut hosts = self.hosts.lock().await;
        Arc::clone(hosts.entry(host.to_owned()).or_default())
    }
}
