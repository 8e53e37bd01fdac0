//! Hosts with a shell and a fake docker each, and what was told about a run.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use dhow_plan::{Plan, Stage, Step, Track, Work};
use dhow_run::{Event, EventKind, Executor, Failed, Fleet, Local, Outcome, Sink};
use dhow_ssh::{Connector, Place, Settings};
use dhow_testkit::sshd::{Answer, Config, Sshd};
use dhow_text::shell::Cmd;
use tempfile::TempDir;
use tokio::sync::mpsc;

/// Nothing here may take longer.
const LIMIT: Duration = Duration::from_secs(60);

/// Writes down how it was called, and on which host.
const DOCKER: &str = "#!/bin/sh\necho \"docker $*\" >>\"$HOME/calls\"\n[ ! -e \"$HOME/docker-does\" ] || . \"$HOME/docker-does\"\n";

/// Hosts 127.0.0.1, 127.0.0.2 and so on, all on one port.
pub(crate) struct Hosts {
    root: TempDir,
    servers: Vec<Sshd>,
}

/// A deployer with connections to them.
pub(crate) struct Deployer {
    pub(crate) fleet: Fleet,
    local: Local,
    sink: Sink,
    events: mpsc::UnboundedReceiver<Event>,
}

impl Hosts {
    /// So many of them.
    pub(crate) async fn start(count: u8) -> Self {
        let root = tempfile::tempdir().expect("a folder");
        for number in 1..=count {
            let home = root.path().join(name(number));
            fs::create_dir_all(home.join("bin")).expect("a folder");
            let docker = home.join("bin/docker");
            fs::write(&docker, DOCKER).expect("write");
            fs::set_permissions(docker, fs::Permissions::from_mode(0o755)).expect("a program");
        }
        // A port that is free on the first address may be taken on another one.
        for _ in 0..20 {
            if let Some(servers) = Self::listen(root.path(), count).await {
                return Self { root, servers };
            }
        }
        panic!("no port is free on {count} addresses");
    }

    async fn listen(root: &Path, count: u8) -> Option<Vec<Sshd>> {
        let mut servers: Vec<Sshd> = Vec::new();
        for number in 1..=count {
            let home = root.join(name(number));
            let path = format!("{}:/usr/bin:/bin", home.join("bin").display());
            let env = vec![
                ("PATH".to_owned(), path),
                ("HOME".to_owned(), home.display().to_string()),
                ("ALL".to_owned(), root.display().to_string()),
            ];
            let port = servers.first().map_or(0, Sshd::port);
            let address = SocketAddr::from(([127, 0, 0, number], port));
            let config = Config::new(Answer::Shell { dir: home, env });
            servers.push(Sshd::listen(&[address], config).await.ok()?);
        }
        Some(servers)
    }

    /// The server of a host, the first is 1.
    pub(crate) fn server(&self, number: u8) -> &Sshd {
        &self.servers[usize::from(number) - 1]
    }

    /// A file in the home directory of a host.
    pub(crate) fn file(&self, number: u8, file: &str) -> PathBuf {
        self.root.path().join(name(number)).join(file)
    }

    /// What docker was asked on a host.
    pub(crate) fn calls(&self, number: u8) -> Vec<String> {
        let text = fs::read_to_string(self.file(number, "calls")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// What docker does on a host beside writing down.
    pub(crate) fn docker_does(&self, number: u8, script: &str) {
        fs::write(self.file(number, "docker-does"), script).expect("write");
    }

    /// Exchanges with a host so far.
    pub(crate) fn exchanges(&self, number: u8) -> usize {
        self.server(number).counters().execs.load(Ordering::SeqCst)
    }

    pub(crate) fn deployer(&self) -> Deployer {
        let home = self.root.path().join("deployer");
        if !home.exists() {
            fs::create_dir_all(home.join(".ssh")).expect("a folder");
            let key = home.join(".ssh/id_ed25519").display().to_string();
            dhow_testkit::openssh::keygen(&["-q", "-N", "", "-t", "ed25519", "-f", &key])
                .expect("a key");
        }
        let mut settings = Settings::new(Place {
            home: home.clone(),
            cwd: home.clone(),
            local_user: "me".to_owned(),
            local_host: "here".to_owned(),
            uid: 0,
            agent_socket: None,
            env: Arc::new(|_| None),
        });
        settings.port = self.server(1).port();
        settings.connect_timeout = Duration::from_secs(5);
        let (sender, events) = mpsc::unbounded_channel();
        let sink = Sink::new(sender, Instant::now());
        Deployer {
            fleet: Fleet::new(
                Connector::new(settings),
                sink.clone(),
                "00112233445566ff".to_owned(),
            ),
            local: Local {
                cwd: home.clone(),
                hooks: home.join("hooks"),
                skip_hooks: false,
                env: Vec::new(),
                secrets: Vec::new(),
            },
            sink,
            events,
        }
    }
}

impl Deployer {
    pub(crate) fn executor(&self) -> Executor<'_> {
        Executor::new(&self.fleet, &self.local, self.sink.clone())
    }

    /// Runs stages to their end.
    pub(crate) async fn run(&self, stages: Vec<Stage>) -> Result<Vec<Outcome>, Failed> {
        soon(self.executor().execute(&Plan { stages })).await
    }

    /// Everything that was told until now.
    pub(crate) fn told(&mut self) -> Vec<EventKind> {
        let mut told = Vec::new();
        while let Ok(event) = self.events.try_recv() {
            told.push(event.kind);
        }
        told
    }

    /// The status lines until now.
    pub(crate) fn said(&mut self) -> Vec<String> {
        let told = self.told().into_iter();
        told.filter_map(|event| match event {
            EventKind::Said { text, .. } => Some(text),
            _ => None,
        })
        .collect()
    }
}

/// The name of a host.
pub(crate) fn name(number: u8) -> String {
    format!("127.0.0.{number}")
}

/// A step by its command.
pub(crate) fn step(command: &str) -> Step {
    Step::run(command, Cmd::new(command))
}

/// A track on a host, with steps by their commands.
pub(crate) fn track(number: u8, role: Option<&str>, commands: &[&str]) -> Track {
    let steps = commands.iter().map(|command| step(command)).collect();
    Track::new(&name(number), role, steps)
}

/// A stage whose tracks of one host run together.
pub(crate) fn parallel(tracks: Vec<Track>) -> Stage {
    Stage {
        name: "boot".to_owned(),
        say: None,
        work: Work::Hosts {
            tracks,
            parallel_roles: true,
        },
    }
}

/// Fails the test when `work` takes longer than the limit.
pub(crate) async fn soon<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(LIMIT, work)
        .await
        .expect("took too long")
}
