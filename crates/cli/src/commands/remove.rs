//! `remove`

use dhow_commands::hook::Hook;
use dhow_plan::verbs::remove as plan;
use dhow_run::Failed;

use super::proxy::other_apps;
use crate::job::Job;
use crate::prompt;

/// Everything that dhow put on the hosts, after asking.
pub(super) async fn remove(job: &Job<'_>, confirmed: bool) -> Result<(), Failed> {
    let version = job.any_version();
    let hosts = &job.targets.hosts;
    if job.global.dry_run {
        let facts = job.look(hosts, &[], false).await?;
        job.show(&dhow_plan::Plan {
            stages: plan::remove(&job.context(&version, false), &facts, false),
        });
        return Ok(());
    }
    if !prompt::confirmed(
        job,
        confirmed,
        "This will remove all containers and images. Are you sure?",
    )
    .await
    {
        return Ok(());
    }
    job.hook(Hook::PreConnect, &version, false, None).await?;
    let (held, facts) = job
        .lock_and_look(&version, job.look(hosts, &[], false))
        .await?;
    let work = async {
        let context = job.context(&version, true);
        job.execute(dhow_plan::verbs::app::remove(&context, &facts))
            .await?;
        let shared = other_apps(job, &version).await?;
        if shared {
            job.say("Not removing the proxy, as other apps are installed, ignore this check with kamal proxy remove --force");
        }
        job.execute(plan::after_app(&context, shared))
            .await
            .map(|_| ())
    };
    let result = job.guarded(&held, work).await;
    job.unlock(held).await;
    result
}
