//! A real OpenSSH server on a loopback port, and the other programs of OpenSSH that tests need.
//!
//! Everything lies in one temporary folder: host keys, user keys, configuration. Nothing of the machine's own SSH set-up is read or changed.
//! A missing program is an error that says which package has it, never a reason to skip a test.

use std::io;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// Where Debian puts the server; it insists on being started by its full path.
const SSHD: &str = "/usr/sbin/sshd";

/// How long the server may take to listen.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running server; it is ended when dropped.
pub struct OpenSshd {
    child: Child,
    port: u16,
    dir: PathBuf,
}

impl OpenSshd {
    /// Starts a server whose files are in `dir`, with the keys in `dir/authorized_keys` let in for every user, and `extra` lines of
    /// configuration before all others (the first value wins).
    ///
    /// # Errors
    /// The program is missing, or it does not come to listen; the message has its log.
    pub fn start(dir: &Path, extra: &str) -> io::Result<Self> {
        if !Path::new(SSHD).exists() {
            return Err(io::Error::other(format!(
                "{SSHD} is missing: install the package openssh-server"
            )));
        }
        // The server drops privileges into this folder; a machine that never ran one lacks it.
        std::fs::create_dir_all("/run/sshd")?;
        for kind in ["ed25519", "rsa", "ecdsa"] {
            let file = dir.join(format!("host_{kind}"));
            if !file.exists() {
                keygen(&["-q", "-t", kind, "-N", "", "-f", &file.to_string_lossy()])?;
            }
        }
        let port = free_port()?;
        let shown = dir.display();
        let config = format!(
            "{extra}\nPort {port}\nListenAddress 127.0.0.1\nHostKey {shown}/host_ed25519\nHostKey {shown}/host_rsa\nHostKey {shown}/host_ecdsa\n\
             AuthorizedKeysFile {shown}/authorized_keys\nStrictModes no\nUsePAM no\nPidFile none\nPermitRootLogin yes\nPasswordAuthentication no\n\
             KbdInteractiveAuthentication no\nMaxStartups 100:30:200\nAllowStreamLocalForwarding yes\nAllowTcpForwarding yes\nPrintMotd no\n"
        );
        let file = dir.join(format!("sshd_{port}.conf"));
        std::fs::write(&file, config)?;
        let log = dir.join(format!("sshd_{port}.log"));
        let child = Command::new(SSHD)
            .arg("-D")
            .arg("-f")
            .arg(&file)
            .arg("-E")
            .arg(&log)
            .stdin(Stdio::null())
            .spawn()?;
        let mut this = Self {
            child,
            port,
            dir: dir.to_owned(),
        };
        this.wait()?;
        Ok(this)
    }

    fn wait(&mut self) -> io::Result<()> {
        let start = Instant::now();
        loop {
            if TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).is_ok() {
                return Ok(());
            }
            if self.child.try_wait()?.is_some() || start.elapsed() > PATIENCE {
                return Err(io::Error::other(format!(
                    "sshd does not listen: {}",
                    self.log()
                )));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// The port it listens on, at 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The folder with its files.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// What it logged so far.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.dir.join(format!("sshd_{}.log", self.port)))
            .unwrap_or_default()
    }

    /// Ends the listening process. Connections that are served go on: each has a process of its own.
    pub fn stop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for OpenSshd {
    fn drop(&mut self) {
        self.stop();
    }
}

/// A running agent; it is ended when dropped.
pub struct Agent {
    child: Child,
    socket: PathBuf,
}

impl Agent {
    /// Starts an agent that listens in `dir`.
    ///
    /// # Errors
    /// The program is missing, or it does not come to listen.
    pub fn start(dir: &Path) -> io::Result<Self> {
        let socket = dir.join("agent.sock");
        let child = Command::new("ssh-agent")
            .arg("-D")
            .arg("-a")
            .arg(&socket)
            .stdout(Stdio::null())
            .spawn()
            .map_err(|error| {
                io::Error::other(format!(
                    "ssh-agent: {error}: install the package openssh-client"
                ))
            })?;
        let this = Self { child, socket };
        let start = Instant::now();
        while !this.socket.exists() {
            if start.elapsed() > PATIENCE {
                return Err(io::Error::other("ssh-agent does not listen"));
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(this)
    }

    /// Its socket.
    #[must_use]
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// Puts a key (without passphrase) into it.
    ///
    /// # Errors
    /// `ssh-add` fails.
    pub fn add(&self, key: &Path) -> io::Result<()> {
        let output = Command::new("ssh-add")
            .arg("-q")
            .arg(key)
            .env("SSH_AUTH_SOCK", &self.socket)
            .output()?;
        succeeded("ssh-add", &output)
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs `ssh-keygen`.
///
/// # Errors
/// The program is missing or fails; the message has its words.
pub fn keygen(args: &[&str]) -> io::Result<()> {
    let output = Command::new("ssh-keygen")
        .args(args)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| {
            io::Error::other(format!(
                "ssh-keygen: {error}: install the package openssh-client"
            ))
        })?;
    succeeded("ssh-keygen", &output)
}

fn succeeded(program: &str, output: &Output) -> io::Result<()> {
    if output.status.success() {
        return Ok(());
    }
    let words = String::from_utf8_lossy(&output.stderr);
    Err(io::Error::other(format!(
        "{program}: {}: {words}",
        output.status
    )))
}

/// A port nobody listens on just now.
///
/// # Errors
/// There is none.
pub fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?
        .local_addr()?
        .port())
}
