//! Plans, whole: what every verb would do on made-up hosts, command by command.

mod accessories;
mod app_verbs;
mod boot;
mod convergence;
mod deploy;
mod failures;
mod housekeeping;
mod proxy;
mod rollback;
mod selection;
mod support;
