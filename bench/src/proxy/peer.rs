//! The programs that are compared, how each is set up, and each of them running.

use std::fs::{File, OpenOptions};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::str::FromStr;
use std::time::{Duration, Instant};

use super::exchange::Http;
use super::group::Group;
use super::scenario::{BUFFERED, PLAIN, TLS, What};
use super::worker::connect;
use crate::failed::Failed;

/// How long a proxy may take to start.
const START: Duration = Duration::from_secs(20);

/// A program to compare.
#[derive(Clone, Debug)]
pub struct Peer {
    /// What the tables call it.
    pub name: String,
    /// What it is.
    pub kind: Kind,
}

/// What a peer is, and with that how it is set up.
#[derive(Clone, Debug)]
pub enum Kind {
    /// dhow or anything else that takes kamal-proxy's commands.
    KamalProxy(PathBuf),
    /// Debian's.
    Nginx,
    /// Debian's.
    Haproxy,
    /// Debian's.
    Caddy,
    /// A shell command that serves the hosts `plain.test` and `buffered.test` on 127.0.0.1:`$HTTP_PORT` and `tls.test`, with `$CERT` and `$KEY`,
    /// on 127.0.0.1:`$HTTPS_PORT`, all from `$ORIGIN`, until it is killed. Its standard output is a file.
    Command(String),
}

impl FromStr for Peer {
    type Err = String;

    /// `NAME=COMMAND`.
    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            Some((name, command)) if !name.is_empty() && !command.is_empty() => Ok(Self {
                name: name.to_owned(),
                kind: Kind::Command(command.to_owned()),
            }),
            _ => Err(format!("`{text}` is not NAME=COMMAND")),
        }
    }
}

/// What all proxies share.
pub(crate) struct Site {
    /// A folder for everything; certificate and key are in it.
    pub(crate) folder: PathBuf,
    /// Where they forward to.
    pub(crate) origin: SocketAddr,
    /// The core they run on.
    pub(crate) core: usize,
}

/// A proxy that answers.
pub(crate) struct Running {
    pub(crate) group: Group,
    http: SocketAddr,
    https: SocketAddr,
    logs: Vec<PathBuf>,
}

impl Running {
    /// Starts a proxy and waits until it answers.
    ///
    /// # Errors
    /// It does not.
    pub(crate) async fn start(peer: &Peer, site: &Site, run: &str) -> Result<Self, Failed> {
        let folder = site.folder.join(format!("{}-{run}", peer.name));
        std::fs::create_dir_all(&folder).map_err(Failed::file(&folder))?;
        let (http, https) = (free_port()?, free_port()?);
        let (output, errors) = (folder.join("output.log"), folder.join("errors.log"));
        let mut command = Command::new("taskset");
        command.arg("--cpu-list").arg(site.core.to_string());
        let setup = Setup {
            site,
            folder: &folder,
            http,
            https,
        };
        setup.arguments(&peer.kind, &mut command)?;
        command
            .current_dir(&folder)
            .stdin(Stdio::null())
            .stdout(append(&output)?)
            .stderr(append(&errors)?);
        let mut running = Self {
            group: Group::spawn(command)?,
            http,
            https,
            logs: vec![output, folder.join("access.log")],
        };
        let ready = running.wait(&peer.kind, &setup).await;
        ready.map_err(|error| {
            let said = std::fs::read_to_string(&errors).unwrap_or_default();
            Failed::Wrong(format!(
                "{} does not start: {error}; it said: {said}",
                peer.name
            ))
        })?;
        Ok(running)
    }

    /// The port for a kind of load.
    pub(crate) fn address(&self, what: What) -> SocketAddr {
        if what.is_tls() { self.https } else { self.http }
    }

    /// Empties the logs: they grow by tens of megabytes a second.
    ///
    /// # Errors
    /// A file can't be written.
    pub(crate) fn empty_logs(&self) -> Result<(), Failed> {
        for path in self.logs.iter().filter(|path| path.exists()) {
            let file = OpenOptions::new().write(true).open(path);
            file.and_then(|file| file.set_len(0))
                .map_err(Failed::file(path))?;
        }
        Ok(())
    }

