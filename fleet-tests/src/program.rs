//! The program under test, run as a person runs it in the folder of an app.

use std::ffi::OsString;
use std::fs::File;
use std::io::{BufRead, BufReader, Seek};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use crate::fleet::project_root;
use crate::outcome::{LIMIT, Outcome};

/// Commands that may put the proxy on a host.
const BOOT_THE_PROXY: [&str; 4] = ["setup", "deploy", "redeploy", "proxy"];

/// `dhow`, or with `$DHOW` set another program that keeps the same contract. With `$DHOW_PROXY_BINARY` set that is what goes into
/// the proxy's image, for a program under test that is not static.
#[derive(Clone)]
pub struct Dhow {
    program: PathBuf,
    proxy_binary: Option<OsString>,
    dir: PathBuf,
    environment: Vec<(String, String)>,
}

impl Dhow {
    /// The program, to be run in `dir` with a home of its own: no key, agent or configuration of this machine gets in.
    ///
    /// # Panics
    /// If the program is not built.
    pub(crate) fn in_dir(dir: &Path, home: &Path) -> Self {
        let program = std::env::var_os("DHOW")
            .map_or_else(|| project_root().join("target/release/dhow"), PathBuf::from);
        assert!(
            program.exists(),
            "`{}` is not built: run bin/build",
            program.display()
        );
        Self {
            program,
            proxy_binary: std::env::var_os("DHOW_PROXY_BINARY"),
            dir: dir.to_owned(),
            environment: vec![("HOME".to_owned(), home.display().to_string())],
        }
    }

    /// With one more variable in its environment.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// With another program to go into the proxy's image.
    #[must_use]
    pub fn with_proxy_binary(mut self, binary: &Path) -> Self {
        self.proxy_binary = Some(binary.into());
        self
    }

    /// The program that goes into the proxy's image.
    pub fn proxy_program(&self) -> PathBuf {
        let binary = self.proxy_binary.as_ref().map(PathBuf::from);
        binary.unwrap_or_else(|| self.program.clone())
    }

    /// Runs it to its end.
    pub fn run(&self, arguments: &[&str]) -> Outcome {
        self.run_with(arguments, "")
    }

    /// Runs it to its end, with this on its stdin.
    pub fn run_with(&self, arguments: &[&str], stdin: &str) -> Outcome {
        Outcome::of(&mut self.command(arguments), stdin)
    }

    /// Starts it and returns at once, for a test that disturbs it.
    ///
    /// # Panics
    /// If it cannot be started.
    pub fn start(&self, arguments: &[&str]) -> Running {
        Running::start(&mut self.command(arguments))
    }

    /// The command that [`Dhow::run`] runs, for a test that wraps it.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.args(arguments);
        let boots = arguments
            .first()
            .is_some_and(|verb| BOOT_THE_PROXY.contains(verb));
        if let (true, Some(binary)) = (boots, &self.proxy_binary) {
            command.arg("--proxy-binary").arg(binary);
        }
        command
            .current_dir(&self.dir)
            .env_remove("SSH_AUTH_SOCK")
            .env_remove("DOCKER_CONFIG")
            .envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }
}

/// A program that runs, whose stdout is read line by line. It is killed when this value goes.
pub struct Running {
    child: Child,
    lines: BufReader<ChildStdout>,
    stdout: String,
    stderr: File,
}

impl Running {
    /// Starts a command.
    ///
    /// # Panics
    /// If that fails.
    pub fn start(command: &mut Command) -> Self {
        let stderr = tempfile::tempfile().expect("a file for stderr");
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(stderr.try_clone().expect("a second handle"))
            .spawn()
            .expect("start the program");
        let stdout = child.stdout.take().expect("its stdout");
        Self {
            child,
            lines: BufReader::new(stdout),
            stdout: String::new(),
            stderr,
        }
    }

    /// Its process number.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The next line on stdout, without its line feed; none at the end.
    ///
    /// # Panics
    /// If it cannot be read.
    pub fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        let length = self.lines.read_line(&mut line).expect("read its stdout");
        self.stdout.push_str(&line);
        (length > 0).then(|| line.trim_end_matches('\n').to_owned())
    }

    /// Ends it with SIGKILL. Returns what it had printed.
    ///
    /// # Panics
    /// If that fails.
    pub fn kill(mut self) -> Outcome {
        self.child.kill().expect("kill the program");
        self.end()
    }

    /// Waits for its end; kills it if that does not come in good time.
    pub fn end(mut self) -> Outcome {
        let start = std::time::Instant::now();
        let (ended, end) = std::sync::mpsc::channel::<()>();
        let pid = self.pid().to_string();
        std::thread::spawn(move || {
            if end.recv_timeout(LIMIT) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
                // It may have ended just now.
                let _ = Command::new("kill").args(["-KILL", &pid]).status();
            }
        });
        while self.line().is_some() {}
        let status = self.child.wait().expect("wait for the program");
        drop(ended);
        self.stderr.rewind().expect("read its stderr");
        Outcome {
            code: status.code().unwrap_or(-1),
            stdout: std::mem::take(&mut self.stdout),
            stderr: std::io::read_to_string(&self.stderr).expect("read its stderr"),
            took: start.elapsed(),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Has ended already if it was waited for.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
