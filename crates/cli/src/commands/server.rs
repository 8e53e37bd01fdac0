//! `server …`

use dhow_commands::hook::Hook;
use dhow_plan::verbs::server as plan;
use dhow_run::Failed;
use dhow_text::shell::Cmd;

use crate::args::Server;
use crate::job::Job;
use crate::terminal;

/// One of the `server` commands; gives the exit code.
pub(super) async fn server(job: &Job<'_>, command: &Server) -> Result<i32, Failed> {
    let version = job.any_version();
    match command {
        Server::Bootstrap => {
            let stages = plan::bootstrap(&job.context(&version, true));
            if job.global.dry_run {
                job.execute_or_show(stages).await?;
                return Ok(0);
            }
            job.hook(Hook::PreConnect, &version, false, None).await?;
            let work = async {
                job.execute(stages).await?;
                job.hook(Hook::DockerSetup, &version, true, None).await
            };
            job.locked(&version, work).await?;
        }
        Server::Exec(args) => {
            let text = args.command.join(" ");
            job.hook(Hook::PreConnect, &version, false, None).await?;
            if args.interactive {
                let host = job.targets.primary_host;
                job.say(format!("Running '{text}' on {host} interactively..."));
                return terminal::interactive(job, host, &Cmd::new(text)).await;
            }
            job.say(format!(
                "Running '{text}' on {}...",
                job.targets.hosts.join(", ")
            ));
            let stages = plan::exec(&job.context(&version, false), &text);
            if args.raw {
                terminal::raw(job, stages).await?;
            } else {
                job.execute_or_show(stages).await?;
            }
        }
    }
    Ok(0)
}
