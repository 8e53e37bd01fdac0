//! A view that is drawn over itself at the bottom of a terminal, without taking the terminal over.
//!
//! Each frame is one text that hides the cursor, draws, and shows it again: whenever the process dies, the terminal is as it
//! was, with the last frame left standing.

/// The view, as far as it stands on the terminal.
#[derive(Debug, Default)]
pub(super) struct Live {
    drawn: Vec<String>,
}

impl Live {
    /// The text that puts `above` on the terminal for good, and `lines` below it as the view.
    pub(super) fn frame(&mut self, above: &str, lines: Vec<String>) -> String {
        if above.is_empty() && lines == self.drawn {
            return String::new();
        }
        if self.drawn.is_empty() && lines.is_empty() {
            return above.to_owned();
        }
        let mut out = String::from("\u{1b}[?25l");
        out.push_str(&self.erase());
        out.push_str(above);
        if !above.is_empty() && !above.ends_with('\n') {
            out.push('\n');
        }
        // Without wrapping, a line is a line, however wide its characters turn out to be.
        out.push_str("\u{1b}[?7l");
        for line in &lines {
            out.push_str(line);
            out.push('\n');
        }
        out.push_str("\u{1b}[?7h\u{1b}[?25h");
        self.drawn = lines;
        out
    }

    fn erase(&self) -> String {
        match self.drawn.len() {
            0 => String::new(),
            lines => format!("\r\u{1b}[{lines}A\u{1b}[J"),
        }
    }
}

/// `text` in at most `width` columns, without anything a terminal would obey.
pub(super) fn fit(text: &str, width: usize) -> String {
    let text = printable(text);
    if columns(&text) <= width {
        return text;
    }
    let mut out = String::new();
    let mut left = width.saturating_sub(1);
    for c in text.chars() {
        let Some(rest) = left.checked_sub(column(c)) else {
            break;
        };
        left = rest;
        out.push(c);
    }
    out.push('…');
    out
}

/// How many columns a text takes.
pub(super) fn columns(text: &str) -> usize {
    text.chars().map(column).sum()
}

/// Without escape sequences and control characters.
fn printable(text: &str) -> String {
    let mut out = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '\u{1b}' => {
                // `ESC [ … letter`; of anything else only the next character is lost.
                if chars.next() == Some('[') {
                    chars.by_ref().find(|c| ('@'..='~').contains(c));
                }
            }
            '\t' => out.push(' '),
            c if c.is_control() => {}
            c => out.push(c),
        }
    }
    out
}

/// Far Eastern letters and pictures take two columns; of what is in doubt, two are assumed.
fn column(c: char) -> usize {
    match u32::from(c) {
        0x0300..=0x036f | 0x200b..=0x200f | 0xfe00..=0xfe0f => 0,
        0x1100..=0x115f
        | 0x2e80..=0xa4cf
        | 0xac00..=0xd7a3
        | 0xf900..=0xfaff
        | 0xfe30..=0xfe6f
        | 0xff00..=0xff60 => 2,
        0x1_f000.. => 2,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_replaces_the_one_before() {
        let mut live = Live::default();
        let view = |text: &str| vec![text.to_owned()];
        assert_eq!(live.frame("", Vec::new()), "");
        assert_eq!(
            live.frame("", view("one")),
            "\u{1b}[?25l\u{1b}[?7lone\n\u{1b}[?7h\u{1b}[?25h"
        );
        assert_eq!(live.frame("", view("one")), "", "nothing new");
        assert_eq!(
            live.frame("said", view("two")),
            "\u{1b}[?25l\r\u{1b}[1A\u{1b}[Jsaid\n\u{1b}[?7ltwo\n\u{1b}[?7h\u{1b}[?25h"
        );
        assert_eq!(
            live.frame("", Vec::new()),
            "\u{1b}[?25l\r\u{1b}[1A\u{1b}[J\u{1b}[?7l\u{1b}[?7h\u{1b}[?25h"
        );
        assert_eq!(live.frame("said\n", Vec::new()), "said\n");
    }

    #[test]
    fn texts_are_cut_by_columns_and_obey_nothing() {
        assert_eq!(fit("pulling", 7), "pulling");
        assert_eq!(fit("pulling", 4), "pul…");
        assert_eq!(fit("日本語", 5), "日本…");
        assert_eq!(fit("a\u{1b}[31mb\u{1b}[0m\tc\r\u{7}", 10), "ab c");
        assert_eq!(fit("x", 0), "…");
    }
}
