//! How the programs of password managers are run.

use dhow_text::redact::Secret;

/// The seam to other programs and to the environment.
pub trait Runner {
    /// Runs a program without a shell and waits for it. It inherits standard input (it may ask for a password), and standard
    /// error unless [`Invocation::quiet`].
    fn run(&mut self, invocation: &Invocation) -> Result<Output, NotFound>;

    /// A variable of the environment.
    fn env(&self, name: &str) -> Option<String>;
}

/// One run of a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invocation {
    /// The program and its arguments.
    pub argv: Vec<String>,
    /// Variables to add to its environment.
    pub env: Vec<(String, Secret)>,
    /// Throw its standard error away.
    pub quiet: bool,
}

/// What a program wrote and how it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// Its standard output.
    pub stdout: Secret,
    /// Whether it exited with 0.
    pub success: bool,
}

/// The program does not exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no such program")]
pub struct NotFound;

impl Invocation {
    /// A program with arguments.
    pub fn new<W: Into<String>>(argv: impl IntoIterator<Item = W>) -> Self {
        Self {
            argv: argv.into_iter().map(Into::into).collect(),
            env: Vec::new(),
            quiet: false,
        }
    }

    pub(crate) fn quietly(mut self) -> Self {
        self.quiet = true;
        self
    }

    pub(crate) fn with(mut self, name: &str, value: &Secret) -> Self {
        self.env.push((name.to_owned(), value.clone()));
        self
    }
}

/// Runs it; a program that does not exist fails like one that does not succeed.
pub(crate) fn run(runner: &mut dyn Runner, invocation: &Invocation) -> Output {
    runner.run(invocation).unwrap_or_else(|NotFound| Output {
        stdout: Secret::new(""),
        success: false,
    })
}
