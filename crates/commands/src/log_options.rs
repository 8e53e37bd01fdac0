//! What of a container's log is wanted.
//!
//! In: the options of the `logs` commands. Out: pieces of a `docker logs` line. The orders of the pieces differ between apps, proxy
//! and accessories, so they are put together there.

use dhow_text::shell::{Cmd, single_quote};

/// Options of `app logs`, `proxy logs` and `accessory logs`.
#[derive(Clone, Copy, Debug, Default)]
pub struct LogOptions<'o> {
    /// Whether lines carry their time.
    pub timestamps: bool,
    /// `--since`: a time or a duration, as docker reads them.
    pub since: Option<&'o str>,
    /// `--tail`
    pub lines: Option<u64>,
    /// A pattern; only lines that match it.
    pub grep: Option<&'o str>,
    /// More arguments for grep, verbatim.
    pub grep_options: Option<&'o str>,
}

impl LogOptions<'_> {
    pub(crate) fn timestamps_flag(&self) -> Option<String> {
        self.timestamps.then(|| "--timestamps".to_owned())
    }

    pub(crate) fn since_flag(&self) -> Option<String> {
        self.since
            .map(|since| format!("--since {}", single_quote(since)))
    }

    pub(crate) fn tail_flag(&self) -> Option<String> {
        self.lines.map(|lines| format!("--tail {lines}"))
    }

    /// `logs | grep 'pattern' options`: single quotes, for a look at what is there.
    pub(crate) fn filtered(&self, logs: Cmd) -> Cmd {
        let quote = |pattern: &str| format!("'{}'", pattern.replace('\'', r"'\''"));
        self.grepped(logs, quote)
    }

    /// `logs | grep "pattern" options`: double quotes, for a line that is itself put in single quotes for `ssh`.
    pub(crate) fn followed(&self, logs: Cmd) -> Cmd {
        self.grepped(logs, double_quoted)
    }

    fn grepped(&self, logs: Cmd, quote: impl Fn(&str) -> String) -> Cmd {
        match self.grep {
            Some(pattern) => {
                logs.pipe(Cmd::new("grep").arg(quote(pattern)).args(self.grep_options))
            }
            None => logs,
        }
    }
}

/// The text in double quotes, meaning itself. Escapes no more than it must: a pattern's own backslashes and its final `$` stay.
fn double_quoted(text: &str) -> String {
    let mut out = String::from("\"");
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let next = chars.peek().copied();
        let special = match c {
            '"' | '`' => true,
            '$' => next.is_some_and(|n| n.is_ascii_alphanumeric() || "_{(@*#?$!-".contains(n)),
            '\\' => next.is_none_or(|n| "\"$`\\".contains(n)),
            _ => false,
        };
        if special {
            out.push('\\');
        }
        out.push(c);
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_mean_themselves_in_both_kinds_of_quotes() {
        for (pattern, single, double) in [
            ("hey", "'hey'", r#""hey""#),
            (r"a\.b$", r"'a\.b$'", r#""a\.b$""#),
            ("it's", r"'it'\''s'", r#""it's""#),
            (r#"say "x""#, r#"'say "x"'"#, r#""say \"x\"""#),
            ("$HOME $(id)", "'$HOME $(id)'", r#""\$HOME \$(id)""#),
            (r"a\", r"'a\'", r#""a\\""#),
        ] {
            let options = LogOptions {
                grep: Some(pattern),
                ..LogOptions::default()
            };
            let logs = || Cmd::docker("logs");
            assert_eq!(
                options.filtered(logs()).real(),
                format!("docker logs | grep {single}")
            );
            assert_eq!(
                options.followed(logs()).real(),
                format!("docker logs | grep {double}")
            );
        }
    }
}
