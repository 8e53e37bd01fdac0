//! A service as it is at one moment. It never changes: a deploy or a split makes a new one, and the routing
//! table is swapped as a whole.

use std::sync::Arc;

use dhow_proxy_api::{ListRow, ServiceOptions, ServiceState, TargetOptions};
use http::header::HeaderName;

use crate::request::pages::ErrorPages;
use crate::services::balance::TargetSet;
use crate::services::pause::Gate;
use crate::services::rollout::RolloutSlot;
use crate::tls::cert_source::CertSource;

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
    /// Where some of them go instead.
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

impl Service {
    /// What the state file records.
    pub(crate) fn state(&self) -> ServiceState {
        ServiceState {
            name: self.name.to_string(),
            options: self.options.clone(),
            target_options: self.target_options.clone(),
            active_targets: self.active.writers(),
            active_readers: self.active.readers(),
            rollout_targets: self.rollout.set.as_ref().map(|set| set.writers()),
            rollout_readers: self.rollout.set.as_ref().map(|set| set.readers()),
            pause_controller: self.gate.state(),
            rollout_controller: self.rollout.split.clone(),
        }
    }

    /// The row `list` shows.
    pub(crate) fn row(&self) -> ListRow {
        let mut targets = self.active.writers();
        targets.extend(self.active.readers());
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
