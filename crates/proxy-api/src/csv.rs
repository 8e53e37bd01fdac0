//! One CSV record, as list flags split their values: commas separate, double quotes protect.

/// Splits `text` into fields; an empty text has none. Only the first line counts, as in the original.
///
/// # Errors
/// The reader's message, naming line and column (in bytes, from 1).
pub(crate) fn split_record(text: &str) -> Result<Vec<String>, String> {
    if text.is_empty() {
        return Ok(Vec::new());
    }
    let bare = |column: usize| {
        format!("parse error on line 1, column {column}: bare \" in non-quoted field")
    };
    let stray = |column: usize| {
        format!("parse error on line 1, column {column}: extraneous or missing \" in quoted-field")
    };
    let mut fields = Vec::new();
    let mut chars = text.char_indices().peekable();
    loop {
        let mut field = String::new();
        if chars.next_if(|(_, c)| *c == '"').is_some() {
            loop {
                match chars.next() {
                    Some((_, '"')) if chars.next_if(|(_, c)| *c == '"').is_some() => {
                        field.push('"');
                    }
                    Some((at, '"')) => match chars.peek() {
                        None | Some((_, ',' | '\n')) => break,
                        Some(_) => return Err(stray(at + 1)),
                    },
                    Some((_, c)) => field.push(c),
                    None => return Err(stray(text.len() + 1)),
                }
            }
        } else {
            while let Some((at, c)) = chars.next_if(|(_, c)| !matches!(c, ',' | '\n')) {
                if c == '"' {
                    return Err(bare(at + 1));
                }
                field.push(c);
            }
        }
        fields.push(field);
        match chars.next() {
            Some((_, ',')) => {}
            _ => return Ok(fields),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_and_unquotes() {
        assert_eq!(split_record("a,b").unwrap(), ["a", "b"]);
        assert_eq!(split_record("\"a,b\",c").unwrap(), ["a,b", "c"]);
        assert_eq!(split_record("\"a\"\"b\"").unwrap(), ["a\"b"]);
        assert_eq!(split_record("a,").unwrap(), ["a", ""]);
        assert!(split_record("").unwrap().is_empty());
    }

    #[test]
    fn refuses_stray_quotes() {
        assert_eq!(
            split_record("a\"b").unwrap_err(),
            "parse error on line 1, column 2: bare \" in non-quoted field"
        );
        assert!(
            split_record("\"ab")
                .unwrap_err()
                .contains("extraneous or missing")
        );
        assert!(
            split_record("\"a\"b")
                .unwrap_err()
                .contains("extraneous or missing")
        );
    }
}
