//! The fleet that `bin/fleet up` started, as `.fleet/env` describes it.
//!
//! In: the project's folder. Out: its hosts, near and (through the relay) far away, and what their SSH servers wrote down.

use std::collections::HashMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::failed::Failed;
use crate::measured::Measured;

/// The hosts and their registry. While this value lives nobody else uses them.
pub struct Fleet {
    /// The project's folder.
    pub root: PathBuf,
    /// Where the benchmark keeps its files.
    pub dir: PathBuf,
    /// h1, h2, … in order.
    pub hosts: Vec<Host>,
    /// The key that all hosts accept.
    pub key: PathBuf,
    /// The registry's address and port.
    pub registry: String,
    /// Its user.
    pub registry_user: String,
    /// That user's password.
    pub registry_password: String,
    _turn: File,
}

/// A host.
#[derive(Clone, Debug)]
pub struct Host {
    /// `h1`
    pub name: String,
    /// Where it is.
    pub near: String,
    /// The same by way of the relay.
    pub far: String,
    log: PathBuf,
    key: String,
}

impl Fleet {
    /// Waits for a turn and takes the fleet.
    ///
    /// # Errors
    /// No fleet is up.
    pub fn take(root: &Path) -> Result<Self, Failed> {
        let fleet = root.join(".fleet");
        let file = fleet.join("env");
        let text = std::fs::read_to_string(&file).map_err(Failed::file(&file))?;
        let settings: HashMap<&str, &str> = text
            .lines()
            .filter_map(|line| line.split_once('='))
            .map(|(name, value)| (name, value.trim_matches('"')))
            .collect();
        let get = |name: &str| {
            let value = settings.get(name).map(|value| (*value).to_owned());
            value.ok_or_else(|| Failed::Wrong(format!("`{}` has no {name}", file.display())))
        };
        let lock = fleet.join("test.lock");
        let turn = File::create(&lock).map_err(Failed::file(&lock))?;
        turn.lock().map_err(Failed::file(&lock))?;
        let known = PathBuf::from(get("FLEET_KNOWN_HOSTS")?);
        let known = std::fs::read_to_string(&known).map_err(Failed::file(&known))?;
        let (names, addresses) = (get("FLEET_NAMES")?, get("FLEET_HOSTS")?);
        let hosts = names
            .split(' ')
            .zip(addresses.split(' '))
            .map(|(name, near)| Host {
                name: name.to_owned(),
                near: near.to_owned(),
                far: near.replacen("10.77.", "10.78.", 1),
                log: fleet.join("hosts").join(name).join("log/sshd.log"),
                key: known
                    .lines()
                    .find_map(|line| line.strip_prefix(&format!("{near} ")))
                    .unwrap_or_default()
                    .to_owned(),
            })
            .collect();
        Ok(Self {
            dir: fleet.join("bench"),
            root: root.to_owned(),
            hosts,
            key: PathBuf::from(get("FLEET_KEY")?),
            registry: get("FLEET_REGISTRY")?,
            registry_user: get("FLEET_REGISTRY_USER")?,
            registry_password: get("FLEET_REGISTRY_PASSWORD")?,
            _turn: turn,
        })
    }

    /// The hosts' keys under all their addresses, for a `known_hosts` file.
    #[must_use]
    pub fn known_hosts(&self) -> String {
        let lines = self
            .hosts
            .iter()
            .map(|host| format!("{},{} {}\n", host.near, host.far, host.key));
        lines.collect()
    }
}

impl Host {
    /// Runs a shell script on the host, not over SSH.
    ///
    /// # Errors
    /// The script fails.
    pub fn run(&self, script: &str) -> Result<String, Failed> {
        let container = format!("dhow-fleet-{}", self.name);
        let mut docker = Command::new("docker");
        docker.args(["exec", &container, "sh", "-c", script]);
        Measured::output(docker)
    }

    /// How many session channels its SSH server has opened so far: exchanges.
    ///
    /// # Errors
    /// The log can't be read.
    pub fn exchanges(&self) -> Result<usize, Failed> {
        let log = std::fs::read(&self.log).map_err(Failed::file(&self.log))?;
        let log = String::from_utf8_lossy(&log);
        Ok(log
            .lines()
            .filter(|line| line.starts_with("Starting session: "))
            .count())
    }
}

/// Does something on several hosts at once.
///
/// # Errors
/// It fails on one of them.
pub(crate) fn on_all<T: Send>(
    hosts: &[Host],
    work: impl Fn(&Host) -> Result<T, Failed> + Sync,
) -> Result<Vec<T>, Failed> {
    std::thread::scope(|scope| {
        let threads: Vec<_> = hosts
            .iter()
            .map(|host| scope.spawn(|| work(host)))
            .collect();
        threads
            .into_iter()
            .map(|thread| {
                thread
                    .join()
                    .unwrap_or_else(|_| Err(Failed::Wrong("a thread died".to_owned())))
            })
            .collect()
    })
}
