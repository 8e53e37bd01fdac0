//! What operators do with a rollout: deploy targets into the slot, send part of the clients there, stop that.

use std::sync::Arc;

use dhow_proxy_api::RolloutDeployRequest;

use crate::observe::log::Level;
use crate::services::balance::TargetSet;
use crate::services::drain::retire;
use crate::services::health::Probes;
use crate::services::operations::{OperationError, Operations};
use crate::services::rollout::split;
use crate::services::rules::TargetRules;

impl Operations {
    /// Puts targets into the rollout slot, with the options of the last deploy; returns after those that were
    /// there before are drained. Who gets them is decided by the split alone.
    ///
    /// # Errors
    /// What was wrong. The slot is as it was then.
    pub(crate) async fn rollout_deploy(
        &self,
        request: RolloutDeployRequest,
    ) -> Result<(), OperationError> {
        let service = self.find(&request.service)?;
        if request.targets.is_empty() {
            return Err(OperationError::NoTargets);
        }
        let set = Arc::new(TargetSet::new(
            &request.targets,
            &request.read_targets,
            TargetRules::new(service.target_options.clone()),
            false,
            self.plane.cores,
        )?);
        self.announce_rollout("Deploying for rollout", &request);
        let probes = Probes::start(Arc::clone(&set), &self.plane.log);
        let key = rollout_key(&request.service);
        self.wait_for_health(&key, Some(request.deploy_timeout), &probes)
            .await?;
        let before = {
            let mut registry = self.registry.borrow_mut();
            let before = registry
                .change_rollout(&request.service, Some(probes), |slot| slot.set = Some(set))
                .ok_or(OperationError::ServiceNotFound)?;
            registry.save();
            before
        };
        self.announce_rollout("Deployed for rollout", &request);
        if let Some(old) = before.set {
            retire(&old, request.drain_timeout.to_std(), &self.cores).await;
        }
        Ok(())
    }

    /// Decides who gets the rollout's targets; what is left out is nobody.
    ///
    /// # Errors
    /// An unknown service, or one without targets in the slot.
    pub(crate) fn rollout_set(
        &self,
        name: &str,
        percentage: i64,
        allowlist: Vec<String>,
    ) -> Result<(), OperationError> {
        if self.find(name)?.rollout.set.is_none() {
            return Err(OperationError::NoRollout);
        }
        if let Some(line) = self.plane.log.line(Level::Info, "Set rollout split") {
            line.text("service", name)
                .int("percentage", percentage)
                .list("allowlist", &allowlist)
                .send();
        }
        let mut registry = self.registry.borrow_mut();
        registry.change_rollout(name, None, |slot| {
            slot.split = Some(split(percentage, allowlist));
        });
        registry.save();
        Ok(())
    }

    /// Sends everybody to the active targets again; those of the rollout stay ready.
    ///
    /// # Errors
    /// An unknown service.
    pub(crate) fn rollout_stop(&self, name: &str) -> Result<(), OperationError> {
        let mut registry = self.registry.borrow_mut();
        registry
            .change_rollout(name, None, |slot| slot.split = None)
            .ok_or(OperationError::ServiceNotFound)?;
        registry.save();
        self.plane.log.info("Stopped rollout", &[("service", name)]);
        Ok(())
    }

    fn announce_rollout(&self, message: &str, request: &RolloutDeployRequest) {
        if let Some(line) = self.plane.log.line(Level::Info, message) {
            line.text("service", &request.service)
                .list("targets", &request.targets)
                .send();
        }
    }
}

/// Under which a rollout's deploy waits for health, apart from ordinary deploys of the service.
pub(crate) fn rollout_key(service: &str) -> String {
    format!("{service} (rollout)")
}
