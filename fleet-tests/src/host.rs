//! One host of the fleet, seen from the machine that runs it. What is asked here does not go over SSH, so it does not
//! count among the host's sessions.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::fleet::project_root;
use crate::outcome::Outcome;

/// Prints [`Host::state`].
const STATE: &str = r#"
docker ps -a --no-trunc --format '{{.ID}} {{.Names}} {{.State}} {{.Image}}' || exit 1
docker images -a --no-trunc --format '{{.ID}} {{.Repository}}:{{.Tag}}' | sort
docker volume ls -q
docker network ls --no-trunc -q
for home in /root /home/*; do
  find $home/.kamal $home/.docker -type d -printf '%p %M %u\n' 2>/dev/null | sort
  find $home/.kamal $home/.docker ! -type d -printf '%p %M %u %s %T@\n' 2>/dev/null | sort
  find $home/.kamal $home/.docker -type f -exec sha256sum {} + 2>/dev/null | sort
done
true"#;

/// Ends what tests do to a host: silence, a `docker` that listens, an sshd or an Engine that is gone.
const MEND: &str = "
iptables -w -F INPUT && iptables -w -F OUTPUT && rm -f /usr/local/bin/docker || exit 1
kill -0 $(cat /run/sshd.pid) 2>/dev/null || /usr/sbin/sshd -E /var/log/fleet/sshd.log || exit 1
exec /fleet/entrypoint start-engine";

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

    /// Names of the containers that do not run, the newest first.
    ///
    /// # Panics
    /// If the host's Engine does not answer.
    pub fn stopped_containers(&self) -> Vec<String> {
        let list = "docker ps -a --filter status=exited --filter status=created --filter status=dead \
                    --format '{{.Names}}'";
        self.run(list).expect().lines().map(str::to_owned).collect()
    }

    /// Everything that a deploy can leave: containers with their state, images, volumes, networks, and the files in the login users'
    /// homes with mode, size and digest. Two that are equal are of a host that nothing was changed on.
    ///
    /// # Panics
    /// If it cannot be read.
    pub fn state(&self) -> String {
        self.run(STATE).expect().to_owned()
    }

    /// The lock directories that are there.
    pub fn locks(&self) -> String {
        self.run("ls -d /root/.kamal/lock-* /home/*/.kamal/lock-* 2>/dev/null; true")
            .expect()
            .to_owned()
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

    /// Stops the Docker Engine in good order.
    pub fn stop_docker(&self) {
        self.verb("stop-docker");
    }

    /// Starts the Docker Engine and waits until it answers.
    pub fn start_docker(&self) {
        self.verb("start-docker");
    }

    /// Removes all that a deploy has left, and what a test that failed may have left broken.
    pub fn reset(&self) {
        self.run(MEND).expect();
        self.verb("reset");
    }

    /// The folder outside of it with the logs of its sshd and its Engine.
    pub fn log_dir(&self) -> &Path {
        &self.log_dir
    }

    /// Process numbers, as this machine counts, of the host's processes with one of these names; not those of its containers.
    ///
    /// # Panics
    /// If it cannot be asked.
    pub fn processes(&self, names: &[&str]) -> Vec<String> {
        let container = format!("dhow-fleet-{}", self.name);
        let mut docker = Command::new("docker");
        docker.args(["top", &container, "-eo", "pid,comm"]);
        Outcome::of(&mut docker, "")
            .expect()
            .lines()
            .filter_map(|line| line.trim().split_once(char::is_whitespace))
            .filter(|(_, name)| names.contains(&name.trim()))
            .map(|(pid, _)| pid.to_owned())
            .collect()
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
