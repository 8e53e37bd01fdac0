//! Certificates for a proxy, run: what the schedule wants done is done, outcomes are kept and served, and whoever waits for a host
//! is told.
//!
//! In: which services need certificates for which hosts, and what clients ask for. Out: certificates for handshakes, answers to
//! challenges, events for the log. Calls are cheap and may come from any thread; the work runs on the runtime that
//! [`Manager::start`] was called on.

mod coverage;
mod driver;
mod state;

use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustls::crypto::CryptoProvider;
use rustls::server::ClientHello;
use rustls::sign::CertifiedKey;
use tokio::runtime::Handle;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

pub use self::coverage::{Ask, Coverage, Event, HttpChallenge};
use self::state::{Authority, Service, State};
use crate::acme_client::Clock;
use crate::certificate::KeyKind;
use crate::challenge_certificate::ChallengeCertificate;
use crate::challenges::Challenges;
use crate::dice::Dice;
use crate::gate::{Gate, GateLimits, Verdict};
use crate::host_name::HostName;
use crate::issuer::Issuer;
use crate::moment::Moment;
use crate::resolver::Resolver;
use crate::schedule::{AuthorityId, Demand, Schedule, ScheduleLimits, Standing};
use crate::store::CertStore;

/// Makes the issuer for a directory URL, with its part of the cache.
pub type Issuers = Box<dyn Fn(&str, &CertStore) -> Arc<dyn Issuer> + Send + Sync>;

/// What the manager needs from outside.
pub struct Surroundings {
    /// The wall clock.
    pub now: Clock,
    /// Chance, to spread work.
    pub dice: Dice,
    /// The cryptography to serve with.
    pub provider: Arc<CryptoProvider>,
    /// Whom to order from.
    pub issuers: Issuers,
    /// Challenges that the issuers put up.
    pub challenges: Challenges,
    /// Where events go.
    pub report: Box<dyn Fn(Event) + Send + Sync>,
    /// Bounds on orders.
    pub limits: ScheduleLimits,
    /// Bounds on questions to applications.
    pub gate: GateLimits,
}

/// Certificates for a proxy. Stops ordering when dropped.
pub struct Manager {
    shared: Arc<Shared>,
    driver: JoinHandle<()>,
}

struct Shared {
    state: Mutex<State>,
    resolver: Arc<Resolver>,
    challenges: Challenges,
    provider: Arc<CryptoProvider>,
    now: Clock,
    issuers: Issuers,
    report: Box<dyn Fn(Event) + Send + Sync>,
    runtime: Handle,
    /// Held while memories are written, so that an older one never lands on a newer one.
    writing: tokio::sync::Mutex<()>,
    /// Something is to be done.
    wake: Notify,
    /// Counts outcomes, for those who wait for one.
    outcomes: watch::Sender<u64>,
}

impl Manager {
    /// Starts on the current tokio runtime.
    #[must_use]
    pub fn start(surroundings: Surroundings) -> Self {
        let schedule = Schedule::new(surroundings.limits, surroundings.dice);
        let gate = Gate::new(surroundings.gate);
        let shared = Arc::new(Shared {
            state: Mutex::new(State::new(schedule, gate)),
            resolver: Arc::new(Resolver::new(surroundings.challenges.clone())),
            challenges: surroundings.challenges,
            provider: surroundings.provider,
            now: surroundings.now,
            issuers: surroundings.issuers,
            report: surroundings.report,
            runtime: Handle::current(),
            writing: tokio::sync::Mutex::default(),
            wake: Notify::new(),
            outcomes: watch::Sender::new(0),
        });
        let driver = tokio::spawn(driver::drive(Arc::clone(&shared)));
        Self { shared, driver }
    }

    /// `service` needs certificates as `coverage` says, from now on and in the place of what it needed before. Those in the
    /// cache are served when this returns; the others are being ordered.
    ///
    /// Reads the cache: a few small files a host.
    pub fn cover(&self, service: &str, coverage: Coverage) {
        let shared = &self.shared;
        let now = shared.moment();
        let mut state = shared.lock();
        let authority = shared.authority(&mut state, &coverage.cache, &coverage.directory_url);
        let demand = if coverage.deployed {
            Demand::Deployed
        } else {
            Demand::Restored
        };
        let hosts: BTreeSet<HostName> = coverage.hosts.into_iter().collect();
        let before = state.services.insert(
            service.to_owned(),
            Service {
                authority,
                hosts: hosts.clone(),
                ask: coverage.ask,
            },
        );
        for host in &hosts {
            shared.cover(&mut state, host, authority, demand, now);
        }
        let gone = before.map(|before| before.hosts).unwrap_or_default();
        shared.release(&mut state, gone);
        drop(state);
        shared.changed();
    }

    /// `service` needs no certificates any more.
    pub fn uncover(&self, service: &str) {
        let mut state = self.shared.lock();
        let gone = state
            .services
            .remove(service)
            .map(|service| service.hosts)
            .unwrap_or_default();
        self.shared.release(&mut state, gone);
        drop(state);
        self.shared.changed();
    }

    /// Orders, renews and asks nothing more; what is under way ends, and what is there is served on. For a proxy whose place another
    /// one has taken, on the same cache.
    pub fn retire(&self) {
        self.driver.abort();
    }

    /// What is being served. Usable as a server's certificate resolver as it is.
    #[must_use]
    pub fn resolver(&self) -> &Arc<Resolver> {
        &self.shared.resolver
    }

