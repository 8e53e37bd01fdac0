//! Load that runs while something else happens.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use dhow_lab::load::Report;
use tempfile::TempDir;

use crate::fleet::project_root;

/// How long the first right answer may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// A running load generator. Without [`Load::stop`] it is killed when this value goes.
#[derive(Debug)]
pub struct Load {
    child: Child,
    files: TempDir,
}

impl Load {
    /// Sends load to these URLs, each at this rate, and returns when the first request has been answered rightly.
    ///
    /// # Panics
    /// If none is within 20 s, or the load generator is not built.
    pub fn start(urls: &[String], rate: u32) -> Self {
        Self::start_for(urls, rate, None)
    }

    /// As [`Load::start`], for a proxy that routes by the Host header.
    pub fn start_for(urls: &[String], rate: u32, host: Option<&str>) -> Self {
        let program = project_root().join("target/release/lab-load");
        assert!(
            program.exists(),
            "`{}` is not built: run bin/build lab",
            program.display()
        );
        let files = tempfile::tempdir().expect("a temporary folder");
        let child = Command::new(program)
            .args(urls)
            .args(["--rate", &rate.to_string()])
            .args(host.iter().flat_map(|host| ["--host", host]))
            .arg("--json")
            .arg(files.path().join("json"))
            .arg("--stop-file")
            .arg(files.path().join("stop"))
            .arg("--ready-file")
            .arg(files.path().join("ready"))
            .stdout(Stdio::null())
            .spawn()
            .expect("start the load generator");
        let load = Self { child, files };
        let start = Instant::now();
        while !load.files.path().join("ready").exists() {
            assert!(
                start.elapsed() < PATIENCE,
                "no request was answered rightly within {PATIENCE:?}"
            );
            std::thread::sleep(Duration::from_millis(20));
        }
        load
    }

    /// Ends it and returns its account, the requests under way included.
    ///
    /// # Panics
    /// If it left none.
    pub fn stop(mut self) -> Report {
        std::fs::write(self.files.path().join("stop"), "").expect("write the stop file");
        self.child.wait().expect("wait for the load generator");
        let json =
            std::fs::read_to_string(self.files.path().join("json")).expect("read the account");
        serde_json::from_str(&json).expect("an account")
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        // Has ended already if it was stopped.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
