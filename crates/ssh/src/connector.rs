//! Turns host names into sessions, for all hosts of a run.

use std::collections::HashMap;
use std::fmt;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::{OnceCell, Semaphore};
use tokio::task::spawn_blocking;
use tokio::time::sleep;

use crate::auth::{KeyRing, Prompt, authenticate};
use crate::dial::{
    Failure, Handshake, Hop, Inbox, PromptAcks, ProxyChild, Route, Via, handshake, tcp_connect,
};
use crate::error::SshError;
use crate::jitter;
use crate::session::{Link, Session};
use crate::settings::{Notice, Settings};

/// Further attempts when the server hangs up before the key exchange (`MaxStartups` drops connections at random).
const DROPPED_RETRIES: u32 = 6;

/// Further attempts when nobody listens: a server that restarts is back in a moment, one that is down should be told soon.
const REFUSED_RETRIES: u32 = 2;

/// Connects to hosts. Cheap to clone; all clones share keys, jump hosts and the limit on concurrent starts.
#[derive(Clone)]
pub struct Connector {
    shared: Arc<Shared>,
}

pub(crate) struct Shared {
    settings: Settings,
    ring: KeyRing,
    prompt: Prompt,
    starts: Semaphore,
    hosts: Cache<String>,
    jumps: Cache<Vec<Hop>>,
}

/// Sessions shared between callers. Whoever waits for the same connection gets the same answer, a failure too; who comes later tries anew.
type Cache<K> = Mutex<HashMap<K, Arc<OnceCell<Result<Session, SshError>>>>>;

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connector")
            .field("settings", &self.shared.settings)
            .finish_non_exhaustive()
    }
}

impl Connector {
    /// A connector that has done nothing yet.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        let prompt = Prompt::new(settings.ask.clone());
        Self {
            shared: Arc::new(Shared {
                ring: KeyRing::new(settings.key_data.clone(), prompt.clone()),
                prompt,
                starts: Semaphore::new(settings.max_concurrent_starts.max(1)),
                hosts: Cache::default(),
                jumps: Cache::default(),
                settings,
            }),
        }
    }

    /// The session of a host, connected on first use and again after it was lost.
    ///
    /// # Errors
    /// Whatever keeps from connecting; see [`SshError`].
    pub async fn session(&self, host: &str) -> Result<Session, SshError> {
        let dial = || self.dial(host);
        cached(&self.shared.hosts, host.to_owned(), dial).await
    }

    /// A connection of its own to a host, for bulk streams or when it must not be shared.
    ///
    /// # Errors
    /// Whatever keeps from connecting; see [`SshError`].
    pub async fn dial(&self, host: &str) -> Result<Session, SshError> {
        let link = self.shared.dial(host).await?;
        Ok(Session::new(host, link, Arc::downgrade(&self.shared)))
    }

    /// Closes every shared session and the jump hosts behind them.
    pub async fn close(&self) {
        let mut sessions = take(&self.shared.hosts);
        sessions.extend(take(&self.shared.jumps));
        for session in sessions {
            session.close().await;
        }
    }
}

impl Shared {
    /// One more connection to a host.
    pub(crate) async fn dial(self: &Arc<Self>, host: &str) -> Result<Link, SshError> {
        let (this, name) = (self.clone(), host.to_owned());
        let route = spawn_blocking(move || Route::to_host(&name, &this.settings)).await;
        self.connect(&flatten(host, route)?).await
    }

    /// The session of the last of `hops`, by way of those before it.
    async fn jump(self: &Arc<Self>, hops: &[Hop]) -> Result<Session, SshError> {
        let dial = || async {
            let Some((last, before)) = hops.split_last() else {
                return Err(SshError::JumpSpec {
                    host: String::new(),
                    spec: String::new(),
                    reason: "no jump host".to_owned(),
                });
            };
            let (this, hop, before) = (self.clone(), last.clone(), before.to_vec());
            let route =
                spawn_blocking(move || Route::to_hop(&hop.host, &hop, &before, &this.settings))
                    .await;
            // The recursion ends: each step has fewer hops, and configured ones are counted.
            let link = Box::pin(self.connect(&flatten(&last.host, route)?)).await?;
            Ok(Session::new(&last.host, link, Weak::new()))
        };
        cached(&self.jumps, hops.to_vec(), dial).await
    }

