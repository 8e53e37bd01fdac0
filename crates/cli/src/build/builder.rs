//! Docker's builder for this app: is it there, make it, remove it, show it.

use dhow_commands::builder::ImageBuilder;
use dhow_commands::{docker, hook::Hook};
use dhow_config::Ssh;
use dhow_plan::verbs::build as plan;
use dhow_run::{EventKind, Failed, Failure, Level};

use super::programs::{self, ask};
use crate::connect::connector;
use crate::failed;
use crate::job::Job;

/// The builder of the deploy file.
pub(super) async fn of<'j>(job: &Job<'j>) -> Result<ImageBuilder<'j>, Failed> {
    let config = job.config();
    if !ImageBuilder::needs_architecture(&config.builder) {
        return Ok(ImageBuilder::new(config, None));
    }
    let argv = plan::shell_argv(&docker::architecture());
    let printed = programs::answer(job, "asking docker for its architecture", &argv).await?;
    Ok(ImageBuilder::new(
        config,
        Some(docker::architecture_name(&printed)),
    ))
}

/// Makes the builder if it is not there, or not the right one.
pub(super) async fn ensure(job: &Job<'_>, builder: &ImageBuilder<'_>) -> Result<(), Failed> {
    let Some(check) = builder.check() else {
        return Ok(());
    };
    let argv = plan::shell_argv(&check);
    let seen = ask(job, "looking for the builder", &argv).await?;
    if seen.exit == 0 {
        return Ok(());
    }
    if !plan::is_builder_missing(&seen.both) || builder.create().is_none() {
        return Err(programs::failed(&argv, &seen));
    }
    job.sink.say(
        Level::Warn,
        "Missing compatible builder, so creating a new one first",
    );
    match take_away(job, builder).await {
        Err(failed) if !plan::is_nothing_to_remove(&seen.both) => return Err(failed),
        _ => {}
    }
    make(job, builder).await
}

/// `build create`
pub(super) async fn create(job: &Job<'_>) -> Result<(), Failed> {
    let builder = of(job).await?;
    let Some(create) = builder.create() else {
        return Ok(());
    };
    if job.global.dry_run {
        let step = plan::shell("making the builder", &create);
        return job
            .execute_or_show(vec![dhow_plan::Stage::local("builder", vec![step])])
            .await;
    }
    if builder.is_remote() {
        job.hook(Hook::PreConnect, &job.any_version(), false, None)
            .await?;
    }
    make(job, &builder).await
}

/// `build remove`
pub(super) async fn remove(job: &Job<'_>) -> Result<(), Failed> {
    let builder = of(job).await?;
    match builder.remove() {
        Some(remove) => {
            let step = plan::shell("removing the builder", &remove);
            job.execute_or_show(vec![dhow_plan::Stage::local("builder", vec![step])])
                .await
        }
        None => Ok(()),
    }
}

/// `build details`
pub(super) async fn details(job: &Job<'_>) -> Result<(), Failed> {
    let builder = of(job).await?;
    let argv = plan::shell_argv(&builder.details());
    let tables = programs::answer(job, "asking docker for its builders", &argv).await?;
    job.sink.emit(EventKind::Block {
        header: String::new(),
        host: String::new(),
        text: format!(
            "Builder: {}\n{}\n",
            plan::kind_name(&builder),
            tables.trim_end()
        ),
    });
    Ok(())
}

async fn make(job: &Job<'_>, builder: &ImageBuilder<'_>) -> Result<(), Failed> {
    let Some(create) = builder.create() else {
        return Ok(());
    };
    if builder.is_remote() {
        reach_build_host(job).await?;
    }
    let argv = plan::shell_argv(&create);
    let made = ask(job, "making the builder", &argv).await?;
    if made.exit == 0 {
        return Ok(());
    }
    // Kamal goes on when docker reports what an SSH client said; the build then tells whether it matters.
    match made.both.split_once("stderr=") {
        Some((_, said)) => {
            let said = said.trim_end();
            job.sink.say(
                Level::Error,
                format!("Couldn't create remote builder: {said}"),
            );
            Ok(())
        }
        None => Err(programs::failed(&argv, &made)),
    }
}

async fn take_away(job: &Job<'_>, builder: &ImageBuilder<'_>) -> Result<(), Failed> {
    let Some(remove) = builder.remove() else {
        return Ok(());
    };
    let argv = plan::shell_argv(&remove);
    let ended = ask(job, "removing the builder", &argv).await?;
    if ended.exit == 0 {
        Ok(())
    } else {
        Err(programs::failed(&argv, &ended))
    }
}

/// Connects to the build host, so that a host key or a login that is wrong is told as such, and not by docker in its way. The user
/// and the port are the URL's; the `ssh` section is about the app's hosts.
async fn reach_build_host(job: &Job<'_>) -> Result<(), Failed> {
    let remote = job.config().builder.remote.as_deref().unwrap_or_default();
    let Some(found) = plan::build_host(remote) else {
        return Ok(());
    };
    let mut config = job.config().clone();
    config.ssh = Ssh {
        user: found.user.unwrap_or_else(|| job.edge.user()),
        port: found.port.unwrap_or(22),
        ..Ssh::default()
    };
    let connector = connector(job.edge, &config, &[], &job.sink, &job.screen);
    let reached = connector.session(&found.host).await;
    connector.close().await;
    match reached {
        Ok(_) => Ok(()),
        Err(error) => {
            let mut failure = Failure::new(error.kamal_class(), error.to_string());
            failure.hint = error.hint();
            Err(failed::here(failure))
        }
    }
}
