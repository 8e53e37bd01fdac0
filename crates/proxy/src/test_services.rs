//! Services and tables for unit tests.

use std::collections::BTreeMap;
use std::sync::Arc;

use dhow_proxy_api::{PauseState, ServiceOptions, TargetOptions};

use crate::balance::TargetSet;
use crate::cert_source::CertSource;
use crate::pages::ErrorPages;
use crate::pause::Gate;
use crate::rollout::RolloutSlot;
use crate::router::Table;
use crate::rules::TargetRules;
use crate::service::Service;

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
