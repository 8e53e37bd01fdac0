//! What a value becomes: escapes, commands, variables.
//!
//! In: the text between the quotes. Out: the value. Ruby does this in three passes over the whole text, so that the second and
//! third also change what the one before brought in; here what a command or a variable gives is final.

use std::borrow::Cow;
use std::ops::Range;

use super::parse::Problem;
use crate::shell;

/// What the world has to say to a secrets file.
pub trait Expander {
    /// A variable of the environment.
    fn env(&self, name: &str) -> Option<String>;

    /// Runs a line of shell text, as Ruby's backticks do (see [`shell::direct_argv`]), with standard error passed through.
    fn command(&mut self, line: &str) -> Result<CommandOutput, CommandFailure>;

    /// `secrets fetch …` or `secrets extract …` within this process: the words after `kamal` or `dhow`. Gives what the command
    /// would return with `--inline`: shell-escaped for `fetch`, the bare value for `extract`. The error is a full message.
    fn secrets(&mut self, argv: &[String]) -> Result<String, String>;
}

/// What a command wrote and how it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandOutput {
    /// Its standard output.
    pub stdout: String,
    /// Whether it exited with 0. Kamal does not look; dhow warns.
    pub success: bool,
}

/// Why a command did not run at all.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommandFailure {
    /// Its program does not exist (only when it is run without a shell).
    #[error("No such file or directory - {program}")]
    NotFound {
        /// The program.
        program: String,
    },
    /// Anything else.
    #[error("{0}")]
    Other(String),
}

/// The values that are known so far, in order.
pub(super) type Known = [(String, String)];

/// Text whose escapes are undone, with the places where a backslash went away.
struct Unescaped {
    text: String,
    /// Offsets (in `text`) of characters that had a backslash before them.
    dropped: Vec<usize>,
}

/// One value on its way.
pub(super) struct Expansion<'a> {
    pub(super) known: &'a Known,
    pub(super) expander: &'a mut dyn Expander,
    /// `DOTENV_LINEBREAK_MODE=legacy`
    pub(super) legacy_breaks: bool,
    /// How many bytes the value may have: `A=$A$A`, some lines long, would fill any memory.
    pub(super) room: usize,
    pub(super) problems: &'a mut Vec<Problem>,
}

