//! Services and tables for unit tests.

use std::collections::BTreeMap;
use std::sync::Arc;

use dhow_proxy_api::{PauseState, ServiceOptions, TargetOptions};

use crate::request::pages::ErrorPages;
use crate::services::balance::TargetSet;
use crate::services::pause::Gate;
use crate::services::rollout::RolloutSlot;
use crate::services::router::Table;
use crate::services::rules::TargetRules;
use crate::services::service::Service;
use crate::tls::cert_source::CertSource;

/// A healthy service with one target.
pub(crate) fn service(name: &str, hosts: &[&str], prefixes: &[&str]) -> Service {
    let owned = |list: &[&str]| list.iter().map(|item| (*item).to_owned()).collect();
    let mut options = ServiceOptions {
        hosts: owned(hosts),
        path_prefixes: owned(prefixes),
        tls_redirect: true,
        strip_prefix: true,
        ..ServiceOptions::default()
    };
    options.normalize();
    Service {
        name: Arc::from(name),
        options,
        target_options: TargetOptions::default(),
        active: Arc::new(
            TargetSet::new(&["web:80".to_owned()], &[], TargetRules::default(), true, 1).unwrap(),
        ),
        rollout: RolloutSlot::default(),
        gate: Arc::new(Gate::new(PauseState::default())),
        pages: Arc::new(ErrorPages::default()),
        certificate: CertSource::None,
        client_ip_header: None,
    }
}

/// A table of these services.
pub(crate) fn table_of(services: &[Service]) -> Table {
    let map: BTreeMap<_, _> = services
        .iter()
        .map(|service| (Arc::clone(&service.name), Arc::new(service.clone())))
        .collect();
    Table::new(&map)
}
