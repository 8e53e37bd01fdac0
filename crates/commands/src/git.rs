//! Questions to git on the deployer's machine.
//!
//! In: nothing, or a directory. Out: programs with their arguments, for a process without a shell between.

/// A local program and its arguments.
pub type Argv = Vec<String>;

/// Succeeds inside a repository.
pub fn is_repository() -> Argv {
    argv(&["rev-parse"])
}

/// Prints the commit that is checked out, in full.
pub fn head() -> Argv {
    argv(&["rev-parse", "HEAD"])
}

/// Prints what differs from the commit; nothing if nothing does.
pub fn status() -> Argv {
    argv(&["status", "--porcelain"])
}

/// Prints the user's name.
pub fn user_name() -> Argv {
    argv(&["config", "user.name"])
}

/// Prints the user's e-mail address.
pub fn user_email() -> Argv {
    argv(&["config", "user.email"])
}

/// Prints the top directory of the work tree.
pub fn top_level() -> Argv {
    argv(&["rev-parse", "--show-toplevel"])
}

/// Prints files that differ from the commit, one a line.
pub fn modified_files() -> Argv {
    argv(&["ls-files", "--modified"])
}

/// Prints files that git does not know, one a line.
pub fn untracked_files() -> Argv {
    argv(&["ls-files", "--others"])
}

/// The same question about another directory.
pub fn in_directory(directory: &str, question: Argv) -> Argv {
    let mut argv = question;
    let at = argv.len().min(1);
    argv.splice(at..at, ["-C".to_owned(), directory.to_owned()]);
    argv
}

fn argv(arguments: &[&str]) -> Argv {
    std::iter::once("git")
        .chain(arguments.iter().copied())
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Configuration specification, versions.
    #[test]
    fn item_124_questions_about_the_work_tree() {
        for (argv, line) in [
            (is_repository(), "git rev-parse"),
            (head(), "git rev-parse HEAD"),
            (status(), "git status --porcelain"),
            (user_name(), "git config user.name"),
            (user_email(), "git config user.email"),
            (top_level(), "git rev-parse --show-toplevel"),
            (modified_files(), "git ls-files --modified"),
            (untracked_files(), "git ls-files --others"),
            (
                in_directory("/tmp/x y", head()),
                "git -C /tmp/x y rev-parse HEAD",
            ),
        ] {
            assert_eq!(argv.join(" "), line);
        }
        assert_eq!(in_directory("/tmp/x y", head())[2], "/tmp/x y");
    }
}
