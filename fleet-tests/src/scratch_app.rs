//! An app in a git repository of its own, ready to be deployed to the fleet.

use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::fleet::{Fleet, write_app_context};
use crate::host::Host;
use crate::outcome::Outcome;
use crate::program::Dhow;

/// The app's folder. It goes when this value does.
pub struct ScratchApp {
    root: TempDir,
    registry_password: String,
}

impl ScratchApp {
    /// The service name in the configuration that [`ScratchApp::config`] writes.
    pub const SERVICE: &str = "lab";

    /// A repository with one commit: the demo app, `config/deploy.yml` with this text, and `.kamal/secrets`.
    pub fn new(fleet: &Fleet, deploy_yml: &str) -> Self {
        let root = tempfile::tempdir().expect("a temporary folder");
        let app = Self {
            root,
            registry_password: fleet.registry_password().to_owned(),
        };
        std::fs::create_dir(app.home()).expect("create the home folder");
        app.write("config/deploy.yml", deploy_yml);
        app.write(
            ".kamal/secrets",
            "FLEET_REGISTRY_PASSWORD=$FLEET_REGISTRY_PASSWORD\n",
        );
        write_app_context(&app.dir(), "healthy");
        app.git(&["init", "--quiet", "--initial-branch=main"]);
        app.commit("first");
        app
    }

    /// A plain configuration: the demo app on these hosts, by the fleet's registry. Tests append to it.
    pub fn config(fleet: &Fleet, hosts: &[&Host]) -> String {
        let hosts = hosts
            .iter()
            .map(|host| format!("    - {}\n", host.address))
            .collect::<String>();
        let arch = match std::env::consts::ARCH {
            "aarch64" => "arm64",
            _ => "amd64",
        };
        format!(
            "service: {service}\nimage: {service}/app\nservers:\n  web:\n{hosts}\
             registry:\n  server: {registry}\n  username: {user}\n  password:\n    - FLEET_REGISTRY_PASSWORD\n\
             builder:\n  arch: {arch}\n  driver: docker\n\
             ssh:\n  keys:\n    - {key}\n  keys_only: true\n",
            service = Self::SERVICE,
            registry = fleet.registry,
            user = fleet.registry_user,
            key = fleet.key.display(),
        )
    }

    /// The repository.
    pub fn dir(&self) -> PathBuf {
        self.root.path().join("app")
    }

    /// The home folder of the one who deploys.
    pub fn home(&self) -> PathBuf {
        self.root.path().join("home")
    }

    /// The program under test in this app's folder.
    pub fn dhow(&self) -> Dhow {
        Dhow::in_dir(&self.dir(), &self.home())
            .env("FLEET_REGISTRY_PASSWORD", &self.registry_password)
    }

    /// Writes a file of the repository, without a commit.
    ///
    /// # Panics
    /// If that fails.
    pub fn write(&self, path: impl AsRef<Path>, text: &str) {
        let file = self.dir().join(path);
        std::fs::create_dir_all(file.parent().expect("a file in the repository"))
            .expect("create the folder");
        std::fs::write(file, text).expect("write the file");
    }

    /// Sets how the next version behaves (see the demo app's modes), without a commit.
    pub fn set_mode(&self, mode: &str) {
        self.write("lab-mode", mode);
    }

    /// Commits all. Returns the commit, which is the version that a deploy of it has.
    pub fn commit(&self, message: &str) -> String {
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--allow-empty", "--message", message]);
        self.git(&["rev-parse", "HEAD"])
    }

    /// Commits, builds and pushes a version that behaves like this, by the program under test. Every release is an image of its own.
    ///
    /// # Panics
    /// If that fails.
    pub fn release(&self, mode: &str) -> String {
        let version = self.change(mode);
        self.dhow().run(&["build", "push"]).expect();
        version
    }

    /// Commits a version that behaves like this. Every version makes an image of its own.
    ///
    /// # Panics
    /// If that fails.
    pub fn change(&self, mode: &str) -> String {
        self.set_mode(mode);
        let file = self.dir().join("Dockerfile");
        let mut dockerfile = std::fs::read_to_string(&file).expect("read the Dockerfile");
        dockerfile.push_str("LABEL lab.change=\"\"\n");
        let count = dockerfile.matches("LABEL lab.change").count();
        let dockerfile = dockerfile.replace("change=\"\"", &format!("change{count}=\"\""));
        std::fs::write(&file, dockerfile).expect("write the Dockerfile");
        self.commit(mode)
    }

    /// Runs git in the repository.
    #[track_caller]
    pub fn git(&self, arguments: &[&str]) -> String {
        let mut git = Command::new("git");
        git.current_dir(self.dir()).env("HOME", self.home());
        git.args([
            "-c",
            "user.name=Fleet",
            "-c",
            "user.email=fleet@example.com",
        ])
        .args(arguments);
        Outcome::of(&mut git, "").expect().to_owned()
    }
}
