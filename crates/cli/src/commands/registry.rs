//! `registry …`

use dhow_commands::hook::Hook;
use dhow_plan::verbs::registry::{self as plan, Sides};
use dhow_run::Failed;

use crate::args::{Registry, RegistryWhere};
use crate::failed;
use crate::job::Job;

/// One of the `registry` commands; gives the exit code.
pub(super) async fn registry(job: &Job<'_>, command: &Registry) -> Result<i32, Failed> {
    let version = job.any_version();
    let local = job.config().registry.is_local();
    let refuse = |text: &str| Err(failed::error("RuntimeError", text));
    let options = match command {
        Registry::Login(_) if local => {
            return refuse(
                "Cannot use login command with a local registry. Use `kamal registry setup` instead.",
            );
        }
        Registry::Logout(_) if local => {
            return refuse(
                "Cannot use logout command with a local registry. Use `kamal registry remove` instead.",
            );
        }
        Registry::Login(options)
        | Registry::Setup(options)
        | Registry::Logout(options)
        | Registry::Remove(options) => options,
    };
    let on_hosts = !local && !options.skip_remote;
    if on_hosts {
        job.hook(Hook::PreConnect, &version, false, None).await?;
    }
    let sides = sides(options);
    let context = job.context(&version, false);
    let stages = match command {
        Registry::Setup(_) => plan::setup(&context, sides).map_err(failed::plan)?,
        Registry::Login(_) => plan::login(&context, sides).map_err(failed::plan)?,
        Registry::Logout(_) => plan::logout(&context, sides),
        Registry::Remove(_) => plan::remove(&context, sides),
    };
    let logs_in = matches!(command, Registry::Setup(_) | Registry::Login(_));
    if logs_in && !options.skip_local && !job.global.dry_run {
        crate::build::check_docker(job).await?;
    }
    job.execute_or_show(stages).await?;
    Ok(0)
}

fn sides(options: &RegistryWhere) -> Sides {
    Sides {
        skip_local: options.skip_local,
        skip_remote: options.skip_remote,
    }
}
