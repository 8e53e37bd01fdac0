//! The program and the process: what `kamal-proxy` was asked to do, the server from start to end, and how one process hands its
//! sockets to the next.

pub(crate) mod control;
pub(crate) mod descriptors;
pub(crate) mod entry;
pub(crate) mod installed;
pub(crate) mod server;
pub(crate) mod succession;
pub(crate) mod system_error;
pub(crate) mod takeover;
pub(crate) mod upgrade_in_place;
