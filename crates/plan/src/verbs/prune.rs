//! `prune …`: what no longer serves goes, except the last few containers to roll back to.

use dhow_commands::audit::Entry;
use dhow_commands::prune;

use super::boot;
use crate::context::{Context, PlanError};
use crate::facts::{Container, HostFacts};
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

/// The same as [`all`] at the end of a deploy, in fewer docker calls: what was seen on the host under the lock tells which containers
/// go and which images stay. By then the new version serves, so no failure counts.
pub(crate) fn after_deploy(
    context: &Context<'_>,
    seen: &HostFacts,
    host: &str,
) -> Result<Vec<Step>, PlanError> {
    let config = context.config();
    let stopped_now: Vec<String> = context
        .targets
        .roles_on(host)
        .into_iter()
        .flat_map(|role| boot::serving(context, seen, role))
        .collect();
    let is_stopped = |c: &&Container| {
        ["created", "exited", "dead"].contains(&c.state.as_str()) || stopped_now.contains(&c.name)
    };
    let stopped: Vec<&Container> = seen.containers.iter().filter(is_stopped).collect();
    let gone = stopped.get(retained(context, None)?..).unwrap_or_default();
    let mut steps = vec![context.audit(&Entry::PrunedContainers, None)];
    if !gone.is_empty() {
        let ids: Vec<&str> = gone.iter().map(|c| c.id.as_str()).collect();
        let remove = prune::containers(&ids);
        steps.push(Step::run("removing old containers", remove).tolerated());
    }
    let version = config.absolute_image(&context.version);
    let left = seen.containers.iter().filter(|c| !gone.contains(c));
    let used: Vec<&str> = left
        .map(|c| c.image.as_str())
        .chain([version.as_str()])
        .collect();
    steps.push(context.audit(&Entry::PrunedImages, None));
    let remove = prune::images_but(config, &used);
    steps.push(Step::run("removing old images", remove).tolerated());
    Ok(steps)
}

fn retained(context: &Context<'_>, retain: Option<i64>) -> Result<usize, PlanError> {
    let retain = retain.unwrap_or_else(|| context.config().retain_containers);
    usize::try_from(retain)
        .ok()
        .filter(|n| *n > 0)
        .ok_or(PlanError::Retain)
}

pub(crate) fn container_steps(
    context: &Context<'_>,
    retain: Option<i64>,
) -> Result<Vec<Step>, PlanError> {
    let config = context.config();
    let retain = retained(context, retain)?;
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

#[cfg(test)]
mod tests {
    use std::collections::{HashMap, HashSet};

    use dhow_commands::audit::AuditContext;
    use dhow_config::{Inputs, Outside};
    use dhow_text::source::Source;

    use super::*;
    use crate::context::Random;
    use crate::select::{Filter, select};
    use crate::step::Action;

    struct Nowhere;

    impl Outside for Nowhere {
        fn file_exists(&self, _: &str) -> bool {
            false
        }

        fn docker_architecture(&self) -> String {
            "amd64".to_owned()
        }
    }

    fn commands(retain: i64, seen: &HostFacts) -> Vec<String> {
        let text = format!(
            "service: app\nimage: me/app\nservers: [1.1.1.1]\nretain_containers: {retain}\nregistry: {{ username: me, password: [P] }}\nbuilder: {{ arch: amd64 }}\n"
        );
        let inputs = Inputs {
            base: Source {
                name: "config/deploy.yml".into(),
                text: text.into(),
            },
            overlay: None,
            destination: None,
            outside: &Nowhere,
        };
        let config = dhow_config::load(&inputs).expect("a deploy file").config;
        let secrets = HashMap::new();
        let context = Context {
            targets: select(&config, &Filter::default()).expect("targets"),
            version: "9".to_owned(),
            audit: AuditContext {
                recorded_at: "2026-01-02T03:04:05Z",
                performer: "me",
                destination: None,
            },
            secrets: &secrets,
            hooks: HashSet::new(),
            hook_env: Vec::new(),
            random: Random::new(1),
        };
        let steps = after_deploy(&context, seen, "1.1.1.1").expect("steps");
        let shown = steps.iter().filter(|step| !step.debug);
        shown
            .filter_map(|step| match &step.action {
                Action::Run(cmd) => Some(cmd.real()),
                _ => None,
            })
            .collect()
    }

    #[test]
    fn the_newest_stopped_containers_and_what_serves_elsewhere_stay() {
        let list = "C d|app-web-4|running|web||me/app:4\nC c|app-web-3|exited|web||me/app:3\nC b|app-web-2|created|web||sha256:0123456789abcdef\n\
                    C x|app-job-1|running|job||me/app:1\nC a|app-web-0|dead|web||me/app:0\n";
        let seen = HostFacts::read(list).unwrap();
        // `d` is stopped by this deploy, so it is one of the two of its role that stay; a role that takes no part goes on.
        let commands = commands(2, &seen);
        assert_eq!(commands.first().unwrap(), "docker rm b a");
        let images = commands.get(1).unwrap();
        assert!(
            images
                .contains(r#"grep -v -w "me/app:4\|me/app:3\|me/app:1\|me/app:9\|me/app:latest""#),
            "{images}"
        );
    }

    #[test]
    fn nothing_is_removed_while_there_are_few() {
        let seen = HostFacts::read("C d|app-web-4|running|web||me/app:4\n").unwrap();
        let commands = commands(5, &seen);
        assert_eq!(commands.len(), 1, "{commands:?}");
    }
}
