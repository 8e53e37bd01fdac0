//! What programs were started with which arguments, seen in two ways: a `docker` that writes down how it was called, and the
//! kernel's own word (`strace`) on every program that a process and its children start.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::host::Host;
use crate::outcome::Outcome;

/// A `docker` that comes before the real one in the `PATH` of whoever logs in to a host, and writes down its arguments. It goes
/// when this value does.
#[derive(Debug)]
pub struct DockerShim {
    host: Host,
}

impl DockerShim {
    const LOG: &str = "docker-arguments.log";

    /// Puts it on a host.
    ///
    /// # Panics
    /// If that fails, or a shell there would not find it.
    pub fn on(host: &Host) -> Self {
        let shim = Self { host: host.clone() };
        let log = format!("/var/log/fleet/{}", Self::LOG);
        host.run_with(
            &format!(
                "rm -f {log} && : > {log} && chmod 666 {log} && cat > /usr/local/bin/docker && chmod 755 /usr/local/bin/docker"
            ),
            &script(&log),
        )
        .expect();
        shim
    }

    /// What was called so far: a line for each argument.
    ///
    /// # Panics
    /// If it cannot be read.
    pub fn calls(&self) -> String {
        std::fs::read_to_string(self.host.log_dir().join(Self::LOG)).expect("read the log")
    }
}

impl Drop for DockerShim {
    fn drop(&mut self) {
        // A second try is of no use.
        let _ = self.host.run("rm -f /usr/local/bin/docker");
    }
}

/// Writes such a `docker` for this machine into a folder, to be put first in a `PATH`. Its log is beside it.
///
/// # Panics
/// If that fails.
pub fn local_docker_shim(dir: &Path) -> PathBuf {
    std::fs::create_dir_all(dir).expect("create the folder");
    let (program, log) = (dir.join("docker"), dir.join("docker-arguments.log"));
    std::fs::write(&log, "").expect("write the log");
    std::fs::write(&program, script(&log.display().to_string())).expect("write the script");
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755))
        .expect("set its mode");
    log
}

fn script(log: &str) -> String {
    format!("#!/bin/sh\nprintf '%s\\n' docker \"$@\" >> {log}\nexec /usr/bin/docker \"$@\"\n")
}

/// `strace` on running programs of a host and all that they start.
#[derive(Debug)]
pub struct ExecTrace {
    strace: Child,
    log: PathBuf,
}

impl ExecTrace {
    /// Watches a host's sshd and Docker Engine from outside of it. The log goes into this folder.
    ///
    /// # Panics
    /// If `strace` cannot watch them.
    pub fn of(host: &Host, dir: &Path) -> Self {
        let log = dir.join(format!("{}.strace", host.name));
        let mut strace = command(&log);
        for pid in host.processes(&["sshd", "dockerd", "containerd"]) {
            strace.args(["-p", &pid]);
        }
        let errors = dir.join(format!("{}.strace-errors", host.name));
        let file = std::fs::File::create(&errors).expect("create a file");
        let strace = strace
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(file)
            .spawn()
            .expect("start strace: is it installed?");
        let trace = Self { strace, log };
        let start = Instant::now();
        // It says so of each process that it has attached to.
        while !std::fs::read_to_string(&errors)
            .is_ok_and(|said| said.matches("attached").count() >= 3)
        {
            assert!(
                start.elapsed() < Duration::from_secs(10),
                "strace on {}: {}",
                host.name,
                std::fs::read_to_string(&errors).unwrap_or_default()
            );
            std::thread::sleep(Duration::from_millis(50));
        }
        trace
    }

    /// Stops watching. Returns a line for each program started, with its arguments.
    ///
    /// # Panics
    /// If the log cannot be read.
    pub fn stop(mut self) -> String {
        self.end();
        let log = std::fs::read(&self.log).expect("read strace's log");
        String::from_utf8_lossy(&log).into_owned()
    }

    fn end(&mut self) {
        // With SIGTERM it lets go of what it watches; killed it might not.
        let mut kill = Command::new("kill");
        Outcome::of(kill.arg(self.strace.id().to_string()), "");
        // One that has let go of all but a process that had just ended waits for that for ever.
        let patience = Instant::now() + Duration::from_secs(20);
        while matches!(self.strace.try_wait(), Ok(None)) && Instant::now() < patience {
            std::thread::sleep(Duration::from_millis(50));
        }
        let _ = self.strace.kill();
        let _ = self.strace.wait();
    }
}

impl Drop for ExecTrace {
    fn drop(&mut self) {
        if matches!(self.strace.try_wait(), Ok(None)) {
            self.end();
        }
    }
}

/// A command wrapped so that every program that it starts is written into this log.
pub fn traced(command_: &Command, log: &Path) -> Command {
    let mut strace = command(log);
    strace.arg(command_.get_program()).args(command_.get_args());
    if let Some(dir) = command_.get_current_dir() {
        strace.current_dir(dir);
    }
    for (name, value) in command_.get_envs() {
        match value {
            Some(value) => strace.env(name, value),
            None => strace.env_remove(name),
        };
    }
    strace
}

/// Arguments whole, the environment only as a count.
fn command(log: &Path) -> Command {
    let mut strace = Command::new("strace");
    strace
        .args(["-f", "-s", "1000000", "-e", "trace=execve,execveat", "-o"])
        .arg(log);
    strace
}
