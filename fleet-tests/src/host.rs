//! One host of the fleet, seen from the machine that runs it. What is asked here does not go over SSH, so it does not
//! count among the host's sessions.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::fleet::project_root;
use crate::outcome::Outcome;

/// A host.
#[derive(Clone, Debug)]
pub struct Host {
    /// h1, h2, …
    pub name: String,
    /// Its IPv4 address.
    pub address: String,
    log_dir: PathBuf,
}

impl Host {
    pub(crate) fn new(fleet_dir: &Path, name: &str, address: &str) -> Self {
        let log_dir = fleet_dir.join("hosts").join(name).join("log");
        Self {
            name: name.to_owned(),
            address: address.to_owned(),
            log_dir,
        }
    }

    /// Runs a shell command on the host as root.
    pub fn run(&self, command: &str) -> Outcome {
        self.run_with(command, "")
    }

    /// As [`Host::run`], with this on the command's stdin.
    pub fn run_with(&self, command: &str, stdin: &str) -> Outcome {
        let container = format!("dhow-fleet-{}", self.name);
        let mut docker = Command::new("docker");
        docker.args(["exec", "-i", &container, "sh", "-c", command]);
        Outcome::of(&mut docker, stdin)
    }

    /// Names of the running containers, sorted.
    ///
    /// # Panics
    /// If the host's Engine does not answer.
    pub fn containers(&self) -> Vec<String> {
        let mut names: Vec<_> = self
            .run("docker ps --format '{{.Names}}'")
            .expect()
            .lines()
            .map(str::to_owned)
            .collect();
        names.sort();
        names
    }

    /// How many SSH sessions (commands, subsystems, shells) the host's sshd has started since it was made.
    ///
    /// # Panics
    /// If its log cannot be read.
    pub fn sessions(&self) -> usize {
        self.sshd_lines("Starting session: ")
    }

    /// How many SSH connections the host's sshd has let in.
    ///
    /// # Panics
    /// If its log cannot be read.
    pub fn logins(&self) -> usize {
        self.sshd_lines("Accepted publickey for ")
    }

    /// Goes down in good order and comes up again.
    pub fn reboot(&self) {
        self.verb("reboot");
    }

    /// Goes down as in a power cut and comes up again.
    pub fn crash(&self) {
        self.verb("crash");
    }

    /// Freezes: connections hang, nothing is refused.
    pub fn pause(&self) {
        self.verb("pause");
    }

    /// Ends [`Host::pause`].
    pub fn unpause(&self) {
        self.verb("unpause");
    }

    /// Kills the Docker Engine.
    pub fn kill_docker(&self) {
        self.verb("kill-docker");
    }

    /// Starts the Docker Engine and waits until it answers.
    pub fn start_docker(&self) {
        self.verb("start-docker");
    }

    /// Removes all that a deploy has left.
    pub fn reset(&self) {
        self.verb("reset");
    }

    /// The URL at which the host's proxy answers.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    fn sshd_lines(&self, start: &str) -> usize {
        let file = self.log_dir.join("sshd.log");
        let log =
            std::fs::read(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        String::from_utf8_lossy(&log)
            .lines()
            .filter(|line| line.starts_with(start))
            .count()
    }

    #[track_caller]
    fn verb(&self, verb: &str) {
        Outcome::of(
            Command::new(project_root().join("bin/fleet")).args([verb, &self.name]),
            "",
        )
        .expect();
    }
}
