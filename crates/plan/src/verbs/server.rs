//! `server …`: the hosts themselves.

use dhow_commands::audit::Entry;
use dhow_commands::docker;
use dhow_text::shell::Cmd;

use crate::context::Context;
use crate::step::{Stage, Step, Track};

/// Exit status of [`bootstrap`]'s program on a host that lacks Docker and can't be given it.
pub const CANNOT_INSTALL: i32 = 86;

/// `server bootstrap`: Docker where it is missing. One program a host: look, and install only where the look failed.
pub fn bootstrap(context: &Context<'_>) -> Vec<Stage> {
    let present = docker::is_installed().real();
    let may = docker::is_superuser().real();
    let install = docker::install().real();
    let root = docker::is_root().real();
    let member = docker::is_in_group().real();
    let join = docker::add_to_group().real();
    let program = format!(
        "if {present} >/dev/null 2>&1; then {present}; exit 0; fi; \
         if ! {{ {may}; }}; then echo \"Docker is not installed and can't be automatically installed without having root access and either \\`wget\\` or \\`curl\\`. Install Docker manually: https://docs.docker.com/engine/install/\" >&2; exit {CANNOT_INSTALL}; fi; \
         echo 'Missing Docker. Installing…'; {install} || exit $?; \
         if ! {{ {root}; }} && ! {{ {member}; }}; then {join} && echo 'joined the group docker: run the same command again'; fi"
    );
    let step = Step::run("making sure that Docker is installed", Cmd::new(program));
    let hosts = &context.targets.hosts;
    let tracks = hosts
        .iter()
        .map(|host| Track::new(host, None, vec![step.clone()]))
        .collect();
    vec![Stage::hosts("bootstrap", tracks)]
}

/// `server exec`: a command on every host.
pub fn exec(context: &Context<'_>, command: &str) -> Vec<Stage> {
    let hosts = &context.targets.hosts;
    let tracks = hosts.iter().map(|host| {
        let entry = Entry::Executed { command, on: host };
        Track::new(
            host,
            None,
            vec![
                context.audit(&entry, None),
                Step::run("running the command", Cmd::new(command)).block("App Host"),
            ],
        )
    });
    vec![Stage::hosts("exec", tracks.collect())]
}