    async fn connect(self: &Arc<Self>, route: &Route) -> Result<Link, SshError> {
        let mut attempt = 0;
        loop {
            let (failure, retries) = match self.try_connect(route).await {
                Ok(link) => return Ok(link),
                Err(Failure::Dropped(reason)) => (
                    SshError::Handshake {
                        host: route.host.clone(),
                        reason,
                    },
                    DROPPED_RETRIES,
                ),
                Err(Failure::Final(error @ SshError::Refused { .. })) => (error, REFUSED_RETRIES),
                Err(Failure::Final(error)) => return Err(error),
            };
            if attempt >= retries {
                return Err(failure);
            }
            attempt += 1;
            let base = Duration::from_millis(50).saturating_mul(1 << attempt.min(5));
            let delay = base + jitter::up_to(base);
            self.settings.tell(Notice::ConnectRetry {
                host: route.host.clone(),
                attempt,
                delay,
                error: failure.to_string(),
            });
            sleep(delay).await;
        }
    }

    async fn try_connect(self: &Arc<Self>, route: &Route) -> Result<Link, Failure> {
        // The jump host is connected first: were the permit taken before, it could be the one the jump host needs.
        let carrier = match &route.via {
            Via::Jump(hops) => Some(
                self.jump(hops)
                    .await
                    .map_err(|error| Failure::Final(through(route, hops, error)))?,
            ),
            Via::Direct | Via::Command(_) => None,
        };
        let _permit = self.starts.acquire().await;
        let shaken = match (&route.via, &carrier) {
            (Via::Command(command), _) => {
                let (child, complaints) =
                    ProxyChild::start(command).map_err(|error| proxy(route, error.to_string()))?;
                match handshake(Inbox::new(child), route).await {
                    Err(Failure::Dropped(reason)) => {
                        let words = complaints.text().await;
                        return Err(proxy(route, if words.is_empty() { reason } else { words }));
                    }
                    other => other?,
                }
            }
            (Via::Jump(hops), Some(jump)) => {
                let tunnel = jump
                    .direct_tcpip(&route.address, route.port)
                    .await
                    .map_err(|error| Failure::Final(through(route, hops, error)))?;
                handshake(Inbox::new(tunnel), route).await?
            }
            _ => {
                let stream = tcp_connect(route, &self.settings)
                    .await
                    .map_err(Failure::Final)?;
                handshake(PromptAcks::new(stream), route).await?
            }
        };
        let Handshake {
            mut handle,
            lost,
            forwards,
        } = shaken;
        authenticate(&mut handle, &route.credentials, &self.ring, &self.prompt)
            .await
            .map_err(Failure::Final)?;
        Ok(Link::new(handle, lost, forwards, route))
    }
}

fn through(route: &Route, hops: &[Hop], source: SshError) -> SshError {
    SshError::Jump {
        host: route.host.clone(),
        jump: hops.last().map(|hop| hop.host.clone()).unwrap_or_default(),
        source: Box::new(source),
    }
}

fn proxy(route: &Route, reason: String) -> Failure {
    Failure::Final(SshError::ProxyCommand {
        host: route.host.clone(),
        reason,
    })
}

fn flatten<T>(
    host: &str,
    joined: Result<Result<T, SshError>, tokio::task::JoinError>,
) -> Result<T, SshError> {
    joined.unwrap_or_else(|error| {
        Err(SshError::Handshake {
            host: host.to_owned(),
            reason: error.to_string(),
        })
    })
}

async fn cached<K, F>(cache: &Cache<K>, key: K, dial: impl Fn() -> F) -> Result<Session, SshError>
where
    K: Hash + Eq,
    F: Future<Output = Result<Session, SshError>>,
{
    let cell = {
        let mut cells = cache.lock().unwrap_or_else(PoisonError::into_inner);
        let cell = cells.entry(key).or_default();
        let stale = match cell.get() {
            Some(Ok(session)) => session.is_closed(),
            Some(Err(_)) => true,
            None => false,
        };
        if stale {
            *cell = Arc::default();
        }
        cell.clone()
    };
    cell.get_or_init(dial).await.clone()
}

fn take<K>(cache: &Cache<K>) -> Vec<Session> {
    let cells = std::mem::take(&mut *cache.lock().unwrap_or_else(PoisonError::into_inner));
    cells
        .into_values()
        .filter_map(|cell| cell.get().cloned()?.ok())
        .collect()
}
