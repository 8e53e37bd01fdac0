//! What an operator can see: the log, the access log in it, and metrics.

pub(crate) mod access_log;
pub(crate) mod log;
pub(crate) mod metrics;
pub(crate) mod metrics_server;
