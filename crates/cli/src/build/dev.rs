//! `build dev`: the work tree as it is, for use on this machine. No hook, no login, no copy of the repository.

use std::collections::BTreeSet;
use std::path::Path;

use dhow_commands::git;
use dhow_plan::verbs::build::{self as plan, CONTEXT_DOCKERFILE, Wanted};
use dhow_run::{Failed, Level};

use super::programs::{answer, step};
use super::scratch::Scratch;
use super::{build, builder, check_docker, check_dockerfile};
use crate::failed;
use crate::job::Job;

/// Builds, after a word about files that no commit has.
pub(super) async fn dev(job: &Job<'_>, no_cache: bool, output: &str) -> Result<(), Failed> {
    let builder = builder::of(job).await?;
    let version = job.version()?;
    let wanted = Wanted {
        output,
        no_cache,
        dirty: true,
    };
    if job.global.dry_run {
        let context = job.context(&version, false);
        let build = plan::build(&context, &builder, wanted, None, |_| None, Vec::new())
            .map_err(failed::plan)?;
        let steps = vec![plan::check_docker(), build];
        return job
            .execute_or_show(vec![dhow_plan::Stage::local("build", steps)])
            .await;
    }
    check_docker(job).await?;
    check_dockerfile(job, &builder)?;
    warn(job).await?;
    builder::ensure(job, &builder).await?;
    build(job, &builder, &version, wanted, None, Vec::new()).await
}

async fn warn(job: &Job<'_>) -> Result<(), Failed> {
    if job.git.top_level().is_none() {
        return Ok(());
    }
    let modified = answer(
        job,
        "looking for changed files",
        &plain_names(git::modified_files()),
    )
    .await?;
    let untracked = answer(
        job,
        "looking for new files",
        &plain_names(git::untracked_files()),
    )
    .await?;
    if modified.is_empty() && untracked.is_empty() {
        return Ok(());
    }
    let context = context_files(job).await?;
    for warning in plan::dev_warnings(&context, &modified, &untracked) {
        job.sink.say(Level::Warn, warning);
    }
    Ok(())
}

/// Files of the build context, relative to the working directory: docker alone knows what `.dockerignore` leaves of them.
async fn context_files(job: &Job<'_>) -> Result<BTreeSet<String>, Failed> {
    let unusable = |error: std::io::Error| {
        failed::error(
            "RuntimeError",
            format!("the build context can't be listed: {error}"),
        )
    };
    let scratch = Scratch::new(job.edge).map_err(unusable)?;
    let dockerfile = scratch.file("Dockerfile");
    std::fs::write(&dockerfile, CONTEXT_DOCKERFILE).map_err(unusable)?;
    let to = scratch.file("context");
    step(job, "context", plan::export_context(&dockerfile, &to)).await?;
    let mut files = BTreeSet::new();
    list(Path::new(&to), "", &mut files).map_err(unusable)?;
    Ok(files)
}

fn list(directory: &Path, prefix: &str, files: &mut BTreeSet<String>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        if entry.file_type()?.is_dir() {
            list(&entry.path(), &format!("{name}/"), files)?;
        } else {
            files.insert(name);
        }
    }
    Ok(())
}

/// git's answer with names as they are, not quoted.
fn plain_names(mut argv: Vec<String>) -> Vec<String> {
    let at = argv.len().min(1);
    argv.splice(at..at, ["-c".to_owned(), "core.quotePath=false".to_owned()]);
    argv
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_listed_with_their_folders_and_links_as_themselves() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        std::fs::create_dir_all(at("a/b")).unwrap();
        std::fs::create_dir(at("empty")).unwrap();
        std::fs::write(at("a/b/ü.txt"), "").unwrap();
        std::fs::write(at("c"), "").unwrap();
        std::os::unix::fs::symlink("/nonexistent", at("link")).unwrap();
        let mut files = BTreeSet::new();
        list(directory.path(), "", &mut files).unwrap();
        assert_eq!(
            files.into_iter().collect::<Vec<_>>(),
            ["a/b/ü.txt", "c", "link"]
        );
    }

    #[test]
    fn names_are_asked_for_as_they_are() {
        assert_eq!(
            plain_names(git::modified_files()).join(" "),
            "git -c core.quotePath=false ls-files --modified"
        );
    }
}
