//! What the manager remembers: services, authorities, certificates at hand.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;

use super::coverage::Ask;
use crate::certificate::Certificate;
use crate::gate::Gate;
use crate::host_name::HostName;
use crate::issuer::Issuer;
use crate::moment::Moment;
use crate::schedule::{AuthorityId, Schedule};
use crate::store::CertStore;

/// Everything behind the manager's lock.
pub(super) struct State {
    pub(super) schedule: Schedule,
    pub(super) gate: Gate,
    pub(super) services: BTreeMap<String, Service>,
    /// The ECDSA certificates being served, and whose they are.
    pub(super) held: HashMap<HostName, (AuthorityId, Certificate)>,
    /// Hosts covered because clients asked for them.
    pub(super) demanded: HashSet<HostName>,
    authorities: Vec<Authority>,
}

/// An authority with its part of a cache.
#[derive(Clone)]
pub(super) struct Authority {
    pub(super) store: CertStore,
    pub(super) issuer: Arc<dyn Issuer>,
}

/// What a service needs.
pub(super) struct Service {
    pub(super) authority: AuthorityId,
    pub(super) hosts: BTreeSet<HostName>,
    pub(super) ask: Option<Ask>,
}

impl State {
    pub(super) fn new(schedule: Schedule, gate: Gate) -> Self {
        Self {
            schedule,
            gate,
            services: BTreeMap::new(),
            held: HashMap::new(),
            demanded: HashSet::new(),
            authorities: Vec::new(),
        }
    }

    pub(super) fn authority_at(&self, folder: &Path) -> Option<AuthorityId> {
        self.authorities
            .iter()
            .position(|authority| authority.store.folder() == folder)
            .map(AuthorityId)
    }

    pub(super) fn add_authority(
        &mut self,
        authority: Authority,
        memory: Option<&str>,
    ) -> AuthorityId {
        let id = AuthorityId(self.authorities.len());
        self.authorities.push(authority);
        self.schedule.add_authority(id, memory);
        id
    }

    pub(super) fn authority(&self, id: AuthorityId) -> Option<&Authority> {
        self.authorities.get(id.0)
    }

    pub(super) fn store(&self, id: AuthorityId) -> Option<&CertStore> {
        self.authority(id).map(|authority| &authority.store)
    }

    /// Whether a certificate of this authority is at hand that holds.
    pub(super) fn holds(&self, host: &HostName, authority: AuthorityId, now: Moment) -> bool {
        self.held.get(host).is_some_and(|(id, certificate)| {
            *id == authority && certificate.validity().contains(now)
        })
    }

    /// Whether a service names the host.
    pub(super) fn is_declared(&self, host: &HostName) -> bool {
        self.services
            .values()
            .any(|service| service.hosts.contains(host))
    }

    /// The authority and the question of the service that takes any host.
    pub(super) fn on_demand(&self) -> Option<(AuthorityId, Ask)> {
        self.services.values().find_map(|service| {
            let ask = service.ask.as_ref()?;
            Some((service.authority, Arc::clone(ask)))
        })
    }

    /// Hosts that clients asked for, when there is no service any more that takes any host, or it has another authority now.
    pub(super) fn orphans(&self) -> Vec<HostName> {
        let authority = self.on_demand().map(|(authority, _)| authority);
        self.demanded
            .iter()
            .filter(|host| authority.is_none() || self.schedule.authority_of(host) != authority)
            .cloned()
            .collect()
    }

    /// The cache in which others may have put an answer for `host`.
    pub(super) fn store_for(&self, host: &HostName) -> Option<CertStore> {
        let declared = self
            .services
            .values()
            .find(|service| service.hosts.contains(host))
            .map(|service| service.authority);
        let id = declared.or_else(|| Some(self.on_demand()?.0))?;
        self.store(id).cloned()
    }
}
