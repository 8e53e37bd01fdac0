//! All services, owned by the control thread. Every change makes a new routing table and puts it in force; the
//! state file follows.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use dhow_proxy_api::{ListRow, ServiceOptions, ServiceState};

use crate::cores::plane::Plane;
use crate::observe::log::Level;
use crate::services::health::Probes;
use crate::services::rollout::RolloutSlot;
use crate::services::router::Table;
use crate::services::service::Service;
use crate::services::state_file::StateFile;

/// The services and what goes with them.
pub(crate) struct Registry {
    plane: Arc<Plane>,
    file: StateFile,
    services: BTreeMap<Arc<str>, Arc<Service>>,
    probes: HashMap<Arc<str>, Probes>,
    rollout_probes: HashMap<Arc<str>, Probes>,
    /// Entries of the state file that could not be restored; kept, so that they are not lost.
    unrestored: Vec<ServiceState>,
    /// The state file has become another proxy's.
    handed_over: bool,
}

impl Registry {
    pub(crate) fn new(plane: Arc<Plane>, file: StateFile) -> Self {
        Self {
            plane,
            file,
            services: BTreeMap::new(),
            probes: HashMap::new(),
            rollout_probes: HashMap::new(),
            unrestored: Vec::new(),
            handed_over: false,
        }
    }

    /// Leaves the state file to another proxy from now on.
    pub(crate) fn hand_over(&mut self) {
        self.handed_over = true;
    }

    /// A service by name.
    pub(crate) fn get(&self, name: &str) -> Option<Arc<Service>> {
        self.services.get(name).cloned()
    }

    /// The other service that owns one of these host and path pairs.
    pub(crate) fn conflict(&self, name: &str, options: &ServiceOptions) -> Option<Arc<Service>> {
        let pairs = |options: &ServiceOptions| -> Vec<(String, String)> {
            let hosts = options.hosts.iter();
            hosts
                .flat_map(|host| {
                    options
                        .path_prefixes
                        .iter()
                        .map(move |prefix| (host.to_ascii_lowercase(), prefix.clone()))
                })
                .collect()
        };
        let wanted = pairs(options);
        self.services
            .values()
            .find(|other| {
                &*other.name != name
                    && pairs(&other.options)
                        .iter()
                        .any(|pair| wanted.contains(pair))
            })
            .cloned()
    }

    /// Puts a service in force and gives back the one it replaces. Its probes go on, those of the old one end.
    pub(crate) fn install(&mut self, service: Service, probes: Probes) -> Option<Arc<Service>> {
        let name = Arc::clone(&service.name);
        self.unrestored.retain(|state| *state.name != *name);
        let old = self.services.insert(Arc::clone(&name), Arc::new(service));
        self.publish();
        self.probes.insert(name, probes);
        old
    }

    /// Changes the rollout slot of a service and gives back the slot as it was; `None` when there is no such
    /// service. Probes of new targets take the place of the old ones'.
    pub(crate) fn change_rollout(
        &mut self,
        name: &str,
        probes: Option<Probes>,
        change: impl FnOnce(&mut RolloutSlot),
    ) -> Option<RolloutSlot> {
        let service = self.services.get_mut(name)?;
        let before = service.rollout.clone();
        change(&mut Arc::make_mut(service).rollout);
        let name = Arc::clone(&service.name);
        self.publish();
        if let Some(probes) = probes {
            self.rollout_probes.insert(name, probes);
        }
        Some(before)
    }

    /// Takes a service out of force.
    pub(crate) fn remove(&mut self, name: &str) -> Option<Arc<Service>> {
        let removed = self.services.remove(name);
        self.unrestored.retain(|state| state.name != name);
        self.publish();
        self.probes.remove(name);
        self.rollout_probes.remove(name);
        removed
    }

    /// Keeps the state of a service that cannot run now.
    pub(crate) fn keep_unrestored(&mut self, state: ServiceState) {
        self.unrestored.push(state);
    }

    /// Rows for `list`.
    pub(crate) fn rows(&self) -> Vec<ListRow> {
        self.services
            .values()
            .map(|service| service.row())
            .collect()
    }

    /// The state file.
    pub(crate) fn file(&self) -> &StateFile {
        &self.file
    }

    /// Writes the state file. A failure is logged; the change stays in force.
    pub(crate) fn save(&self) {
        if self.handed_over {
            return;
        }
        let mut states: Vec<_> = self
            .services
            .values()
            .map(|service| service.state())
            .collect();
        states.extend(self.unrestored.iter().cloned());
        let path = self.file.shown();
        match self.file.write(&states) {
            Ok(()) => {
                if let Some(line) = self.plane.log.line(Level::Debug, "Saved state") {
                    line.text("path", &path).send();
                }
            }
            Err(error) => {
                let error = error.to_string();
                self.plane.log.error(
                    "Unable to save state",
                    &[("error", &error), ("path", &path)],
                );
            }
        }
    }

    fn publish(&mut self) {
        let table = Table::new(&self.services);
        // TLS switches may have been inherited; the effective values are what is listed and saved.
        for service in table.services() {
            self.services
                .insert(Arc::clone(&service.name), Arc::clone(service));
        }
        self.plane.publish(table);
    }
}
