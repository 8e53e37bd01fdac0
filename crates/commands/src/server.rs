//! Commands of the user's own on hosts.
//!
//! In: the words of `server exec`. Out: a command for the hosts.

use dhow_text::shell::Cmd;

use crate::audit;

/// The user's command: its words, stripped and joined by spaces. The host's shell reads it again.
pub fn exec(words: &[&str]) -> Cmd {
    Cmd::new(join(words))
}

/// Words of a command line as `exec` takes them: stripped and joined by spaces, not quoted.
pub fn join(words: &[&str]) -> String {
    let stripped: Vec<&str> = words.iter().map(|word| word.trim()).collect();
    stripped.join(" ")
}

/// Makes the run directory.
pub fn make_run_directory() -> Cmd {
    audit::make_run_directory()
}

/// Succeeds: to find out whether the host can be reached.
pub fn ping() -> Cmd {
    Cmd::new("true")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn item_177_and_210_words_are_stripped_and_joined() {
        assert_eq!(exec(&["ls -l | wc"]).real(), "ls -l | wc");
        assert_eq!(exec(&[" ls", "-l "]).real(), "ls -l");
        assert_eq!(make_run_directory().real(), "mkdir -p .kamal");
        assert_eq!(ping().real(), "true");
    }
}
