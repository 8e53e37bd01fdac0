//! A service as it is at one moment. It never changes: a deploy or a split makes a new one, and the routing
//! table is swapped as a whole.

use std::sync::Arc;

use dhow_proxy_api::{ListRow, RolloutState, ServiceOptions, ServiceState, TargetOptions};
use http::header::HeaderName;

use crate::balance::TargetSet;
use crate::cert_source::CertSource;
use crate::pages::ErrorPages;
use crate::pause::Gate;

/// A named routing unit.
#[derive(Clone, Debug)]
pub(crate) struct Service {
    /// Its name.
    pub(crate) name: Arc<str>,
    /// Routing, TLS and pages, normalised; TLS switches as they are in effect.
    pub(crate) options: ServiceOptions,
    /// As deployed last; the rollout slot may have others.
    pub(crate) target_options: TargetOptions,
    /// Where requests go.
    pub(crate) active: Arc<TargetSet>,
    /// Readers of the active slot, kept for the state file.
    pub(crate) readers: Vec<String>,
    /// What the state file says of the rollout slot, kept as it is.
    pub(crate) rollout: RolloutSlot,
    /// Running, paused or stopped.
    pub(crate) gate: Arc<Gate>,
    /// Custom pages.
    pub(crate) pages: Arc<ErrorPages>,
    /// Where the certificate comes from.
    pub(crate) certificate: CertSource,
    /// [`ServiceOptions::client_ip_header`], parsed.
    pub(crate) client_ip_header: Option<HeaderName>,
}

/// The rollout slot's part of the state.
#[derive(Clone, Debug, Default)]
pub(crate) struct RolloutSlot {
    /// Writers.
    pub(crate) targets: Option<Vec<String>>,
    /// Readers.
    pub(crate) readers: Option<Vec<String>>,
    /// The split.
    pub(crate) split: Option<RolloutState>,
}

impl Service {
    /// What the state file records.
    pub(crate) fn state(&self) -> ServiceState {
        ServiceState {
            name: self.name.to_string(),
            options: self.options.clone(),
            target_options: self.target_options.clone(),
            active_targets: self.active.addresses(),
            active_readers: self.readers.clone(),
            rollout_targets: self.rollout.targets.clone(),
            rollout_readers: self.rollout.readers.clone(),
            pause_controller: self.gate.state(),
            rollout_controller: self.rollout.split.clone(),
        }
    }

    /// The row `list` shows.
    pub(crate) fn row(&self) -> ListRow {
        let mut targets = self.active.addresses();
        targets.extend(self.readers.iter().cloned());
        let catch_all = self.options.hosts.iter().all(String::is_empty);
        ListRow {
            service: self.name.to_string(),
            host: if catch_all {
                "*".to_owned()
            } else {
                self.options.hosts.join(",")
            },
            path: self.options.path_prefixes.join(","),
            target: targets.join(","),
            state: self.gate.word().to_owned(),
            tls: self.options.tls_enabled,
        }
    }
}
