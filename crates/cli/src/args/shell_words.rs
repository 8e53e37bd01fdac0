//! Splits a line into words as a POSIX shell does (and Ruby's Shellwords, which Kamal uses for aliases): blanks part words, quotes
//! and backslashes keep characters together. Nothing is expanded.

/// A quote that is never closed; holds what follows it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unmatched quote: `{0}`")]
pub(crate) struct UnmatchedQuote(String);

/// The words of `line`.
pub(crate) fn shell_words(line: &str) -> Result<Vec<String>, UnmatchedQuote> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut chars = line.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            ' ' | '\t' | '\n' | '\r' => words.extend(word.take()),
            '\'' | '"' => {
                let unmatched = || UnmatchedQuote(line.get(at..).unwrap_or_default().to_owned());
                let word = word.get_or_insert_default();
                loop {
                    let (_, inner) = chars.next().ok_or_else(unmatched)?;
                    match inner {
                        _ if inner == c => break,
                        '\\' if c == '"' => {
                            let (_, escaped) = chars.next().ok_or_else(unmatched)?;
                            if !matches!(escaped, '$' | '`' | '"' | '\\' | '\n') {
                                word.push('\\');
                            }
                            word.push(escaped);
                        }
                        _ => word.push(inner),
                    }
                }
            }
            '\\' => {
                let word = word.get_or_insert_default();
                word.push(chars.next().map_or('\\', |(_, escaped)| escaped));
            }
            _ => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_keep_words_together() {
        let line = r#"app exec  -i 'bin/rails console' "a \"b\" \c" x\ y '' end\"#;
        assert_eq!(
            shell_words(line).unwrap(),
            [
                "app",
                "exec",
                "-i",
                "bin/rails console",
                r#"a "b" \c"#,
                "x y",
                "",
                r"end\"
            ]
        );
    }

    #[test]
    fn an_open_quote_is_an_error() {
        assert_eq!(
            shell_words("a 'b c"),
            Err(UnmatchedQuote("'b c".to_owned()))
        );
        assert_eq!(
            shell_words("a \"b\\"),
            Err(UnmatchedQuote("\"b\\".to_owned()))
        );
    }
}
