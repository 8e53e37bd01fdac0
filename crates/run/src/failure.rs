//! Failures, told so that nobody has to look anywhere else.
//!
//! In: an SSH error, or a step's exit status and output. Out: [`Failure`]s with Kamal's class names.

use dhow_ssh::SshError;

use crate::event::Failure;

/// How many lines of output a failure carries.
const TAIL: usize = 40;

impl Failure {
    /// A failure with a class and a message.
    pub fn new(class: &str, message: impl Into<String>) -> Self {
        Self {
            class: class.to_owned(),
            message: message.into(),
            command: None,
            exit: None,
            output: String::new(),
            evidence: Vec::new(),
            hint: None,
        }
    }

    /// The same, with what to do about it.
    #[must_use]
    pub fn hinted(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// A connection that could not be made or was lost.
pub(crate) fn from_ssh(error: &SshError) -> Failure {
    let mut failure = Failure::new(error.kamal_class(), error.to_string());
    failure.hint = error.hint();
    failure
}

/// A command that ended badly.
pub(crate) fn from_step(command: &str, exit: i32, output: &str) -> Failure {
    let program = program(command);
    let mut failure = Failure::new(
        "SSHKit::Command::Failed",
        format!("{program} exit status: {exit}"),
    );
    failure.command = Some(command.to_owned());
    failure.exit = Some(exit);
    failure.output = tail(output);
    failure.hint = hint(command, output);
    failure
}

/// The program that a command line runs: its first word that gives no variable a value.
fn program(command: &str) -> &str {
    let assigns = |word: &&str| {
        let name = word.split_once('=').map(|(name, _)| name);
        name.is_some_and(|name| name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'))
    };
    let mut words = command.split_whitespace();
    words.find(|word| !assigns(word)).unwrap_or(command)
}

/// What experience says about an error text.
fn hint(command: &str, output: &str) -> Option<String> {
    let says = |text: &str| output.contains(text);
    let text = if says("Cannot connect to the Docker daemon")
        || says("Is the docker daemon running")
    {
        "Docker does not answer on this host: start it there (`systemctl start docker`), then run the same command again"
    } else if says("permission denied while trying to connect to the Docker daemon")
        || says("Got permission denied while trying to connect to the Docker daemon")
    {
        "the login user may not use Docker: add it to the group `docker`, or set `ssh.user`"
    } else if says("unauthorized")
        || says("401 Unauthorized")
        || says("authentication required")
        || says("incorrect username or password")
    {
        "the registry refuses the login: check `registry.username` and the secret behind `registry.password`"
    } else if says("missing the 'service' label") {
        "build the image with dhow (or with `--label service=…`): the label tells which images on a host may be pruned"
    } else if says("target failed to become healthy") {
        "the new version did not answer its health check in time; the old version goes on serving. Look at the container's log, and at `proxy.app_port` and `proxy.healthcheck.path`"
    } else if says("host settings conflict with another service") {
        "another app on this host answers for the same names: give each app its own `proxy.host`, or remove the other one (`kamal-proxy list` in the proxy's container shows who has what)"
    } else if says("address already in use") || says("port is already allocated") {
        "another program holds the port on this host: stop it, or choose other ports under `proxy.run`"
    } else if says("No space left on device") || says("no space left on device") {
        "the disk of this host is full: `dhow prune all`, or make room"
    } else if says("not found") && command.starts_with("docker") && says("docker:") {
        "Docker is not installed on this host: `dhow server bootstrap` or `dhow setup` installs it"
    } else {
        return None;
    };
    Some(text.to_owned())
}

/// The last lines of an output.
pub(crate) fn tail(output: &str) -> String {
    let lines: Vec<&str> = output.lines().filter(|l| !l.trim().is_empty()).collect();
    let from = lines.len().saturating_sub(TAIL);
    lines.get(from..).unwrap_or_default().join("\n")
}
