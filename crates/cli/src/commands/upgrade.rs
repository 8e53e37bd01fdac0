//! `upgrade`, and the upgrades of proxy and accessories alone: from Kamal 1.x to 2.x.

use dhow_commands::hook::Hook;
use dhow_config::Accessory;
use dhow_plan::verbs::accessory::LocalFile;
use dhow_plan::verbs::proxy as proxies;
use dhow_plan::verbs::upgrade::{self as plan, UpgradeOptions};
use dhow_plan::{Context, Facts, Plan, PlanError, Stage};
use dhow_run::Failed;

use super::{accessory, deploy};
use crate::args::Upgrade;
use crate::failed;
use crate::job::Job;
use crate::prompt;

type Planned = Result<Vec<Stage>, PlanError>;

/// Everything, after asking.
pub(super) async fn upgrade(job: &Job<'_>, options: &Upgrade) -> Result<(), Failed> {
    let question = "This will replace Traefik with kamal-proxy and restart all accessories";
    if !prompt::confirmed(job, options.confirmed, question).await {
        return Ok(());
    }
    let version = job.config().latest_tag();
    job.hook(Hook::PreConnect, &version, false, None).await?;
    let accessories = accessory::with_files(job, &job.config().accessories)?;
    run(job, options.rolling, &accessories, plan::all).await
}

/// `proxy upgrade`, once it was confirmed.
pub(super) async fn proxy(job: &Job<'_>, rolling: bool) -> Result<(), Failed> {
    run(job, rolling, &[], plan::proxy).await
}

/// Looks, plans with what was seen, and runs that under the lock.
async fn run(
    job: &Job<'_>,
    rolling: bool,
    accessories: &[(&Accessory, Vec<LocalFile>)],
    plan: impl Fn(&Context<'_>, &Facts, UpgradeOptions<'_>) -> Planned,
) -> Result<(), Failed> {
    // What runs is what was deployed last, whatever the work tree holds.
    let version = job.config().latest_tag();
    let own = proxies::dhow_image();
    let images = [own.as_str()];
    let look = job.look(&job.targets.hosts, &images, false);
    let stages = |facts: &Facts, locked: bool| {
        let context = job.context(&version, locked);
        let archive = deploy::archive(job, facts, &proxies::own_hosts(&context))?;
        let pages = deploy::error_pages(job)?;
        let options = UpgradeOptions {
            rolling,
            pages: &pages,
            archive: archive.as_ref(),
            accessories,
        };
        plan(&context, facts, options).map_err(failed::plan)
    };
    if job.global.dry_run {
        let facts = look.await?;
        let stages = stages(&facts, false)?;
        job.show(&Plan { stages });
        return Ok(());
    }
    let (held, facts) = job.lock_and_look(&version, look).await?;
    let work = async { job.execute(stages(&facts, true)?).await.map(|_| ()) };
    let result = job.guarded(&held, work).await;
    job.unlock(held).await;
    result
}
