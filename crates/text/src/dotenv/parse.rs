//! A file's text to names and values.

use super::expand::{Expander, Expansion};
use super::line::{Line, lines, with_what_follows};
use crate::diagnostic::{Diagnostic, Severity};
use crate::redact::Secret;
use crate::source::{SourceId, Span};

/// The longest file that is read.
const MAX_BYTES: usize = 4 << 20;
/// How long all values together may get.
const MAX_VALUES: usize = 16 << 20;

/// One name and its value.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The name.
    pub name: String,
    /// The value.
    pub value: Secret,
    /// Where the name stands (the first time, if it is assigned twice).
    pub span: Span,
}

/// What a file holds.
#[derive(Clone, Debug, Default)]
pub struct Parsed {
    /// In the order of the file; a name that is assigned again keeps its place and takes the last value.
    pub entries: Vec<Entry>,
    /// What is likely not as meant.
    pub warnings: Vec<Diagnostic>,
}

/// Whether a variable that the environment has can be set by the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Existing {
    /// The file's value counts (secrets files, `overwrite: true`).
    Overridden,
    /// The environment's value counts (`Dotenv.load`).
    Kept,
}

/// Reads a file. The places in complaints are names and commands; never put the lines they stand on in front of people.
pub fn parse(
    source: SourceId,
    text: &str,
    existing: Existing,
    expander: &mut dyn Expander,
) -> Result<Parsed, Diagnostic> {
    if text.len() > MAX_BYTES {
        let message = format!("a file of secrets or variables of more than {MAX_BYTES} bytes");
        return Err(Diagnostic::error("Dotenv::FormatError", message));
    }
    let normal = Normalized::new(text);
    let mut room = MAX_VALUES;
    let mut values: Vec<(String, String)> = Vec::new();
    let mut parsed = Parsed::default();
    for line in lines(&normal.text) {
        let name = normal.text.get(line.key.clone()).unwrap_or("").to_owned();
        let span = normal.span(source, &line.key);
        let kept = match existing {
            Existing::Kept if name != "DOTENV_LINEBREAK_MODE" => expander.env(&name),
            _ => None,
        };
        let known_place = values.iter().position(|(key, _)| *key == name);
        let value = if let Some(value) = kept {
            value
        } else if line.export && line.value.is_none() {
            if known_place.is_none() {
                let whole = with_what_follows(&normal.text, &line);
                let message = format!("Line {} has an unset variable", crate::erb::inspect(whole));
                return Err(Diagnostic::error("Dotenv::FormatError", message)
                    .at(span, "")
                    .hinted("give it a value: `export NAME=value`"));
            }
            continue;
        } else {
            let mut problems = Vec::new();
            let value = value_of(&normal.text, &line, &values, room, expander, &mut problems);
            let warnings = problems.into_iter().map(|p| p.into_diagnostic(&name, span));
            parsed.warnings.extend(warnings);
            value.map_err(|problem| problem.into_diagnostic(&name, span))?
        };
        room = room.saturating_sub(value.len());
        let entry = Entry {
            name: name.clone(),
            value: Secret::new(value.as_str()),
            span,
        };
        match known_place {
            Some(at) => {
                if let (Some(known), Some(old)) = (values.get_mut(at), parsed.entries.get_mut(at)) {
                    known.1 = value;
                    old.value = entry.value;
                }
            }
            None => {
                values.push((name, value));
                parsed.entries.push(entry);
            }
        }
    }
    Ok(parsed)
}

