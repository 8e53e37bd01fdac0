//! `remove`: everything that dhow put on the hosts.

use super::registry::{self, Sides};
use super::{accessory, app, proxy};
use crate::context::{Context, Facts};
use crate::step::Stage;

/// App, then the proxy unless other apps use it (`apps_elsewhere`), accessories, and the registry session.
pub fn remove(context: &Context<'_>, facts: &Facts, apps_elsewhere: bool) -> Vec<Stage> {
    let mut stages = app::remove(context, facts);
    stages.extend(after_app(context, apps_elsewhere));
    stages
}

/// What follows once the app itself is gone.
pub fn after_app(context: &Context<'_>, apps_elsewhere: bool) -> Vec<Stage> {
    let mut stages = Vec::new();
    if !apps_elsewhere {
        stages.extend(proxy::remove(context));
    }
    for settings in &context.config().accessories {
        stages.extend(accessory::remove(context, settings));
    }
    let hosts_only = Sides {
        skip_local: true,
        skip_remote: false,
    };
    stages.extend(registry::remove(context, hosts_only));
    stages
}
