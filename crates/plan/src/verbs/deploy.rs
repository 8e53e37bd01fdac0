//! `deploy` and `redeploy`: the image everywhere, the proxy where it is needed, new containers for old ones, then tidying up.
//!
//! Kamal's order, in fewer exchanges: what needs no barrier between hosts goes together, and a hook that is not there costs nothing.

use super::boot::{self, ErrorPage, seen};
use super::proxy::{self, ProxyArchive};
use super::{prune, pull};
use crate::context::{Context, Facts, PlanError};
use crate::step::{Plan, Stage, Track};

/// What distinguishes the verbs.
#[derive(Clone, Copy, Debug)]
pub struct DeployOptions<'d> {
    /// `redeploy`: no look at the proxy, no pruning.
    pub redeploy: bool,
    /// Whether hosts pull the image; not if it was delivered to them.
    pub pull: bool,
    /// What boots accessories, in `setup`; after the proxy, before the app.
    pub accessories: &'d [Stage],
    /// `error_pages_path`, read.
    pub pages: &'d [ErrorPage],
    /// dhow's proxy, for hosts that lack it.
    pub archive: Option<&'d ProxyArchive>,
}

/// Everything between taking the lock and giving it back.
pub fn deploy(
    context: &Context<'_>,
    facts: &Facts,
    options: DeployOptions<'_>,
) -> Result<Plan, PlanError> {
    let mut stages: Vec<Stage> = Vec::new();
    if options.pull {
        stages.extend(pull::pull(context, facts)?);
    }
    stages.extend(context.hook("pre-deploy", None));
    if !options.redeploy {
        let proxy = proxy::boot(context, facts, options.archive)?;
        stages.extend(
            proxy
                .into_iter()
                .map(|s| s.saying("Ensure kamal-proxy is running...")),
        );
    }
    stages.extend(options.accessories.iter().cloned());
    stages.push(Stage::hosts(
        "assets",
        boot::prepare(context, facts, options.pages)?,
    ));
    let mut groups = boot::groups(context, facts)?;
    if let Some(first) = groups.first_mut() {
        first.say = Some(format!(
            "Start container with version {} (or reboot if already running)...",
            context.version
        ));
    }
    stages.extend(groups);
    let mut last = Stage::hosts("finish", finish(context, facts, options)?);
    if !options.redeploy {
        last = last.saying("Prune old containers and images...");
    }
    stages.push(last);
    Ok(Plan {
        stages: joined(stages),
    })
}

/// Tag and prune, in one go: neither may happen before every group has booted.
fn finish(
    context: &Context<'_>,
    facts: &Facts,
    options: DeployOptions<'_>,
) -> Result<Vec<Track>, PlanError> {
    let app = context.targets.app_hosts();
    let mut tracks = Vec::new();
    for host in &context.targets.hosts {
        let mut steps = Vec::new();
        if app.contains(host) {
            steps.extend(boot::tag_steps(context));
        }
        if !options.redeploy {
            steps.extend(prune::after_deploy(context, seen(facts, host), host)?);
        }
        tracks.push(Track::new(host, None, steps));
    }
    Ok(tracks)
}

/// Joins neighbouring stages on hosts that prepare: a pull and the look at the proxy need no barrier in between. Stages whose
/// tracks have gates or belong to a role stay as they are, and empty ones go.
fn joined(stages: Vec<Stage>) -> Vec<Stage> {
    use crate::step::Work;
    let mut joined: Vec<Stage> = Vec::new();
    // What a stage says is said even if there is nothing to do.
    let mut unsaid = None;
    for mut stage in stages {
        stage.say = both(unsaid.take(), stage.say);
        if let Work::Hosts { tracks, .. } = &mut stage.work {
            tracks.retain(|track| !track.steps.is_empty());
            if tracks.is_empty() {
                unsaid = stage.say;
                continue;
            }
        }
        let preparing = |stage: &Stage| ["pull", "proxy", "assets"].contains(&stage.name.as_str());
        match joined.last_mut() {
            Some(last) if preparing(last) && preparing(&stage) => append(last, stage),
            _ => joined.push(stage),
        }
    }
    joined
}

fn append(onto: &mut Stage, stage: Stage) {
    use crate::step::Work;
    onto.name = "prepare".to_owned();
    onto.say = both(onto.say.take(), stage.say);
    let (Work::Hosts { tracks, .. }, Work::Hosts { tracks: more, .. }) =
        (&mut onto.work, stage.work)
    else {
        return;
    };
    for track in more {
        match tracks.iter_mut().find(|t| t.host == track.host) {
            Some(first) => {
                first.steps.extend(track.steps);
                first.on_failure.extend(track.on_failure);
            }
            None => tracks.push(track),
        }
    }
}

fn both(first: Option<String>, second: Option<String>) -> Option<String> {
    match (first, second) {
        (Some(first), Some(second)) => Some(format!("{first}\n{second}")),
        (first, second) => first.or(second),
    }
}

/// Hosts that a deploy would load dhow's proxy onto.
pub fn lacking_proxy<'h>(context: &Context<'h>, facts: &Facts) -> Vec<&'h str> {
    let hosts = context.targets.proxy_hosts();
    hosts
        .into_iter()
        .filter(|host| proxy::needs_archive(context, facts, host))
        .collect()
}

/// Machine types of hosts, as their kernels name them.
pub fn machines(facts: &Facts, hosts: &[&str]) -> Vec<String> {
    let mut machines: Vec<String> = hosts
        .iter()
        .map(|h| seen(facts, h).machine.clone())
        .collect();
    machines.sort();
    machines.dedup();
    machines
}
