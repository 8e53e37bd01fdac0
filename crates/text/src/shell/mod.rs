//! Shell text: how values are quoted, and commands as data.

mod cmd;
mod quote;
mod split;

pub use cmd::{Cmd, Word};
pub use quote::{OptionStyle, ShellValue, key_values, options, quote_value, single_quote};
pub use split::{UnmatchedQuote, direct_argv, escape, split};
