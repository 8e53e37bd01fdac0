//! Reads words as Thor 1.4 does, the library behind Kamal's command line, and writes them down strictly.
//!
//! In: the declared commands, and the words after the program's name. Out: [`Resolved`], a help page to show or the same command
//! line with full names, `--option=value` everywhere and the positional words after `--`.
//!
//! Where Thor's habits only hurt, this differs:
//! - `deploy --help` is help, not an error.
//! - A text option without a value is an error (Thor takes the option's own name, so that `--hosts` alone means a host `hosts`),
//!   unless it has a default. `--follow` is a yes or no.
//! - Commands to be run elsewhere (`app exec`, `accessory exec`, `server exec`) keep their own options: after the command's first
//!   word, only Kamal's options are taken, and only where they can be meant (a value is there, all letters of a cluster are known).
//!   `app exec ls -la` runs `ls -la`; `app exec 'cmd' --reuse` reuses. After `--` everything belongs to the command; Kamal needs
//!   `-- --` there, which does the same here.
//! - An alias may expand to another one without losing words.

mod dispatch;
mod names;
mod scanner;
mod switch;

pub(crate) use dispatch::{AliasQuery, Resolved, resolve};

/// A text as Ruby's `inspect` writes it, which Thor's messages contain.
pub(crate) fn inspect(text: &str) -> String {
    let mut out = String::from("\"");
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '#' if matches!(chars.peek(), Some('{' | '$' | '@')) => out.push_str("\\#"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            '\u{1b}' => out.push_str("\\e"),
            c if c.is_control() => out.extend(c.escape_unicode()),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
