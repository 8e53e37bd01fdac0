//! `registry …`

use dhow_plan::verbs::registry::{self as plan, Sides};
use dhow_run::Failed;

use crate::args::Registry;
use crate::failed;
use crate::job::Job;

/// One of the `registry` commands; gives the exit code.
pub(super) async fn registry(job: &Job<'_>, command: &Registry) -> Result<i32, Failed> {
    let version = job.any_version();
    let context = job.context(&version, false);
    let local = job.config().registry.is_local();
    let (stages, refusal) = match command {
        Registry::Login(options) | Registry::Setup(options) => {
            let sides = Sides {
                skip_local: options.skip_local,
                skip_remote: options.skip_remote,
            };
            let refusal = "Cannot use login command with a local registry. Use `kamal registry setup` instead.";
            (plan::login(&context, sides).map_err(failed::plan)?, refusal)
        }
        Registry::Logout(options) | Registry::Remove(options) => {
            let sides = Sides {
                skip_local: options.skip_local,
                skip_remote: options.skip_remote,
            };
            let refusal = "Cannot use logout command with a local registry. Use `kamal registry remove` instead.";
            (plan::logout(&context, sides), refusal)
        }
    };
    if local && matches!(command, Registry::Login(_) | Registry::Logout(_)) {
        return Err(failed::error("RuntimeError", refusal));
    }
    if local {
        return Err(failed::error(
            "NotImplementedError",
            "this version of dhow does not run a local registry yet",
        ));
    }
    job.execute_or_show(stages).await?;
    Ok(0)
}
