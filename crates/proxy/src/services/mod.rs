//! Services, their targets and who gets the next request. All of it is owned by the control thread, and read by the cores.
//!
//! `registry` holds the services and makes the `router`'s table; `deploy`, `operations`, `rollout_operations` and `restore` change
//! them; `state_file` keeps them. `target`, `health`, `drain`, `balance`, `pause` and `rollout` are the parts of one service.

pub(crate) mod balance;
pub(crate) mod deploy;
pub(crate) mod drain;
pub(crate) mod health;
pub(crate) mod operations;
pub(crate) mod pause;
pub(crate) mod probe;
pub(crate) mod registry;
pub(crate) mod restore;
pub(crate) mod rollout;
pub(crate) mod rollout_operations;
pub(crate) mod router;
pub(crate) mod rules;
pub(crate) mod service;
pub(crate) mod standing;
pub(crate) mod state_file;
pub(crate) mod target;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod test_services;
