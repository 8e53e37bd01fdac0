//! A shell command as data: words, joined by operators, with a real and a redacted text.
//!
//! In: words that are already quoted where they need it (see [`super::quote_value`]). Out: [`Cmd::real`] for the program that is
//! sent, [`Cmd::redacted`] for everything that is shown. What must not stand on a command line at all goes to the command's
//! standard input ([`Cmd::stdin`]).

use crate::redact::{REDACTED, Secret};

/// One word of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Word {
    /// Shell text, shown as it is.
    Plain(String),
    /// Shell text that is shown as `[REDACTED]`. Not for secrets (they go to standard input): for what is merely not to be shown.
    Hidden(Secret),
}

/// A command line. Building it runs nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cmd {
    words: Vec<Word>,
    stdin: Option<Secret>,
}

impl Cmd {
    /// A command of one word or of shell text that is taken as it is.
    pub fn new(text: impl Into<String>) -> Self {
        Self {
            words: vec![Word::Plain(text.into())],
            stdin: None,
        }
    }

    /// `docker …`
    pub fn docker(subcommand: &str) -> Self {
        Self::new("docker").arg(subcommand)
    }

    /// The same with one more word.
    #[must_use]
    pub fn arg(mut self, word: impl Into<String>) -> Self {
        self.words.push(Word::Plain(word.into()));
        self
    }

    /// The same with more words.
    #[must_use]
    pub fn args<W: Into<String>>(mut self, words: impl IntoIterator<Item = W>) -> Self {
        self.words
            .extend(words.into_iter().map(|w| Word::Plain(w.into())));
        self
    }

    /// The same with a word that is not shown.
    #[must_use]
    pub fn hidden(mut self, word: Secret) -> Self {
        self.words.push(Word::Hidden(word));
        self
    }

    /// The same with shell text in front: `NAME=value` for its environment.
    #[must_use]
    pub fn prefixed(mut self, text: impl Into<String>) -> Self {
        self.words.insert(0, Word::Plain(text.into()));
        self
    }

    /// The same, reading `content` from its standard input. The content is never shown.
    #[must_use]
    pub fn stdin(mut self, content: Secret) -> Self {
        self.stdin = Some(content);
        self
    }

    /// `self && other`
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        self.joined("&&", other)
    }

    /// `self || other`
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        self.joined("||", other)
    }

    /// `self | other`
    #[must_use]
    pub fn pipe(self, other: Self) -> Self {
        self.joined("|", other)
    }

    /// `self ; other`
    #[must_use]
    pub fn then(self, other: Self) -> Self {
        self.joined(";", other)
    }

    /// What it reads from its standard input, if anything.
    pub fn input(&self) -> Option<&Secret> {
        self.stdin.as_ref()
    }

    /// The words.
    pub fn words(&self) -> &[Word] {
        &self.words
    }

    /// The text that is run.
    pub fn real(&self) -> String {
        self.render(|secret| secret.reveal().to_owned())
    }

    /// The text that is shown.
    pub fn redacted(&self) -> String {
        self.render(|_| REDACTED.to_owned())
    }

    fn joined(mut self, operator: &str, other: Self) -> Self {
        self.words.push(Word::Plain(operator.to_owned()));
        self.words.extend(other.words);
        self.stdin = self.stdin.or(other.stdin);
        self
    }

    fn render(&self, hidden: impl Fn(&Secret) -> String) -> String {
        let words: Vec<String> = self
            .words
            .iter()
            .map(|word| match word {
                Word::Plain(text) => text.clone(),
                Word::Hidden(secret) => hidden(secret),
            })
            .collect();
        words.join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operators_join_and_hidden_words_are_not_shown() {
        let cmd = Cmd::new("mkdir -p .kamal")
            .and(Cmd::docker("build").hidden(Secret::new("A=b")))
            .or(Cmd::new("true"));
        assert_eq!(cmd.real(), "mkdir -p .kamal && docker build A=b || true");
        assert_eq!(
            cmd.redacted(),
            "mkdir -p .kamal && docker build [REDACTED] || true"
        );
    }
}
