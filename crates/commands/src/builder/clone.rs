//! The copy of the repository that images are built from, so that uncommitted work stays out of them.
//!
//! In: paths, as text. Out: paths, and programs with their arguments.

use sha2::{Digest as _, Sha256};

use crate::git::{Argv, head, in_directory, status};

/// What git says when the copy is there already.
pub const EXISTS: &str = "already exists and is not an empty directory";

/// Where a copy is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalClone {
    /// The directory that the copy is made in.
    pub directory: String,
    /// The directory in the copy that corresponds to the one that the deployer runs in. Ends in `/` if that is the top.
    pub build_directory: String,
    root: String,
}

impl LocalClone {
    /// The place of the copy. `temporary` is the system's directory for temporary files, `root` the top of the work tree, `cwd` the
    /// directory that the deployer runs in.
    pub fn new(temporary: &str, service: &str, root: &str, cwd: &str) -> Self {
        let digest = Sha256::digest(cwd.as_bytes());
        let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        let short: String = hex.chars().take(13).collect();
        let directory = format!(
            "{}/kamal-clones/{service}-{short}",
            temporary.trim_end_matches('/')
        );
        let name = root.rsplit('/').find(|part| !part.is_empty()).unwrap_or("");
        let below = cwd.strip_prefix(root).unwrap_or(cwd);
        let below = below.trim_start_matches('/');
        Self {
            build_directory: format!("{directory}/{name}/{below}"),
            directory,
            root: root.to_owned(),
        }
    }

    /// Makes the directory for the copy.
    pub fn make_directory(&self) -> Argv {
        argv(&["mkdir", "-p", &self.directory])
    }

    /// Removes the copy.
    pub fn remove_directory(&self) -> Argv {
        argv(&["rm", "-rf", &self.directory])
    }

    /// Makes the copy. Fails with [`EXISTS`] if it is there.
    pub fn clone_repository(&self) -> Argv {
        argv(&[
            "git",
            "-C",
            &self.directory,
            "clone",
            &self.root,
            "--recurse-submodules",
        ])
    }

    /// Brings a copy that is there to a revision: programs to run one after the other.
    pub fn reset(&self, revision: &str) -> Vec<Argv> {
        let steps: [&[&str]; 6] = [
            &["remote", "set-url", "origin", &self.root],
            &["fetch", "origin"],
            &["reset", "--hard", revision],
            &["clean", "-fdx"],
            &["submodule", "update", "--init"],
            &["gc", "--auto", "--quiet"],
        ];
        steps
            .into_iter()
            .map(|step| {
                let git = ["git", "-C", self.build_directory.as_str()];
                git.into_iter()
                    .chain(step.iter().copied())
                    .map(str::to_owned)
                    .collect()
            })
            .collect()
    }

    /// Prints what differs in the copy from its revision; nothing must.
    pub fn status(&self) -> Argv {
        in_directory(&self.build_directory, status())
    }

    /// Prints the copy's revision.
    pub fn revision(&self) -> Argv {
        in_directory(&self.build_directory, head())
    }
}

fn argv(words: &[&str]) -> Argv {
    words.iter().map(|&word| word.to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(steps: &[Argv]) -> Vec<String> {
        steps.iter().map(|step| step.join(" ")).collect()
    }

    /// Golden transcript of a local build.
    #[test]
    fn item_229_clone_of_the_golden_transcript() {
        let clone = LocalClone::new("/tmp", "app", "/srv/app", "/srv/app");
        // The start of the SHA-256 of `/srv/app`.
        assert_eq!(clone.directory, "/tmp/kamal-clones/app-dae668e4084f0");
        assert_eq!(
            lines(&[clone.clone_repository(), clone.status(), clone.revision()]),
            [
                format!(
                    "git -C {} clone /srv/app --recurse-submodules",
                    clone.directory
                ),
                format!("git -C {}/app/ status --porcelain", clone.directory),
                format!("git -C {}/app/ rev-parse HEAD", clone.directory),
            ]
        );
    }

    #[test]
    fn item_229_directories() {
        let clone = LocalClone::new("/tmp/", "app", "/srv/my app", "/srv/my app/web");
        assert_eq!(
            clone.build_directory,
            "/tmp/kamal-clones/app-8e8e7955e9406/my app/web"
        );
        assert_eq!(clone.make_directory()[2], clone.directory);
        assert_eq!(clone.remove_directory()[2], clone.directory);
    }

    #[test]
    fn item_229_reset_in_six_steps() {
        let clone = LocalClone::new("/tmp", "app", "/srv/app", "/srv/app");
        let git = format!("git -C {}", clone.build_directory);
        assert_eq!(
            lines(&clone.reset("abc")),
            [
                format!("{git} remote set-url origin /srv/app"),
                format!("{git} fetch origin"),
                format!("{git} reset --hard abc"),
                format!("{git} clean -fdx"),
                format!("{git} submodule update --init"),
                format!("{git} gc --auto --quiet"),
            ]
        );
    }
}
