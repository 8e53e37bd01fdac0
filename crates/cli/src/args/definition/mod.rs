//! Every command and option, declared once: what the parser accepts, what help and the reference show, and what the rest of the
//! program receives.
//!
//! The spellings, letters and defaults are Kamal 2.12's. What only dhow has stands under the heading [`OWN`], which is also how
//! the parser knows it apart.

mod accessory;
mod app;
mod command;
mod global;
mod groups;
mod proxy;
mod value;

pub(crate) use accessory::*;
pub(crate) use app::*;
pub(crate) use command::*;
pub(crate) use global::Global;
pub(crate) use groups::*;
pub(crate) use proxy::*;
pub(crate) use value::Pair;

/// The help heading of what Kamal does not have. Such options give way where Kamal would have passed the word on.
pub(crate) const OWN: &str = "Only in dhow";

#[cfg(test)]
mod parity;
