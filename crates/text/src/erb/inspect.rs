//! Texts as Ruby source, as Ruby's `inspect` shows them.

/// A string in double quotes.
pub fn inspect(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '#' if matches!(chars.peek(), Some('{' | '$' | '@')) => out.push_str("\\#"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\x0b' => out.push_str("\\v"),
            '\x0c' => out.push_str("\\f"),
            '\x07' => out.push_str("\\a"),
            '\x08' => out.push_str("\\b"),
            '\x1b' => out.push_str("\\e"),
            c if c.is_control() || is_invisible(c) => {
                let code = u32::from(c);
                let hex = if code > 0xffff {
                    format!("\\u{{{code:X}}}")
                } else {
                    format!("\\u{code:04X}")
                };
                out.push_str(&hex);
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// A symbol with its colon; quoted unless it is a name.
pub fn inspect_symbol(name: &str) -> String {
    let stem = name.strip_suffix(['?', '!', '=']).unwrap_or(name);
    let starts = stem.starts_with(|c: char| c.is_alphabetic() || c == '_' || !c.is_ascii());
    let plain = starts
        && stem
            .chars()
            .all(|c| c.is_alphanumeric() || c == '_' || !c.is_ascii());
    const OPERATORS: &[&str] = &[
        "[]", "[]=", "+", "-", "*", "/", "%", "**", "==", "!=", "<", ">", "<=", ">=", "<=>", "===",
        "<<", ">>", "!", "=~", "&", "|", "^", "~", "+@", "-@", "`",
    ];
    if plain || OPERATORS.contains(&name) {
        format!(":{name}")
    } else {
        format!(":{}", inspect(name))
    }
}

/// Characters that Ruby does not call printable though they are no control characters.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{2028}' | '\u{2029}' | '\u{fff0}'..='\u{fff8}')
}
