//! `prune …`: what no longer serves goes, except the last few containers to roll back to.

use dhow_commands::audit::Entry;
use dhow_commands::prune;

use crate::context::{Context, PlanError};
use crate::step::{Stage, Step, Track};

/// `prune all`
pub fn all(context: &Context<'_>) -> Result<Vec<Stage>, PlanError> {
    let mut steps = container_steps(context, None)?;
    steps.extend(image_steps(context));
    Ok(vec![Stage::hosts("prune", tracks(context, &steps))])
}

/// `prune containers`, keeping so many.
pub fn containers(context: &Context<'_>, retain: Option<i64>) -> Result<Vec<Stage>, PlanError> {
    let steps = container_steps(context, retain)?;
    Ok(vec![Stage::hosts("prune", tracks(context, &steps))])
}

/// `prune images`
pub fn images(context: &Context<'_>) -> Vec<Stage> {
    vec![Stage::hosts(
        "prune",
        tracks(context, &image_steps(context)),
    )]
}

pub(crate) fn container_steps(
    context: &Context<'_>,
    retain: Option<i64>,
) -> Result<Vec<Step>, PlanError> {
    let config = context.config();
    let retain = retain.unwrap_or(config.retain_containers);
    let retain = u32::try_from(retain)
        .ok()
        .filter(|n| *n > 0)
        .ok_or(PlanError::Retain)?;
    Ok(vec![
        context.audit(&Entry::PrunedContainers, None),
        Step::run(
            "removing old containers",
            prune::app_containers(config, retain),
        ),
    ])
}

pub(crate) fn image_steps(context: &Context<'_>) -> Vec<Step> {
    let config = context.config();
    vec![
        context.audit(&Entry::PrunedImages, None),
        Step::run("removing dangling images", prune::dangling_images(config)),
        Step::run("removing old images", prune::tagged_images(config)),
    ]
}

fn tracks(context: &Context<'_>, steps: &[Step]) -> Vec<Track> {
    let hosts = &context.targets.hosts;
    hosts
        .iter()
        .map(|host| Track::new(host, None, steps.to_vec()))
        .collect()
}
