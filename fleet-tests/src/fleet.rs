//! The fleet that `bin/fleet up` started, as `.fleet/env` describes it.

use std::collections::HashMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::host::Host;
use crate::outcome::Outcome;
use crate::scratch_app::ScratchApp;

/// The hosts and the registry. While this value lives, no other test uses them.
pub struct Fleet {
    /// h1, h2, … in order.
    pub hosts: Vec<Host>,
    /// The registry's address and port.
    pub registry: String,
    /// The registry's only user.
    pub registry_user: String,
    /// The private key that all hosts accept.
    pub key: PathBuf,
    /// An OpenSSH configuration for the hosts.
    pub ssh_config: PathBuf,
    /// The user on h1 that is not root.
    pub deploy_user: String,
    /// The folder with keys and logs.
    pub dir: PathBuf,
    registry_password: String,
    _turn: File,
}

impl Fleet {
    /// Waits for this test's turn and takes the fleet as it is.
    ///
    /// # Panics
    /// If no fleet is up.
    pub fn take() -> Self {
        let env_file = project_root().join(".fleet/env");
        let text = std::fs::read_to_string(&env_file).unwrap_or_else(|error| {
            panic!(
                "no fleet is up (run bin/fleet up): {}: {error}",
                env_file.display()
            )
        });
        let settings: HashMap<&str, &str> = text
            .lines()
            .filter_map(|line| line.split_once('='))
            .map(|(name, value)| (name, value.trim_matches('"')))
            .collect();
        let get = |name: &str| {
            (*settings
                .get(name)
                .unwrap_or_else(|| panic!("{} has no {name}", env_file.display())))
            .to_owned()
        };
        let dir = PathBuf::from(get("FLEET_DIR"));
        let turn = File::create(dir.join("test.lock")).expect("create the lock file");
        turn.lock().expect("wait for the turn");
        let hosts = std::iter::zip(get("FLEET_NAMES").split(' '), get("FLEET_HOSTS").split(' '))
            .map(|(name, address)| Host::new(&dir, name, address))
            .collect();
        Self {
            hosts,
            registry: get("FLEET_REGISTRY"),
            registry_user: get("FLEET_REGISTRY_USER"),
            key: PathBuf::from(get("FLEET_KEY")),
            ssh_config: PathBuf::from(get("FLEET_SSH_CONFIG")),
            deploy_user: get("FLEET_DEPLOY_USER"),
            registry_password: get("FLEET_REGISTRY_PASSWORD"),
            dir,
            _turn: turn,
        }
    }

    /// As [`Fleet::take`], with every host emptied of what earlier deploys left.
    pub fn take_clean() -> Self {
        let fleet = Self::take();
        let resets: Vec<_> = fleet
            .hosts
            .iter()
            .map(|host| {
                let host = host.clone();
                std::thread::spawn(move || host.reset())
            })
            .collect();
        for reset in resets {
            reset.join().expect("reset a host");
        }
        fleet
    }

    /// The host of this name.
    ///
    /// # Panics
    /// If there is none.
    pub fn host(&self, name: &str) -> &Host {
        self.hosts
            .iter()
            .find(|host| host.name == name)
            .unwrap_or_else(|| {
                panic!("the fleet has no host `{name}`: run bin/fleet up with more hosts")
            })
    }

    /// The registry's password.
    pub fn registry_password(&self) -> &str {
        &self.registry_password
    }

    /// Runs a command on a host as that user over OpenSSH, as a person would.
    pub fn ssh(&self, user: &str, host: &Host, command: &str) -> Outcome {
        let mut ssh = Command::new("ssh");
        ssh.arg("-F")
            .arg(&self.ssh_config)
            .args(["-l", user, &host.address, command]);
        Outcome::of(&mut ssh, "")
    }

    /// Builds the demo app in this mode and pushes it. Returns the image's name.
    ///
    /// # Panics
    /// If that fails.
    pub fn push_app(&self, tag: &str, mode: &str) -> String {
        let image = format!("{}/lab:{tag}", self.registry);
        let scratch = tempfile::tempdir().expect("a temporary folder");
        let docker_config = scratch.path().join("docker");
        let context = scratch.path().join("context");
        write_app_context(&context, mode);
        let docker = |arguments: &[&str], stdin: &str| {
            let mut docker = Command::new("docker");
            docker
                .env("DOCKER_CONFIG", &docker_config)
                .args(arguments)
                .arg(&context);
            Outcome::of(&mut docker, stdin).expect().to_owned()
        };
        self.log_in(&docker_config, self.registry_password())
            .expect();
        let version = format!("APP_VERSION={tag}");
        docker(
            &[
                "buildx",
                "build",
                "--quiet",
                "--push",
                "--build-arg",
                &version,
                "--tag",
                &image,
            ],
            "",
        );
        image
    }

    /// Builds the demo app in this mode and pushes it as these versions of a [`ScratchApp`], each an image of its own, as a deploy with
    /// `--skip-push` expects them.
    ///
    /// # Panics
    /// If that fails.
    pub fn push_versions(&self, versions: &[&str], mode: &str) {
        let label = format!("service={}", ScratchApp::SERVICE);
        self.push_images(versions, mode, &["--label", &label]);
    }

    /// Pushes a version of a [`ScratchApp`] that lacks the label that all images of a service have.
    ///
    /// # Panics
    /// If that fails.
    pub fn push_without_label(&self, version: &str) {
        self.push_images(&[version], "healthy", &[]);
    }

    fn push_images(&self, versions: &[&str], mode: &str, more: &[&str]) {
        let scratch = tempfile::tempdir().expect("a temporary folder");
        let docker_config = scratch.path().join("docker");
        let context = scratch.path().join("context");
        write_app_context(&context, mode);
        self.log_in(&docker_config, self.registry_password())
            .expect();
        for version in versions {
            let mut docker = Command::new("docker");
            docker
                .env("DOCKER_CONFIG", &docker_config)
                .args(["buildx", "build", "--quiet", "--push"])
                .args(["--build-arg", &format!("APP_VERSION={version}")])
                .args(more)
                .args(["--tag", &self.image(version)])
                .arg(&context);
            Outcome::of(&mut docker, "").expect();
        }
    }

    /// The name of the image that a [`ScratchApp`] has in this version.
    pub fn image(&self, version: &str) -> String {
        let service = ScratchApp::SERVICE;
        format!("{}/{service}/app:{version}", self.registry)
    }

    /// Logs this machine's Docker client in to the registry, with its settings in a folder of the test's own.
    pub fn log_in(&self, docker_config: &Path, password: &str) -> Outcome {
        let mut docker = Command::new("docker");
        docker.env("DOCKER_CONFIG", docker_config);
        docker.args([
            "login",
            "--username",
            &self.registry_user,
            "--password-stdin",
            &self.registry,
        ]);
        Outcome::of(&mut docker, password)
    }
}

/// Writes the build context of the demo app into this folder.
pub(crate) fn write_app_context(dir: &Path, mode: &str) {
    let mut script = Command::new(project_root().join("bin/app-context"));
    Outcome::of(script.arg(dir).arg(mode), "").expect();
}

pub(crate) fn project_root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the package lies in the project")
        .to_owned()
}
