//! Where colour is wanted, and the escape sequences Kamal and its SSH library use.

/// Where colour is wanted. The two kinds of lines follow different rules, as with Kamal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Colour {
    /// Status lines, headers, the live view.
    pub status: bool,
    /// Lines of the execution log.
    pub log: bool,
}

impl Colour {
    /// What the surroundings ask for: whether standard output is a terminal, and the values of `TERM`, `NO_COLOR` and
    /// `SSHKIT_COLOR`.
    pub fn wanted(
        terminal: bool,
        term: Option<&str>,
        no_color: Option<&str>,
        sshkit_color: Option<&str>,
    ) -> Self {
        Self {
            status: terminal && term != Some("dumb") && no_color.is_none_or(str::is_empty),
            log: terminal || sshkit_color.is_some(),
        }
    }
}

/// A foreground colour, by its code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ink {
    Black = 30,
    Red = 31,
    Green = 32,
    Yellow = 33,
    Blue = 34,
    Magenta = 35,
}

/// A text of the execution log, coloured as SSHKit does it.
pub(crate) fn log(on: bool, ink: Ink, bold: bool, text: &str) -> String {
    match (on, bold) {
        (false, _) => text.to_owned(),
        (true, false) => format!("\u{1b}[0;{};49m{text}\u{1b}[0m", ink as u8),
        (true, true) => format!("\u{1b}[1;{};49m{text}\u{1b}[0m", ink as u8),
    }
}

/// A status text, coloured as Thor does it.
pub(crate) fn status(on: bool, ink: Ink, text: &str) -> String {
    if on {
        format!("\u{1b}[{}m{text}\u{1b}[0m", ink as u8)
    } else {
        text.to_owned()
    }
}

/// A bold text.
pub(crate) fn bold(on: bool, text: &str) -> String {
    if on {
        format!("\u{1b}[1m{text}\u{1b}[0m")
    } else {
        text.to_owned()
    }
}

/// A text that stands back.
pub(crate) fn dim(on: bool, text: &str) -> String {
    if on {
        format!("\u{1b}[2m{text}\u{1b}[0m")
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// parity: commands 31, 35
    #[test]
    fn the_surroundings_decide() {
        let both = Colour {
            status: true,
            log: true,
        };
        let log = Colour {
            status: false,
            log: true,
        };
        assert_eq!(Colour::wanted(true, Some("xterm"), None, None), both);
        assert_eq!(Colour::wanted(true, Some("xterm"), Some(""), None), both);
        assert_eq!(Colour::wanted(true, Some("xterm"), Some("1"), None), log);
        assert_eq!(Colour::wanted(true, Some("dumb"), None, None), log);
        assert_eq!(Colour::wanted(false, Some("xterm"), None, Some("")), log);
        assert_eq!(Colour::wanted(false, None, None, None), Colour::default());
    }
}
