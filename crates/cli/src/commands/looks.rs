//! `details`, `audit` and `prune …`: short plans without questions.

use dhow_commands::hook::Hook;
use dhow_plan::verbs::{details as plan, prune as pruning};
use dhow_run::Failed;

use crate::args::Prune;
use crate::failed;
use crate::job::Job;

/// `details`
pub(super) async fn details(job: &Job<'_>) -> Result<(), Failed> {
    let version = job.any_version();
    job.hook(Hook::PreConnect, &version, false, None).await?;
    job.execute_or_show(plan::details(&job.context(&version, false)))
        .await
}

/// `audit`
pub(super) async fn audit(job: &Job<'_>) -> Result<(), Failed> {
    let version = job.any_version();
    job.hook(Hook::PreConnect, &version, false, None).await?;
    job.execute_or_show(plan::audit(&job.context(&version, false)))
        .await
}

/// `prune …`
pub(super) async fn prune(job: &Job<'_>, command: &Prune) -> Result<(), Failed> {
    let version = job.any_version();
    let context = job.context(&version, true);
    let stages = match command {
        Prune::All => pruning::all(&context),
        Prune::Images => Ok(pruning::images(&context)),
        Prune::Containers(options) => pruning::containers(&context, options.retain),
    };
    let stages = stages.map_err(failed::plan)?;
    job.hook(Hook::PreConnect, &version, false, None).await?;
    job.locked_or_shown(&version, stages).await
}
