//! A deploy to very many hosts, which are simulated by another process.
//!
//! In: how many, how far away, how many connections may be started at a time. Out: what the deployer took.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use crate::app::Dhow;
use crate::failed::Failed;
use crate::measured::Measured;

/// The port on which the simulated hosts listen.
const PORT: u16 = 2222;

/// What came out.
#[derive(Clone, Debug)]
pub struct Thousand {
    /// How many hosts.
    pub hosts: u32,
    /// How many connections could be started at a time.
    pub starts: u32,
    /// Whether the hosts' keys were known before.
    pub known: bool,
    /// Of the deploy.
    pub measured: Measured,
    /// What the simulator counted: connections, channels, execs.
    pub counted: String,
}

/// Deploys twice: to hosts never seen before, and to the same again.
///
/// # Errors
/// A deploy or the simulator fails.
pub fn thousand(
    root: &Path,
    dhow: &Dhow,
    hosts: u32,
    round_trip_ms: u32,
    starts: u32,
) -> Result<Vec<Thousand>, Failed> {
    let dir = root.join("target/bench/thousand");
    let (app, home) = (dir.join("app"), dir.join("home"));
    let _ = std::fs::remove_dir_all(&dir);
    for folder in [app.join("config"), app.join(".kamal"), home.join(".ssh")] {
        std::fs::create_dir_all(&folder).map_err(Failed::file(&folder))?;
    }
    let write = |path: &Path, text: &str| std::fs::write(path, text).map_err(Failed::file(path));
    let key = home.join("key");
    let mut keygen = Command::new("ssh-keygen");
    keygen
        .args(["-q", "-t", "ed25519", "-N", "", "-f"])
        .arg(&key);
    Measured::output(keygen)?;
    let first = u32::from(std::net::Ipv4Addr::new(127, 1, 0, 1));
    let list: String = (0..hosts)
        .map(|index| format!("    - {}\n", std::net::Ipv4Addr::from(first + index)))
        .collect();
    write(
        &app.join("config/deploy.yml"),
        &format!(
            "service: bench\nimage: bench/app\nservers:\n  web:\n{list}registry:\n  server: registry.example\n  username: user\n  password:\n    - REGISTRY_PASSWORD\n\
             builder:\n  arch: amd64\nssh:\n  port: {PORT}\n  keys:\n    - {}\n  keys_only: true\nsshkit:\n  max_concurrent_starts: {starts}\n",
            key.display()
        ),
    )?;
    write(&app.join(".kamal/secrets"), "REGISTRY_PASSWORD=secret\n")?;

    let mut results = Vec::new();
    for known in [false, true] {
        let mut simulator = Simulator::start(root, hosts, round_trip_ms)?;
        if known {
            // A simulator makes a new key each time it starts.
            let known_hosts: String = (0..hosts)
                .map(|index| {
                    let address = std::net::Ipv4Addr::from(first + index);
                    format!("[{address}]:{PORT} {}\n", simulator.key)
                })
                .collect();
            write(&home.join(".ssh/known_hosts"), &known_hosts)?;
        }
        let mut command = Measured::limited(&dhow.program);
        command
            .current_dir(&app)
            .env("HOME", &home)
            .env_remove("SSH_AUTH_SOCK")
            .args(["deploy", "--skip-push", "--quiet", "--version", "v001"]);
        let measured = Measured::run(vec![command])?;
        results.push(Thousand {
            hosts,
            starts,
            known,
            measured,
            counted: simulator.count()?,
        });
    }
    Ok(results)
}

/// The process that plays the hosts.
struct Simulator {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
    key: String,
}

impl Simulator {
    fn start(root: &Path, hosts: u32, round_trip_ms: u32) -> Result<Self, Failed> {
        let program = root.join("target/release/bench-hosts");
        let failed = |source| Failed::Run {
            program: program.display().to_string(),
            source,
        };
        let mut child = Command::new(&program)
            .args([hosts, PORT.into(), round_trip_ms].map(|number| number.to_string()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(failed)?;
        let (Some(stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(Failed::Wrong("the simulator has no pipes".to_owned()));
        };
        let mut simulator = Self {
            child,
            stdin,
            stdout: BufReader::new(stdout),
            key: String::new(),
        };
        let line = simulator.line()?;
        let key = line.strip_prefix("ready ");
        let none = || Failed::Wrong(format!("the simulator did not start: {line}"));
        simulator.key = key.ok_or_else(none)?.to_owned();
        Ok(simulator)
    }

    fn count(&mut self) -> Result<String, Failed> {
        let program = Path::new("bench-hosts");
        self.stdin.write_all(b"\n").map_err(Failed::file(program))?;
        self.line()
    }

    fn line(&mut self) -> Result<String, Failed> {
        let mut line = String::new();
        let read = self.stdout.read_line(&mut line);
        read.map_err(Failed::file(Path::new("bench-hosts")))?;
        Ok(line.trim_end().to_owned())
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        // It is a child of ours that has nothing to tidy up.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
