//! `upgrade`: from Kamal 1.x, where Traefik held the ports, to the proxy of 2.x.
//!
//! The parts are boots and reboots like any other; what is new is that Traefik goes before, and the words around each group of hosts.

use dhow_commands::audit::Entry;
use dhow_commands::proxy as words;
use dhow_config::Accessory;

use super::accessory::{self, LocalFile};
use super::boot::{self, ErrorPage};
use super::proxy::{self, ProxyArchive};
use super::prune;
use crate::context::{Context, Facts, PlanError};
use crate::step::{Stage, Step, Track};

/// What [`proxy`] and [`all`] need besides facts.
#[derive(Clone, Copy, Debug)]
pub struct UpgradeOptions<'u> {
    /// Host by host.
    pub rolling: bool,
    /// `error_pages_path`, read.
    pub pages: &'u [ErrorPage],
    /// dhow's proxy.
    pub archive: Option<&'u ProxyArchive>,
    /// Accessories with their files, for [`all`].
    pub accessories: &'u [(&'u Accessory, Vec<LocalFile>)],
}

/// `proxy upgrade`: Traefik and any proxy go, then proxy and app are booted in the version of the context, the latest. `facts` are
/// what was seen before.
pub fn proxy(
    context: &Context<'_>,
    facts: &Facts,
    options: UpgradeOptions<'_>,
) -> Result<Vec<Stage>, PlanError> {
    let facts = without_proxy(facts);
    let hosts = &context.targets.hosts;
    let size = if options.rolling {
        1
    } else {
        hosts.len().max(1)
    };
    let mut stages = Vec::new();
    for group in hosts.chunks(size) {
        let list = group.join(",");
        let narrowed = context.narrowed(group);
        stages.push(said(format!("Upgrading proxy on {list}...")));
        stages.extend(context.hook("pre-proxy-reboot", Some(group)));
        stages.push(clear(context, group));
        stages.extend(proxy::boot(&narrowed, &facts, options.archive)?);
        if !narrowed.targets.app_hosts().is_empty() {
            stages.extend(boot::boot(&narrowed, &facts, options.pages)?);
        }
        stages.extend(prune::all(&narrowed)?);
        stages.extend(context.hook("post-proxy-reboot", Some(group)));
        stages.push(said(format!("Upgraded proxy on {list}")));
    }
    Ok(stages)
}

/// `accessory upgrade`: each of `accessories` rebooted into the network of 2.x. `name` is what was asked for, a name or `all`.
pub fn accessory(
    context: &Context<'_>,
    name: &str,
    accessories: &[(&Accessory, Vec<LocalFile>)],
    rolling: bool,
) -> Result<Vec<Stage>, PlanError> {
    let hosts = context.targets.accessory_hosts();
    let size = if rolling { 1 } else { hosts.len().max(1) };
    let mut stages = Vec::new();
    for group in hosts.chunks(size) {
        let list = group.join(",");
        let narrowed = context.narrowed(group);
        stages.push(said(format!("Upgrading {name} accessories on {list}...")));
        for (accessory, files) in accessories {
            stages.extend(accessory::reboot(&narrowed, accessory, files)?);
        }
        stages.push(said(format!("Upgraded {name} accessories on {list}...")));
    }
    Ok(stages)
}

/// `upgrade`: proxy, app and accessories; all hosts together, or one host after the other.
pub fn all(
    context: &Context<'_>,
    facts: &Facts,
    options: UpgradeOptions<'_>,
) -> Result<Vec<Stage>, PlanError> {
    let at_once = UpgradeOptions {
        rolling: false,
        ..options
    };
    if !options.rolling {
        let mut stages = vec![said("Upgrading all hosts...".to_owned())];
        stages.extend(proxy(context, facts, at_once)?);
        stages.extend(accessory(context, "all", options.accessories, false)?);
        stages.push(said("Upgraded all hosts".to_owned()));
        return Ok(stages);
    }
    let mut stages = Vec::new();
    for host in &context.targets.hosts {
        let narrowed = context.narrowed(&[host]);
        stages.push(said(format!("Upgrading {host}...")));
        if !narrowed.targets.app_hosts().is_empty() {
            stages.extend(proxy(&narrowed, facts, at_once)?);
        }
        stages.extend(accessory(&narrowed, "all", options.accessories, false)?);
        stages.push(said(format!("Upgraded {host}")));
    }
    Ok(stages)
}

fn clear(context: &Context<'_>, hosts: &[&str]) -> Stage {
    let steps = vec![
        context.audit(&Entry::RebootedProxy, None),
        Step::run("removing Traefik", words::remove_traefik()),
        Step::run("stopping the proxy", words::stop_container()).tolerated(),
        Step::run("removing the proxy's container", words::remove_container()),
        Step::run("removing the proxy's image", words::remove_image()),
    ];
    let tracks = hosts
        .iter()
        .map(|host| Track::new(host, None, steps.clone()));
    Stage::hosts("clear", tracks.collect())
}

/// What will be there once [`clear`] is done: neither the proxy nor its image.
fn without_proxy(facts: &Facts) -> Facts {
    let own = proxy::dhow_image();
    let mut facts = facts.clone();
    for seen in facts.values_mut() {
        seen.proxy = None;
        seen.images.retain(|image| !image.tags.contains(&own));
    }
    facts
}

/// Words alone.
fn said(text: String) -> Stage {
    Stage::local("upgrade", Vec::new()).saying(text)
}
