//! A folder with an app in it, a home and a few programs.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use tempfile::TempDir;

/// The least that loads.
pub(crate) const LEAST: &str = "service: app\nimage: me/app\nregistry: { username: me, password: [PASSWORD] }\nbuilder: { arch: amd64 }\nservers: [127.0.0.1]\n";

pub(crate) struct Place {
    root: TempDir,
    env: Vec<(String, String)>,
}

/// How the program ended.
pub(crate) struct Ended {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Place {
    /// Nothing but folders; `VERSION` is `v7`.
    pub(crate) fn empty() -> Self {
        let root = tempfile::tempdir().expect("a folder");
        for folder in ["app", "home", "bin"] {
            fs::create_dir(root.path().join(folder)).expect("a folder");
        }
        Self {
            root,
            env: vec![("VERSION".to_owned(), "v7".to_owned())],
        }
    }

    /// With a deploy file.
    pub(crate) fn new(deploy_file: &str) -> Self {
        let place = Self::empty();
        place.write("app/config/deploy.yml", deploy_file);
        place
    }

    /// The same with a variable, or without it.
    pub(crate) fn env(mut self, name: &str, value: Option<&str>) -> Self {
        self.env.retain(|(known, _)| known != name);
        let pair = value.map(|value| (name.to_owned(), value.to_owned()));
        self.env.extend(pair);
        self
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, text).expect("write");
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).expect("read")
    }

    /// A program on the `PATH`; `ROOT` in its text is the folder of all folders.
    pub(crate) fn program(&self, name: &str, text: &str) {
        let text = text.replace("ROOT", &self.root.path().display().to_string());
        let name = format!("bin/{name}");
        self.write(&name, &text);
        let mode = fs::Permissions::from_mode(0o755);
        fs::set_permissions(self.path(&name), mode).expect("a program");
    }

    /// A repository with one commit; gives the commit.
    pub(crate) fn git(&self) -> String {
        for words in [
            &["init", "-q"][..],
            &["add", "-A"],
            &["commit", "-q", "-m", "one"],
        ] {
            self.git_says(words);
        }
        self.git_says(&["rev-parse", "HEAD"])
    }

    fn git_says(&self, words: &[&str]) -> String {
        let output = Command::new("git")
            .args(words)
            .current_dir(self.path("app"))
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("HOME", self.path("home"))
            .envs([
                ("GIT_AUTHOR_NAME", "A"),
                ("GIT_AUTHOR_EMAIL", "a@example.com"),
                ("GIT_COMMITTER_NAME", "A"),
                ("GIT_COMMITTER_EMAIL", "a@example.com"),
                ("GIT_CONFIG_NOSYSTEM", "1"),
            ])
            .output()
            .expect("git runs");
        assert!(
            output.status.success(),
            "git {words:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    pub(crate) fn dhow(&self, arguments: &[&str]) -> Ended {
        let path = format!(
            "{}:/usr/local/bin:/usr/bin:/bin",
            self.path("bin").display()
        );
        let output = Command::new(env!("CARGO_BIN_EXE_dhow"))
            .args(arguments)
            .env_clear()
            .env("PATH", path)
            .env("HOME", self.path("home"))
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_CEILING_DIRECTORIES", self.root.path())
            .envs(self.env.iter().map(|(name, value)| (name, value)))
            .current_dir(self.path("app"))
            .stdin(Stdio::null())
            .output()
            .expect("run the program");
        Ended {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Standard output of a command that must go well.
    #[track_caller]
    pub(crate) fn succeeds(&self, arguments: &[&str]) -> String {
        let ended = self.dhow(arguments);
        assert_eq!(
            ended.code, 0,
            "{arguments:?}\n{}\n{}",
            ended.stdout, ended.stderr
        );
        ended.stdout
    }

    /// A command that must end with 1.
    #[track_caller]
    pub(crate) fn fails(&self, arguments: &[&str]) -> Ended {
        let ended = self.dhow(arguments);
        assert_eq!(
            ended.code, 1,
            "{arguments:?}\n{}\n{}",
            ended.stdout, ended.stderr
        );
        ended
    }
}

/// The line that Kamal ends with: red, indented, on standard output.
pub(crate) fn error_line(class: &str, message: &str) -> String {
    format!("  \u{1b}[31mERROR ({class}): {message}\u{1b}[0m\n")
}
