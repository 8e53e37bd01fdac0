//! The proxy as a process of its own, with its own home, socket and ports.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::Write as _;
use std::net::{TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use tempfile::TempDir;

use super::eventually;
use super::log::Log;

/// What a client command did.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Outcome {
    /// Success without a word.
    pub(crate) fn quiet(&self) {
        assert_eq!(
            (self.code, self.stdout.as_str(), self.stderr.as_str()),
            (0, "", "")
        );
    }

    /// Failure with this first line after `Error: `; gives the lines that follow.
    pub(crate) fn failed(&self, message: &str) -> Vec<String> {
        assert_eq!(self.code, 1, "{self:?}");
        assert_eq!(self.stdout, "");
        let mut lines = self.stderr.lines();
        assert_eq!(lines.next(), Some(format!("Error: {message}").as_str()));
        lines.map(str::to_owned).collect()
    }
}

/// A running proxy, killed when dropped.
pub(crate) struct Proxy {
    pub(crate) http: u16,
    pub(crate) https: u16,
    /// More of the environment, `KAMAL_PROXY_` left out.
    pub(crate) env: Vec<(&'static str, String)>,
    folder: TempDir,
    log: Mutex<Log>,
    child: Option<Child>,
}

impl Proxy {
    pub(crate) fn start() -> Self {
        let mut proxy = Self::prepare();
        proxy.boot();
        proxy
    }

    /// Everything but the process.
    pub(crate) fn prepare() -> Self {
        let folder = TempDir::new().unwrap();
        for name in ["home", "run", "tmp"] {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        Self {
            http: free_port(),
            https: free_port(),
            env: Vec::new(),
            folder,
            log: Mutex::default(),
            child: None,
        }
    }

    pub(crate) fn boot(&mut self) {
        self.boot_with(&[]);
    }

    /// Starts the server with more arguments.
    pub(crate) fn boot_with(&mut self, more: &[&str]) {
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.folder.path().join("log"))
            .unwrap();
        let stderr = File::options()
            .create(true)
            .append(true)
            .open(self.folder.path().join("stderr"))
            .unwrap();
        let started = self.logged("Server started").len();
        let child = self
            .command(program())
            .args([
                "run",
                "--http-port",
                &self.http.to_string(),
                "--https-port",
                &self.https.to_string(),
            ])
            .args(more)
            .stdout(log)
            .stderr(stderr)
            .spawn()
            .unwrap();
        self.child = Some(child);
        eventually("the proxy starts", || {
            assert!(
                self.child.as_mut().unwrap().try_wait().unwrap().is_none(),
                "the proxy ended: {}",
                self.log()
            );
            self.socket().exists() && self.logged("Server started").len() > started
        });
    }

    /// Starts a server that takes over from the one that runs, and gives the old process.
    pub(crate) fn take_over(&mut self, more: &[&str]) -> Child {
        let old = self.child.take().unwrap();
        let mut args = vec!["--takeover"];
        args.extend(more);
        self.boot_with(&args);
        old
    }

    /// Sends SIGTERM and gives the exit code.
    pub(crate) fn terminate(&mut self) -> i32 {
        self.signal("TERM");
        self.wait()
    }

    pub(crate) fn signal(&self, name: &str) {
        let pid = self.pid().to_string();
        assert!(
            Command::new("kill")
                .args([format!("-{name}"), pid])
                .status()
                .unwrap()
                .success()
        );
    }

    pub(crate) fn wait(&mut self) -> i32 {
        self.child.take().unwrap().wait().unwrap().code().unwrap()
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.as_ref().unwrap().id()
    }

    /// Runs a client command.
    pub(crate) fn run(&self, args: &[&str]) -> Outcome {
        Self::outcome(self.command(program()).args(args))
    }

    /// The same by a copy of the program.
    pub(crate) fn run_copy(&self, program: &Path, args: &[&str]) -> Outcome {
        Self::outcome(self.command(program).args(args))
    }

