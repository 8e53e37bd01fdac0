//! The app that is deployed: a folder with what Kamal reads, and versions of it in the fleet's registry.
//!
//! Every version is an image of its own on a common base, with one small layer that no host has seen, so that each deploy pulls
//! something and switches from one version to another.

use std::path::PathBuf;
use std::process::Command;

use base64::Engine as _;

use crate::failed::Failed;
use crate::fleet::{Fleet, Host};
use crate::measured::Measured;

/// The service's name.
pub(crate) const SERVICE: &str = "bench";
/// The name under which the proxy serves it, so that it can stand beside other apps.
pub(crate) const HOST: &str = "bench.example";

/// The app, ready to be deployed.
pub struct App {
    /// Where it lies.
    dir: PathBuf,
    home: PathBuf,
    docker_config: PathBuf,
    registry: String,
}

impl App {
    /// Writes the app's folder and a home for the one who deploys.
    ///
    /// # Errors
    /// A file can't be written, or a program that helps fails.
    pub fn make(fleet: &Fleet) -> Result<Self, Failed> {
        let app = Self {
            dir: fleet.dir.join("app"),
            home: fleet.dir.join("home"),
            docker_config: fleet.dir.join("docker"),
            registry: fleet.registry.clone(),
        };
        let folders = [
            app.dir.join("config"),
            app.dir.join(".kamal"),
            app.home.join(".ssh"),
            app.docker_config.clone(),
        ];
        for folder in &folders {
            std::fs::create_dir_all(folder).map_err(Failed::file(folder))?;
        }
        write(
            &app.home.join(".ssh/known_hosts"),
            fleet.known_hosts().as_bytes(),
        )?;
        write(
            &app.docker_config.join("config.json"),
            docker_config(fleet).as_bytes(),
        )?;
        let mut context = Command::new(fleet.root.join("bin/app-context"));
        context.arg(app.dir.join("context"));
        Measured::output(context)?;
        let mut git = Command::new("git");
        git.current_dir(&app.dir).args(["init", "--quiet"]);
        Measured::output(git)?;
        for (name, value) in [("user.name", "Bench"), ("user.email", "bench@example.com")] {
            let mut git = Command::new("git");
            git.current_dir(&app.dir).args(["config", name, value]);
            Measured::output(git)?;
        }
        Ok(app)
    }

    /// Makes these versions and brings them to the registry.
    ///
    /// # Errors
    /// A build or push fails.
    pub fn push(&self, versions: &[String]) -> Result<(), Failed> {
        let base = format!("{SERVICE}-base");
        self.docker(&["build", "--quiet", "--tag", &base, "context"])?;
        let folder = self.dir.join("version");
        std::fs::create_dir_all(&folder).map_err(Failed::file(&folder))?;
        write(
            &folder.join("Dockerfile"),
            format!("FROM {base}\nCOPY version /version\nLABEL service={SERVICE}\n").as_bytes(),
        )?;
        for version in versions {
            write(&folder.join("version"), version.as_bytes())?;
            let image = self.image(version);
            self.docker(&["build", "--quiet", "--tag", &image, "version"])?;
            self.docker(&["push", "--quiet", &image])?;
        }
        Ok(())
    }

    /// The full name of a version's image.
    #[must_use]
    pub fn image(&self, version: &str) -> String {
        format!("{}/{SERVICE}/app:{version}", self.registry)
    }

    /// Writes the deploy file for the hosts at these addresses.
    ///
    /// # Errors
    /// It can't be written.
    pub fn configure(&self, fleet: &Fleet, addresses: &[&str]) -> Result<(), Failed> {
        let hosts: String = addresses
            .iter()
            .map(|address| format!("    - {address}\n"))
            .collect();
        let arch = match std::env::consts::ARCH {
            "aarch64" => "arm64",
            _ => "amd64",
        };
        let text = format!(
            "service: {SERVICE}\nimage: {SERVICE}/app\nservers:\n  web:\n{hosts}proxy:\n  host: {HOST}\n  healthcheck:\n    interval: 1\n    path: /up\n\
             registry:\n  server: {}\n  username: {}\n  password:\n    - REGISTRY_PASSWORD\nbuilder:\n  arch: {arch}\n  driver: docker\n\
             ssh:\n  keys:\n    - {}\n  keys_only: true\nenv:\n  clear:\n    GREETING: hello\n  secret:\n    - API_KEY\n",
            fleet.registry,
            fleet.registry_user,
            fleet.key.display()
        );
        write(&self.dir.join("config/deploy.yml"), text.as_bytes())?;
        write(
            &self.dir.join(".kamal/secrets"),
            b"REGISTRY_PASSWORD=$REGISTRY_PASSWORD\nAPI_KEY=$API_KEY\n",
        )
    }

