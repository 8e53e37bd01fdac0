//! What git and the system say about the version and the person, asked when first needed.

use std::cell::OnceCell;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use dhow_commands::git;
use dhow_run::Failure;

use crate::edge::Edge;

/// Questions to the repository in the working directory; each is asked once.
pub(crate) struct Git<'e> {
    edge: &'e Edge,
    version: OnceCell<Result<String, Box<Failure>>>,
    email: OnceCell<String>,
    name: OnceCell<String>,
}

impl<'e> Git<'e> {
    /// Nothing asked yet.
    pub(crate) fn new(edge: &'e Edge) -> Self {
        Self {
            edge,
            version: OnceCell::new(),
            email: OnceCell::new(),
            name: OnceCell::new(),
        }
    }

    /// The commit that is checked out; with a random suffix if there are changes and the build takes the work tree as it is.
    pub(crate) fn version(&self, builds_work_tree: bool) -> Result<String, Box<Failure>> {
        let ask = || {
            let Some(head) = self.ask(&git::head()) else {
                let cwd = self.edge.cwd.display();
                return Err(Box::new(
                    Failure::new(
                        "RuntimeError",
                        format!(
                            "Can't use commit hash as version, no git repository found in {cwd}"
                        ),
                    )
                    .hinted(
                        "run it in the app's git repository, or say the version: `--version V`",
                    ),
                ));
            };
            let changed = builds_work_tree
                && self
                    .ask(&git::status())
                    .is_some_and(|status| !status.trim().is_empty());
            if changed {
                let suffix = format!("{:016x}", getrandom::u64().unwrap_or_default());
                return Ok(format!("{head}_uncommitted_{suffix}"));
            }
            Ok(head)
        };
        self.version.get_or_init(ask).clone()
    }

    /// `git config user.email`, or the login name.
    pub(crate) fn performer(&self) -> &str {
        self.email.get_or_init(|| {
            let email = self
                .ask(&git::user_email())
                .filter(|email| !email.is_empty());
            email.unwrap_or_else(|| self.whoami())
        })
    }

    /// `git config user.name`, or `Unknown`.
    pub(crate) fn user_name(&self) -> &str {
        self.name.get_or_init(|| {
            let name = self.ask(&git::user_name()).filter(|name| !name.is_empty());
            name.unwrap_or_else(|| "Unknown".to_owned())
        })
    }

    /// The top of the work tree, if the working directory is in one.
    pub(crate) fn top_level(&self) -> Option<PathBuf> {
        self.ask(&git::top_level()).map(PathBuf::from)
    }

    fn ask(&self, argv: &[String]) -> Option<String> {
        let (program, arguments) = argv.split_first()?;
        let output = Command::new(program)
            .args(arguments)
            .current_dir(&self.edge.cwd)
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .output()
            .ok()?;
        let text = String::from_utf8_lossy(&output.stdout)
            .trim_end()
            .to_owned();
        output.status.success().then_some(text)
    }

    fn whoami(&self) -> String {
        let uid = rustix::process::getuid().as_raw();
        let passwd = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
        let named = passwd.lines().find_map(|line| {
            let mut fields = line.split(':');
            let name = fields.next()?;
            (fields.nth(1)?.parse() == Ok(uid)).then(|| name.to_owned())
        });
        named.unwrap_or_else(|| self.edge.user())
    }
}