    fn outcome(command: &mut Command) -> Outcome {
        let output = command.output().unwrap();
        Outcome {
            code: output.status.code().unwrap(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Starts a client command and does not wait.
    pub(crate) fn spawn(&self, args: &[&str]) -> Child {
        self.command(program())
            .args(args)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    }

    pub(crate) fn deploy(&self, service: &str, target: &str, more: &[&str]) {
        let target = format!("--target={target}");
        let mut args = vec!["deploy", service, &target];
        args.extend(more);
        self.run(&args).quiet();
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.path("run/kamal-proxy.sock")
    }

    pub(crate) fn state_file(&self) -> PathBuf {
        self.path("home/.config/kamal-proxy/kamal-proxy.state")
    }

    pub(crate) fn state(&self) -> serde_json::Value {
        serde_json::from_slice(&fs::read(self.state_file()).unwrap()).unwrap()
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.path("log")).unwrap_or_default()
    }

    /// What servers wrote to standard error: nothing, unless one panics.
    pub(crate) fn stderr(&self) -> String {
        fs::read_to_string(self.path("stderr")).unwrap_or_default()
    }

    /// Log lines with this message.
    pub(crate) fn logged(&self, message: &str) -> Vec<serde_json::Value> {
        let mut log = self.log.lock().unwrap();
        log.read_on(&self.path("log"));
        log.of(message)
    }

    /// Waits for so many log lines with this message; the log is written a moment after the fact.
    pub(crate) fn expect_logged(&self, message: &str, count: usize) -> Vec<serde_json::Value> {
        eventually("it is logged", || self.logged(message).len() >= count);
        let lines = self.logged(message);
        assert_eq!(lines.len(), count, "{lines:?}");
        lines
    }

    /// The access-log line of the request to `path`, once it is there.
    pub(crate) fn request_logged(&self, path: &str) -> serde_json::Value {
        let mut found = None;
        eventually("the request is logged", || {
            found = self
                .logged("Request")
                .into_iter()
                .find(|line| line["path"] == path);
            found.is_some()
        });
        found.unwrap()
    }

    fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("HOME", self.path("home"))
            .env("XDG_RUNTIME_DIR", self.path("run"))
            .env("TMPDIR", self.path("tmp"))
            // Nobody listens there: no test turns to a public authority.
            .env("KAMAL_PROXY_ACME_DIRECTORY", "https://127.0.0.1:1/dir");
        for (key, value) in &self.env {
            command.env(format!("KAMAL_PROXY_{key}"), value);
        }
        command
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
        if std::thread::panicking() {
            let _ = writeln!(
                std::io::stderr(),
                "--- log of the proxy\n{}{}",
                self.log(),
                self.stderr()
            );
        }
    }
}

/// A port that nobody uses, over TCP and UDP, and that nobody is given by chance: clients get theirs from higher ones.
pub(crate) fn free_port() -> u16 {
    static TURN: AtomicU32 = AtomicU32::new(0);
    let start = std::process::id().wrapping_mul(97);
    loop {
        let turn = TURN.fetch_add(1, Ordering::Relaxed);
        let port = u16::try_from(12_000 + start.wrapping_add(turn) % 20_000).unwrap();
        let address = ("0.0.0.0", port);
        if TcpListener::bind(address).is_ok() && UdpSocket::bind(address).is_ok() {
            return port;
        }
    }
}

/// The example `kamal-proxy`, which `cargo test` builds along with the tests.
pub(crate) fn program() -> PathBuf {
    let tests = std::env::current_exe().unwrap();
    let folder = tests.parent().and_then(Path::parent).unwrap();
    let program = folder.join("examples/kamal-proxy");
    assert!(
        program.exists(),
        "{} is missing; build it with `cargo build -p dhow-proxy --examples`",
        program.display()
    );
    program
}
