//! `registry …` on hosts: logins that stay, because they were asked for by name.

use dhow_commands::registry;

use crate::context::{Context, PlanError};
use crate::step::{LocalStep, Stage, Step, Track};

/// Which sides take part.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sides {
    /// `-L`
    pub skip_local: bool,
    /// `-R`
    pub skip_remote: bool,
}

/// `registry login`
pub fn login(context: &Context<'_>, sides: Sides) -> Result<Vec<Stage>, PlanError> {
    let settings = &context.config().registry;
    let Some((username, password)) = context.login(settings)? else {
        return Ok(Vec::new());
    };
    let Some(cmd) = registry::login(settings, &username, &password) else {
        return Ok(Vec::new());
    };
    let mut stages = Vec::new();
    if !sides.skip_local {
        stages.push(Stage::local(
            "login",
            vec![LocalStep::Run {
                loud: false,
                title: "logging in to the registry".to_owned(),
                argv: vec!["sh".to_owned(), "-c".to_owned(), cmd.real()],
                env: Vec::new(),
                stdin: cmd.input().cloned(),
                directory: None,
                tolerate: crate::step::Tolerate::Nothing,
            }],
        ));
    }
    if !sides.skip_remote {
        stages.push(everywhere(
            context,
            "login",
            &Step::run("logging in to the registry", cmd),
        ));
    }
    Ok(stages)
}

/// `registry logout`
pub fn logout(context: &Context<'_>, sides: Sides) -> Vec<Stage> {
    let cmd = registry::logout(&context.config().registry);
    let mut stages = Vec::new();
    if !sides.skip_local {
        stages.push(Stage::local(
            "logout",
            vec![LocalStep::Run {
                loud: false,
                title: "logging out of the registry".to_owned(),
                argv: vec!["sh".to_owned(), "-c".to_owned(), cmd.real()],
                env: Vec::new(),
                stdin: None,
                directory: None,
                tolerate: crate::step::Tolerate::Nothing,
            }],
        ));
    }
    if !sides.skip_remote {
        stages.push(everywhere(
            context,
            "logout",
            &Step::run("logging out of the registry", cmd),
        ));
    }
    stages
}

fn everywhere(context: &Context<'_>, name: &str, step: &Step) -> Stage {
    let hosts = &context.targets.hosts;
    let tracks = hosts
        .iter()
        .map(|host| Track::new(host, None, vec![step.clone()]))
        .collect();
    Stage::hosts(name, tracks)
}