impl Expansion<'_> {
    /// The value of a text that was not in single quotes.
    pub(super) fn expand(&mut self, raw: &str, double_quoted: bool) -> Result<String, Problem> {
        let unescaped = self.unescape(raw, double_quoted);
        let text = unescaped.text.as_str();
        let mut out = String::new();
        let mut done = 0;
        for command in commands(text) {
            self.variables(text.get(done..command.start).unwrap_or(""), &mut out)?;
            done = command.end;
            let whole = text.get(command.clone()).unwrap_or("");
            if let Some(literal) = whole.strip_prefix('\\') {
                self.variables(literal, &mut out)?;
                continue;
            }
            self.check_backslashes(&unescaped, command.clone(), double_quoted)?;
            let inner = whole.get(2..whole.len().saturating_sub(1)).unwrap_or("");
            let output = self.run(inner, 0)?;
            self.push(&output, &mut out)?;
        }
        let rest = text.get(done..).unwrap_or("");
        if rest.contains("$(") && !rest.contains("\\$(") {
            self.problems.push(Problem::warning(
                "`$(` is not closed, or holds empty parentheses: it is taken as it stands",
            ));
        }
        self.variables(rest, &mut out)?;
        Ok(out)
    }

    /// A backslash goes away before anything but `$`; in double quotes `\n` and `\r` stay, or are line breaks in legacy mode.
    fn unescape(&self, raw: &str, double_quoted: bool) -> Unescaped {
        let raw = match (double_quoted, self.legacy_breaks) {
            (false, _) => Cow::Borrowed(raw),
            (true, true) => Cow::Owned(raw.replace("\\n", "\n").replace("\\r", "\r")),
            (true, false) => Cow::Owned(raw.replace("\\n", "\\\\n").replace("\\r", "\\\\r")),
        };
        let mut text = String::with_capacity(raw.len());
        let mut dropped = Vec::new();
        let mut chars = raw.chars();
        while let Some(c) = chars.next() {
            let next = chars.clone().next().filter(|next| *next != '$');
            match (c, next) {
                ('\\', Some(next)) => {
                    chars.next();
                    dropped.push(text.len());
                    text.push(next);
                }
                _ => text.push(c),
            }
        }
        Unescaped { text, dropped }
    }

    /// In a command Kamal drops a backslash that the shell was to see. Nothing tells which was meant, so nothing is guessed.
    fn check_backslashes(
        &self,
        unescaped: &Unescaped,
        command: Range<usize>,
        double_quoted: bool,
    ) -> Result<(), Problem> {
        let meant = |at: &usize| {
            let rest = unescaped.text.get(*at..).unwrap_or("");
            rest.starts_with('\\') || (double_quoted && rest.starts_with('"'))
        };
        let lost = unescaped
            .dropped
            .iter()
            .filter(|at| command.contains(at))
            .find(|at| !meant(at));
        let Some(at) = lost else {
            return Ok(());
        };
        let c = unescaped
            .text
            .get(*at..)
            .and_then(|rest| rest.chars().next());
        let c = c.map_or_else(String::new, |c| c.escape_debug().to_string());
        Err(Problem::error(format!("`\\{c}` in a command: Kamal drops this backslash")).hinted(format!(
            "write `\\\\{c}` if the shell is to see `\\{c}`, or `{c}` if it is not; both mean the same to Kamal and dhow"
        )))
    }

    fn run(&mut self, text: &str, depth: usize) -> Result<String, Problem> {
        let mut line = String::new();
        self.variables(text, &mut line)?;
        let chomped = |output: &str| {
            let output = output.strip_suffix('\n').unwrap_or(output);
            output.strip_suffix('\r').unwrap_or(output).to_owned()
        };
        if is_inline(&line) {
            let line = self.nested(text, depth)?;
            let argv = shell::split(&line)
                // The error quotes the line, which holds secrets.
                .map_err(|_| Problem::error("a quote in the command is not closed"))?;
            let argv = argv.get(1..).unwrap_or_default();
            return self
                .expander
                .secrets(argv)
                .map(|output| chomped(&output))
                .map_err(Problem::error);
        }
        match self.expander.command(&line) {
            Ok(output) => {
                if !output.success && output.stdout.trim().is_empty() {
                    self.problems.push(Problem::warning("the command failed: the value is empty"));
                }
                Ok(chomped(&output.stdout))
            }
            Err(failure @ CommandFailure::NotFound { .. }) => Err(Problem::error(failure.to_string())
                .hinted("install the program, or take the line out: Kamal would treat the whole file as empty")),
            Err(failure) => Err(Problem::error(failure.to_string())),
        }
    }

    /// The text of an in-process command with the commands inside it run: no shell will see it.
    fn nested(&mut self, text: &str, depth: usize) -> Result<String, Problem> {
        if depth > 8 {
            return Err(Problem::error("commands are nested too deep"));
        }
        let mut out = String::new();
        let mut done = 0;
        for command in commands(text) {
            self.variables(text.get(done..command.start).unwrap_or(""), &mut out)?;
            done = command.end;
            let whole = text.get(command).unwrap_or("");
            if let Some(literal) = whole.strip_prefix('\\') {
                out.push_str(literal);
            } else {
                let inner = whole.get(2..whole.len().saturating_sub(1)).unwrap_or("");
                let output = self.run(inner, depth + 1)?;
                self.push(&output, &mut out)?;
            }
        }
        self.variables(text.get(done..).unwrap_or(""), &mut out)?;
        Ok(out)
    }

    /// `$NAME` and `${NAME}`, braces optional on either side; `\$` is a dollar sign.
    fn variables(&self, text: &str, out: &mut String) -> Result<(), Problem> {
        let mut rest = text;
        while let Some(dollar) = rest.find('$') {
            let (before, from) = rest.split_at(dollar);
            let after = from.get(1..).unwrap_or("");
            if after.starts_with('(') {
                out.push_str(before);
                out.push('$');
                rest = after;
                continue;
            }
            let inner = after.strip_prefix('{').unwrap_or(after);
            let length = inner
                .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
                .unwrap_or(inner.len());
            let (name, end) = inner.split_at(length);
            let end = end.strip_prefix('}').unwrap_or(end);
            let whole = from.get(..from.len() - end.len()).unwrap_or(from);
            if let Some(before) = before.strip_suffix('\\') {
                out.push_str(before);
                out.push_str(whole);
            } else {
                out.push_str(before);
                if name.is_empty() {
                    out.push_str(whole);
                } else {
                    self.push(&self.lookup(name), out)?;
                }
            }
            rest = end;
        }
        self.push(rest, out)
    }

    fn push(&self, text: &str, out: &mut String) -> Result<(), Problem> {
        if out.len() + text.len() > self.room {
            return Err(Problem::error(
                "the values of this file get too long: do variables repeat each other?",
            ));
        }
        out.push_str(text);
        Ok(())
    }

    fn lookup(&self, name: &str) -> String {
        let known = self.known.iter().find(|(key, _)| key == name);
        known
            .map(|(_, value)| value.clone())
            .or_else(|| self.expander.env(name))
            .unwrap_or_default()
    }
}

/// `kamal secrets …` and `dhow secrets …` are run within the process.
fn is_inline(line: &str) -> bool {
    let line = line.trim_start();
    let rest = line
        .strip_prefix("kamal")
        .or_else(|| line.strip_prefix("dhow"));
    rest.and_then(|rest| rest.trim_start().strip_prefix("secrets"))
        .is_some_and(|rest| rest.starts_with(char::is_whitespace))
}

/// How many `$(` that are not closed are looked past.
const MAX_UNCLOSED: usize = 64;

/// `$(…)` with balanced, non-empty parentheses, and the backslash before it if there is one.
fn commands(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut at = 0;
    let mut unclosed = 0;
    while let Some(offset) = text.get(at..).and_then(|rest| rest.find("$(")) {
        let dollar = at + offset;
        match closing(text, dollar + 1) {
            Some(end) => {
                let escaped = dollar > at && text.get(..dollar).is_some_and(|b| b.ends_with('\\'));
                found.push(dollar - usize::from(escaped)..end);
                at = end;
            }
            None => {
                unclosed += 1;
                if unclosed > MAX_UNCLOSED {
                    return found;
                }
                at = dollar + 2;
            }
        }
    }
    found
}

/// One past the parenthesis that closes the one at `open`.
fn closing(text: &str, open: usize) -> Option<usize> {
    let mut depth = 0_usize;
    let mut opened_just_now = false;
    for (offset, c) in text.get(open..)?.char_indices() {
        match c {
            '(' => depth += 1,
            ')' if opened_just_now => return None,
            ')' => {
                depth -= 1;
                if depth == 0 {
                    return Some(open + offset + 1);
                }
            }
            _ => {}
        }
        opened_just_now = c == '(';
    }
    None
}
