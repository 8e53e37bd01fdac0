//! Shell text to words, as Ruby's `Shellwords.split` does it, and which command lines need a shell at all.

/// A quote that is not closed. The message is Ruby's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Unmatched quote: {rest}")]
pub struct UnmatchedQuote {
    /// The text from the word on that has it.
    pub rest: String,
}

/// The words of a line: quotes and backslashes are undone, nothing is expanded.
pub fn split(line: &str) -> Result<Vec<String>, UnmatchedQuote> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut chars = line.char_indices();
    while let Some((at, c)) = chars.next() {
        let unmatched = || UnmatchedQuote {
            rest: line.get(at..).unwrap_or("").to_owned(),
        };
        match c {
            ' ' | '\t' | '\n' | '\r' | '\x0b' | '\x0c' => words.extend(word.take()),
            '\'' => {
                let rest = chars.as_str();
                let end = rest.find('\'').ok_or_else(unmatched)?;
                let (inside, after) = rest.split_at(end);
                word.get_or_insert_default().push_str(inside);
                chars = resume(line, after.get(1..).unwrap_or(""));
            }
            '"' => {
                let word = word.get_or_insert_default();
                let mut closed = false;
                while let Some((_, c)) = chars.next() {
                    match c {
                        '"' => {
                            closed = true;
                            break;
                        }
                        '\\' => match chars.next() {
                            // Inside double quotes a backslash is one unless it stands before these.
                            Some((_, next @ ('$' | '`' | '"' | '\\' | '\n'))) => word.push(next),
                            Some((_, next)) => word.extend(['\\', next]),
                            None => return Err(unmatched()),
                        },
                        c => word.push(c),
                    }
                }
                if !closed {
                    return Err(unmatched());
                }
            }
            '\\' => {
                let word = word.get_or_insert_default();
                match chars.next() {
                    None => word.push('\\'),
                    // Ruby's own: before a line break the backslash stays.
                    Some((_, '\n')) => word.push_str("\\\n"),
                    Some((_, next)) => word.push(next),
                }
            }
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    Ok(words)
}

fn resume<'l>(line: &'l str, rest: &'l str) -> std::str::CharIndices<'l> {
    // Offsets only serve the message; they start over within the rest.
    line.get(line.len() - rest.len()..)
        .unwrap_or("")
        .char_indices()
}

/// A word that the shell and [`split`] take literally, with backslashes: Ruby's `Shellwords.escape`.
pub fn escape(word: &str) -> String {
    if word.is_empty() {
        return "''".to_owned();
    }
    let mut out = String::with_capacity(word.len());
    for c in word.chars() {
        if c == '\n' {
            out.push_str("'\n'");
        } else {
            if !c.is_ascii_alphanumeric() && !"_-.,:+/@".contains(c) {
                out.push('\\');
            }
            out.push(c);
        }
    }
    out
}

/// The words of a command line that Ruby would run without a shell: no character that means something to one, no shell keyword.
/// Only then can a missing program be told from a failing one.
pub fn direct_argv(line: &str) -> Option<Vec<String>> {
    const KEYWORDS: &[&str] = &[
        "!", ".", ":", "break", "case", "continue", "do", "done", "elif", "else", "esac", "eval",
        "exec", "exit", "export", "fi", "for", "if", "in", "readonly", "return", "set", "shift",
        "then", "times", "trap", "unset", "until", "while",
    ];
    let words: Vec<String> = line.split_ascii_whitespace().map(str::to_owned).collect();
    let first = words.first()?;
    let special = line.contains(|c| "*?{}[]<>()~&|\\$;'`\"\n#".contains(c));
    (!special && !first.contains('=') && !KEYWORDS.contains(&first.as_str())).then_some(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_as_ruby_splits_them() {
        for (line, words) in [
            ("", &[][..]),
            ("  a  b\tc\n", &["a", "b", "c"]),
            (r#"a "b c" 'd e'f"#, &["a", "b c", "d ef"]),
            (r#""" ''"#, &["", ""]),
            (r#"a\ b "\$x \a \" \\""#, &["a b", r#"$x \a " \"#]),
            (r#"\{\"k\":\"v\"\}"#, &[r#"{"k":"v"}"#]),
            (r"'a\b'", &[r"a\b"]),
            ("a\\\nb \"a\\\nb\" \\", &["a\\\nb", "a\nb", "\\"]),
            ("ä'ö ü'", &["äö ü"]),
        ] {
            assert_eq!(split(line).unwrap(), words, "{line}");
        }
        assert!(
            split("a 'b")
                .unwrap_err()
                .to_string()
                .starts_with("Unmatched quote: '")
        );
        assert!(split("a \"b\\").is_err());
    }

    #[test]
    fn an_escaped_word_splits_back() {
        for word in ["", "a", "a b", "{\"k\":\"v\\n\"}", "a\nb", "é$`'"] {
            assert_eq!(split(&escape(word)).unwrap(), [word]);
        }
        assert_eq!(escape("a b\n"), "a\\ b'\n'");
    }

    #[test]
    fn plain_commands_need_no_shell() {
        assert_eq!(direct_argv("op read x").unwrap(), ["op", "read", "x"]);
        for line in ["a | b", "A=1 b", "exit 1", "echo $X", "echo 'a'", ""] {
            assert_eq!(direct_argv(line), None, "{line}");
        }
    }
}