    async fn wait(&mut self, kind: &Kind, setup: &Setup<'_>) -> Result<(), Failed> {
        let deadline = Instant::now() + START;
        let mut deployed = !matches!(kind, Kind::KamalProxy(_));
        loop {
            if !self.group.runs() {
                return Err(Failed::Wrong("it has ended".to_owned()));
            }
            let outcome = match kind {
                Kind::KamalProxy(_) if !deployed => setup.deploy().await,
                _ => self.answers().await,
            };
            match outcome {
                Ok(()) if deployed => return Ok(()),
                Ok(()) => deployed = true,
                Err(error) if Instant::now() >= deadline => return Err(error),
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
    }

    async fn answers(&self) -> Result<(), Failed> {
        let what = What::Http {
            host: PLAIN,
            path: "/",
            body: 0,
        };
        let mut http = Http::new(connect(self.http).await?);
        let request = what.request();
        let answer = http.exchange(&request);
        let answer = tokio::time::timeout(Duration::from_secs(2), answer).await;
        answer.map_err(|_| Failed::Wrong("no answer".to_owned()))?
    }
}

/// How one proxy is set up.
struct Setup<'a> {
    site: &'a Site,
    folder: &'a Path,
    http: SocketAddr,
    https: SocketAddr,
}

impl Setup<'_> {
    fn arguments(&self, kind: &Kind, command: &mut Command) -> Result<(), Failed> {
        let file = |name: &str, template: &str| -> Result<PathBuf, Failed> {
            let path = self.folder.join(name);
            std::fs::write(&path, self.fill(template)).map_err(Failed::file(&path))?;
            Ok(path)
        };
        match kind {
            Kind::KamalProxy(program) => {
                let link = self.folder.join("kamal-proxy");
                std::os::unix::fs::symlink(program, &link).map_err(Failed::file(&link))?;
                command.args([link.as_os_str(), "run".as_ref()]);
                command.args(["--http-port", &self.http.port().to_string()]);
                command.args(["--https-port", &self.https.port().to_string()]);
            }
            Kind::Nginx => {
                let file = file("nginx.conf", include_str!("../../peers/nginx.conf"))?;
                let log = self.folder.join("error.log");
                command.args(["nginx".as_ref(), "-c".as_ref(), file.as_os_str()]);
                command.args(["-p".as_ref(), self.folder.as_os_str()]);
                command.args(["-e".as_ref(), log.as_os_str()]);
            }
            Kind::Haproxy => {
                let pem = self.folder.join("both.pem");
                std::fs::copy(self.site.folder.join("both.pem"), &pem)
                    .map_err(Failed::file(&pem))?;
                let file = file("haproxy.cfg", include_str!("../../peers/haproxy.cfg"))?;
                command.args([
                    "haproxy".as_ref(),
                    "-db".as_ref(),
                    "-f".as_ref(),
                    file.as_os_str(),
                ]);
            }
            Kind::Caddy => {
                let file = file("Caddyfile", include_str!("../../peers/Caddyfile"))?;
                command
                    .args(["caddy", "run", "--adapter", "caddyfile", "--config"])
                    .arg(file);
            }
            Kind::Command(words) => {
                command.args(["sh", "-c", words]);
                command.env("HTTP_PORT", self.http.port().to_string());
                command.env("HTTPS_PORT", self.https.port().to_string());
                command.env("ORIGIN", self.site.origin.to_string());
                command.env("CERT", self.site.folder.join("cert.pem"));
                command.env("KEY", self.site.folder.join("key.pem"));
            }
        }
        self.environment(command);
        Ok(())
    }

    /// Nothing is written outside of the folder.
    fn environment(&self, command: &mut Command) {
        command.env("HOME", self.folder).env("TMPDIR", self.folder);
        command
            .env("XDG_DATA_HOME", self.folder)
            .env("XDG_CONFIG_HOME", self.folder);
        command.env("XDG_RUNTIME_DIR", self.folder);
        command
            .env_remove("KAMAL_PROXY_SOCKET")
            .env_remove("GOMAXPROCS");
    }

    /// Tells a proxy with kamal-proxy's commands what Kamal would: the headers that Kamal has logged, and buffers or none.
    async fn deploy(&self) -> Result<(), Failed> {
        let cert = format!(
            "--tls-certificate-path={}",
            self.site.folder.join("cert.pem").display()
        );
        let key = format!(
            "--tls-private-key-path={}",
            self.site.folder.join("key.pem").display()
        );
        let services: [(&str, &[&str]); 3] = [
            (PLAIN, &[]),
            (BUFFERED, &["--buffer-requests", "--buffer-responses"]),
            (TLS, &["--tls", &cert, &key]),
        ];
        for (host, more) in services {
            let mut command = Command::new(self.folder.join("kamal-proxy"));
            command.args([
                "deploy",
                host,
                "--target",
                &self.site.origin.to_string(),
                "--host",
                host,
            ]);
            command.args(
                ["Cache-Control", "Last-Modified", "User-Agent"]
                    .map(|name| format!("--log-request-header={name}")),
            );
            command.args(more);
            self.environment(&mut command);
            let output = tokio::process::Command::from(command).output().await?;
            if !output.status.success() {
                let said = String::from_utf8_lossy(&output.stderr).into_owned();
                return Err(Failed::Wrong(format!("deploy: {said}")));
            }
        }
        Ok(())
    }

    fn fill(&self, template: &str) -> String {
        let path = |path: &Path| path.display().to_string();
        template
            .replace("@DIR@", &path(self.folder))
            .replace("@HTTP@", &self.http.port().to_string())
            .replace("@HTTPS@", &self.https.port().to_string())
            .replace("@ORIGIN@", &self.site.origin.to_string())
            .replace("@CERT@", &path(&self.site.folder.join("cert.pem")))
            .replace("@KEY@", &path(&self.site.folder.join("key.pem")))
    }
}

fn free_port() -> Result<SocketAddr, Failed> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}

fn append(path: &Path) -> Result<File, Failed> {
    let file = OpenOptions::new().create(true).append(true).open(path);
    file.map_err(Failed::file(path))
}
