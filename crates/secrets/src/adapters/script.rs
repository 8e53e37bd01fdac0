//! A runner for tests: it expects certain invocations in a certain order and has an answer for each.

use std::collections::VecDeque;

use dhow_text::redact::Secret;

use crate::runner::{Invocation, NotFound, Output, Runner};
use crate::{Fetched, Request, SecretsError, fetch};

/// What a program is expected to be called with, and what it does then.
pub(crate) struct Line {
    /// The words joined by `|`, after `NAME=value` of added environment.
    expected: String,
    answer: Result<(String, bool), NotFound>,
}

/// `words` writes `stdout` and succeeds.
pub(crate) fn ok(words: &str, stdout: &str) -> Line {
    Line {
        expected: words.to_owned(),
        answer: Ok((stdout.to_owned(), true)),
    }
}

/// `words` fails.
pub(crate) fn fails(words: &str) -> Line {
    Line {
        expected: words.to_owned(),
        answer: Ok((String::new(), false)),
    }
}

/// There is no such program.
pub(crate) fn missing(words: &str) -> Line {
    Line {
        expected: words.to_owned(),
        answer: Err(NotFound),
    }
}

pub(crate) struct Script {
    lines: VecDeque<Line>,
    pub(crate) env: Vec<(&'static str, &'static str)>,
}

impl Script {
    pub(crate) fn new(lines: impl IntoIterator<Item = Line>) -> Self {
        Self {
            lines: lines.into_iter().collect(),
            env: Vec::new(),
        }
    }

    /// Fetches, and checks that every line was used. Gives the JSON, or the message.
    pub(crate) fn fetch(
        mut self,
        adapter: &str,
        account: Option<&str>,
        from: Option<&str>,
        names: &[&str],
    ) -> Result<String, String> {
        let request = Request {
            adapter: adapter.to_owned(),
            account: account.map(str::to_owned),
            from: from.map(str::to_owned),
            names: names.iter().map(|name| (*name).to_owned()).collect(),
        };
        let result: Result<Fetched, SecretsError> = fetch(&request, &mut self);
        let left: Vec<&str> = self
            .lines
            .iter()
            .map(|line| line.expected.as_str())
            .collect();
        assert!(left.is_empty(), "never called: {left:?}; result {result:?}");
        result
            .map(|fetched| fetched.to_json().reveal().to_owned())
            .map_err(|error| error.to_string())
    }
}

impl Runner for Script {
    fn run(&mut self, invocation: &Invocation) -> Result<Output, NotFound> {
        let env = invocation
            .env
            .iter()
            .map(|(name, value)| format!("{name}={}", value.reveal()));
        let words: Vec<String> = env.chain(invocation.argv.iter().cloned()).collect();
        let words = words.join("|");
        let line = self
            .lines
            .pop_front()
            .unwrap_or_else(|| panic!("not expected: {words}"));
        assert_eq!(words, line.expected);
        line.answer.map(|(stdout, success)| Output {
            stdout: Secret::new(stdout),
            success,
        })
    }

    fn env(&self, name: &str) -> Option<String> {
        let found = self.env.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| (*value).to_owned())
    }
}
