//! What is done with bytes in every run of a fuzzer, and what must hold whatever the bytes are: nothing panics or hangs,
//! what goes to a target is exactly one request, and how bytes are cut into reads makes no difference.
//!
//! In: bytes. Out: nothing, or a panic if a promise is broken. Only there with the feature `fuzzing`, for `fuzz/`, and
//! in tests, which run the kept corpora and damaged copies of them (`replay`).
//!
//! Whole connections (`conversation`) run on a stage (`stage`): a client in memory, a target on a loopback port, a
//! clock that only moves when everybody waits. What a client of HTTP/2 sends is put together by `script`, or raw.

mod chunks;
mod conversation;
mod h3_frames;
mod headers;
mod introduction;
#[cfg(test)]
mod replay;
mod response;
mod routing;
mod script;
mod stage;
mod state;

pub use chunks::chunks;
pub use conversation::{h2, http1};
pub use h3_frames::h3_frames;
pub use headers::headers;
pub use introduction::introduction;
pub use response::response;
pub use routing::routing;
pub use state::state;
