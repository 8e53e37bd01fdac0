//! The outside world, gathered once: arguments, environment, directories, the terminal, the clock.

use std::collections::HashMap;
use std::ffi::OsString;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Variables and what they became; none for those that were removed.
pub(crate) type Changes = Vec<(String, Option<String>)>;

/// What the process was started with.
#[derive(Clone)]
pub(crate) struct Edge {
    /// Arguments with the program's name first; those that are not UTF-8 with replacement characters.
    pub(crate) args: Vec<String>,
    raw_args: Vec<OsString>,
    env: HashMap<String, String>,
    changes: Changes,
    /// The working directory.
    pub(crate) cwd: PathBuf,
    /// The home directory.
    pub(crate) home: PathBuf,
    /// When the process started.
    pub(crate) started: Instant,
    /// Whether standard input is a terminal.
    pub(crate) stdin_is_terminal: bool,
    /// Whether standard output is a terminal.
    pub(crate) stdout_is_terminal: bool,
}

impl Edge {
    /// Reads everything.
    pub(crate) fn gather() -> Self {
        let raw_args: Vec<OsString> = std::env::args_os().collect();
        let env: HashMap<String, String> = std::env::vars_os()
            .filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?)))
            .collect();
        let cwd = std::env::current_dir().unwrap_or_else(|_| PathBuf::from("."));
        let home = env.get("HOME").map_or_else(|| cwd.clone(), PathBuf::from);
        Self {
            args: raw_args
                .iter()
                .map(|a| a.to_string_lossy().into_owned())
                .collect(),
            raw_args,
            env,
            changes: Changes::new(),
            cwd,
            home,
            started: Instant::now(),
            stdin_is_terminal: std::io::stdin().is_terminal(),
            stdout_is_terminal: std::io::stdout().is_terminal(),
        }
    }

    /// An environment variable.
    pub(crate) fn env(&self, name: &str) -> Option<&str> {
        self.env.get(name).map(String::as_str)
    }

    /// The whole environment.
    pub(crate) fn environment(&self) -> &HashMap<String, String> {
        &self.env
    }

    /// The same with variables set or removed: what a deploy file's templates did to the environment holds for everything after it.
    pub(crate) fn with_changes(&self, changes: Changes) -> Self {
        let mut changed = self.clone();
        for (name, value) in &changes {
            match value {
                Some(value) => changed.env.insert(name.clone(), value.clone()),
                None => changed.env.remove(name),
            };
        }
        changed.changes = changes;
        changed
    }

    /// How the environment differs from that of the process, which programs inherit.
    pub(crate) fn changes(&self) -> &[(String, Option<String>)] {
        &self.changes
    }

    /// Whether the program was started under this name.
    pub(crate) fn called_as(&self, name: &str) -> bool {
        let called = self.args.first().map(|a| Path::new(a.as_str()));
        called
            .and_then(Path::file_name)
            .is_some_and(|file| file == name)
    }

    /// The arguments of the proxy, without the program's name.
    pub(crate) fn proxy_arguments(&self) -> &[OsString] {
        self.raw_args.get(1..).unwrap_or_default()
    }

    /// The proxy's part of the environment.
    pub(crate) fn proxy_environment(&self) -> dhow_proxy::ProxyEnv {
        dhow_proxy::ProxyEnv::from_lookup(|name| self.env.get(name).map(OsString::from))
    }

    /// A path of the deploy file or the command line: `~` is the home directory, everything else is relative to the working
    /// directory.
    pub(crate) fn path(&self, text: &str) -> PathBuf {
        match text.strip_prefix("~/") {
            Some(rest) => self.home.join(rest),
            None if text == "~" => self.home.clone(),
            None => self.cwd.join(text),
        }
    }

    /// The person who started the process.
    pub(crate) fn user(&self) -> String {
        ["USER", "LOGNAME", "USERNAME"]
            .iter()
            .find_map(|name| self.env(name))
            .unwrap_or("root")
            .to_owned()
    }

    /// The name of this machine.
    pub(crate) fn host_name(&self) -> String {
        rustix::system::uname()
            .nodename()
            .to_string_lossy()
            .into_owned()
    }

    /// The size of the terminal on standard output.
    pub(crate) fn terminal(&self) -> Option<dhow_report::TerminalInfo> {
        if !self.stdout_is_terminal {
            return None;
        }
        terminal_size()
    }

    /// Now, as audit lines and locks have it: UTC, ISO 8601 with seconds.
    pub(crate) fn now(&self) -> String {
        jiff::Timestamp::now()
            .strftime("%Y-%m-%dT%H:%M:%SZ")
            .to_string()
    }
}

/// The size of the terminal on standard output, if it is one.
pub(crate) fn terminal_size() -> Option<dhow_report::TerminalInfo> {
    let size = rustix::termios::tcgetwinsize(std::io::stdout()).ok()?;
    Some(dhow_report::TerminalInfo {
        width: usize::from(size.ws_col).max(20),
        height: usize::from(size.ws_row).max(5),
    })
}
