//! What a template may ask of the machine it is rendered on.

use crate::dotenv::Expander;

/// The outside, as a template sees it. What `$(…)` and backticks need is that of a secrets file, so it is shared.
pub trait World: Expander {
    /// Sets a variable of the environment, or removes it. It stays so after rendering.
    fn set_env(&mut self, name: &str, value: Option<&str>);

    /// The text of a file; relative paths start at [`World::cwd`].
    fn read(&mut self, path: &str) -> Result<String, FileFailure>;

    /// Whether there is a file or a directory.
    fn exists(&self, path: &str) -> bool;

    /// The current directory, absolute.
    fn cwd(&self) -> String;

    /// What `puts` writes, line break included.
    fn puts(&mut self, text: &str);

    /// Something that a user who asks for details wants to know: that Ruby renders a file, and why.
    fn notice(&mut self, _text: &str) {}

    /// The time; none where rendering has to be repeatable, and then `Time.now` is not supported.
    fn now(&self) -> Option<Moment> {
        None
    }

    /// Runs real Ruby, if it is installed: `script` as the program (`ruby -e`), `template` on standard input. Gives its standard
    /// output, or why it could not be run. None without Ruby.
    fn ruby(&mut self, script: &str, template: &str) -> Option<Result<String, String>>;
}

/// A point in time in a time zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// Seconds since 1970 in UTC.
    pub seconds: i64,
    /// Seconds that the local time is ahead of UTC.
    pub offset: i32,
}

/// Why a file was not read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FileFailure {
    /// It does not exist.
    #[error("No such file or directory")]
    NotFound,
    /// Anything else, e.g. `Permission denied`, `Is a directory`.
    #[error("{0}")]
    Other(String),
}
