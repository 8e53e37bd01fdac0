//! `.env` and `.kamal/secrets` files, by the grammar of Ruby's dotenv 3.2 with Kamal's command substitution.
//!
//! In: a file's text and an [`Expander`] that knows the environment and runs commands. Out: [`Parsed`]: names with values in the
//! file's order. What Ruby gets right is the same here. Where Ruby loses or changes a secret without a word, the value here is the
//! one the file means, or the file is refused: the output of a command is not expanded again, a command's backslashes are not
//! dropped, a program that is missing does not empty the file.

mod expand;
mod line;
mod parse;

pub use expand::{CommandFailure, CommandOutput, Expander};
pub use parse::{Entry, Existing, Parsed, parse};
