//! What operators can do with services: remove, pause, stop, resume, list. Deploying and restoring have files
//! of their own. Everything runs on the control thread, one step at a time; only waiting overlaps.

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use dhow_proxy_api::{
    CONTROL_VERSION, ControlReply, ControlRequest, GoDuration, InvalidOptions, InvalidTarget,
    SocketMessage,
};
use rustls::crypto::CryptoProvider;
use tokio::sync::oneshot;

use crate::cores::plane::{Cores, Plane};
use crate::process::succession::Predecessor;
use crate::services::drain::{close_upgrades, drain, retire};
use crate::services::registry::Registry;
use crate::services::rollout_operations::rollout_key;
use crate::services::service::Service;

/// The control thread's state.
pub(crate) struct Operations {
    pub(crate) registry: RefCell<Registry>,
    pub(crate) plane: Arc<Plane>,
    pub(crate) cores: Cores,
    pub(crate) provider: Arc<CryptoProvider>,
    pub(crate) waiting: Waiting,
    /// The proxy whose place this one took; it may still hold requests.
    pub(crate) predecessor: OnceCell<Predecessor>,
}

/// Deploys that wait for health, one a service. A new deploy (or a removal) ends an older one that still waits,
/// so that one left over from a killed deployer can never switch traffic later.
#[derive(Default)]
pub(crate) struct Waiting {
    next: Cell<u64>,
    by_service: RefCell<HashMap<String, (u64, oneshot::Sender<&'static str>)>>,
}

/// Why an operation was refused or failed. The text is the line after `Error: `.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OperationError {
    /// No such service.
    #[error("service not found")]
    ServiceNotFound,
    /// Options that contradict each other.
    #[error("service options invalid: {0}")]
    Options(#[from] InvalidOptions),
    /// An address that is none.
    #[error(transparent)]
    Target(#[from] InvalidTarget),
    /// Nothing to send requests to.
    #[error("no targets given")]
    NoTargets,
    /// Not every target became healthy in time.
    #[error("target failed to become healthy within configured timeout ({timeout})")]
    Unhealthy {
        /// The deploy timeout.
        timeout: GoDuration,
        /// What the last probes found.
        probes: Vec<String>,
    },
    /// A later command made this one pointless.
    #[error("superseded by a later {0} of the same service")]
    Superseded(&'static str),
    /// A split without targets to split to.
    #[error("rollout target not set")]
    NoRollout,
    /// Another service has the host and path.
    #[error("host settings conflict with another service")]
    Conflict,
    /// Custom certificate.
    #[error("unable to load certificate")]
    Certificate(String),
    /// Custom error pages.
    #[error("unable to load error pages")]
    Pages(String),
    /// Certificates for wildcard names cannot be ordered.
    #[error("automatic TLS does not support wildcards")]
    Wildcard,
    /// The client speaks another version.
    #[error("control message of version {0}, this server speaks {CONTROL_VERSION}")]
    Version(u32),
}

impl OperationError {
    fn details(&self) -> Vec<String> {
        match self {
            Self::Unhealthy { probes, .. } => probes.clone(),
            Self::Certificate(reason) | Self::Pages(reason) => vec![reason.clone()],
            _ => Vec::new(),
        }
    }
}

impl Operations {
    /// Does what a message asks and gives the answer.
    pub(crate) async fn handle(&self, message: SocketMessage) -> ControlReply {
        if message.version != CONTROL_VERSION {
            return failed(&OperationError::Version(message.version));
        }
        if let Some(predecessor) = self.predecessor.get() {
            predecessor.pass_on(&message.request);
        }
        let outcome = match message.request {
            ControlRequest::Deploy(request) => self.deploy(*request).await,
            ControlRequest::Remove { service } => self.remove(&service),
            ControlRequest::Pause {
                service,
                drain_timeout,
                max_pause,
            } => self.pause(&service, drain_timeout, max_pause).await,
            ControlRequest::Stop {
                service,
                drain_timeout,
                message,
            } => self.stop(&service, drain_timeout, &message).await,
            ControlRequest::Resume { service } => self.resume(&service),
            ControlRequest::List => {
                return ControlReply::Services {
                    rows: self.registry.borrow().rows(),
                };
            }
            ControlRequest::RolloutDeploy(request) => self.rollout_deploy(request).await,
            ControlRequest::RolloutSet {
                service,
                percentage,
                allowlist,
            } => self.rollout_set(&service, percentage, allowlist),
            ControlRequest::RolloutStop { service } => self.rollout_stop(&service),
            // The control socket takes these for itself.
            ControlRequest::TakeOver | ControlRequest::Upgrade { .. } => {
                Err(OperationError::Version(message.version))
            }
        };
        match outcome {
            Ok(()) => ControlReply::Done,
            Err(error) => failed(&error),
        }
    }

    fn remove(&self, name: &str) -> Result<(), OperationError> {
        self.waiting.supersede(name, "remove");
        self.waiting.supersede(&rollout_key(name), "remove");
        let removed = {
            let mut registry = self.registry.borrow_mut();
            let removed = registry.remove(name);
            registry.save();
            removed
        };
        self.forget_certificates(name);
        let service = removed.ok_or(OperationError::ServiceNotFound)?;
        // Requests in flight finish undisturbed, however long they take.
        let cores = self.cores.clone();
        tokio::task::spawn_local(async move {
            let rollout = async {
                if let Some(set) = &service.rollout.set {
                    retire(set, Duration::MAX, &cores).await;
                }
            };
            tokio::join!(retire(&service.active, Duration::MAX, &cores), rollout);
        });
        Ok(())
    }

    async fn pause(
        &self,
        name: &str,
        timeout: GoDuration,
        most: GoDuration,
    ) -> Result<(), OperationError> {
        let service = self.find(name)?;
        service.gate.pause(most);
        self.plane.log.info("Service paused", &[("service", name)]);
        self.drain_closed(&service, timeout).await;
        Ok(())
    }

    async fn stop(
        &self,
        name: &str,
        timeout: GoDuration,
        message: &str,
    ) -> Result<(), OperationError> {
        let service = self.find(name)?;
        service.gate.stop(message);
        self.plane.log.info("Service stopped", &[("service", name)]);
        self.drain_closed(&service, timeout).await;
        Ok(())
    }

    fn resume(&self, name: &str) -> Result<(), OperationError> {
        self.find(name)?.gate.resume();
        self.plane.log.info("Service resumed", &[("service", name)]);
        self.registry.borrow().save();
        Ok(())
    }

    /// Drains a service whose gate is closed; opening the gate meanwhile ends the wait.
    async fn drain_closed(&self, service: &Service, timeout: GoDuration) {
        let gate = &service.gate;
        let timeout = timeout.to_std();
        let begun = tokio::time::Instant::now();
        let drained = |set| drain(set, timeout, &self.cores, || gate.is_open());
        let rollout = async {
            if let Some(set) = &service.rollout.set {
                drained(set).await;
            }
        };
        tokio::join!(drained(&service.active), rollout);
        let sets = [Some(&service.active), service.rollout.set.as_ref()];
        for set in sets.into_iter().flatten().filter(|set| set.upgraded() > 0) {
            let (set, gate, cores) = (Arc::clone(set), Arc::clone(gate), self.cores.clone());
            tokio::task::spawn_local(async move {
                close_upgrades(&set, begun, timeout, &cores, || gate.is_open()).await;
            });
        }
        self.plane
            .log
            .info("Service drained", &[("service", &service.name)]);
        self.registry.borrow().save();
    }

    pub(crate) fn find(&self, name: &str) -> Result<Arc<Service>, OperationError> {
        self.registry
            .borrow()
            .get(name)
            .ok_or(OperationError::ServiceNotFound)
    }
}

impl Waiting {
    /// Registers a deploy and ends an older one. The receiver yields what came after, if anything does.
    pub(crate) fn enter(&self, service: &str) -> (u64, oneshot::Receiver<&'static str>) {
        self.supersede(service, "deploy");
        let ticket = self.next.get();
        self.next.set(ticket + 1);
        let (sender, receiver) = oneshot::channel();
        self.by_service
            .borrow_mut()
            .insert(service.to_owned(), (ticket, sender));
        (ticket, receiver)
    }

    /// Ends the registration of a deploy that waits no more.
    pub(crate) fn leave(&self, service: &str, ticket: u64) {
        let mut waiting = self.by_service.borrow_mut();
        if waiting
            .get(service)
            .is_some_and(|(current, _)| *current == ticket)
        {
            waiting.remove(service);
        }
    }

    fn supersede(&self, service: &str, by: &'static str) {
        if let Some((_, sender)) = self.by_service.borrow_mut().remove(service) {
            let _ = sender.send(by);
        }
    }
}

fn failed(error: &OperationError) -> ControlReply {
    ControlReply::Failed {
        message: error.to_string(),
        details: error.details(),
    }
}
