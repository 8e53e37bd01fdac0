//! Secrets: the files under `.kamal`, and the password managers they fetch from.
//!
//! In: the paths of the files, an [`Outside`] that reads them, a [`Runner`] that runs the password managers' own programs. Out: values
//! as [`Secret`](dhow_text::redact::Secret)s. [`Secrets`] is lazy: nothing is read, run or asked before a value is needed. No error text
//! holds a value.
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::unreachable,
        clippy::todo
    )
)]

mod adapters;
mod error;
mod extract;
mod fetch;
mod fetched;
mod inline;
mod runner;
mod secrets;

pub use error::SecretsError;
pub use extract::extract;
pub use fetch::{Request, fetch, requires_account};
pub use fetched::Fetched;
pub use inline::inline;
pub use runner::{Invocation, NotFound, Output, Runner};
pub use secrets::{Outside, Secrets};