    /// The certificate for a prober's `hello` ([`Resolver::is_challenge`]): of an order here, or of another proxy's on the same cache.
    #[must_use]
    pub fn challenge(&self, hello: &ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let shared = &self.shared;
        if let Some(certified) = shared.resolver.challenge(hello) {
            return Some(certified);
        }
        let host = HostName::parse(hello.server_name()?).ok()?;
        let store = shared.lock().store_for(&host)?;
        let text = store.challenge(&host)?;
        let found = ChallengeCertificate::from_pem(text, &shared.provider)?;
        Some(Arc::clone(found.certified()))
    }

    /// The answer to `GET /.well-known/acme-challenge/<token>` with this `Host` header. Never asks an application.
    #[must_use]
    pub fn http_challenge(&self, host: &str, token: &str) -> HttpChallenge {
        // The token is a secret of the order's: whoever knows it may have the answer, whatever name they came by.
        if let Some(answer) = self.shared.challenges.http_answer(token) {
            return HttpChallenge::Answer(answer);
        }
        let name = host
            .rsplit_once(':')
            .filter(|(_, port)| port.bytes().all(|byte| byte.is_ascii_digit()))
            .map_or(host, |(name, _)| name);
        let store = HostName::parse(name)
            .ok()
            .and_then(|host| self.shared.lock().store_for(&host));
        match store {
            None => HttpChallenge::HostNotAllowed,
            Some(store) => store
                .http_answer(token)
                .map_or(HttpChallenge::UnknownToken, HttpChallenge::Answer),
        }
    }

    /// Whether `host` has a certificate to be served, once whatever is under way for it has ended or `patience` is over. A name
    /// that nobody declared is loaded from the cache, or put to the application of the on-demand service. For a client that is
    /// about to shake hands, and for a deploy that wants to know.
    pub async fn prepare(&self, host: &str, patience: Duration) -> bool {
        let Ok(host) = HostName::parse(host) else {
            return false;
        };
        if self.shared.resolver.contains(&host) {
            return true;
        }
        let mut outcomes = self.shared.outcomes.subscribe();
        let settled = async {
            loop {
                outcomes.mark_unchanged();
                match self.shared.look(&host) {
                    Standing::Ready => return true,
                    Standing::Pending => {}
                    Standing::Waiting | Standing::Unknown => return false,
                }
                if outcomes.changed().await.is_err() {
                    return false;
                }
            }
        };
        tokio::time::timeout(patience, settled)
            .await
            .unwrap_or(false)
    }
}

impl Drop for Manager {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn moment(&self) -> Moment {
        Moment::from((self.now)())
    }

    /// Wakes the driver and everybody who waits.
    fn changed(&self) {
        self.wake.notify_one();
        self.outcomes
            .send_modify(|count| *count = count.wrapping_add(1));
    }

    /// The number of an authority, which is made known with its memory if it is new.
    fn authority(&self, state: &mut State, cache: &Path, directory_url: &str) -> AuthorityId {
        let store = CertStore::new(cache, directory_url);
        if let Some(id) = state.authority_at(store.folder()) {
            return id;
        }
        let issuer = (self.issuers)(directory_url, &store);
        let memory = store.memory();
        state.add_authority(Authority { store, issuer }, memory.as_deref())
    }

    /// Serves what the cache has for `host`, and plans what it lacks.
    fn cover(
        &self,
        state: &mut State,
        host: &HostName,
        authority: AuthorityId,
        demand: Demand,
        now: Moment,
    ) {
        if !state.holds(host, authority, now) {
            let found: Vec<_> = state
                .store(authority)
                .into_iter()
                .flat_map(|store| {
                    [KeyKind::Rsa, KeyKind::Ecdsa]
                        .map(|kind| store.load(host, kind, now, &self.provider))
                })
                .flatten()
                .collect();
            self.resolver.replace(host, &found);
            state.held.remove(host);
            if let Some(ecdsa) = found
                .into_iter()
                .find(|found| found.kind() == KeyKind::Ecdsa)
            {
                state.held.insert(host.clone(), (authority, ecdsa));
            }
        }
        let validity = state
            .held
            .get(host)
            .map(|(_, certificate)| certificate.validity());
        state.schedule.cover(host, authority, validity, demand, now);
    }

    /// Lets go of hosts that no service names any more.
    fn release(&self, state: &mut State, hosts: BTreeSet<HostName>) {
        let gone: Vec<HostName> = hosts
            .into_iter()
            .chain(state.orphans())
            .filter(|host| !state.is_declared(host))
            .collect();
        for host in &gone {
            state.schedule.uncover(host);
            state.held.remove(host);
            state.demanded.remove(host);
        }
        self.resolver.withdraw(&gone);
    }

    /// Where `host` stands; a name that is new is looked for and asked about.
    fn look(self: &Arc<Self>, host: &HostName) -> Standing {
        if self.resolver.contains(host) {
            return Standing::Ready;
        }
        let now = self.moment();
        let mut state = self.lock();
        let standing = state.schedule.standing(host, now);
        if standing != Standing::Unknown {
            return standing;
        }
        let Some((authority, ask)) = state.on_demand() else {
            return Standing::Unknown;
        };
        match state.gate.knock(host, now) {
            Verdict::Asking => Standing::Pending,
            Verdict::Denied => Standing::Unknown,
            Verdict::Limited => {
                drop(state);
                (self.report)(Event::OnDemandLimited { host: host.clone() });
                Standing::Unknown
            }
            Verdict::Ask => {
                drop(state);
                let asking = driver::admit(Arc::clone(self), host.clone(), authority, ask);
                self.runtime.spawn(asking);
                Standing::Pending
            }
        }
    }
}

impl fmt::Debug for Manager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Manager")
    }
}

#[cfg(test)]
mod tests;
