//! A template taken apart: text, code, output.
//!
//! In: a template. Out: [`Piece`]s in order. This is ERB's scanner with trim mode `-`.

use super::token::Place;

/// One stretch of a template, as byte ranges of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// Text that stands for itself.
    Text { start: usize, end: usize },
    /// Text that stands for something else: `<%%` for `<%`.
    Literal {
        text: &'static str,
        start: usize,
        end: usize,
    },
    /// `<% %>` and `<%= %>`.
    Code(Code),
}

/// The code of a tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Code {
    /// Whether its value is inserted.
    pub(super) output: bool,
    /// Ruby, with `%%>` already `%>`.
    pub(super) text: String,
    /// Where that starts in the template.
    pub(super) base: usize,
    /// The whole tag.
    pub(super) start: usize,
    pub(super) end: usize,
}

/// A place in code, where each `%%>` counts as the `%>` it stands for, as a place in the template.
pub(super) fn in_template(template: &str, place: Place) -> Place {
    let found = pieces(template).into_iter().find_map(|piece| match piece {
        Piece::Code(code) if code.base <= place.start && place.start < code.end => Some(code),
        _ => None,
    });
    let Some(code) = found else {
        return place;
    };
    let inside = template.get(code.base..code.end).unwrap_or("");
    let moved = |at: usize| {
        let escapes = inside.match_indices("%%>").enumerate();
        let before = escapes.take_while(|(count, (offset, _))| code.base + offset - count < at);
        (at + before.count()).min(code.end)
    };
    Place {
        start: moved(place.start),
        end: moved(place.end),
    }
}

/// The pieces of a template.
pub(super) fn pieces(template: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut at = 0;
    while let Some(offset) = tail(template, at).find("<%") {
        let open = at + offset;
        let after = tail(template, open + 2);
        if after.starts_with('%') {
            push_text(&mut pieces, at, open);
            pieces.push(Piece::Literal {
                text: "<%",
                start: open,
                end: open + 3,
            });
            at = open + 3;
            continue;
        }
        let (marker, text_end) = match after.chars().next() {
            Some('-') => (1, before_indentation(template, at, open)),
            Some('=' | '#') => (1, open),
            _ => (0, open),
        };
        push_text(&mut pieces, at, text_end);
        let base = open + 2 + marker;
        let Some((text, end)) = code(template, base) else {
            // Never closed: ERB forgets the opening and takes the rest for text.
            push_text(&mut pieces, base, template.len());
            return pieces;
        };
        if !after.starts_with('#') {
            pieces.push(Piece::Code(Code {
                output: after.starts_with('='),
                text,
                base,
                start: open,
                end: end.tag,
            }));
        }
        at = end.next;
    }
    push_text(&mut pieces, at, template.len());
    pieces
}

/// Where a tag ends, and where reading goes on.
struct End {
    tag: usize,
    next: usize,
}

fn code(template: &str, base: usize) -> Option<(String, End)> {
    let mut text = String::new();
    let mut at = base;
    loop {
        let rest = tail(template, at);
        let close = rest.find("%>")?;
        let before = rest.get(..close)?;
        let tag = at + close + 2;
        if let Some(code) = before.strip_suffix('%') {
            text.push_str(code);
            text.push_str("%>");
            at = tag;
            continue;
        }
        if let Some(code) = before.strip_suffix('-') {
            text.push_str(code);
            let after = tail(template, tag);
            let trimmed = after
                .strip_prefix("\r\n")
                .or_else(|| after.strip_prefix('\n'));
            let next = template.len() - trimmed.unwrap_or(after).len();
            return Some((text, End { tag, next }));
        }
        text.push_str(before);
        return Some((text, End { tag, next: tag }));
    }
}

/// `<%-` takes the spaces and tabs before it away if nothing else is on the line, or since the last tag.
fn before_indentation(template: &str, from: usize, open: usize) -> usize {
    let before = template.get(from..open).unwrap_or("");
    let trimmed = before.trim_end_matches([' ', '\t']);
    if trimmed.is_empty() || trimmed.ends_with('\n') {
        from + trimmed.len()
    } else {
        open
    }
}

fn push_text(pieces: &mut Vec<Piece>, start: usize, end: usize) {
    if start < end {
        pieces.push(Piece::Text { start, end });
    }
}

fn tail(text: &str, at: usize) -> &str {
    text.get(at..).unwrap_or("")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_behind_an_escaped_end_lead_back() {
        let template = "a <%= '%%>' + '%%>' + nope %>";
        let Some(Piece::Code(code)) = pieces(template).pop() else {
            panic!("the last piece is the tag");
        };
        let at = code.base + code.text.find("nope").unwrap();
        let place = in_template(
            template,
            Place {
                start: at,
                end: at + 4,
            },
        );
        assert_eq!(&template[place.start..place.end], "nope");
        let first = code.base + code.text.find('%').unwrap();
        let place = in_template(
            template,
            Place {
                start: first,
                end: first + 2,
            },
        );
        assert_eq!(&template[place.start..place.end], "%%>");
    }
}
