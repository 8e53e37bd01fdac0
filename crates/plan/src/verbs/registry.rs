//! `registry …`: logins that stay, because they were asked for by name, and the registry on the deployer's machine.

use dhow_commands::registry;
use dhow_text::shell::Cmd;

use crate::context::{Context, PlanError};
use crate::step::{LocalStep, Stage, Step, Tolerate, Track};

/// Which sides take part.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sides {
    /// `-L`
    pub skip_local: bool,
    /// `-R`
    pub skip_remote: bool,
}

/// `registry setup`: a login, or the start of the local registry.
pub fn setup(context: &Context<'_>, sides: Sides) -> Result<Vec<Stage>, PlanError> {
    let Some(port) = context.config().registry.local_port() else {
        return login(context, sides);
    };
    let start = registry::start_local(port);
    let start = local("starting the local registry", &start, Tolerate::Nothing);
    Ok(on_this_side(sides, start))
}

/// `registry remove`: a logout, or the end of the local registry.
pub fn remove(context: &Context<'_>, sides: Sides) -> Vec<Stage> {
    if !context.config().registry.is_local() {
        return logout(context, sides);
    }
    let remove = registry::remove_local();
    let remove = local("removing the local registry", &remove, Tolerate::Anything);
    on_this_side(sides, remove)
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
    Ok(on_both_sides(
        context,
        sides,
        "logging in to the registry",
        &cmd,
    ))
}

/// `registry logout`
pub fn logout(context: &Context<'_>, sides: Sides) -> Vec<Stage> {
    let cmd = registry::logout(&context.config().registry);
    on_both_sides(context, sides, "logging out of the registry", &cmd)
}

fn on_both_sides(context: &Context<'_>, sides: Sides, title: &str, cmd: &Cmd) -> Vec<Stage> {
    let mut stages = on_this_side(sides, local(title, cmd, Tolerate::Nothing));
    if !sides.skip_remote {
        let hosts = &context.targets.hosts;
        let step = Step::run(title, cmd.clone());
        let tracks = hosts
            .iter()
            .map(|host| Track::new(host, None, vec![step.clone()]));
        stages.push(Stage::hosts("registry", tracks.collect()));
    }
    stages
}

fn on_this_side(sides: Sides, step: LocalStep) -> Vec<Stage> {
    if sides.skip_local {
        return Vec::new();
    }
    vec![Stage::local("registry", vec![step])]
}

fn local(title: &str, cmd: &Cmd, tolerate: Tolerate) -> LocalStep {
    LocalStep::Run {
        loud: false,
        title: title.to_owned(),
        argv: vec!["sh".to_owned(), "-c".to_owned(), cmd.real()],
        shown: Some(cmd.redacted()),
        env: Vec::new(),
        stdin: cmd.input().cloned(),
        directory: None,
        tolerate,
    }
}