fn value_of(
    text: &str,
    line: &Line,
    known: &[(String, String)],
    room: usize,
    expander: &mut dyn Expander,
    problems: &mut Vec<Problem>,
) -> Result<String, Problem> {
    let raw = line
        .value
        .clone()
        .and_then(|range| text.get(range))
        .unwrap_or("");
    let raw = raw
        .trim_start_matches(ruby_space)
        .trim_end_matches(|c| ruby_space(c) || c == '\0');
    let inside = |quote: char| {
        raw.strip_prefix(quote)
            .and_then(|rest| rest.strip_suffix(quote))
    };
    if let Some(literal) = inside('\'') {
        return Ok(literal.to_owned());
    }
    if raw.starts_with(['\'', '"']) && inside('"').is_none() {
        problems.push(Problem::warning(
            "the value starts with a quote that does not close it: the quote is taken as part of it",
        ));
    }
    let mode = known.iter().find(|(key, _)| key == "DOTENV_LINEBREAK_MODE");
    let mode = mode
        .map(|(_, value)| value.clone())
        .or_else(|| expander.env("DOTENV_LINEBREAK_MODE"));
    let mut expansion = Expansion {
        known,
        room,
        legacy_breaks: mode.as_deref() == Some("legacy"),
        expander,
        problems,
    };
    match inside('"') {
        Some(text) => expansion.expand(text, true),
        None => expansion.expand(raw, false),
    }
}

fn ruby_space(c: char) -> bool {
    c.is_ascii_whitespace() || c == '\x0b'
}

/// A complaint that does not know its place yet.
pub(super) struct Problem {
    severity: Severity,
    message: String,
    hint: Option<String>,
}

impl Problem {
    pub(super) fn error(message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            message: message.into(),
            hint: None,
        }
    }

    pub(super) fn warning(message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Warning,
            ..Self::error(message)
        }
    }

    pub(super) fn hinted(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    fn into_diagnostic(self, name: &str, span: Span) -> Diagnostic {
        let mut diagnostic =
            Diagnostic::error("RuntimeError", format!("secret `{name}`: {}", self.message))
                .at(span, "");
        diagnostic.severity = self.severity;
        diagnostic.hint = self.hint;
        diagnostic
    }
}

/// The text without a byte order mark and with LF line ends, and where each byte was before.
struct Normalized {
    text: String,
    /// Offset in the file for each byte of `text`, and for its end.
    offsets: Vec<u32>,
}

impl Normalized {
    fn new(file: &str) -> Self {
        let mut text = String::with_capacity(file.len());
        let mut offsets = Vec::with_capacity(file.len() + 1);
        let place = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        let mut chars = file.char_indices().peekable();
        if chars.peek().is_some_and(|(_, c)| *c == '\u{feff}') {
            chars.next();
        }
        while let Some((at, c)) = chars.next() {
            let c = if c == '\r' {
                if chars.peek().is_some_and(|(_, next)| *next == '\n') {
                    chars.next();
                }
                '\n'
            } else {
                c
            };
            offsets.extend(std::iter::repeat_n(place(at), c.len_utf8()));
            text.push(c);
        }
        offsets.push(place(file.len()));
        Self { text, offsets }
    }

    fn span(&self, source: SourceId, range: &std::ops::Range<usize>) -> Span {
        let at = |offset: usize| self.offsets.get(offset).copied().unwrap_or(0);
        Span::new(source, at(range.start), at(range.end))
    }
}

#[cfg(test)]
mod tests {
    use super::super::{CommandFailure, CommandOutput};
    use super::*;

    /// Commands are answered from a table.
    struct Fake {
        env: Vec<(&'static str, &'static str)>,
        answers: Vec<(&'static str, &'static str)>,
        asked: Vec<String>,
    }

    impl Expander for Fake {
        fn env(&self, name: &str) -> Option<String> {
            let found = self.env.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| (*value).to_owned())
        }

        fn command(&mut self, line: &str) -> Result<CommandOutput, CommandFailure> {
            self.asked.push(line.to_owned());
            match self.answers.iter().find(|(command, _)| *command == line) {
                Some((_, stdout)) => Ok(CommandOutput {
                    stdout: (*stdout).to_owned(),
                    success: true,
                }),
                None => Err(CommandFailure::NotFound {
                    program: line.to_owned(),
                }),
            }
        }