    /// `dhow deploy --skip-push` of a version.
    #[must_use]
    pub fn deploy(&self, fleet: &Fleet, dhow: &Dhow, version: &str) -> Command {
        let mut command = Measured::limited(&dhow.program);
        command
            .current_dir(&self.dir)
            .env("HOME", &self.home)
            .env_remove("SSH_AUTH_SOCK")
            .env("REGISTRY_PASSWORD", &fleet.registry_password)
            .env("API_KEY", "a secret of the benchmark")
            .args(["deploy", "--skip-push", "--version", version]);
        if let Some(binary) = &dhow.proxy_binary {
            command.arg("--proxy-binary").arg(binary);
        }
        command
    }

    /// Brings a host into the state of one that was deployed to for a while: images and stopped containers of these versions.
    ///
    /// # Errors
    /// The host does not do it.
    pub fn settle(&self, fleet: &Fleet, host: &Host, versions: &[String]) -> Result<(), Failed> {
        self.clear(host)?;
        let config = docker_config(fleet);
        let mut script = format!(
            "set -e; mkdir -p {AUTH}; printf %s '{config}' >{AUTH}/config.json; docker network create kamal >/dev/null 2>&1 || true\n"
        );
        script.extend(versions.iter().map(|version| {
            let (image, name) = (self.image(version), container(version));
            format!(
                "DOCKER_CONFIG={AUTH} docker pull -q {image} >/dev/null\n\
                 docker run --name {name} --network kamal --label service={SERVICE} --label role=web --label destination= {image} lab-app say old >/dev/null\n"
            )
        }));
        host.run(&script).map(|_| ())
    }

    /// Removes everything of the app from a host; the proxy stays.
    ///
    /// # Errors
    /// The host does not do it.
    pub fn clear(&self, host: &Host) -> Result<(), Failed> {
        let script = format!(
            "names=$(docker ps -aq --filter label=service={SERVICE}); [ -z \"$names\" ] || docker rm -f $names\n\
             names=$(docker image ls -q --filter label=service={SERVICE} | sort -u); [ -z \"$names\" ] || docker rmi -f $names\n\
             rm -rf {AUTH} /root/.kamal/apps/{SERVICE} /root/.kamal/{SERVICE}-audit.log\n\
             ! docker ps -q --filter name=^kamal-proxy$ | grep -q . || docker exec kamal-proxy kamal-proxy remove {SERVICE}-web || true"
        );
        host.run(&script).map(|_| ())
    }

    /// What a host has of the app: the running containers' names, the number of the others, and the number of images.
    ///
    /// # Errors
    /// The host can't be asked.
    pub fn state(&self, host: &Host) -> Result<State, Failed> {
        let script = format!(
            "docker ps --filter label=service={SERVICE} --format '{{{{.Names}}}}'; echo /; \
             docker ps -aq --filter label=service={SERVICE} --filter status=created --filter status=exited; echo /; \
             docker image ls -q --filter label=service={SERVICE} | sort -u"
        );
        let output = host.run(&script)?;
        let mut parts = output.split("/\n").map(|part| part.lines());
        let mut next = || parts.next().into_iter().flatten();
        Ok(State {
            running: next().map(str::to_owned).collect(),
            stopped: next().count(),
            images: next().count(),
        })
    }

    fn docker(&self, arguments: &[&str]) -> Result<String, Failed> {
        let mut docker = Command::new("docker");
        docker
            .current_dir(&self.dir)
            .env("DOCKER_CONFIG", &self.docker_config)
            .args(arguments);
        Measured::output(docker)
    }
}

/// The program under test.
#[derive(Clone, Debug)]
pub struct Dhow {
    /// Where it is.
    pub program: PathBuf,
    /// What goes into the proxy's image, for a program that is not static.
    pub proxy_binary: Option<PathBuf>,
}

/// What a host has of the app.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    /// The running containers.
    pub running: Vec<String>,
    /// How many do not run.
    pub stopped: usize,
    /// How many images there are.
    pub images: usize,
}

/// Where a host keeps the registry login that the floor uses.
pub(crate) const AUTH: &str = "/root/.dhow-bench";

/// The name of a version's container.
pub(crate) fn container(version: &str) -> String {
    format!("{SERVICE}-web-{version}")
}

/// Docker's settings with the registry login.
fn docker_config(fleet: &Fleet) -> String {
    let account = format!("{}:{}", fleet.registry_user, fleet.registry_password);
    let auth = base64::engine::general_purpose::STANDARD.encode(account);
    serde_json::json!({ "auths": { &fleet.registry: { "auth": auth } } }).to_string()
}

fn write(path: &std::path::Path, content: &[u8]) -> Result<(), Failed> {
    std::fs::write(path, content).map_err(Failed::file(path))
}
