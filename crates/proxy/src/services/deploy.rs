//! A deploy: check, prepare everything that can fail, wait for health, switch in one step, drain what was
//! there before. Until the switch nothing has changed for anybody.

use std::path::Path;
use std::sync::Arc;

use dhow_proxy_api::{DeployRequest, GoDuration, PauseState, ServiceOptions};
use http::header::HeaderName;

use crate::observe::log::Level;
use crate::request::pages::ErrorPages;
use crate::services::balance::TargetSet;
use crate::services::drain::retire;
use crate::services::health::Probes;
use crate::services::operations::{OperationError, Operations};
use crate::services::pause::Gate;
use crate::services::rollout::RolloutSlot;
use crate::services::rules::TargetRules;
use crate::services::service::Service;
use crate::tls::cert_source::CertSource;
use crate::tls::on_demand::question;

impl Operations {
    /// Deploys; returns after the old targets are drained.
    ///
    /// # Errors
    /// What was wrong. The service is as it was then.
    pub(crate) async fn deploy(&self, mut request: DeployRequest) -> Result<(), OperationError> {
        request.options.normalize();
        request.options.validate()?;
        if request.targets.is_empty() {
            return Err(OperationError::NoTargets);
        }
        let rules = TargetRules::new(request.target_options.clone());
        let cores = self.plane.cores;
        let set = Arc::new(TargetSet::new(
            &request.targets,
            &request.read_targets,
            rules,
            false,
            cores,
        )?);
        let certificate = self.certificate(&request.options)?;
        let pages = self.pages(&request)?;

        self.announce("Deploying", &request);
        let probes = Probes::start(Arc::clone(&set), &self.plane.log);
        self.wait_for_health(
            &request.service,
            (!request.force).then_some(request.deploy_timeout),
            &probes,
        )
        .await?;

        let drain_timeout = request.drain_timeout.to_std();
        let old = self.switch(request, set, probes, certificate, pages)?;
        if let Some(old) = old {
            retire(&old.active, drain_timeout, &self.cores).await;
        }
        Ok(())
    }

    /// Waits until all targets are healthy, unless there is no time limit: then nobody waits. `key` says which
    /// of several waiting deploys replace each other.
    pub(crate) async fn wait_for_health(
        &self,
        key: &str,
        limit: Option<GoDuration>,
        probes: &Probes,
    ) -> Result<(), OperationError> {
        let (ticket, superseded) = self.waiting.enter(key);
        let Some(timeout) = limit else {
            self.waiting.leave(key, ticket);
            return Ok(());
        };
        let outcome = tokio::select! {
            biased;
            by = superseded => Err(OperationError::Superseded(by.unwrap_or("command"))),
            healthy = tokio::time::timeout(timeout.to_std(), probes.all_healthy()) => {
                healthy.map_err(|_| OperationError::Unhealthy {
                    timeout,
                    probes: probes.explain(),
                })
            }
        };
        self.waiting.leave(key, ticket);
        outcome
    }

    /// Puts the new targets in force. There is no waiting in here, so nothing comes in between.
    fn switch(
        &self,
        request: DeployRequest,
        set: Arc<TargetSet>,
        probes: Probes,
        certificate: CertSource,
        pages: ErrorPages,
    ) -> Result<Option<Arc<Service>>, OperationError> {
        let mut registry = self.registry.borrow_mut();
        if let Some(owner) = registry.conflict(&request.service, &request.options) {
            self.plane.log.error(
                "Host settings conflict with another service",
                &[("service", &owner.name)],
            );
            return Err(OperationError::Conflict);
        }
        self.announce("Deployed", &request);
        let before = registry.get(&request.service);
        let service = Service {
            name: Arc::from(request.service.as_str()),
            client_ip_header: client_ip_header(&request.options),
            options: request.options,
            target_options: request.target_options,
            active: set,
            rollout: before
                .as_ref()
                .map_or_else(RolloutSlot::default, |old| old.rollout.clone()),
            gate: before.as_ref().map_or_else(
                || Arc::new(Gate::new(PauseState::default())),
                |old| Arc::clone(&old.gate),
            ),
            pages: Arc::new(pages),
            certificate,
        };
        let name = Arc::clone(&service.name);
        let automatic = matches!(service.certificate, CertSource::Automatic);
        // What the cache has is at hand before clients ask for it, and what nobody needs goes after.
        self.certify(&service, true);
        let old = registry.install(service, probes);
        if !automatic {
            self.forget_certificates(&name);
        }
        registry.save();
        Ok(old)
    }

    fn certificate(&self, options: &ServiceOptions) -> Result<CertSource, OperationError> {
        let source = CertSource::load(options, &self.provider).map_err(|error| {
            let reason = error.to_string();
            self.plane
                .log
                .error("Error loading TLS certificate", &[("error", &reason)]);
            OperationError::Certificate(reason)
        })?;
        let wildcard = options.hosts.iter().any(|host| host.contains('*'));
        if matches!(source, CertSource::Automatic) && wildcard {
            return Err(OperationError::Wildcard);
        }
        Ok(source)
    }

    /// Has the certificates of a service that comes into force ordered, renewed, or read again when they change.
    pub(crate) fn certify(&self, service: &Service, deployed: bool) {
        let plane = &self.plane;
        service.certificate.keep_fresh(&service.name, &plane.log);
        if let Some(certificates) = &plane.certificates {
            let question = question(service, plane, certificates.fetcher());
            certificates.cover(service, question, deployed);
        }
    }

    /// A service needs no automatic certificates any more.
    pub(crate) fn forget_certificates(&self, service: &str) {
        if let Some(certificates) = &self.plane.certificates {
            certificates.forget(service);
        }
    }

    fn pages(&self, request: &DeployRequest) -> Result<ErrorPages, OperationError> {
        let path = &request.options.error_page_path;
        if path.is_empty() {
            return Ok(ErrorPages::default());
        }
        ErrorPages::load(Path::new(path)).map_err(|error| {
            let reason = error.to_string();
            let attributes = [
                ("service", request.service.as_str()),
                ("path", path.as_str()),
                ("error", &reason),
            ];
            self.plane
                .log
                .error("Unable to parse custom error pages", &attributes);
            OperationError::Pages(reason)
        })
    }

    fn announce(&self, message: &str, request: &DeployRequest) {
        if let Some(line) = self.plane.log.line(Level::Info, message) {
            line.text("service", &request.service)
                .list("targets", &request.targets)
                .list("hosts", &request.options.hosts)
                .list("paths", &request.options.path_prefixes)
                .bool("tls", request.options.tls_enabled)
                .send();
        }
    }
}

/// The header that carries the client's address; a name that cannot be one matches nothing.
pub(crate) fn client_ip_header(options: &ServiceOptions) -> Option<HeaderName> {
    HeaderName::from_bytes(options.client_ip_header.as_bytes()).ok()
}
