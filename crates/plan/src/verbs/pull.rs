//! `build pull`: every app host gets the image, and the image is what it should be.

use dhow_commands::audit::Entry;
use dhow_commands::image;

use crate::context::{Context, Facts, Login, PlanError};
use crate::step::{Stage, Step, Track};

/// The image onto all app hosts; first onto one host per registry mirror, where there are mirrors.
///
/// A registry on the deployer's machine can't be reached from hosts; those that have the image already need none.
pub fn pull(context: &Context<'_>, facts: &Facts) -> Result<Vec<Stage>, PlanError> {
    let hosts = context.targets.app_hosts();
    if context.config().registry.is_local() {
        return delivered(context, facts, &hosts);
    }
    let seeds = seeds(&hosts, facts);
    let rest: Vec<&str> = hosts
        .iter()
        .copied()
        .filter(|h| !seeds.contains(h))
        .collect();
    if seeds.is_empty() || rest.is_empty() {
        return Ok(vec![Stage::hosts("pull", tracks(context, &hosts)?)]);
    }
    let mirrors = if seeds.len() == 1 {
        "mirror"
    } else {
        "mirrors"
    };
    Ok(vec![
        Stage::hosts("seed", tracks(context, &seeds)?).saying(format!(
            "Pulling image on {} to seed the {mirrors}...",
            seeds.join(", ")
        )),
        Stage::hosts("pull", tracks(context, &rest)?).saying("Pulling image on remaining hosts..."),
    ])
}

/// Whether a registry mirror of a host could matter: mirrors serve Docker Hub only.
pub fn asks_mirror(context: &Context<'_>) -> bool {
    let server = context.config().registry.server.as_deref();
    let hub = server.is_none_or(|s| s == "docker.io" || s.ends_with(".docker.io"));
    hub && context.targets.app_hosts().len() > 1
}

/// The steps of one host, and what cleans up after them.
pub(crate) fn steps(context: &Context<'_>) -> Result<(Vec<Step>, Vec<Step>), PlanError> {
    let config = context.config();
    let version = &context.version;
    let login = Login::new(context, &config.registry)?;
    let mut steps = login.as_ref().map(Login::steps).unwrap_or_default();
    steps.push(context.audit(&Entry::PulledImage { version }, None));
    let pull = image::pull(config, version);
    let pull = if login.is_some() {
        Login::with(pull)
    } else {
        pull
    };
    steps.push(Step::run("pulling the image", pull));
    let clean_up = login.as_ref().map(Login::clean_up).unwrap_or_default();
    steps.extend(clean_up.iter().cloned());
    steps.push(
        Step::run(
            "checking the image's label",
            image::check_label(config, version),
        )
        .debug(),
    );
    Ok((steps, clean_up))
}

fn tracks(context: &Context<'_>, hosts: &[&str]) -> Result<Vec<Track>, PlanError> {
    let (steps, clean_up) = steps(context)?;
    Ok(hosts
        .iter()
        .map(|host| {
            let mut track = Track::new(host, None, steps.clone());
            track.on_failure = clean_up.clone();
            track
        })
        .collect())
}

/// Nothing to do, if the image is there.
fn delivered(
    context: &Context<'_>,
    facts: &Facts,
    hosts: &[&str],
) -> Result<Vec<Stage>, PlanError> {
    let image = context.config().absolute_image(&context.version);
    let has = |host: &str| facts.get(host).is_some_and(|f| f.image(&image).is_some());
    let missing: Vec<String> = hosts
        .iter()
        .filter(|host| !has(host))
        .map(|host| (*host).to_owned())
        .collect();
    if missing.is_empty() {
        return Ok(Vec::new());
    }
    Err(PlanError::Undelivered {
        image,
        hosts: missing,
    })
}

/// The first host of each distinct mirror.
fn seeds<'h>(hosts: &[&'h str], facts: &Facts) -> Vec<&'h str> {
    let mut seen: Vec<&str> = Vec::new();
    let mut seeds = Vec::new();
    for host in hosts {
        if let Some(mirror) = facts.get(*host).and_then(|f| f.mirror.as_deref())
            && !seen.contains(&mirror)
        {
            seen.push(mirror);
            seeds.push(*host);
        }
    }
    seeds
}
