//! The way of one request: from its head to the last byte of its answer and its line in the log.
//!
//! `pipeline` is the whole way, in order; `exchange` accompanies it. The other files are what it meets: who is believed
//! (`trust`), where it goes (`redirect`, `affinity`), what is held back (`gather`, `buffer`), how it reaches a target (`forward`) and
//! what the client gets (`answer`, `body`, `pages`).

pub(crate) mod admission;
pub(crate) mod affinity;
pub(crate) mod answer;
pub(crate) mod body;
pub(crate) mod buffer;
pub(crate) mod cookie;
pub(crate) mod cookie_scope;
pub(crate) mod exchange;
pub(crate) mod failure;
pub(crate) mod forward;
pub(crate) mod gather;
pub(crate) mod gunzip;
pub(crate) mod pages;
pub(crate) mod pipeline;
pub(crate) mod redirect;
pub(crate) mod request_id;
pub(crate) mod request_path;
pub(crate) mod sniff;
pub(crate) mod template;
pub(crate) mod trust;
pub(crate) mod upgrade;
