//! `details` and `audit`: looks that belong to no other verb.

use dhow_commands::audit;

use super::{accessory, app, proxy};
use crate::context::Context;
use crate::step::{Stage, Step, Track};

/// `details`: the proxy's containers, the app's, the accessories'.
pub fn details(context: &Context<'_>) -> Vec<Stage> {
    let mut stages = proxy::details(context);
    stages.extend(app::details(context));
    for settings in &context.config().accessories {
        stages.extend(accessory::details(context, settings));
    }
    stages
}

/// `audit`: the last fifty entries of every host.
pub fn audit(context: &Context<'_>) -> Vec<Stage> {
    let step = Step::run("reading the audit log", audit::tail(context.config())).block("App Host");
    let hosts = &context.targets.hosts;
    let tracks = hosts
        .iter()
        .map(|host| Track::new(host, None, vec![step.clone()]))
        .collect();
    vec![Stage::hosts("audit", tracks)]
}
