//! One line of `ssh_config` to keyword and arguments.
//!
//! The grammar is OpenSSH's: keyword, then white space and at most one `=`, then words; words may be quoted with `"` or `'`; outside quotes a
//! word beginning with `#` ends the line.

/// A line that says something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Words {
    /// The keyword in lower case.
    pub(crate) keyword: String,
    /// The arguments, quotes resolved.
    pub(crate) args: Vec<String>,
    /// The text after the keyword as written, for commands that take the rest of the line.
    pub(crate) rest: String,
}

/// Reads a line; `Ok(None)` for blank lines and comments, `Err` with the reason when quotes don't close.
pub(crate) fn words(line: &str) -> Result<Option<Words>, String> {
    let line = line.trim_matches(|c: char| c.is_ascii_whitespace() || c == '\u{c}');
    if line.is_empty() || line.starts_with('#') {
        return Ok(None);
    }
    let end = line
        .find(|c: char| c.is_ascii_whitespace() || c == '=')
        .unwrap_or(line.len());
    let (keyword, rest) = line.split_at(end);
    let keyword = keyword.trim_matches('"').to_ascii_lowercase();
    let rest = rest.trim_start();
    let rest = rest.strip_prefix('=').unwrap_or(rest).trim_start();
    if keyword.is_empty() {
        return Err("missing keyword".to_owned());
    }
    // Commands keep their quotes and hashes: the shell reads them, not this file's grammar.
    let args = if takes_rest_of_line(&keyword) {
        Vec::new()
    } else {
        split(rest)?
    };
    Ok(Some(Words {
        keyword,
        args,
        rest: rest.to_owned(),
    }))
}

fn takes_rest_of_line(keyword: &str) -> bool {
    matches!(
        keyword,
        "proxycommand" | "localcommand" | "remotecommand" | "knownhostscommand"
    )
}

fn split(text: &str) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    let mut chars = text.chars().peekable();
    loop {
        while chars.next_if(char::is_ascii_whitespace).is_some() {}
        match chars.peek() {
            None | Some('#') => return Ok(words),
            Some(_) => {}
        }
        let mut word = String::new();
        let mut quote = None;
        while let Some(c) = chars.next() {
            match (c, quote) {
                ('\\', _) if chars.peek().is_some_and(|next| escapable(*next, quote)) => {
                    word.extend(chars.next());
                }
                (c, Some(q)) if c == q => quote = None,
                ('"' | '\'', None) => quote = Some(c),
                (c, None) if c.is_ascii_whitespace() => break,
                (c, _) => word.push(c),
            }
        }
        if quote.is_some() {
            return Err("unbalanced quotes".to_owned());
        }
        words.push(word);
    }
}

fn escapable(next: char, quote: Option<char>) -> bool {
    matches!(next, '\\' | '"' | '\'') || (next == ' ' && quote.is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(line: &str) -> Vec<String> {
        words(line).unwrap().unwrap().args
    }

    #[test]
    fn keyword_and_arguments_in_all_spellings() {
        for line in ["Port 22", "port=22", "  PORT = 22  ", "Port\t22 # why"] {
            let words = words(line).unwrap().unwrap();
            assert_eq!(
                (words.keyword.as_str(), words.args),
                ("port", vec!["22".to_owned()]),
                "{line}"
            );
        }
    }

    #[test]
    fn quotes_and_escapes() {
        assert_eq!(
            args(r#"IdentityFile "a b" 'c d' e\ f"#),
            ["a b", "c d", "e f"]
        );
        assert_eq!(args(r#"X "a\"b" c#d"#), ["a\"b", "c#d"]);
        assert_eq!(args(r#"X pre"fix in"side"#), ["prefix inside"]);
    }

    #[test]
    fn commands_keep_their_text() {
        let line = words("ProxyCommand=ssh -W '%h:%p' gate # not a comment")
            .unwrap()
            .unwrap();
        assert_eq!(line.rest, "ssh -W '%h:%p' gate # not a comment");
    }

    #[test]
    fn nothing_and_nonsense() {
        assert_eq!(words("  # x").unwrap(), None);
        assert_eq!(words("\r").unwrap(), None);
        assert!(words("Host \"a").is_err());
        assert!(words("= x").is_err());
    }
}
