//! The copy of the repository that is built, so that uncommitted work stays out of the image: made, or brought up to date.

use dhow_commands::builder::clone::{EXISTS, LocalClone};
use dhow_plan::verbs::build as plan;
use dhow_run::{Failed, Level};
use dhow_text::redact::Secret;

use super::programs::{self, answer, ask, ask_in};
use super::scratch::temporary;
use crate::failed;
use crate::job::Job;

/// The class of everything that goes wrong here.
const CLASS: &str = "Kamal::Cli::Build::BuildError";

/// The copy that is built, if one is.
pub(super) fn of(job: &Job<'_>) -> Option<LocalClone> {
    let root = job.git.top_level();
    let root = root.as_ref().map(|root| root.display().to_string());
    let cwd = job.edge.cwd.display().to_string();
    plan::copy(job.config(), temporary(job.edge), root.as_deref(), &cwd)
}

/// Brings the copy to the commit that is checked out. What an earlier build left behind in any shape is no hindrance: what can't be
/// brought up to date is made anew.
pub(super) async fn prepare(job: &Job<'_>, copy: &LocalClone) -> Result<(), Failed> {
    let revision = answer(job, "asking for the commit", &dhow_commands::git::head()).await?;
    let revision = revision.trim();
    let Err(trouble) = attempt(job, copy, revision).await else {
        return Ok(());
    };
    let message = trouble
        .hosts
        .first()
        .map_or("", |(_, failure)| failure.message.as_str());
    job.sink.say(
        Level::Error,
        format!("Error preparing clone: {message}, deleting and retrying..."),
    );
    answer(job, "deleting the copy", &copy.remove_directory()).await?;
    attempt(job, copy, revision).await
}

async fn attempt(job: &Job<'_>, copy: &LocalClone, revision: &str) -> Result<(), Failed> {
    make(job, copy, revision)
        .await
        .map_err(|failed| explained(failed, "Failed to clone repo"))?;
    let status = answer(job, "looking at the copy", &copy.status()).await;
    let status = status.map_err(|failed| explained(failed, "Failed to validate clone"))?;
    let found = answer(job, "looking at the copy", &copy.revision()).await;
    let found = found.map_err(|failed| explained(failed, "Failed to validate clone"))?;
    match plan::copy_trouble(copy, &status, &found, revision) {
        Some(trouble) => Err(failed::error(CLASS, trouble)),
        None => Ok(()),
    }
}

async fn make(job: &Job<'_>, copy: &LocalClone, revision: &str) -> Result<(), Failed> {
    let directory = &copy.build_directory;
    job.say(format!(
        "Cloning repo into build directory `{directory}`..."
    ));
    answer(
        job,
        "making a directory for the copy",
        &copy.make_directory(),
    )
    .await?;
    let argv = copy.clone_repository();
    // What git says is looked at, so it has to say it in English.
    let english = vec![("LC_ALL".to_owned(), Secret::new("C"))];
    let cloned = ask_in(job, "copying the repository", &argv, english).await?;
    if cloned.exit == 0 {
        return Ok(());
    }
    if !cloned.both.contains(EXISTS) {
        return Err(programs::failed(&argv, &cloned));
    }
    job.say(format!(
        "Resetting local clone as `{directory}` already exists..."
    ));
    for argv in copy.reset(revision) {
        let ended = ask(job, "bringing the copy up to date", &argv).await?;
        if ended.exit != 0 {
            return Err(programs::failed(&argv, &ended));
        }
    }
    Ok(())
}

/// The same failure, told as one of the copy.
fn explained(mut failed: Failed, what: &str) -> Failed {
    for (_, failure) in &mut failed.hosts {
        let because = failure
            .output
            .lines()
            .last()
            .filter(|line| !line.is_empty());
        let because = because.unwrap_or(&failure.message);
        failure.message = format!("{what}: {because}");
        failure.class = CLASS.to_owned();
    }
    failed
}