        fn secrets(&mut self, argv: &[String]) -> Result<String, String> {
            self.asked.push(format!("{argv:?}"));
            Ok(format!("<{}>\n", argv.join("|")))
        }
    }

    fn fake() -> Fake {
        Fake {
            env: vec![("HOME", "/root"), ("A", "from env")],
            answers: vec![
                ("cat pw", "pa$word\\n$HOME\n"),
                ("printf 'a\\nb'", "a\nb"),
                ("op read \"x\"", "y\n"),
                ("echo 1", "1\n"),
            ],
            asked: Vec::new(),
        }
    }

    fn value(text: &str) -> String {
        let parsed = parse(SourceId(0), text, Existing::Overridden, &mut fake()).unwrap();
        parsed.entries.last().unwrap().value.reveal().to_owned()
    }

    fn error(text: &str) -> Diagnostic {
        parse(SourceId(0), text, Existing::Overridden, &mut fake()).unwrap_err()
    }

    #[test]
    fn the_output_of_a_command_is_final() {
        assert_eq!(value("A=$(cat pw)"), "pa$word\\n$HOME");
        assert_eq!(
            value("A=\"$(cat pw)-$(echo 1) $HOME tail\""),
            "pa$word\\n$HOME-1 /root tail"
        );
        assert_eq!(
            value("P=$(cat pw)\nQ=$P"),
            "pa$word\\n$HOME",
            "nor is a variable's value expanded"
        );
    }

    #[test]
    fn backslashes_of_a_command_are_kept_or_asked_about() {
        assert_eq!(value(r#"A=$(printf 'a\\nb')"#), "a\nb");
        assert_eq!(value(r#"A="$(printf 'a\nb')""#), "a\nb");
        assert_eq!(value(r#"A="$(op read \"x\")""#), "y");
        let lost = error(r"A=$(printf 'a\nb')");
        assert!(
            lost.message.contains(r"`\n` in a command"),
            "{}",
            lost.message
        );
        assert!(lost.hint.unwrap().contains(r"`\\n`"));
    }

    #[test]
    fn a_missing_program_is_an_error_of_its_line() {
        let missing = error("X=1\nA=$(nope)\n");
        assert_eq!(
            missing.message,
            "secret `A`: No such file or directory - nope"
        );
        assert_eq!(
            (missing.labels[0].span.start, missing.labels[0].span.end),
            (4, 5)
        );
    }

    #[test]
    fn secrets_commands_are_run_in_process_as_words() {
        for program in ["kamal", "dhow"] {
            let text = format!("S=a\\ b\nA=$({program} secrets extract \"X Y\" $S)");
            assert_eq!(value(&text), "<secrets|extract|X Y|a|b>");
        }
        assert_eq!(
            value("A=$(kamal secrets extract X $(kamal secrets fetch -a b))"),
            "<secrets|extract|X|<secrets|fetch|-a|b>>"
        );
        assert!(
            error("A=$(bin/kamal secrets print)")
                .message
                .contains("No such file")
        );
    }

    #[test]
    fn the_environment_is_kept_when_asked() {
        let parsed = parse(SourceId(0), "A=x\nB=$A", Existing::Kept, &mut fake()).unwrap();
        let values: Vec<_> = parsed.entries.iter().map(|e| e.value.reveal()).collect();
        assert_eq!(values, ["from env", "from env"]);
    }

    #[test]
    fn places_survive_line_ends_and_the_byte_order_mark() {
        let parsed = parse(
            SourceId(0),
            "\u{feff}A=1\r\nÄ=\r\nBC=2\r\n",
            Existing::Overridden,
            &mut fake(),
        )
        .unwrap();
        let last = parsed.entries.last().unwrap();
        assert_eq!(
            (last.name.as_str(), last.span.start, last.span.end),
            ("BC", 13, 15)
        );
    }

    #[test]
    fn an_export_without_a_value_is_an_error() {
        assert_eq!(
            error("export A\n").message,
            "Line \"export A\\n\" has an unset variable"
        );
    }

    #[test]
    fn an_unclosed_command_is_literal_with_a_warning() {
        let parsed = parse(SourceId(0), "A=ab$(cd", Existing::Overridden, &mut fake()).unwrap();
        assert_eq!(parsed.entries[0].value.reveal(), "ab$(cd");
        assert_eq!(parsed.warnings.len(), 1);
    }
}
