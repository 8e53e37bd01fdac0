//! The command line: words in, one [`Invocation`] out.
//!
//! Kamal reads its command line with Thor, whose habits scripts rely on: `-h` means hosts, options may stand anywhere, a unique
//! beginning of a command is enough, aliases stand in the deploy file. [`thor`] reads words that way and writes them down in one
//! strict form, which the declarations in [`definition`] then turn into values. In: the words, and a way to look up aliases. Out:
//! an [`Invocation`], a text to show, or an [`ArgsError`].

mod definition;
mod help;
mod invocation;
#[cfg(test)]
mod reference;
mod shell_words;
mod thor;

pub(crate) use definition::*;
pub(crate) use invocation::{ArgsError, Invocation, Parsed, parse};
pub(crate) use thor::AliasQuery;

#[cfg(test)]
mod tests;
