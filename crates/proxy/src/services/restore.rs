//! Restoring services from the state file at start. What can serve serves at once, without waiting for health;
//! a part that is missing (a certificate, a folder of pages) costs that part, not the service.

use std::path::Path;
use std::sync::Arc;

use dhow_proxy_api::{ServiceState, StateEntry};

use crate::request::pages::ErrorPages;
use crate::services::balance::TargetSet;
use crate::services::deploy::client_ip_header;
use crate::services::health::Probes;
use crate::services::operations::Operations;
use crate::services::pause::Gate;
use crate::services::rollout::RolloutSlot;
use crate::services::rules::TargetRules;
use crate::services::service::Service;
use crate::tls::cert_source::CertSource;

impl Operations {
    /// Restores everything the state file has.
    pub(crate) fn restore(&self) {
        let log = &self.plane.log;
        let (entries, path) = {
            let registry = self.registry.borrow();
            let file = registry.file();
            let path = file.shown();
            match file.read() {
                Ok(Some(entries)) => (entries, path),
                Ok(None) => {
                    log.info("No previous state to restore", &[("path", &path)]);
                    return;
                }
                Err(error) => {
                    let error = error.to_string();
                    log.error(
                        "Failed to decode saved state",
                        &[("error", &error), ("path", &path)],
                    );
                    if let Ok(aside) = file.set_aside() {
                        let aside = aside.display().to_string();
                        log.warn("Kept the damaged state aside", &[("path", &aside)]);
                    }
                    return;
                }
            }
        };
        for entry in entries {
            match entry {
                StateEntry::Service(state) => self.restore_service(*state),
                StateEntry::Damaged { index, reason } => {
                    let index = index.to_string();
                    log.warn(
                        "Skipped a damaged state entry",
                        &[("index", &index), ("error", &reason)],
                    );
                }
            }
        }
        log.info("Restored saved state", &[("path", &path)]);
    }

    fn restore_service(&self, state: ServiceState) {
        let log = &self.plane.log;
        let rules = TargetRules::new(state.target_options.clone());
        let set = match TargetSet::new(
            &state.active_targets,
            &state.active_readers,
            rules.clone(),
            true,
            self.plane.cores,
        ) {
            Ok(set) => Arc::new(set),
            Err(error) => {
                let error = error.to_string();
                log.error(
                    "Failed to restore service",
                    &[("service", &state.name), ("error", &error)],
                );
                self.registry.borrow_mut().keep_unrestored(state);
                return;
            }
        };
        if let Some(owner) = self.registry.borrow().conflict(&state.name, &state.options) {
            log.error(
                "Host settings conflict with another service",
                &[("service", &owner.name)],
            );
            self.registry.borrow_mut().keep_unrestored(state);
            return;
        }
        let certificate =
            CertSource::load(&state.options, &self.provider).unwrap_or_else(|error| {
                let error = error.to_string();
                log.error(
                    "Error loading TLS certificate",
                    &[("service", &state.name), ("error", &error)],
                );
                CertSource::None
            });
        let pages_path = &state.options.error_page_path;
        let pages = match ErrorPages::load(Path::new(pages_path)) {
            _ if pages_path.is_empty() => ErrorPages::default(),
            Ok(pages) => pages,
            Err(error) => {
                let error = error.to_string();
                let attributes = [
                    ("service", state.name.as_str()),
                    ("path", pages_path),
                    ("error", &error),
                ];
                log.error("Unable to parse custom error pages", &attributes);
                ErrorPages::default()
            }
        };
        let rollout = self.rollout_targets(&state, rules);
        let rollout_probes = rollout
            .as_ref()
            .map(|set| Probes::start(Arc::clone(set), log));
        let probes = Probes::start(Arc::clone(&set), log);
        let service = Service {
            name: Arc::from(state.name.as_str()),
            client_ip_header: client_ip_header(&state.options),
            options: state.options,
            target_options: state.target_options,
            active: set,
            rollout: RolloutSlot {
                set: rollout,
                split: state.rollout_controller,
            },
            gate: Arc::new(Gate::new(state.pause_controller)),
            pages: Arc::new(pages),
            certificate,
        };
        self.certify(&service, false);
        let mut registry = self.registry.borrow_mut();
        let name = Arc::clone(&service.name);
        registry.install(service, probes);
        if rollout_probes.is_some() {
            registry.change_rollout(&name, rollout_probes, |_| {});
        }
    }

    /// Targets of the rollout slot; a list that cannot be read costs the rollout, not the service.
    fn rollout_targets(&self, state: &ServiceState, rules: TargetRules) -> Option<Arc<TargetSet>> {
        let writers = state
            .rollout_targets
            .as_deref()
            .filter(|list| !list.is_empty())?;
        let readers = state.rollout_readers.as_deref().unwrap_or_default();
        match TargetSet::new(writers, readers, rules, true, self.plane.cores) {
            Ok(set) => Some(Arc::new(set)),
            Err(error) => {
                let error = error.to_string();
                self.plane.log.error(
                    "Failed to restore the rollout",
                    &[("service", &state.name), ("error", &error)],
                );
                None
            }
        }
    }
}
